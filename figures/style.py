"""The parts that all figures share: the Axes to draw in, their scales and letters, and rendering to bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.figures.colours import raise_figure_contrast
from isocompute.figures.layout import StyledFigure
from isocompute.figures.look import RESOLUTION, get_look, use_figure_style

FORMAT_METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None},
    "svg": {"Date": None},
}
"""The file formats, each with the metadata to suppress, as dates and versions would make files differ."""


@contextmanager
def prepare_axes(
    ax: Any,
    count: int = 1,
    size: tuple[float, float] | None = None,
    changes: Mapping[str, Any] | None = None,
    columns: int | None = None,
    **layout: Any,
) -> Iterator[list[Axes]]:
    """Yield the Axes to draw in: the caller's, in the caller's style, or those of a new figure.

    A new figure is drawn in the current look, see `isocompute.figures.look.use_look`. When the context ends, its
    legends are moved out of the panels, its titles and labels are wrapped, and its lines get enough contrast. It is not
    registered with pyplot, so it is neither shown nor kept open; it is reached by ``axes.figure``.

    Args:
        ax: one Axes for each panel, or one that is split into the panels; None for a new figure in the common style.
        count: number of panels.
        size: size of a new figure, in inches, if it does not follow from the look and the number of panels.
        changes: settings of a new figure that override those of the look.
        columns: number of panels side by side, by default all; half as many at column width.
        layout: arguments to matplotlib's ``Figure.subplots`` for a new figure, such as ``sharey``.

    Raises:
        DataError: ``ax`` is not ``count`` Axes.
    """
    if ax is not None:
        given = np.ravel(np.asarray(ax, dtype=object))
        if count > 1 and len(given) == 1 and isinstance(given[0], Axes):
            given = split_axes(given[0], count, **layout)
        if len(given) != count or not all(isinstance(each, Axes) for each in given):
            expected = "one matplotlib Axes" if count == 1 else f"{count} matplotlib Axes"
            got = ", ".join(type(each).__name__ for each in given) or "nothing"
            raise DataError(f"ax must be {expected}, or None for a new figure; got {got}.")
        yield list(given)
        return
    look = get_look()
    beside = columns or count
    if look.is_column:
        beside = (beside + 1) // 2
    with use_figure_style(changes):
        figure = StyledFigure(look, count, beside, size)
        grid = np.ravel(figure.subplots(figure.rows, beside, **layout))
        for unused in grid[count:]:
            unused.remove()
        yield list(grid[:count])
        raise_figure_contrast(figure)
        figure.place_texts()


def split_axes(axes: Axes, count: int, **layout: Any) -> NDArray[np.object_]:
    """Replace an Axes by several side by side in its place, and return them.

    Raises:
        DataError: the Axes is not part of a grid, so that it has no place to divide.
    """
    place = axes.get_subplotspec()
    if place is None:
        raise DataError(f"ax must be {count} matplotlib Axes, or one of a grid; make one with plt.subplots.")
    figure = axes.figure
    axes.remove()
    return np.ravel(place.subgridspec(1, count).subplots(**layout)) if figure is not None else np.array([])


def draw_two_panels(
    table: pd.DataFrame, ax: Any, draws: Sequence[Callable[..., Axes]], title: str
) -> NDArray[np.object_]:
    """Draw two lettered panels of one table side by side, and return their Axes.

    Args:
        table: the table of both panels.
        ax: two Axes; None for a new figure with a title.
        draws: functions that draw the left and the right panel.
        title: title of a new figure.

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
    """Set the log2 x axis, the grid, the title and the x label of a panel with compute or counts along x."""
    axes.set_xscale("log", base=2)
    low, high = axes.get_xlim()
    octaves = np.log2(high / low)
    axes.xaxis.set_major_locator(LogLocator(base=4 if octaves > 7 else 2, numticks=20))
    axes.xaxis.set_minor_locator(LogLocator(base=2, numticks=30))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: format_count_tick(x)))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda x, _: ""))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    axes.grid(alpha=0.25, lw=0.5)
    axes.set_title(title)
    axes.set_xlabel(label)


def format_count_tick(number: float) -> str:
    """Return a number below an axis of compute or counts; from 1024 on in units of 1024.

    >>> format_count_tick(0.5), format_count_tick(2048)
    ('0.5', '2k')
    """
    return f"{number:g}" if number < 1024 else f"{number / 1024:g}k"


def label_panels(axes: list[Axes]) -> None:
    """Prefix the titles of panels with (a), (b) and so on."""
    for i, each in enumerate(axes):
        each.set_title(f"({chr(ord('a') + i)}) {each.get_title()}")


def remove_legend(axes: Axes) -> None:
    """Remove the legend of a panel, if it has one, because another panel or the figure shows it."""
    if (legend := axes.get_legend()) is not None:
        legend.remove()


def get_figure(axes: Axes) -> Figure:
    """Return the top-level figure of an Axes, which may be in a subfigure."""
    figure: Figure = axes.figure.figure
    return figure


def add_title_prefix(figure: Figure, name: str) -> None:
    """Prefix a figure's title with a name, with dollar signs escaped so that matplotlib sets no formula."""
    title, prefix = figure.get_suptitle(), name.replace("$", r"\$")
    with use_figure_style():
        figure.suptitle(f"{prefix}: {title}" if title else prefix)
        if isinstance(figure, StyledFigure):
            figure.fit_texts()


def render_file(figure: Figure, file: str, dpi: float = RESOLUTION) -> bytes:
    """Return a figure as file content, in the format given by the file's extension.

    Args:
        figure: the figure.
        file: name of the file.
        dpi: pixels per inch of a PNG.

    Raises:
        DataError: the extension is not one of `FORMAT_METADATA`.
    """
    kind = PurePosixPath(file).suffix[1:]
    if kind not in FORMAT_METADATA:
        raise DataError(
            f"The file of a figure must end in {', '.join(f'.{known}' for known in FORMAT_METADATA)}; got '{file}'."
        )
    return render_figure(figure, kind, dpi)


def render_figure(figure: Figure, kind: str, dpi: float = RESOLUTION) -> bytes:
    """Return a figure as file content; the same figure gives the same bytes on any date.

    Args:
        figure: the figure.
        kind: png, pdf or svg.
        dpi: pixels per inch of a PNG.
    """
    image = BytesIO()
    with use_figure_style():
        figure.savefig(image, format=kind, dpi=dpi, metadata=FORMAT_METADATA[kind])
    return image.getvalue()
