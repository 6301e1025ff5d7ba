"""Terminal output of `isocompute sweep --dry-run`: the cost of a sweep."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from isocompute.cli.screens.runs import make_number_table, print_plain_line
from isocompute.runners.cost.price import PriceEstimate, RoleCost, UnitPrices
from isocompute.runners.parsing.printable import format_short_number

ROLE_ROW_KINDS = {"solver": "requests", "verifier": "requests", "scorer": "scores"}
"""The kind of a role's rows; the rows of all other roles are searches."""
UNKNOWN_LENGTHS_NOTE = "length unknown; --sample 2 measures it"
LENGTH_SOURCES = {"run": "existing rows", "sample": "sampled rows"}


def print_price(console: Console, run: str, price: PriceEstimate) -> None:
    """Print what a sweep would cost."""
    if not any(role.requests for role in price.roles.values()):
        print_plain_line(console, f"{run} is complete: nothing is left to sample.")
        return
    print_plain_line(console, f"{run}: {describe_row_counts(price)} would be made. Nothing was written.")
    console.print()
    console.print(build_price_table(price))
    console.print()
    for text in describe_roles(price):
        print_plain_line(console, text)
    most = "at most " if price.upper_bound else ""
    if price.hours is None:
        print_plain_line(console, f"Time: unknown{explain_unknown_time(price)}")
    else:
        source = "given" if price.rate_source == "given" else "measured in the sample, which may not fill the engine"
        print_plain_line(console, f"Time: {most}{format_duration(price.hours)} at {describe_speed(price)}, {source}")
    print_plain_line(
        console,
        f"Cost: {most}${price.dollars:,.2f}" if price.dollars is not None else f"Cost: {explain_unknown_cost(price)}",
    )


def build_price_table(price: PriceEstimate) -> Table:
    """Return the table of the total tokens and FLOPs of each role."""
    scores = any(cost.scorer_prompt_tokens != 0 for cost in price.roles.values())
    table = make_number_table(
        "", "rows", "prompt", "cached", "completion tokens", *(["scored"] if scores else []), "FLOPs"
    )
    if scores:
        table.columns[4].header = "completion\ntokens"
        table.padding = (0, 1, 0, 0)
    for name, cost in price.roles.items():
        most = "≤ " if cost.lengths.source == "max_tokens" and cost.requests else ""
        sampled = (
            format_short_number(cost.prompt_tokens),
            format_short_number(cost.cached_tokens),
            most + format_short_number(cost.completion_tokens),
        )
        scored = [format_short_number(cost.scorer_prompt_tokens)] if scores else []
        table.add_row(name, f"{cost.requests:,}", *sampled, *scored, most + format_role_flops(cost))
    return table


def describe_roles(price: PriceEstimate) -> list[str]:
    """Describe each role's row lengths and model sizes; searches with the same source of lengths share a line."""
    lines, searches = [], dict[str, dict[str, RoleCost]]()
    for name, cost in price.roles.items():
        if not cost.requests:
            continue
        if name in ROLE_ROW_KINDS:
            lines.append(f"{name}: {describe_role_lengths(cost)}; {describe_model_sizes(name, cost)}")
        else:
            searches.setdefault(cost.lengths.source, {})[name] = cost
    for source, costs in searches.items():
        rows = sum(cost.lengths.rows for cost in costs.values())
        length = f"length from {rows:,} {LENGTH_SOURCES[source]}" if rows else UNKNOWN_LENGTHS_NOTE
        names = "searches" if len(searches) == 1 else join_with_and(list(costs))
        lines.append(f"{names}: {length}; {describe_model_sizes('search', next(iter(costs.values())))}")
    return lines


def describe_row_counts(price: PriceEstimate) -> str:
    """Return the numbers of requests, scores and searches as text."""
    counts = {"requests": 0, "scores": 0, "searches": 0}
    for name, cost in price.roles.items():
        counts[ROLE_ROW_KINDS.get(name, "searches")] += cost.requests
    return join_with_and([f"{count:,} {kind}" for kind, count in counts.items() if count])


def join_with_and(words: list[str]) -> str:
    """Join words with commas and "and".

    >>> join_with_and(["9 requests", "4 scores", "2 searches"])
    '9 requests, 4 scores and 2 searches'
    """
    return " and ".join([*([", ".join(words[:-1])] if words[:-1] else []), *words[-1:]])


def describe_speed(price: PriceEstimate) -> str:
    """Return the throughput as text, by role if roles differ."""
    rates = price.rates or {}
    by_kind = {
        name if name in ROLE_ROW_KINDS else "searches": rate
        for name, rate in rates.items()
        if price.roles[name].requests
    }
    scorer_rate = by_kind.pop("scorer", None)
    speeds = [f"{rate:,.0f}{f' ({kind})' if len(set(by_kind.values())) > 1 else ''}" for kind, rate in by_kind.items()]
    sampled = (
        [f"{join_with_and(speeds if len(set(speeds)) > 1 else speeds[:1])} completion tokens a second"]
        if speeds
        else []
    )
    return join_with_and([*sampled, *([] if scorer_rate is None else [f"{scorer_rate:,.0f} scored tokens a second"])])


def explain_unknown_time(price: PriceEstimate) -> str:
    """Explain why the time is unknown, and which option measures or sets it."""
    if price.rates is None:
        return "; --tokens-per-second sets the speed, --sample 2 measures it"
    if all(cost.rated_tokens is not None for cost in price.roles.values()):
        return ", because the speed of scoring is unknown; --sample 2 measures it"
    return ", because the length of searches is unknown; --sample 2 measures it"


def explain_unknown_cost(price: PriceEstimate) -> str:
    """Explain why the cost is unknown, and which option measures or sets it."""
    if price.prices == UnitPrices():
        return (
            "unknown; --price-in and --price-out set the price of a million tokens, --price-hour that of a machine hour"
        )
    if price.prices.hour is not None and price.hours is None:
        return "unknown, because the time is unknown"
    return "unknown, because the tokens are unknown; --sample 2 measures them"


def format_duration(hours: float) -> str:
    """Return a time with two digits and a unit.

    >>> [format_duration(h) for h in (0.001, 0.041, 1, 30, 200)]
    ['3.6 s', '2.5 min', '1 h', '30 h', '8.3 days']
    """
    for size, unit in ((1 / 3600, "s"), (1 / 60, "min"), (1.0, "h")):
        if hours < 60 * size * (1 if unit != "h" else 0.8):
            return f"{hours / size:.2g} {unit}"
    return f"{hours / 24:.2g} days" if hours < 2400 else f"{hours / 24:,.0f} days"


def describe_role_lengths(cost: RoleCost) -> str:
    """Describe the lengths of a role's rows, and their source."""
    mean = cost.lengths
    if mean.source == "unknown":
        return UNKNOWN_LENGTHS_NOTE
    if mean.source == "max_tokens":
        return f"length unknown, at most max_tokens ({mean.completion_tokens:,.0f}); --sample 2 measures it"
    tokens = [f"{mean.completion_tokens:,.1f} completion tokens"] if mean.completion_tokens else []
    tokens += ["an unknown number of tokens scored"] if mean.scorer_prompt_tokens is None else []
    tokens += [f"{mean.scorer_prompt_tokens:,.1f} tokens scored"] if mean.scorer_prompt_tokens else []
    return f"{join_with_and(tokens or ['no tokens'])}, the mean of {mean.rows:,} {LENGTH_SOURCES[mean.source]}"


def describe_model_sizes(name: str, cost: RoleCost) -> str:
    """Describe the sizes of a role's models."""
    sizes = {} if name == "scorer" else {"P": cost.parameters}
    sizes |= {} if cost.scorer_prompt_tokens == 0 else {"P of the scorer" if sizes else "P": cost.scorer_parameters}
    size_texts = [
        f"{p} = {format_short_number(known)}" if known is not None else f"{p} unknown (--parameters)"
        for p, known in sizes.items()
    ]
    return ", ".join(size_texts)


def format_role_flops(cost: RoleCost) -> str:
    """Return a role's FLOPs as text, for sampled, prompt and scored tokens together."""
    parts = {"sampling": cost.flops, "prompts": cost.prompt_flops, "scoring": cost.scorer_flops}
    unknown = [name for name, part in parts.items() if part is None]
    known = sum(part for part in parts.values() if part is not None)
    return "?" if unknown and not known else " + ".join([f"{known:.2g}", *unknown])
