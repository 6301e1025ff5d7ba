"""What a strategy is, in words."""

from __future__ import annotations

SEARCHES = {
    "beam": "beam search in N slots, scored step by step: the N/M best go on, each in M ways",
    "dvts": "diverse tree search, scored step by step: N/M subtrees, of each the best of M steps goes on",
    "rebase": "reward-balanced search, scored step by step: N slots go on, shared out by score",
    "particle": "particle filtering, scored step by step: N slots, drawn anew by score after each step",
    "revise": "revisions: N attempts in chains of M, each written with those before it in view",
}
"""The searches in words."""

RULES = {
    "vanilla": "the best score",
    "weighted": "a vote in which each counts as its score",
    "majority": "a majority vote",
}
"""How a search's answer is selected, in words."""


def about(strategy: str, trust: float | None = None) -> str:
    """A strategy in words."""
    verify = "sample S solutions, verify each V times"
    if strategy.split("+")[0] in SEARCHES:
        return searching(*strategy.split("+"))
    return {
        "sc": "self-consistency: sample S solutions, and take the answer with the most votes",
        "genrm": f"generative verifier: {verify}, take the best mean verdict",
        "genrm+vote": f"generative verifier, then votes: {verify}, keep the best mean verdict, take the answer "
        "with the most votes among them",
        "weighted": f"weighted vote: {verify}, let each solution vote with its mean verdict",
        "fused": f"votes and verdicts together: {verify}, let each solution vote with its odds of yes "
        f"to the power {trust or 0:g}",
        "bon": "best of n: sample S solutions, score each, take the best score",
        "prm-weighted": "weighted vote: sample S solutions, score each, let each vote with its score",
    }[strategy]


def searching(strategy: str, rule: str) -> str:
    """A search in words."""
    return f"{SEARCHES[strategy]}; the answer by {RULES[rule]}"
