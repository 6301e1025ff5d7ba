"""Findings on published results: a sentence for each paper, computed from the numbers, on what holds on our runs."""

from __future__ import annotations

import pandas as pd

from isocompute.figures.plots.search_by_n import BEST_BY_LEVEL

VERIFY_PANEL, SEARCH_PANEL, DIFFICULTY_PANEL = "verify", "search", "difficulty"


def describe_findings(table: pd.DataFrame) -> dict[str, str]:
    """Return a sentence for each panel on what the paper says, and whether our own runs agree.

    A claim holds if the whole 95 % interval agrees with it, does not hold if none of it does, and else is not settled.

    Args:
        table: table from `build_published_table`, which may lack the findings.
    """
    return {
        VERIFY_PANEL: describe_verify_finding(table[table["panel"] == VERIFY_PANEL]),
        SEARCH_PANEL: describe_search_finding(table[table["panel"] == DIFFICULTY_PANEL]),  # where the N are paired
        DIFFICULTY_PANEL: describe_difficulty_finding(table[table["panel"] == DIFFICULTY_PANEL]),
    }


def judge_claim(low: float, high: float, least: float) -> str:
    """Return whether a claim that a number is above another holds, from the number's interval.

    >>> judge_claim(0.5, 2, 0), judge_claim(-2, -1, 0), judge_claim(-1, 1, 0)
    ('holds', 'does not hold', 'is not settled')
    """
    return "holds" if low > least else "does not hold" if high < least else "is not settled"


def format_bounds(low: float, high: float) -> str:
    """Return an interval in brackets, each end to one digit."""
    return f"[{low:.1f}, {high:.1f}]"


def describe_verify_finding(points: pd.DataFrame) -> str:
    """Return the sentence on GenRM's lead over SC at the largest compute of each of our own profiles.

    A profile that ends below the compute at which GenRM matches SC in the paper says nothing on the claim.
    """
    claims = points[points["mark"] == "paper"].sort_values("budget")
    matches, gains = claims.iloc[0], claims.iloc[-1]
    said = (
        f"Singhi et al.: GenRM matches SC at {matches['budget']:g} plateaus of SC and leads by {gains['value']:.1f} "
        f"points at {gains['budget']:g}"
    )
    for model, line in points[points["low"].notna()].groupby("model", sort=False):
        last = line.sort_values("budget").iloc[-1]
        bounds = format_bounds(last["low"], last["high"])
        said += f"; on {model} the lead is {last['value']:+.1f} {bounds} at {last['budget']:.2g}, "
        if last["budget"] < matches["budget"]:
            said += "and larger budgets were not measured"
        else:
            said += f"so a lead {judge_claim(last['low'], last['high'], 0)}"
    return f"{said}."


def describe_search_finding(points: pd.DataFrame) -> str:
    """Return the sentence on how many solutions Best-of-N needs to be as good as beam search."""
    claim = points[points["method"] == "beam"].iloc[0]
    own = points[points["method"] == "beam+weighted"].sort_values("budget").set_index("budget")
    first, last = own.loc[claim["budget"]], own.iloc[-1]
    verdict = judge_claim(first["low"], first["high"], claim["value"])
    return (
        f"search-and-learn (second-hand): beam search at N = {claim['budget']:g} is as good as Best-of-N at "
        f"{claim['value']:g}; that {verdict} on the lab: as good as at "
        f"{first['value']:.1f} {format_bounds(first['low'], first['high'])}, and with N = {last.name:g} as at "
        f"{last['value']:.1f} {format_bounds(last['low'], last['high'])}."
    )


def describe_difficulty_finding(points: pd.DataFrame) -> str:
    """Return the sentence on how many solutions Best-of-N needs to be as good as a choice by difficulty."""
    claim = points[points["source"].str.startswith("Snell")].sort_values("budget").iloc[0]
    own = points[points["method"] == BEST_BY_LEVEL].set_index("budget").loc[claim["budget"]]
    return (
        f"Snell et al.: choosing by difficulty, N = {claim['budget']:g} is as good as Best-of-N at {claim['value']:g}; "
        f"that {judge_claim(own['low'], own['high'], claim['value'])} on the lab: as good as at "
        f"{own['value']:.1f} {format_bounds(own['low'], own['high'])}."
    )
