"""The figures by name: what each shows, what it is made from, which function makes its table and which one draws it.

Entries name functions as text, so that reading them loads neither matplotlib nor pandas. Another package adds a figure
through an entry point of the group ``isocompute.figures``, see `isocompute.registry`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from isocompute.errors import ConfigError
from isocompute.registry import Registry, load_object

if TYPE_CHECKING:
    import pandas as pd

FigureInput = Literal["profile", "run", "studies", "search"]


@dataclass(frozen=True)
class FigureEntry:
    """A figure.

    Args:
        name: what its files are called.
        description: what it shows, for people.
        needs: what its table is made from. ``profile``: a `Profile`. ``run``: a `Run`, which a profile alone does not
            give. ``studies``: a list of `planner.difficulty.DifficultyStudy`. ``search``: a `LoggedSearch`, as
            ``isocompute tree`` draws one; ``isocompute figures`` has no single search to give.
        table: ``module:function`` that takes this and returns a data frame with a row for each point; without rows if
            there is nothing to draw.
        draw: ``module:function`` that takes the table, and ``ax``, and returns the Axes in which it drew: one, or an
            array with one for each panel. Without ``ax`` it makes a figure.

    Raises:
        ConfigError: it needs something else.
    """

    name: str
    description: str
    needs: FigureInput
    table: str
    draw: str

    def __post_init__(self) -> None:
        if self.needs not in get_args(FigureInput):
            raise ConfigError(
                f"The figure '{self.name}' needs '{self.needs}'; it must need one of "
                f"{', '.join(get_args(FigureInput))}."
            )

    @property
    def table_function(self) -> Callable[..., pd.DataFrame]:
        """The function that `table` names."""
        found: Callable[..., pd.DataFrame] = load_object(self.table)
        return found

    @property
    def draw_function(self) -> Callable[..., Any]:
        """The function that `draw` names."""
        found: Callable[..., Any] = load_object(self.draw)
        return found


FIGURE1 = FigureEntry(
    "figure1",
    "self-consistency and a generative verifier, at equal numbers of solutions and at equal compute",
    "profile",
    "isocompute.figures.plots.figure1:build_figure1_table",
    "isocompute.figures.plots.figure1:draw_figure1",
)
FRONTIERS = FigureEntry(
    "frontiers",
    "every strategy at its best within each budget, and its lead over self-consistency",
    "profile",
    "isocompute.figures.plots.frontiers:build_frontiers_table",
    "isocompute.figures.plots.frontiers:draw_frontiers",
)
DIFFICULTY = FigureEntry(
    "difficulty",
    "what choosing by difficulty reaches, and what runs on each level",
    "studies",
    "isocompute.figures.plots.difficulty:build_difficulty_table",
    "isocompute.figures.plots.difficulty:draw_difficulty",
)
SEARCH_TREE = FigureEntry(
    "search_tree",
    "a search: its nodes with their scores, and the path to the answer",
    "search",
    "isocompute.figures.plots.search_tree:build_search_tree_table",
    "isocompute.figures.plots.search_tree:draw_search_tree",
)

FIGURES_MODULE = "isocompute.figures.registry"

FIGURES: Registry[FigureEntry] = Registry(
    "figure",
    "isocompute.figures",
    {name: f"{FIGURES_MODULE}:{name.upper()}" for name in ("figure1", "frontiers", "difficulty", "search_tree")},
    FigureEntry,
)
"""Every figure by its name."""
