"""The lines of ``serve --dry-run``: what a request costs at most and on average."""

from __future__ import annotations

from collections.abc import Mapping

from isocompute.planner.budget import format_compute
from isocompute.planner.strategies.registry import is_search
from isocompute.serving.endpoint.allocation import FixedAllocation
from isocompute.serving.endpoint.ledger import Prices
from isocompute.serving.endpoint.options import OFF, Options
from isocompute.serving.endpoint.plans import SINGLE_CALL, PlanBook, round_options


def list_costs(book: PlanBook) -> list[str]:
    """Return what a request without options of its own costs.

    Raises:
        ApiError: the server's own budget cannot be planned.
    """
    options = Options()
    spending = SINGLE_CALL
    if book.choose_policy(options) != OFF:
        spending = book.make_spending(book.make_plan(round_options(options)), options)
    decider, prices = spending.decider, book.read_prices()
    S = decider.solutions
    is_scored = isinstance(decider, FixedAllocation) and decider.is_scored
    counts = {"solver": S, "verifier": S * decider.verifications_per_solution, "scorer": S * is_scored}
    limits = {
        role: model.model_dump().get("settings", {}).get("max_tokens") for role, model in book.profile.models.items()
    }
    longest = {role: limit for role, limit in limits.items() if limit}
    longest |= {"scorer": longest["solver"]} if "solver" in longest else {}
    parts = {"solver": "solutions", "verifier": "verifications", "scorer": "scores"}
    named = ", ".join(f"{counts[role]:.0f} {what}" for role, what in parts.items() if role != "scorer" or is_scored)
    calls = f"{sum(counts.values()):.0f} calls ({named})"
    lines = [
        f"A request without options of its own: {spending.name}, budget {book.defaults.budget.text}.",
        f"  at most, with texts of their mean length: {describe_amounts(prices, counts, prices.tokens)}, {calls}",
    ]
    if all(role in longest for role, count in counts.items() if count):
        lines.insert(
            1, f"  at most, with texts as long as they may be: {describe_amounts(prices, counts, longest)}, {calls}"
        )
    if spending.mean is None or spending.calls is None:
        lines.append("  on average: unknown, since the profile holds no measurement of this policy")
    elif spending.calls == sum(counts.values()):
        lines.append(f"  on average: {describe_amounts(prices, counts, prices.tokens)}, {spending.calls:.0f} calls")
    else:
        lines.append(f"  on average: {format_compute(spending.mean)}, {spending.calls:.3g} calls")
    if spending.accuracy is not None:
        lines.append(f"  accuracy to expect: {100 * spending.accuracy:.1f} %")
    return [*lines, *(f"  {note}" for note in spending.notes), *describe_searches(book)]


def describe_searches(book: PlanBook) -> list[str]:
    """Return a line that says which searches of the profile are not served."""
    searches = [name for name in book.left_out if is_search(name)]
    if not searches:
        return []
    return [
        f"Searches are not served ({', '.join(searches)}): they score every step while they sample; `isocompute solve` "
        "carries them out."
    ]


def describe_amounts(prices: Prices, counts: Mapping[str, float], lengths: Mapping[str, float]) -> str:
    """Return compute and completion tokens of calls with texts of given lengths, in words.

    Args:
        prices: what a call of each role costs, and how long it is on average.
        counts: role → number of calls. A scorer reads texts of its length and samples none.
        lengths: role → tokens of a text.
    """
    asked = [role for role, count in counts.items() if count]
    costs = {role: prices.calls.get(role) for role in asked}
    if not all(lengths.get(role) for role in asked):
        known = [counts[role] * cost for role, cost in costs.items() if cost is not None]
        return f"{format_compute(sum(known)) if len(known) == len(asked) else 'unknown compute'}, unknown tokens"
    tokens = sum(counts[role] * lengths[role] for role in asked if role != "scorer")
    if None in costs.values() or not all(role in prices.tokens for role in asked):
        return f"{tokens:,.0f} completion tokens"
    x = sum(counts[role] * (costs[role] or 0.0) * lengths[role] / prices.tokens[role] for role in asked)
    return f"{format_compute(x)}, {tokens:,.0f} completion tokens"
