"""Registry of the search strategies and selection rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from isocompute.registry import Registry
from isocompute.runners.search.strategies.beam import run_beam_search
from isocompute.runners.search.strategies.dvts import run_dvts
from isocompute.runners.search.strategies.node import SearchGenerator, make_root_node
from isocompute.runners.search.strategies.particle import run_particle_filter
from isocompute.runners.search.strategies.rebase import run_rebase
from isocompute.runners.search.strategies.revise import run_revisions


@dataclass(frozen=True)
class SearchStrategy:
    """A search strategy steered by a scorer.

    Args:
        begin: starts it; takes n slots, the width M, the most rounds, and a seed for random draws.
        description: what it does, for display.
        colour: colour of its lines in figures.
        has_width: whether it has a width; if not, the width is 0.
        revises: whether it writes whole attempts, each with the earlier ones in the prompt, instead of steps.
    """

    begin: Callable[[int, int, int, int], SearchGenerator]
    description: str
    colour: str
    has_width: bool = False
    revises: bool = False


BEAM = SearchStrategy(
    lambda n, width, rounds, seed: run_beam_search(make_root_node(), n, width, rounds),
    "beam search in N slots, scored step by step: the N/M best continue, each with M continuations",
    "#1f77b4",
    has_width=True,
)
DVTS = SearchStrategy(
    lambda n, width, rounds, seed: run_dvts(make_root_node(), n, width, rounds),
    "diverse tree search, scored step by step: N/M subtrees, each continues with the best of M steps",
    "#e377c2",
    has_width=True,
)
REBASE = SearchStrategy(
    lambda n, width, rounds, seed: run_rebase(make_root_node(), n, rounds),
    "reward-balanced search, scored step by step: N slots, allocated by score",
    "#8c564b",
)
PARTICLE = SearchStrategy(
    lambda n, width, rounds, seed: run_particle_filter(make_root_node(), n, rounds, seed),
    "particle filtering, scored step by step: N slots, resampled by score after each step",
    "#17becf",
)
REVISE = SearchStrategy(
    lambda n, width, rounds, seed: run_revisions(make_root_node(), n, width),
    "revisions: N attempts in chains of M, each written after reading those before it",
    "#bcbd22",
    has_width=True,
    revises=True,
)

SEARCH_REGISTRY_MODULE = "isocompute.runners.search.registry"

SEARCH_STRATEGIES: Registry[SearchStrategy] = Registry(
    "search strategy",
    "isocompute.searches",
    {name: f"{SEARCH_REGISTRY_MODULE}:{name.upper()}" for name in ("beam", "dvts", "rebase", "particle", "revise")},
    SearchStrategy,
)
"""The search strategies by name."""

SELECTION_STYLES = {
    "vanilla": ("the best score", "o:"),
    "weighted": ("a vote weighted by score", "o-"),
    "majority": ("a majority vote", "o--"),
}
"""The description and the line style of each selection rule."""
