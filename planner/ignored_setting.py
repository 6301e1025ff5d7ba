"""A setting of thinking, such as the reasoning effort, that changed no token count: the server ignored it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isocompute.fits.ratio_interval import compute_ratio_interval
from isocompute.planner.profile import ProblemRecord, code_clusters
from isocompute.runners.parsing.printable import format_error_value, format_one_line

THINKING_WORDS = ("effort", "reasoning", "thinking", "verbosity")
"""Words in the names of settings that should change how many tokens a model writes."""

UNSENT_SETTINGS = frozenset({"thinking_end"})
"""Settings that have such a word in their names and are never sent to a server."""

EQUIVALENT_RATIO = 0.05
"""Mean tokens are the same if the interval of their ratio lies within 1 ± this."""


@dataclass(frozen=True)
class MeasuredTokens:
    """The tokens of a run's solutions by problem, and the settings that they were sampled with.

    Args:
        settings: the solver's settings by name; values may be mappings.
        problems: the problems, as in a profile.
    """

    settings: Mapping[str, Any]
    problems: Sequence[ProblemRecord]


@dataclass(frozen=True)
class TokenRatio:
    """The ratio of the mean completion tokens of two runs, over the problems that both have.

    Args:
        first: mean completion tokens of a solution in the first run.
        second: the same in the second run.
        low: the low end of the 95 % interval of second / first.
        high: its high end.
        problems: number of problems.
    """

    first: float
    second: float
    low: float
    high: float
    problems: int

    @property
    def is_one(self) -> bool:
        """True if the interval lies within 1 ± `EQUIVALENT_RATIO`."""
        return self.low >= 1 - EQUIVALENT_RATIO and self.high <= 1 + EQUIVALENT_RATIO


def describe_ignored_setting(first: MeasuredTokens, second: MeasuredTokens) -> str | None:
    """Return a sentence if two runs differ only in a setting of thinking, and it changed no token count.

    Args:
        first: the tokens and settings of one run.
        second: those of the other.

    Returns:
        None if the runs differ in another setting or in none, if the mean tokens differ by more than
        `EQUIVALENT_RATIO` or may do so, or if fewer than two problems are the same.
    """
    name = find_single_difference(first.settings, second.settings)
    if name is None or name.rpartition(".")[2] in UNSENT_SETTINGS or not any(w in name for w in THINKING_WORDS):
        return None
    ratio = compare_mean_tokens(first.problems, second.problems)
    if ratio is None or not ratio.is_one:
        return None
    values = [dict(flatten_settings(each.settings)).get(name) for each in (first, second)]
    one, other = (format_error_value(value) for value in values)
    # A limit on thinking changes nothing if no solution reaches it.
    is_limit = any(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    reason = "the server ignored it, or no solution thinks that long" if is_limit else "the server ignored it"
    return (
        f"The setting '{format_one_line(name, 80)}' changed no token count: solutions have {ratio.first:,.4g} "
        f"completion tokens with {one} and {ratio.second:,.4g} with {other}, a ratio of "
        f"{ratio.second / ratio.first:.3f} [{ratio.low:.3f}, {ratio.high:.3f}] over {ratio.problems:,} problems; "
        f"{reason}."
    )


def find_single_difference(first: Mapping[str, Any], second: Mapping[str, Any]) -> str | None:
    """Return the name of the only setting that differs; None if none or several differ.

    A setting that only one of the two has differs as well. The names of nested settings are joined by dots.

    >>> find_single_difference({"options": {"extra": {"effort": "low"}}, "top_p": 1}, {"options": {}, "top_p": 1})
    'options.extra.effort'
    """
    one, other = dict(flatten_settings(first)), dict(flatten_settings(second))
    differing = [name for name in {**one, **other} if (name in one, one.get(name)) != (name in other, other.get(name))]
    return differing[0] if len(differing) == 1 else None


def flatten_settings(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the names of settings, joined by dots where they are nested, and their values."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flatten_settings(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def compare_mean_tokens(first: Sequence[ProblemRecord], second: Sequence[ProblemRecord]) -> TokenRatio | None:
    """Compare the mean completion tokens of a solution on the problems that two runs share.

    Problems are the same if id and question are. Only those count whose tokens are known in both.

    Returns:
        None with fewer than two independent problems.
    """
    known = {(record.id, record.digest): get_solution_tokens(record) for record in second}
    named = [record for record in first if record.id is not None]
    pairs = [(record, get_solution_tokens(record), known.get((record.id, record.digest))) for record in named]
    shared = [(record, one, other) for record, one, other in pairs if one is not None and other is not None]
    if not shared or not sum(one for _, one, _ in shared):
        return None
    clusters = code_clusters([record.cluster for record, _, _ in shared])
    one, other = np.array([tokens for _, *tokens in shared]).T
    ends = compute_ratio_interval(other, one, clusters=clusters)
    if ends is None:
        return None
    return TokenRatio(float(one.mean()), float(other.mean()), *ends, len(shared))


def get_solution_tokens(record: ProblemRecord) -> float | None:
    """Return the mean completion tokens of a problem's solutions; None if they are unknown."""
    solver = record.tokens.get("solver")
    return None if solver is None else solver.completion
