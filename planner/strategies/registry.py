"""The strategies that choose among independent solutions: one entry says all there is to know of each.

A strategy needs solutions alone, or solutions that were verified, or solutions that were scored; this gives its
numbers (S, or S and V) and its cost: S, S(1 + λV) or S(1 + ρ). Fit, plan, difficulty, figures and docs read the
entries, so a new one is a function and an entry. Searches have a registry of their own, `runners.search.registry`;
a profile names them with their rule of selection, as in ``beam+weighted``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from isocompute.registry import Registry, load_object
from isocompute.runners.search.registry import SEARCH_STRATEGIES, SELECTION_STYLES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from isocompute.fits.pool import Pool

StrategyNeeds = Literal["solutions", "verifications", "scores"]

UNKNOWN_COLOUR = "#999999"
"""Of a strategy that nobody registered."""


@dataclass(frozen=True, eq=False)
class StrategyEstimate:
    """What a strategy reaches over a pool.

    Args:
        accuracy: (P, nS), or (P, nS, nV) of a strategy that needs verifications.
        error: the largest standard error of a mean over problems that comes from drawing; None if all are exact.
        parameters: what was learnt from all problems, by name, such as ``trust``.
    """

    accuracy: NDArray[np.float64]
    error: float | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Strategy:
    """A strategy over a pool of solutions.

    Args:
        name: what people and profiles call it.
        estimate: ``module:function`` that takes a pool, S, V, how often to draw and a seed, and returns a
            `StrategyEstimate`. It is given S up to the number of solutions that it can use, and V only if it needs
            verifications.
        needs: what a pool must hold.
        description: what it does, for people; ``{trust:g}`` and the like stand for parameters that were learnt.
        colour: of its lines in figures.
        votes: whether it compares answers; such a strategy cannot be estimated where answers are unknown.
        learns: whether it learns parameters on other problems; such a strategy needs two problems.
    """

    name: str
    estimate: str
    needs: StrategyNeeds
    description: str
    colour: str
    votes: bool = True
    learns: bool = False

    @property
    def estimator(self) -> Callable[..., StrategyEstimate]:
        """The function that `estimate` names."""
        found: Callable[..., StrategyEstimate] = load_object(self.estimate)
        return found

    def can_use(self, pool: Pool, voted: bool) -> bool:
        """Return whether it can be estimated from a pool."""
        has = {"solutions": True, "verifications": pool.verdicts is not None, "scores": pool.scores is not None}
        return has[self.needs] and (voted or not self.votes) and (pool.problems > 1 or not self.learns)


ESTIMATORS = "isocompute.planner.strategies.estimators"
VERIFY_PHRASE = "sample S solutions, verify each V times"

SC = Strategy(
    "sc",
    f"{ESTIMATORS}:apply_sc",
    "solutions",
    "self-consistency: sample S solutions, and take the answer with the most votes",
    "#c1440e",
)
GENRM = Strategy(
    "genrm",
    f"{ESTIMATORS}:apply_genrm",
    "verifications",
    f"generative verifier: {VERIFY_PHRASE}, take the best mean verdict",
    "#2a788e",
    votes=False,
)
GENRM_VOTE = Strategy(
    "genrm+vote",
    f"{ESTIMATORS}:apply_genrm_vote",
    "verifications",
    f"generative verifier, then votes: {VERIFY_PHRASE}, keep the best mean verdict, take the answer with the most "
    "votes "
    "among them",
    "#7ad151",
)
WEIGHTED = Strategy(
    "weighted",
    f"{ESTIMATORS}:apply_weighted",
    "verifications",
    f"weighted vote: {VERIFY_PHRASE}, let each solution vote with its mean verdict",
    "#e0a000",
)
FUSED = Strategy(
    "fused",
    f"{ESTIMATORS}:apply_fused",
    "verifications",
    f"votes and verdicts together: {VERIFY_PHRASE}, let each solution vote with its odds of yes to the power "
    f"{{trust:g}}",
    "#440154",
    learns=True,
)
BON = Strategy(
    "bon",
    f"{ESTIMATORS}:apply_bon",
    "scores",
    "best of n: sample S solutions, score each, take the best score",
    "#8c8c8c",
    votes=False,
)
PRM_WEIGHTED = Strategy(
    "prm-weighted",
    f"{ESTIMATORS}:apply_prm_weighted",
    "scores",
    "weighted vote: sample S solutions, score each, let each vote with its score",
    "#4d4d4d",
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
"""Every strategy over a pool, by its name, in the order in which tables show them."""


def is_search(name: str) -> bool:
    """Return whether a name is that of a known search with a known rule of selection, such as ``beam+weighted``."""
    search, _, rule = name.partition("+")
    return search in SEARCH_STRATEGIES and rule in SELECTION_STYLES


def is_known_strategy(name: str) -> bool:
    """Return whether a strategy of a profile is known here."""
    return name in STRATEGIES or is_search(name)


class _KnownParameters(dict[str, object]):
    """Parameters by name; one that is not there is said to be unknown, in whatever format it is asked for."""

    def __missing__(self, name: str) -> _UnknownParameter:
        return _UnknownParameter(name)


@dataclass(frozen=True)
class _UnknownParameter:
    name: str

    def __format__(self, spec: str) -> str:
        return f"({self.name} unknown)"


def describe_strategy(name: str, parameters: Mapping[str, float] | None = None) -> str:
    """Say what a strategy does.

    Args:
        name: of a strategy, or of a search with its rule.
        parameters: what it learnt, such as ``trust``; of one that the description names and that is not here it says
            that it is unknown.

    >>> describe_strategy("bon")
    'best of n: sample S solutions, score each, take the best score'
    """
    if name in STRATEGIES:
        return STRATEGIES[name].description.format_map(_KnownParameters(parameters or {}))
    search, _, rule = name.partition("+")
    return f"{SEARCH_STRATEGIES[search].description}; the answer by {SELECTION_STYLES[rule][0]}"


def get_strategy_colour(name: str) -> str:
    """Return the colour of a strategy's lines; a search has one under whatever rule."""
    if name in STRATEGIES:
        return STRATEGIES[name].colour
    search = name.partition("+")[0]
    return SEARCH_STRATEGIES[search].colour if search in SEARCH_STRATEGIES else UNKNOWN_COLOUR


def get_line_style(name: str) -> str:
    """Return how a strategy's line is drawn, as matplotlib writes it."""
    return SELECTION_STYLES[name.partition("+")[2]][1] if is_search(name) else "o-"
