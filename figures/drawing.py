"""Figures as Python objects: drawn from a run or a profile, and shown in a notebook."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol

from isocompute.errors import DataError
from isocompute.figures.registry import FIGURES, MISSING_INPUTS

if TYPE_CHECKING:
    import pandas as pd

    from isocompute.figures.look import FigureStyle
    from isocompute.figures.source import FigureSource


class HasFigureSource(Protocol):
    """A source of figures: a run or a profile of the public API."""

    def _open_figure_source(self) -> FigureSource: ...


FigureInputSource = HasFigureSource | str | os.PathLike[str]
"""The sources of a figure: a run, a profile, or the path of one."""


@dataclass(frozen=True)
class Figure:
    """A registered figure; calling it draws it.

    Args:
        name: the figure's, see `isocompute.figures.registry.FIGURES`.
    """

    name: str

    def __call__(
        self,
        source: FigureInputSource | Sequence[FigureInputSource] = (),
        ax: Any = None,
        width: str | float = "page",
        style: FigureStyle = "print",
    ) -> DrawnFigure:
        """Draw the figure.

        Args:
            source: a run, a profile, or the path of one; a list of them for a figure that compares several,
                and nothing for published results.
            ax: the Axes to draw into, or an array of them where the figure has several panels; None for a new figure.
            width: of a new figure: column, page or slide, or a number of inches.
            style: of a new figure: print, or dark for a dark background.

        Raises:
            DataError: the source does not hold what the figure needs, there is nothing to draw, or the width or the
                style is unknown.
            RunError: the run is missing or incomplete.
        """
        from isocompute.figures.look import FigureLook, parse_width, use_look

        look = FigureLook(parse_width(str(width)), style)
        table = self.build_table(source)
        if table.empty:
            raise DataError(f"The figure '{self.name}' has nothing to draw: {FIGURES[self.name].missing}.")
        with use_look(look), FIGURES.wrap_plugin_errors(self.name):
            return DrawnFigure(FIGURES[self.name].draw_function(table, ax=ax), table)

    def build_table(self, source: FigureInputSource | Sequence[FigureInputSource] = ()) -> pd.DataFrame:
        """Return the table of what is drawn, a row for each point.

        Raises:
            DataError: the source does not hold what the figure needs.
            RunError: the run is missing or incomplete.
        """
        from isocompute.figures.literature import read_published_results
        from isocompute.figures.source import get_compared_input

        entry = FIGURES[self.name]
        several: Sequence[Any] = source if isinstance(source, list | tuple) else [source]
        sources = [open_source(each) for each in several]
        given: Any
        if entry.needs == "published":
            if sources:
                raise DataError(f"The figure '{self.name}' shows published results; it takes no run or profile.")
            given = read_published_results()
        elif entry.needs == "profiles":
            given = get_compared_input(sources)
        elif len(sources) == 1:
            given = sources[0].get_input(entry.needs)
        else:
            raise DataError(f"The figure '{self.name}' is drawn from one run or profile; got {len(sources)}.")
        if given is None:
            raise DataError(f"The figure '{self.name}' cannot be drawn: {MISSING_INPUTS[entry.needs]}.")
        with FIGURES.wrap_plugin_errors(self.name):
            return entry.table_function(given)


def open_source(source: FigureInputSource) -> FigureSource:
    """Return the source of figures that a run, a profile, or the path of one is.

    Raises:
        DataError: it is none of these.
        RunError: the run is missing or incomplete.
    """
    from isocompute.figures.source import open_figure_source

    if isinstance(source, str | os.PathLike):
        return open_figure_source(os.fspath(source))
    if hasattr(source, "_open_figure_source"):
        return source._open_figure_source()
    raise DataError(f"A figure is drawn from a run, a profile, or the path of one; got {type(source).__name__}.")


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
        from isocompute.figures.layout import StyledFigure
        from isocompute.figures.look import use_figure_style

        is_ours = isinstance(self.figure, StyledFigure)
        try:
            with use_figure_style() if is_ours else nullcontext():  # fonts that can be embedded
                self.figure.savefig(path, **options)
        except (OSError, ValueError) as error:
            raise DataError(f"The figure cannot be written to '{path}': {error}.") from None

    def __repr__(self) -> str:
        return f"A figure of {len(self.table):,} points; .axes, .figure and .table hold its parts."

    def _repr_png_(self) -> bytes:
        picture = BytesIO()
        self.figure.savefig(picture, format="png", dpi=100)
        return picture.getvalue()
