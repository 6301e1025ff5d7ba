"""Figures as Python objects: drawn from a run or a profile, and shown in a notebook."""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

from isocompute.errors import DataError
from isocompute.figures.registry import FIGURES

if TYPE_CHECKING:
    import pandas as pd

    from isocompute.figures.source import FigureSource


class HasFigureSource(Protocol):
    """A source of figures: a run or a profile of the public API."""

    def _open_figure_source(self) -> FigureSource: ...


@dataclass(frozen=True)
class Figure:
    """A registered figure; calling it draws it.

    Args:
        name: the figure's, see `isocompute.figures.registry.FIGURES`.
    """

    name: str

    def __call__(self, source: HasFigureSource | str | os.PathLike[str], ax: Any = None) -> DrawnFigure:
        """Draw the figure.

        Args:
            source: a run, a profile, or the path of one.
            ax: the Axes to draw into, or an array of them where the figure has several panels; None for a new figure.

        Raises:
            DataError: the source does not hold what the figure needs, or there is nothing to draw.
            RunError: the run is missing or incomplete.
        """
        table = self.build_table(source)
        if table.empty:
            raise DataError(
                f"The figure '{self.name}' has nothing to draw: the data that it needs is missing or has no known "
                "cost. If λ is unknown, fit the profile with lam=."
            )
        with FIGURES.wrap_plugin_errors(self.name):
            return DrawnFigure(FIGURES[self.name].draw_function(table, ax=ax), table)

    def build_table(self, source: HasFigureSource | str | os.PathLike[str]) -> pd.DataFrame:
        """Return the table of what is drawn, a row for each point.

        Raises:
            DataError: the source does not hold what the figure needs.
            RunError: the run is missing or incomplete.
        """
        from isocompute.figures.source import open_figure_source

        if isinstance(source, str | os.PathLike):
            opened = open_figure_source(os.fspath(source))
        elif hasattr(source, "_open_figure_source"):
            opened = source._open_figure_source()
        else:
            raise DataError(
                f"A figure is drawn from a run, a profile, or the path of one; got {type(source).__name__}."
            )
        given = opened.get_input(FIGURES[self.name].needs)
        if given is None:
            raise DataError(
                f"The figure '{self.name}' needs {FIGURES[self.name].needs}, which this source does not have."
            )
        with FIGURES.wrap_plugin_errors(self.name):
            return FIGURES[self.name].table_function(given)


@dataclass(frozen=True, eq=False)
class DrawnFigure:
    """A figure that was drawn.

    Args:
        axes: the Axes, or an array of them.
        table: what was drawn.
    """

    axes: Any
    table: pd.DataFrame

    @property
    def figure(self) -> Any:
        """The matplotlib figure."""
        import numpy as np

        return np.ravel(self.axes)[0].figure

    def save(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Save the picture, as matplotlib's ``savefig`` does.

        Raises:
            DataError: it cannot be written there.
        """
        try:
            self.figure.savefig(path, **options)
        except (OSError, ValueError) as error:
            raise DataError(f"The figure cannot be written to '{path}': {error}.") from None

    def __repr__(self) -> str:
        return f"A figure of {len(self.table):,} points; .axes, .figure and .table hold its parts."

    def _repr_png_(self) -> bytes:
        picture = BytesIO()
        self.figure.savefig(picture, format="png", dpi=100)
        return picture.getvalue()
