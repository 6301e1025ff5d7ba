"""The words that screens use, each in one or two sentences: a block at the end of a screen, and docs/glossary.md."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.console import Console

from isocompute.cli.screens.text import print_item
from isocompute.planner.strategies.registry import STRATEGIES, describe_strategy, is_search
from isocompute.planner.strategy_option import EQUIVALENCE_POINTS
from isocompute.runners.search.registry import SEARCH_STRATEGIES, SELECTION_STYLES

WORDS = {
    "x": "the compute of one solution, by default in tokens written; 128x is 128 solutions' worth.",
    "S, V": "S solutions of each question, and V verifications of each: sampled judgements, whose verdict is yes, no "
    "or a probability of yes.",
    "N, M": "slots of a search, and continuations of each step that it keeps.",
    "expected": "accuracy on new problems: what was measured, shrunk towards what is usual in simulated tasks, since "
    "the best of many measured accuracies is high partly by luck.",
    "measured": "the mean accuracy over the measured problems.",
    "95 % interval": "it holds the true value in 95 of 100 cases. Two strategies are compared on the same problems.",
    "P(best)": "the probability that no other strategy is better by more than "
    f"{EQUIVALENCE_POINTS:g} points. Several can be best, so these need not add up to 1.",
    "cascade": "one model samples first; if enough of its votes agree, their answer stands, else the other model "
    "answers.",
    "settled": "a difference is settled if its 95 % interval lies on one side of 0.",
    "coverage": "measured share of problems that at least one of S solutions solves; no choice among them does better.",
    "plateau": "the compute at which voting flattens: the smallest S at which sc is within half a point of its "
    "maximum. 4x-plateau is 4 times it.",
    "crossover": "the budget from which a strategy stays at or above sc. An interval that ends in never says that it "
    "may not happen.",
    "λ": "cost of a verification in solutions: S solutions with V verifications each cost S(1 + λV).",
    "ρ": "cost of scoring a solution in solutions: S scored solutions cost S(1 + ρ).",
    "law": "how the best S and V grow with the budget C: S = k C^a and V = m C^b. A best number at an edge of what was "
    "measured counts as a bound only.",
    "policy": "a rule that decides while it samples, and stops early. Its threshold says when.",
    "p95": "the 95th percentile: 95 of 100 problems take at most this compute.",
    "saves": "how many times less compute is spent, on average: 3x is a third of it.",
    "regret": "the points of accuracy that advice loses against the best allocation in hindsight.",
    "allocation": "a strategy's numbers, such as S=16 V=4.",
    "profile": "the file that `isocompute fit` leaves: all that a plan needs of a run.",
    "run": "a folder with the rows of a sweep: solutions, verifications, scores and searches.",
    "power": "the probability that a test finds a difference that is there.",
    "level": "problems by difficulty, in five groups; level 1 is the easiest.",
    "optimistic": "scored on the same problems as the choice was made on, so that chance favours it.",
    "hindsight": "what one could have reached who knows the answers.",
    "waves": "rounds of sampling, one after the other; the solutions of a wave are sampled side by side.",
    "fate": "what a search did with a step: kept it, dropped it, finished with it, or cut it at a limit.",
}
"""By term, its meaning."""

FORMULAS = {
    "x": "cost of S solutions = S",
    "expected": "E[accuracy on a new problem | measurements]",
    "P(best)": f"P(accuracy of the strategy > accuracy of each other strategy - {EQUIVALENCE_POINTS / 100:g})",
    "coverage": "mean over problems of 1 - P(all S solutions are wrong); also called pass@S",
    "plateau": "min {S : accuracy(S) ≥ max accuracy - 0.005}, interpolated in log S",
    "crossover": "min {C : accuracy(strategy, C') ≥ accuracy(sc, C') for all C' ≥ C}",
    "λ": "cost(S, V) = S (1 + λ V)",
    "ρ": "cost(S) = S (1 + ρ)",
    "law": "S = k C^a, V = m C^b",
    "saves": "compute of the one / mean compute of the other",
    "regret": "100 · (accuracy of the best allocation - accuracy of the advice)",
}
"""By term, its formula, for those that have one."""

STRATEGY_WORDS = {
    "sc": "self-consistency (SC), or voting: the answer with the most votes",
    "genrm": "generative verifier (GenRM): the answer with the best mean verdict",
    "genrm+vote": "as genrm, and ties are decided by votes",
    "weighted": "a vote in which each solution counts as its mean verdict",
    "fused": "a vote in which each counts as its odds of yes to a learnt power",
    "bon": "best of n: the answer with the best score of a reward model",
    "prm-weighted": "a vote in which each solution counts as its score",
}
"""By strategy, the answer that it takes."""


def explain_strategies(names: Iterable[str]) -> list[str]:
    """Return which answer each strategy takes, one line for searches that select alike.

    Strategies of other packages are described as they are registered.

    >>> explain_strategies(["bon", "beam+weighted", "rebase+weighted"])[1]
    'beam+weighted, rebase+weighted: searches, scored step by step; the answer by a vote weighted by score.'
    """
    lines, searches = [], dict[str, list[str]]()
    for name in names:
        if is_search(name):
            searches.setdefault(name.partition("+")[2], []).append(name)
        elif name in STRATEGIES:
            lines.append(f"{name}: {STRATEGY_WORDS.get(name) or describe_strategy(name)}.")
    for rule, alike in searches.items():
        kind = "a search" if len(alike) == 1 else "searches"
        lines.append(f"{', '.join(alike)}: {kind}, scored step by step; the answer by {SELECTION_STYLES[rule][0]}.")
    return lines


def print_words(console: Console, terms: Iterable[str], strategies: Iterable[str] = ()) -> None:
    """Print the meaning of terms and of strategies at the end of a screen."""
    console.print()
    console.print("Words", style="bold")
    for term in terms:
        print_item(console, f"{term}: {WORDS[term]}")
    order = {name: place for place, name in enumerate(STRATEGIES)}
    for line in explain_strategies(sorted(strategies, key=lambda name: order.get(name, len(order)))):
        print_item(console, line)


def build_glossary() -> str:
    """Return docs/glossary.md."""
    lines = [
        "# Glossary",
        "",
        "The words of isocompute's screens, columns and pages, made from cli/screens/words.py by",
        "`python -m experiments.glossary`. A plan prints those that it uses.",
        "",
        "| word | meaning | formula |",
        "|---|---|---|",
    ]
    for term, meaning in WORDS.items():
        formula = f"`{FORMULAS[term]}`" if term in FORMULAS else ""
        lines.append(f"| {term} | {format_capital(meaning)} | {formula.replace('|', chr(92) + '|')} |")
    lines += ["", "## Strategies", "", "| name | what it takes |", "|---|---|"]
    meanings = STRATEGY_WORDS | {name: search.description for name, search in SEARCH_STRATEGIES.items()}
    lines += [f"| `{name}` | {format_capital(meaning)}. |" for name, meaning in meanings.items()]
    rules = ", ".join(f"`+{rule}` {text}" for rule, (text, _) in SELECTION_STYLES.items())
    lines += ["", f"The second part of a search's name says which answer it takes: {rules}.", ""]
    return "\n".join(lines)


def format_capital(text: str) -> str:
    """Return a text with a capital at its beginning, unless it begins with a symbol or a name in capitals.

    >>> format_capital("the compute"), format_capital("S solutions")
    ('The compute', 'S solutions')
    """
    return re.sub(r"^[a-z]", lambda found: found[0].upper(), text)
