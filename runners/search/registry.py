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
        colour: colour of its lines in figures, with a contrast of at least 3 on white.
        line: marker and dash of its lines, as matplotlib's format string; under some rules of selection the dash is
            another of `DASHES`.
        has_width: whether it has a width; if not, the width is 0.
        revises: whether it writes whole attempts, each with the earlier ones in the prompt, instead of steps.
    """

    begin: Callable[[int, int, int, int], SearchGenerator]
    description: str
    colour: str
    line: str = "o-"
    has_width: bool = False
    revises: bool = False


BEAM = SearchStrategy(
    lambda n, width, rounds, seed: run_beam_search(make_root_node(), n, width, rounds),
    "beam search in N slots, scored step by step: the N/M best continue, each with M continuations",
    "#007f5f",
    line=">-.",
    has_width=True,
)
DVTS = SearchStrategy(
    lambda n, width, rounds, seed: run_dvts(make_root_node(), n, width, rounds),
    "diverse tree search, scored step by step: N/M subtrees, each continues with the best of M steps",
    "#c2508f",
    line="<-.",
    has_width=True,
)
REBASE = SearchStrategy(
    lambda n, width, rounds, seed: run_rebase(make_root_node(), n, rounds),
    "reward-balanced search, scored step by step: N slots, allocated by score",
    "#7a4a2b",
    line="p--",
)
PARTICLE = SearchStrategy(
    lambda n, width, rounds, seed: run_particle_filter(make_root_node(), n, rounds, seed),
    "particle filtering, scored step by step: N slots, resampled by score after each step",
    "#1f9191",
    line="h:",
)
REVISE = SearchStrategy(
    lambda n, width, rounds, seed: run_revisions(make_root_node(), n, width),
    "revisions: N attempts in chains of M, each written after reading those before it",
    "#7a8500",
    line="*:",
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

DASHES = ("-", "--", "-.", ":")
"""The dashes of lines in figures."""

SELECTION_STYLES = {
    "vanilla": ("the best score", 1),
    "weighted": ("a vote weighted by score", 0),
    "majority": ("a majority vote", 2),
}
"""The description of each selection rule, and by how many places in `DASHES` it changes the dash of a search."""
