"""The registry of figures: the description, the input, the table function and the draw function of each.

Entries name functions as text, so that reading the registry loads neither matplotlib nor pandas. Another package adds a
figure through an entry point of the group ``isocompute.figures``, see `isocompute.registry`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from isocompute.errors import ConfigError
from isocompute.registry import Registry, load_object

if TYPE_CHECKING:
    import pandas as pd

FigureInput = Literal["profile", "profiles", "run", "source", "studies", "search", "published"]

MISSING_INPUTS: dict[FigureInput, str] = {
    "profiles": "it compares several profiles; name two or more",
    "run": "it needs a run; a profile alone does not hold what it shows",
    "studies": "the profile holds means only, or its problems have no levels",
    "search": "it shows one search; isocompute tree RUN PROBLEM -o FILE draws it",
    "published": "it shows published results, and no source; isocompute figures --published draws it",
}
"""The reasons for which a source may not have an input, in words."""


@dataclass(frozen=True)
class FigureEntry:
    """A figure.

    Args:
        name: base name of its files.
        description: text for users on what it shows.
        needs: input of its table. ``profile``: a `Profile`. ``profiles``: a list of two profiles or more, which it
            compares. ``run``: a `Run`, which is missing if there is only a profile. ``source``: a `FigureSource`, which
            has a profile, and a run's pool if there is a run. ``studies``: a list of
            `planner.difficulty.DifficultyStudy`. ``search``: a `LoggedSearch`, as in ``isocompute tree``;
            ``isocompute figures`` cannot supply one. ``published``: the `PublishedResults` that come with isocompute,
            as in ``isocompute figures --published``.
        table: ``module:function`` that takes the input and returns a data frame with a row for each point, and without
            rows if there is nothing to draw.
        draw: ``module:function`` that takes the table and ``ax`` and returns the Axes in which it drew: one, or an
            array with one for each panel. Without ``ax`` it creates a figure.
        missing: text for users on why its table may have no rows.

    Raises:
        ConfigError: ``needs`` is none of these.
    """

    name: str
    description: str
    needs: FigureInput
    table: str
    draw: str
    missing: str = "the data that it needs is missing or has no known cost"

    def __post_init__(self) -> None:
        if self.needs not in get_args(FigureInput):
            raise ConfigError(
                f"The figure '{self.name}' needs '{self.needs}'; it must need one of "
                f"{', '.join(get_args(FigureInput))}."
            )

    @property
    def table_function(self) -> Callable[..., pd.DataFrame]:
        """The function that `table` names."""
        function: Callable[..., pd.DataFrame] = load_object(self.table)
        return function

    @property
    def draw_function(self) -> Callable[..., Any]:
        """The function that `draw` names."""
        function: Callable[..., Any] = load_object(self.draw)
        return function


SOLUTIONS_AND_COMPUTE = FigureEntry(
    "solutions_and_compute",
    "self-consistency and a generative verifier, at equal numbers of solutions and at equal compute",
    "profile",
    "isocompute.figures.plots.solutions_and_compute:build_solutions_and_compute_table",
    "isocompute.figures.plots.solutions_and_compute:draw_solutions_and_compute",
)
SOLUTIONS_AND_COMPUTE_BY_LEVEL = FigureEntry(
    "solutions_and_compute_by_level",
    "the same at equal compute, on each level of difficulty",
    "profile",
    "isocompute.figures.plots.solutions_and_compute_by_level:build_solutions_and_compute_by_level_table",
    "isocompute.figures.plots.solutions_and_compute_by_level:draw_solutions_and_compute_by_level",
    "the problems have no levels, or no verifications with a known cost",
)
FRONTIERS = FigureEntry(
    "frontiers",
    "each strategy's best accuracy within each budget, and its lead over self-consistency",
    "profile",
    "isocompute.figures.plots.frontiers:build_frontiers_table",
    "isocompute.figures.plots.frontiers:draw_frontiers",
    "fewer than two strategies have a known cost, or the profile holds means only",
)
DIFFICULTY = FigureEntry(
    "difficulty",
    "the accuracy of choosing by difficulty, and the strategy for each level",
    "studies",
    "isocompute.figures.plots.difficulty:build_difficulty_table",
    "isocompute.figures.plots.difficulty:draw_difficulty",
)
CAPS = FigureEntry(
    "caps",
    "self-consistency under limits on the length of solutions, at equal compute",
    "profile",
    "isocompute.figures.plots.caps:build_caps_table",
    "isocompute.figures.plots.caps:draw_caps",
    "the profile has no limits on length, or holds means only",
)
POLICIES = FigureEntry(
    "policies",
    "rules that stop early, and the best fixed plans, at equal mean compute",
    "profile",
    "isocompute.figures.plots.policies:build_policies_table",
    "isocompute.figures.plots.policies:draw_policies",
    "the profile has no policies",
)
SURFACE = FigureEntry(
    "surface",
    "the accuracy of a generative verifier over S and V, with lines of equal compute and the best S and V along them",
    "profile",
    "isocompute.figures.plots.surface:build_surface_table",
    "isocompute.figures.plots.surface:draw_surface",
    "no strategy was measured at several S and V",
)
ALLOCATION_LAW = FigureEntry(
    "allocation_law",
    "the best S and V of each budget, and the scaling laws that are fitted to them in three ways",
    "profile",
    "isocompute.figures.plots.allocation_law:build_allocation_law_table",
    "isocompute.figures.plots.allocation_law:draw_allocation_law",
    "λ is unknown, or no strategy was measured over three budgets in S and V",
)
CROSSOVER = FigureEntry(
    "crossover",
    "the budget from which each strategy stays ahead of self-consistency, overall and by difficulty level",
    "profile",
    "isocompute.figures.plots.crossover:build_crossover_table",
    "isocompute.figures.plots.crossover:draw_crossover",
    "votes were not counted, or no other strategy has a known cost",
)
REGRET = FigureEntry(
    "regret",
    "what the planner's advice loses against hindsight, by the number of problems of the pilot it is made from",
    "profile",
    "isocompute.figures.plots.regret:build_regret_table",
    "isocompute.figures.plots.regret:draw_regret",
    "the profile holds means only, too few problems, or one allocation of known cost",
)
MODELS = FigureEntry(
    "models",
    "the best accuracy of each of several models within each budget, at equal cost",
    "profiles",
    "isocompute.figures.plots.models:build_models_table",
    "isocompute.figures.plots.models:draw_models",
    "the profiles hold means only, share too few problems, or have an unknown cost",
)
SEARCH_BY_N = FigureEntry(
    "search_by_n",
    "searches and selection among independent solutions at equal N, for all problems and for each level",
    "profile",
    "isocompute.figures.plots.search_by_n:build_search_by_n_table",
    "isocompute.figures.plots.search_by_n:draw_search_by_n",
    "the profile has no searches, or one problem",
)
DIFFICULTY_BARS = FigureEntry(
    "difficulty_bars",
    "each strategy on each level of difficulty, by each way of telling the level",
    "studies",
    "isocompute.figures.plots.difficulty_bars:build_difficulty_bars_table",
    "isocompute.figures.plots.difficulty_bars:draw_difficulty_bars",
)
VERIFIER = FigureEntry(
    "verifier",
    "a verifier's rates, its calibration, the agreement of its verdicts, and the accuracy of choosing by them",
    "source",
    "isocompute.figures.plots.verifier:build_verifier_table",
    "isocompute.figures.plots.verifier:draw_verifier",
    "the profile has no verdicts",
)
STEP_SCORES = FigureEntry(
    "step_scores",
    "a reward model's scores by step, and how often it finds the first wrong step",
    "source",
    "isocompute.figures.plots.step_scores:build_step_scores_table",
    "isocompute.figures.plots.step_scores:draw_step_scores",
    "it needs a run with the scores of steps",
)
SEARCH_TREE = FigureEntry(
    "search_tree",
    "a search: its nodes with their scores, and the path to the answer",
    "search",
    "isocompute.figures.plots.search_tree:build_search_tree_table",
    "isocompute.figures.plots.search_tree:draw_search_tree",
)
PUBLISHED = FigureEntry(
    "published",
    "the headline results of three papers, and those of runs that come with isocompute in the same frame",
    "published",
    "isocompute.figures.plots.published:build_published_table",
    "isocompute.figures.plots.published:draw_published",
)

FIGURES_MODULE = "isocompute.figures.registry"

FIGURES: Registry[FigureEntry] = Registry(
    "figure",
    "isocompute.figures",
    {
        name: f"{FIGURES_MODULE}:{name.upper()}"
        for name in (
            "solutions_and_compute",
            "solutions_and_compute_by_level",
            "frontiers",
            "difficulty",
            "caps",
            "policies",
            "surface",
            "allocation_law",
            "crossover",
            "regret",
            "models",
            "search_by_n",
            "difficulty_bars",
            "verifier",
            "step_scores",
            "search_tree",
            "published",
        )
    },
    FigureEntry,
)
"""Every figure by name."""

SOURCELESS: tuple[FigureInput, ...] = ("search", "published")
"""The inputs that neither runs nor profiles give, so that their figures are drawn only when they are asked for."""
