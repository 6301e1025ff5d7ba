"""λ and ρ as they are given: ways of counting tokens, and checked numbers."""

from __future__ import annotations

from isocompute.errors import DataError
from isocompute.planner.profile.numbers import LARGEST_LAMBDA, SMALLEST_LAMBDA
from isocompute.runners.parsing.printable import format_error_value

COUNTING_WAYS = ("completion", "prompts", "cached")
"""The ways of counting a row's tokens as compute, see `fits.cost.count_row_tokens`."""


def check_lambda(lam: float) -> float:
    """Check λ and return it.

    Raises:
        DataError: λ is not a number from 1e-6 to 1e6.
    """
    if not SMALLEST_LAMBDA <= lam <= LARGEST_LAMBDA:
        raise DataError(
            f"λ is {lam:g}; the cost of a verification in solutions must be above zero, from {SMALLEST_LAMBDA:g} to "
            f"{LARGEST_LAMBDA:,.0f}."
        )
    return lam


def read_lambda(lam: object) -> float:
    """Return λ as a number.

    Raises:
        DataError: it is not a number, or outside the range of `check_lambda`.
    """
    sentence = f"λ is {format_error_value(lam)}; it must be a number, or one of {', '.join(COUNTING_WAYS)}."
    return check_lambda(_to_number(lam, sentence))


def check_rho(rho: object) -> float:
    """Return ρ as a number.

    Raises:
        DataError: it is not a number, below 0, or above 1e6.
    """
    number = _to_number(rho, f"ρ is {format_error_value(rho)}; it must be a number.")
    if not 0 <= number <= LARGEST_LAMBDA:
        raise DataError(
            f"ρ is {number:g}; the cost of scoring a solution in solutions must lie from 0 to {LARGEST_LAMBDA:,.0f}."
        )
    return number


def check_costs(lam: float | str | None, rho: float | None) -> None:
    """Check λ and ρ as they are given, before work starts that takes long.

    Raises:
        DataError: one is not a cost.
    """
    if lam is not None and not (isinstance(lam, str) and lam in COUNTING_WAYS):
        read_lambda(lam)
    if rho is not None:
        check_rho(rho)


def _to_number(value: object, sentence: str) -> float:
    try:
        if isinstance(value, bool) or (isinstance(value, str) and "_" in value):  # Python reads 1_0 as 10
            raise TypeError
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise DataError(sentence) from None
