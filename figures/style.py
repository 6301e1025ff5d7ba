"""The look that all figures share: matplotlib's settings, the Axes to draw in, their scale, and pictures as bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator
from numpy.typing import NDArray

from isocompute.errors import DataError

FIGURE_STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.titlesize": "medium",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.markersize": 3,
    "pdf.fonttype": 42,  # TrueType, which journals ask for and editors can change
    "svg.fonttype": "none",
    "svg.hashsalt": "isocompute",  # the same names inside a file each time it is written
}
"""Settings of matplotlib (rcParams) that differ from its defaults."""

ONE_PANEL_SIZE = (4.6, 3.6)
"""Inches, of a figure with one panel."""
TWO_PANEL_SIZE = (8.2, 3.6)
"""Inches, of a figure with two panels."""

LINE_COLOUR_MAP = "viridis_r"
"""Colour map of lines that are ordered by a number."""
GREY = "#555555"
"""Colour of what all strategies have in common."""

FORMAT_METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
}
"""The formats, and what matplotlib would write into each that is not of the figure: the day, its version."""


def use_figure_style(changes: Mapping[str, Any] | None = None) -> AbstractContextManager[None]:
    """Return a context in which matplotlib has its defaults, and on them the shared look.

    The defaults come from matplotlib, not from a ``matplotlibrc`` that happens to lie in the working directory, so a
    figure has the same bytes wherever it is drawn.

    Args:
        changes: settings that differ from `FIGURE_STYLE`.

    Example:
        >>> import matplotlib as mpl
        >>> with use_figure_style({"font.size": 8}):
        ...     mpl.rcParams["font.size"], mpl.rcParams["pdf.fonttype"]
        (8.0, 42)
    """
    context: AbstractContextManager[None] = matplotlib.style.context(["default", FIGURE_STYLE | dict(changes or {})])
    return context


@contextmanager
def prepare_axes(
    ax: Any,
    count: int = 1,
    size: tuple[float, float] | None = None,
    changes: Mapping[str, Any] | None = None,
    **layout: Any,
) -> Iterator[list[Axes]]:
    """Give the Axes to draw in: those of the caller, in the caller's style; without any, those of a new figure.

    The new figure is unknown to pyplot, so it is neither shown nor kept open; ``axes.figure`` leads to it.

    Args:
        ax: one Axes for each panel; None for a new figure in the shared look.
        count: of panels, side by side.
        size: of a new figure, in inches.
        changes: of a new figure, to `FIGURE_STYLE`.
        layout: of a new figure, for `Figure.subplots`, such as ``sharey``.

    Raises:
        DataError: ``ax`` is something else, or another number of Axes.
    """
    if ax is not None:
        given = np.ravel(np.asarray(ax, dtype=object))
        if len(given) != count or not all(isinstance(each, Axes) for each in given):
            what = "one matplotlib Axes" if count == 1 else f"{count} matplotlib Axes"
            got = ", ".join(type(each).__name__ for each in given) or "nothing"
            raise DataError(f"ax must be {what}, or None for a new figure; got {got}.")
        yield list(given)
        return
    with use_figure_style(changes):
        figure = Figure(figsize=size or (ONE_PANEL_SIZE if count == 1 else TWO_PANEL_SIZE), layout="constrained")
        yield list(np.ravel(figure.subplots(1, count, **layout)))


def draw_two_panels(
    table: pd.DataFrame, ax: Any, draws: Sequence[Callable[..., Axes]], title: str
) -> NDArray[np.object_]:
    """Draw two panels of one table side by side, lettered, and return their Axes.

    Args:
        table: what both panels draw.
        ax: two Axes; None for a new figure with a title.
        draws: what draws the left panel, and what draws the right one.
        title: of a new figure.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` is not two Axes.
    """
    with prepare_axes(ax, 2) as axes:
        for draw, each in zip(draws, axes, strict=True):
            draw(table, each)
        label_panels(axes)
        if ax is None:
            get_figure(axes[0]).suptitle(title)
    return np.array(axes)


def finish_axes(axes: Axes, title: str, label: str) -> None:
    """Give a panel with compute or numbers along x its log2 axis, its grid, its title and its label."""
    axes.set_xscale("log", base=2)
    low, high = axes.get_xlim()
    octaves = np.log2(high / low)
    axes.xaxis.set_major_locator(LogLocator(base=4 if octaves > 7 else 2, numticks=20))
    axes.xaxis.set_minor_locator(LogLocator(base=2, numticks=30))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if x < 1024 else f"{x / 1024:g}k"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda x, _: ""))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    axes.grid(alpha=0.25, lw=0.5)
    axes.set_title(title)
    axes.set_xlabel(label)


def label_panels(axes: list[Axes]) -> None:
    """Put (a), (b) … before the titles of panels."""
    for i, each in enumerate(axes):
        each.set_title(f"({chr(ord('a') + i)}) {each.get_title()}")


def remove_legend(axes: Axes) -> None:
    """Remove the legend of a panel, if it has one: another panel, or the figure, shows it."""
    if (legend := axes.get_legend()) is not None:
        legend.remove()


def get_figure(axes: Axes) -> Figure:
    """Return the whole figure that an Axes is in, whatever subfigure it may be in."""
    figure: Figure = axes.figure.figure
    return figure


def add_title_prefix(figure: Figure, name: str) -> None:
    """Put the name of what was measured, in which a dollar is a dollar, before a figure's title."""
    title, said = figure.get_suptitle(), name.replace("$", r"\$")
    with use_figure_style():
        figure.suptitle(f"{said}: {title}" if title else said)


def render_file(figure: Figure, file: str, dpi: float = 200) -> bytes:
    """Return a figure as the content of a file whose ending says in which format.

    Args:
        figure: what was drawn.
        file: its name.
        dpi: pixels per inch of a PNG.

    Raises:
        DataError: the ending is of no format that is known here.
    """
    kind = PurePosixPath(file).suffix[1:]
    if kind not in FORMAT_METADATA:
        raise DataError(
            f"A figure is drawn into {', '.join(f'.{known}' for known in FORMAT_METADATA)}; '{file}' is none of these."
        )
    return render_figure(figure, kind, dpi)


def render_figure(figure: Figure, kind: str, dpi: float = 200) -> bytes:
    """Return a figure as the content of a file; the same figure gives the same bytes, on whatever day.

    Args:
        figure: what was drawn.
        kind: png, pdf or svg.
        dpi: pixels per inch of a PNG.
    """
    image = BytesIO()
    with use_figure_style():
        figure.savefig(image, format=kind, dpi=dpi, metadata=FORMAT_METADATA[kind])
    return image.getvalue()
