"""Sentences and tables of the allocation laws, for `isocompute plan` and `isocompute fit`."""

from __future__ import annotations

from rich.table import Table

from isocompute.fits.laws.allocation import LAW_FITS, AllocationLaws
from isocompute.fits.laws.power_law import PowerLaw


def describe_strategy_law(strategy: str, laws: AllocationLaws) -> str:
    """Describe how a strategy's S and V should grow, with prefactors, or why that is unknown."""
    law = laws.usable
    if law is None:
        return f"Law of {strategy}: unknown over {describe_law_range(laws)}; {laws.unknown_reason}"
    text = (
        f"Law of {strategy}, by which its best numbers grow with the budget C: S = {law.solutions.prefactor:.3g} C^a "
        f"with a = {format_exponent(law.solutions)}, "
        f"V = {law.verifications.prefactor:.3g} C^b with b = {format_exponent(law.verifications)}, for C from "
        f"{describe_law_range(laws)}"
    )
    edge = law.is_at_edge.sum()
    if not edge:
        return text + "."
    return (
        f"{text}. At {edge} of {len(laws.budgets)} budgets the best S or V lies at an edge of what was measured and "
        "counts as a bound only."
    )


def describe_law_range(laws: AllocationLaws) -> str:
    """Return the budgets that a law is fitted on."""
    return f"{laws.budgets[0]:,.0f}x to {laws.budgets[-1]:,.0f}x"


def format_exponent(part: PowerLaw) -> str:
    """Return an exponent with its interval."""
    if part.interval is None:
        return f"{part.exponent:.2f}"
    return "{:.2f} [{:.2f}, {:.2f}]".format(part.exponent, *part.interval)


def build_fits_table(laws: AllocationLaws) -> Table:
    """Return a table of one strategy's law, fitted in three ways."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("fitted on", "a", "b", "inside: a, b", "a + wb"):
        table.add_column(heading, no_wrap=True)
    for law in laws:
        inside = "–" if law.inner_exponents is None else "{:.2f}, {:.2f}".format(*law.inner_exponents)
        parts = map(format_exponent, (law.solutions, law.verifications)) if law.is_known else ("unknown", "unknown")
        table.add_row(LAW_FITS[law.way], *parts, inside, f"{1 + law.identity:.2f}" if law.is_known else "–")
    return table
