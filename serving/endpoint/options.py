"""The options of a request: budget, deadline, target and policy, in the body or in headers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from isocompute.errors import BudgetError, IsocomputeError
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.planner.budget import Budget, has_no_unit
from isocompute.planner.costs.request import read_latency
from isocompute.planner.costs.target import read_target
from isocompute.serving.endpoint.errors import ApiError

HEADER_PREFIX = "x-isocompute-"
LONGEST_OPTION = 100
"""Characters of the longest value of an option."""

LONGEST_DEADLINE = 86_400.0
"""Most seconds until a deadline."""

OFF, FIXED, AUTO, VALUE_RULE = "off", "fixed", "auto", "value"
POLICY_NAMES = (*STOP_RULES, VALUE_RULE, FIXED, AUTO, OFF)
"""The rules, and the policies that are none: the plan's fixed allocation, the cheapest of it and the rules that the
profile measured, and one call that is passed through. The rule ``value`` is learnt: it comes from the profile, or from
a policy file."""


@dataclass(frozen=True)
class Options:
    """The options of a request; None where it leaves the choice to the server.

    Args:
        budget: the most compute of the request, in any unit of ``isocompute plan``.
        deadline: seconds from the arrival of the request until its answer is due.
        target: the accuracy to reach, 0 … 1.
        policy: one of `POLICY_NAMES`.
        threshold: the value of the rule's parameter at which it stops.
    """

    budget: Budget | None = None
    deadline: float | None = None
    target: float | None = None
    policy: str | None = None
    threshold: float | None = None


OPTION_NAMES = tuple(field.name for field in fields(Options))


def read_options(given: Any, headers: Mapping[str, str], now: float) -> Options:
    """Return the options of a request; those in the body come before those in headers.

    Args:
        given: the body's field ``isocompute``; None if there is none.
        headers: the request's headers, names in lower case.
        now: seconds since 1970, for a deadline that is a date.

    Raises:
        ApiError: 400, an option is unknown, has the wrong type or is out of its range.

    >>> options = read_options({"budget": "8x"}, {"x-isocompute-budget": "4x", "x-isocompute-deadline": "20"}, now=0.0)
    >>> options.budget, options.deadline
    (Budget(multiple=8.0, of_plateau=False, unit='x'), 20.0)
    """
    if given is not None and not isinstance(given, dict):
        raise refuse_option("isocompute", 'must be an object such as {"budget": "16x"}')
    raw: dict[str, Any] = {
        name.removeprefix(HEADER_PREFIX): value for name, value in headers.items() if name.startswith(HEADER_PREFIX)
    }
    raw |= {name: value for name, value in (given or {}).items() if value is not None}
    if unknown := [name for name in raw if name not in OPTION_NAMES]:
        raise refuse_option(f"isocompute.{unknown[0]:.40}", f"is unknown; there are {', '.join(OPTION_NAMES)}")
    for name, value in raw.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise refuse_option(f"isocompute.{name}", "must be a text or a number")
        if isinstance(value, str) and len(value) > LONGEST_OPTION:
            raise refuse_option(f"isocompute.{name}", f"is longer than {LONGEST_OPTION} characters")
    return Options(
        budget=read_budget(raw["budget"]) if "budget" in raw else None,
        deadline=read_deadline(raw["deadline"], now) if "deadline" in raw else None,
        target=read_target_option(raw["target"]) if "target" in raw else None,
        policy=read_policy(raw["policy"]) if "policy" in raw else None,
        threshold=read_number(raw["threshold"], "threshold") if "threshold" in raw else None,
    )


def read_budget(value: str | float) -> Budget:
    """Return a budget; a number without a unit is in x, the compute of one solution.

    Raises:
        ApiError: 400, it cannot be read.
    """
    text = value if isinstance(value, str) else f"{read_number(value, 'budget'):.15g}"
    try:
        return Budget.parse(f"{text}x" if has_no_unit(text) else text)
    except BudgetError as error:
        raise refuse_option("isocompute.budget", f"cannot be used: {error}") from None


def read_deadline(value: str | float, now: float) -> float:
    """Return the seconds until a deadline: a number of seconds, ``20 s``, or a date in ISO 8601 with its time zone.

    Raises:
        ApiError: 400, it cannot be read, is in the past, or too far away.

    >>> read_deadline(2.5, now=0.0), read_deadline("20 s", now=0.0), read_deadline("1970-01-01T00:01:00Z", now=50.0)
    (2.5, 20.0, 10.0)
    """
    seconds = math.nan
    if isinstance(value, str) and value.count("-") >= 2:
        seconds = read_date(value) - now
    elif isinstance(value, str):
        with suppress(IsocomputeError, ValueError):
            seconds = float(value) if has_no_unit(value) or value.lstrip().startswith("-") else read_latency(value)
    else:
        seconds = read_number(value, "deadline")
    if math.isnan(seconds):
        raise refuse_option(
            "isocompute.deadline", "must be seconds from now, such as 20, or a date such as 2030-01-31T12:00:00Z"
        )
    if not seconds > 0:
        raise refuse_option("isocompute.deadline", "is in the past")
    if seconds > LONGEST_DEADLINE:
        raise refuse_option("isocompute.deadline", f"must be at most {LONGEST_DEADLINE:,.0f} seconds away")
    return seconds


def read_date(text: str) -> float:
    """Return a date in ISO 8601 as seconds since 1970.

    Raises:
        ApiError: 400, it is none, or has no time zone.
    """
    try:
        date = datetime.fromisoformat(text.strip())
        if date.tzinfo is None:
            raise ValueError(text)
        return date.timestamp()
    except (ValueError, OverflowError):
        raise refuse_option(
            "isocompute.deadline", "must be a date with a time zone, such as 2030-01-31T12:00:00Z"
        ) from None


def read_target_option(value: str | float) -> float:
    """Return a target accuracy, such as 0.6 or ``60%``.

    Raises:
        ApiError: 400, it is not one.
    """
    try:
        return read_target(value if isinstance(value, str) else read_number(value, "target"))
    except IsocomputeError as error:
        raise refuse_option("isocompute.target", f"cannot be used: {error}") from None


def read_policy(value: str | float) -> str:
    """Return the name of a policy.

    Raises:
        ApiError: 400, there is none of that name.
    """
    if value not in POLICY_NAMES:
        raise refuse_option("isocompute.policy", f"must be one of {', '.join(POLICY_NAMES)}")
    return str(value)


def read_number(value: str | float, name: str) -> float:
    """Return a finite number.

    Raises:
        ApiError: 400, it is none.
    """
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise refuse_option(f"isocompute.{name}", "must be a finite number")
    return number


def refuse_option(param: str, why: str) -> ApiError:
    """Return the error of an option that cannot be used."""
    return ApiError(400, f"{param} {why.removesuffix('.')}.", param=param, code="invalid_isocompute_option")
