"""The registry of the strategies that choose among independent solutions.

A strategy needs solutions only, verified solutions, or scored solutions. This determines its allocation (S, or S and V)
and its cost: S, S(1 + λV) or S(1 + ρ). Fit, plan, difficulty, figures and docs read the entries, so that a new strategy
takes one function and one entry. Searches have their own registry, `runners.search.registry`; a profile names a search
with its rule of selection, as in ``beam+weighted``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from isocompute.registry import Registry, load_object
from isocompute.runners.search.registry import DASHES, SEARCH_STRATEGIES, SELECTION_STYLES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from isocompute.fits.pool import Pool

StrategyNeeds = Literal["solutions", "verifications", "scores"]

UNKNOWN_COLOUR = "#999999"
"""Colour of strategies that are not registered."""


@dataclass(frozen=True, eq=False)
class StrategyEstimate:
    """The estimated accuracies of a strategy over a pool.

    Args:
        accuracy: (P, nS), or (P, nS, nV) for a strategy that needs verifications.
        error: the largest standard error of a mean over problems that comes from Monte Carlo draws; None if exact.
        parameters: parameters learnt from all problems, by name, such as ``trust``.
        cell_errors: (nS,) or (nS, nV) these standard errors for each allocation; None if exact or unknown.
        is_blurred: whether the draws stopped at the most that are made, with an error that still matters, see
            `planner.estimate.drawing`.
    """

    accuracy: NDArray[np.float64]
    error: float | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    cell_errors: NDArray[np.float64] | None = None
    is_blurred: bool = False


@dataclass(frozen=True)
class Strategy:
    """A strategy over a pool of solutions.

    Args:
        name: name on the command line and in profiles.
        estimate: ``module:function`` that takes a pool, S, V, the number of Monte Carlo draws and a seed, and returns a
            `StrategyEstimate`. It gets S up to the number of solutions that it can use, and V only if it needs
            verifications.
        needs: the data that a pool must hold.
        description: text for users; ``{trust:g}`` and the like stand for learnt parameters.
        colour: colour of its lines in figures, with a contrast of at least 3 on white; figures lighten it on a dark
            background. The colours are Okabe and Ito's, darker where they need it.
        line: marker and dash of its lines, as matplotlib's format string; colours alone do not tell lines apart for
            everybody.
        votes: whether it compares answers; such a strategy cannot be estimated where answers are unknown.
        learns: whether it learns parameters on other problems; such a strategy needs at least two problems.
        ranks_scores: whether it only compares scores with each other, so that they may lie outside 0 … 1.
        estimate_learnt: for a strategy that learns, ``module:function`` like `estimate` that takes the learnt
            parameters as well and learns nothing; empty if there is none.
    """

    name: str
    estimate: str
    needs: StrategyNeeds
    description: str
    colour: str
    line: str = "o-"
    votes: bool = True
    learns: bool = False
    ranks_scores: bool = False
    estimate_learnt: str = ""

    @property
    def estimator(self) -> Callable[..., StrategyEstimate]:
        """The function that `estimate` names."""
        function: Callable[..., StrategyEstimate] = load_object(self.estimate)
        return function

    def apply_parameters(self, parameters: Mapping[str, float]) -> Callable[..., StrategyEstimate]:
        """Return an estimator that uses parameters learnt before, if the strategy has one; else its own estimator."""
        if not self.estimate_learnt:
            return self.estimator
        return partial(load_object(self.estimate_learnt), parameters=parameters)

    def can_use(self, pool: Pool, has_answers: bool) -> bool:
        """Return whether the strategy can be estimated from a pool.

        Args:
            pool: the pool.
            has_answers: whether its answers are known.
        """
        available = {"solutions": True, "verifications": pool.verifications > 0, "scores": pool.scores is not None}
        return (
            available[self.needs]
            and (has_answers or not self.votes)
            and (pool.problems > 1 or not self.learns)
            and (self.needs != "scores" or pool.has_weights or self.ranks_scores)
        )


ESTIMATORS = "isocompute.planner.strategies.estimators"
VERIFY_PHRASE = "sample S solutions, verify each V times"

SC = Strategy(
    "sc",
    f"{ESTIMATORS}:apply_sc",
    "solutions",
    "self-consistency: sample S solutions, and take the answer with the most votes",
    "#d55e00",
)
GENRM = Strategy(
    "genrm",
    f"{ESTIMATORS}:apply_genrm",
    "verifications",
    f"generative verifier: {VERIFY_PHRASE}, and take the answer with the best mean verdict",
    "#0072b2",
    line="s--",
    votes=False,
)
GENRM_VOTE = Strategy(
    "genrm+vote",
    f"{ESTIMATORS}:apply_genrm_vote",
    "verifications",
    f"generative verifier, then votes: {VERIFY_PHRASE}, keep those with the best mean verdict, and take the answer "
    "with the most votes among them",
    "#3d96c7",
    line="D-",
)
WEIGHTED = Strategy(
    "weighted",
    f"{ESTIMATORS}:apply_weighted",
    "verifications",
    f"weighted vote: {VERIFY_PHRASE}, and let each vote with its mean verdict",
    "#8a6d00",
    line="^-.",
)
FUSED = Strategy(
    "fused",
    f"{ESTIMATORS}:apply_fused",
    "verifications",
    f"votes and verdicts together: {VERIFY_PHRASE}, and let each vote with its odds of yes to the power {{trust:g}}",
    "#882e8b",
    line="v:",
    learns=True,
    estimate_learnt=f"{ESTIMATORS}:apply_learnt_fused",
)
BON = Strategy(
    "bon",
    f"{ESTIMATORS}:apply_bon",
    "scores",
    "best of n: sample S solutions, score each with the reward model, and take the answer with the best score",
    "#8c8c8c",
    line="P-",
    votes=False,
    ranks_scores=True,
)
PRM_WEIGHTED = Strategy(
    "prm-weighted",
    f"{ESTIMATORS}:apply_prm_weighted",
    "scores",
    "weighted vote: sample S solutions, score each with the reward model, and let each vote with its score",
    "#333333",
    line="X--",
)

STRATEGY_MODULE = "isocompute.planner.strategies.registry"

STRATEGIES: Registry[Strategy] = Registry(
    "strategy",
    "isocompute.strategies",
    {
        "sc": f"{STRATEGY_MODULE}:SC",
        "genrm": f"{STRATEGY_MODULE}:GENRM",
        "genrm+vote": f"{STRATEGY_MODULE}:GENRM_VOTE",
        "weighted": f"{STRATEGY_MODULE}:WEIGHTED",
        "fused": f"{STRATEGY_MODULE}:FUSED",
        "bon": f"{STRATEGY_MODULE}:BON",
        "prm-weighted": f"{STRATEGY_MODULE}:PRM_WEIGHTED",
    },
    Strategy,
)
"""Every strategy over a pool by name, in the order in which tables show them."""


def is_search(name: str) -> bool:
    """Return whether a name consists of a known search and a known rule of selection, as ``beam+weighted`` does."""
    search, _, rule = name.partition("+")
    return search in SEARCH_STRATEGIES and rule in SELECTION_STYLES


def is_known_strategy(name: str) -> bool:
    """Return whether a name is that of a registered strategy or of a known search."""
    return name in STRATEGIES or is_search(name)


class _KnownParameters(dict[str, object]):
    """Parameters by name for formatting; a missing one is formatted as unknown, whatever the format spec."""

    def __missing__(self, name: str) -> _UnknownParameter:
        return _UnknownParameter(name)


@dataclass(frozen=True)
class _UnknownParameter:
    name: str

    def __format__(self, spec: str) -> str:
        return f"({self.name} unknown)"


def describe_strategy(name: str, parameters: Mapping[str, float] | None = None) -> str:
    """Return the description of a strategy in words.

    Args:
        name: a strategy, or a search with its rule of selection.
        parameters: learnt parameters, such as ``trust``; one that the description needs and that is missing is shown
            as unknown.

    >>> describe_strategy("bon")
    'best of n: sample S solutions, score each with the reward model, and take the answer with the best score'
    """
    if name in STRATEGIES:
        return STRATEGIES[name].description.format_map(_KnownParameters(parameters or {}))
    search, _, rule = name.partition("+")
    return f"{SEARCH_STRATEGIES[search].description}; the answer by {SELECTION_STYLES[rule][0]}"


def describe_instruction(name: str, numbers: Mapping[str, int], parameters: Mapping[str, float] | None = None) -> str:
    """Return what to do by a strategy with its numbers, as an instruction.

    Args:
        name: a strategy, or a search with its rule of selection.
        numbers: its allocation.
        parameters: learnt parameters.

    >>> describe_instruction("prm-weighted", {"S": 51})
    'Sample 51 solutions of each question, score each with the reward model, and let each vote with its score'
    >>> describe_instruction("dvts+vanilla", {"N": 16, "M": 4}).partition(":")[2]
    ' 4 subtrees, each continues with the best of 4 steps; the answer by the best score'
    """
    if name == "sc" and numbers.get("S") == 1:
        return "Sample one solution of each question, and take its answer"
    text = describe_strategy(name, parameters)
    if is_search(name):
        slots, width = numbers.get("N"), numbers.get("M")
        text = f"Answer each question by {text}"
        text = text.replace("N/M", str(slots // width)) if slots and width else text
        return re.sub(r"\b[NM]\b", lambda found: str(numbers.get(found[0], found[0])), text)
    text = text.partition(": ")[2] or text
    solutions, times = numbers.get("S"), numbers.get("V")
    counted = "one solution" if solutions == 1 else f"{solutions} solutions"
    text = re.sub(r"\bS solutions\b", f"{counted} of each question", text)
    text = re.sub(r"\bV times\b", {1: "once", 2: "twice"}.get(times or 0, f"{times} times"), text)
    return text[:1].upper() + text[1:]


def get_strategy_colour(name: str) -> str:
    """Return the colour of a strategy's lines; a search has the same colour under every rule of selection."""
    if name in STRATEGIES:
        return STRATEGIES[name].colour
    search = name.partition("+")[0]
    return SEARCH_STRATEGIES[search].colour if search in SEARCH_STRATEGIES else UNKNOWN_COLOUR


def get_line_style(name: str) -> str:
    """Return matplotlib's format string of a strategy's line, its marker and its dash.

    A search has the same marker under every rule of selection, and another dash.

    >>> get_line_style("genrm"), get_line_style("beam+weighted"), get_line_style("beam+vanilla")
    ('s--', '>-.', '>:')
    """
    if not is_search(name):
        return STRATEGIES[name].line if name in STRATEGIES else "o-"
    search, _, rule = name.partition("+")
    marker, dash = SEARCH_STRATEGIES[search].line[0], SEARCH_STRATEGIES[search].line[1:]
    return marker + DASHES[(DASHES.index(dash) + SELECTION_STYLES[rule][1]) % len(DASHES)]
