"""Search strategies, which do not depend on models, and the selection of a search's answer."""

from isocompute.runners.search.strategies.beam import run_beam_search
from isocompute.runners.search.strategies.dvts import run_dvts
from isocompute.runners.search.strategies.node import Node, SearchGenerator
from isocompute.runners.search.strategies.particle import run_particle_filter
from isocompute.runners.search.strategies.rebase import run_rebase
from isocompute.runners.search.strategies.revise import run_revisions
from isocompute.runners.search.strategies.select import SELECTION_RULES, select_candidate

__all__ = [
    "SELECTION_RULES",
    "Node",
    "SearchGenerator",
    "run_beam_search",
    "run_dvts",
    "run_particle_filter",
    "run_rebase",
    "run_revisions",
    "select_candidate",
]
