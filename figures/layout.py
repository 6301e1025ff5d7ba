"""The layout of our own figures: legends outside the panels, lines of text that fit, and panels of one height.

All of it is measured from what matplotlib would draw, because sizes of text are known only then.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation

from isocompute.figures.look import FigureLook

PANEL_SHAPE = 0.62
"""Height of a panel as a share of the width that it has."""
MOST_PANEL_HEIGHT = 2.9
"""The most height of a panel, in inches, except on a slide."""
SLIDE_SHAPE = 9 / 16
"""Height of a slide as a share of its width."""
LEAST_LETTERS = 8
"""The least number of letters into which a line is broken."""
LEGEND_GAP = 3.0
"""Distance of a panel's legend from what stands above it, in points."""


class StyledFigure(Figure):
    """A figure of ours, which can be arranged anew when its title changes.

    Args:
        look: the look in which it is drawn.
        count: number of panels, its first Axes; others, such as colour bars, may follow.
        columns: number of panels side by side.
        size: its width and height in inches; None for the look's width, and the height that the panels need.
    """

    def __init__(self, look: FigureLook, count: int, columns: int, size: tuple[float, float] | None = None) -> None:
        self.look, self.count, self.columns, self.has_own_size = look, count, columns, size is not None
        self.rows = -(-count // columns)
        self.panel_height = min(PANEL_SHAPE * look.width / columns, MOST_PANEL_HEIGHT)
        height = SLIDE_SHAPE * look.width if look.is_slide else self.rows * (self.panel_height + 0.5) + 0.8
        super().__init__(figsize=size or (look.width, height), layout="constrained")

    def place_texts(self) -> None:
        """Wrap the titles and labels, place the legends outside the panels, and set the height."""
        self.draw_without_rendering()
        wrap_texts(self)
        place_legends(self)
        self.fit_texts()

    def fit_texts(self) -> None:
        """Wrap the titles and labels to the room that they have, and set the height.

        A slide is 16:9. Any other figure is as high as panels of one shape need with their text.
        """
        self.draw_without_rendering()
        wrap_texts(self)
        if not (self.look.is_slide or self.has_own_size):
            self.draw_without_rendering()
            self.set_figheight(self.get_figheight() + self.measure_missing_height())

    def measure_missing_height(self) -> float:
        """Return by how many inches the figure is too low for panels of the usual shape; below 0 if too high."""
        drawn = (axes.get_position().height * self.get_figheight() for axes in self.axes[: self.count : self.columns])
        return sum(self.panel_height - height for height in drawn)


def wrap_texts(figure: StyledFigure) -> None:
    """Break the titles and axis labels of a figure into lines that fit the width or height that they have."""
    title: Text | None = getattr(figure, "_suptitle", None)  # matplotlib has no public name for this text
    if title is not None:
        wrap_text(title, 0.97 * figure.bbox.width)
    for axes in figure.axes:
        own = axes.get_window_extent()
        for text in (axes.title, axes.xaxis.label):
            wrap_text(text, 0.97 * own.width)
        wrap_text(axes.yaxis.label, 1.05 * own.height)


def wrap_text(text: Text, most: float) -> None:
    """Break a text into as few lines as fit a length in pixels; an upright text is measured upright."""
    content = " ".join(text.get_text().split())
    if not content:
        return
    text.set_text(content)
    length = measure_length(text)
    letters = int(len(content) * most / length)
    while length > most and letters >= LEAST_LETTERS:
        text.set_text(fit_lines(content, letters))
        length, letters = measure_length(text), letters - 1


def measure_length(text: Text) -> float:
    """Return the length of the longest line of a text in pixels, whether it is level or upright."""
    extent = text.get_window_extent()
    return float(extent.height if text.get_rotation() == 90 else extent.width)


def fit_lines(content: str, letters: int) -> str:
    """Break a text into the fewest lines of at most so many letters, of about the same length.

    >>> fit_lines("100 problems, means as published", 30)
    '100 problems,\\nmeans as published'
    >>> fit_lines("beam search, second-hand", 21)  # words with a hyphen stay whole, as lines are broken anew later
    'beam search,\\nsecond-hand'
    """
    wrap = partial(textwrap.wrap, content, break_long_words=False, break_on_hyphens=False)
    breaks = [wrap(each) for each in range(1, letters + 1)]
    fewest = len(breaks[-1])
    return "\n".join(next(lines for lines in breaks if len(lines) == fewest))


def place_legends(figure: StyledFigure) -> None:
    """Move the legends of panels below them: one below all panels if they have the same lines, or each below its own.

    A legend inside a panel would hide what is drawn there.
    """
    legends = {axes: legend for axes in figure.axes if (legend := axes.get_legend()) is not None}
    if not legends:
        return
    entries = {axes: list_entries(axes, legend) for axes, legend in legends.items()}
    first = max(entries, key=lambda axes: len(entries[axes]))
    title = legends[first].get_title().get_text()
    for legend in legends.values():
        legend.remove()
    if all(set(each) <= set(entries[first]) for each in entries.values()):
        labels, place = entries[first], "outside lower center"
        make = partial(figure.legend, list(labels.values()), list(labels), title=title or None, loc=place)
        fill_rows(make, len(labels), 0.97 * figure.bbox.width)
        return
    figure.draw_without_rendering()
    titles = {axes: legend.get_title().get_text() for axes, legend in legends.items()}
    for axes, labels in entries.items():
        own = axes.get_window_extent()
        below = 72 * (own.y0 - (axes.get_tightbbox() or own).y0) / figure.dpi + LEGEND_GAP
        anchor = axes.transAxes + ScaledTranslation(0, -below / 72, figure.dpi_scale_trans)
        below_own: dict[str, Any] = {
            "loc": "upper center",
            "bbox_to_anchor": (0.5, 0),
            "bbox_transform": anchor,
            "borderpad": 0.0,
        }
        make = partial(axes.legend, list(labels.values()), list(labels), title=titles[axes] or None, **below_own)
        fill_rows(make, len(labels), 0.97 * figure.bbox.width / figure.columns)


def list_entries(axes: Axes, legend: Legend) -> dict[str, Any]:
    """Return the handles of a legend by label: those that are drawn in the panel, or else those of the legend."""
    labels = [text.get_text() for text in legend.get_texts()]
    handles, own = axes.get_legend_handles_labels()
    return dict(zip(labels, handles if own == labels else legend.legend_handles, strict=True))


def fill_rows(make: Callable[..., Legend], count: int, width: float) -> None:
    """Make a legend with as few rows as fit a width in pixels, and with as many entries in each."""
    for ncols in list_column_counts(count):
        legend = make(ncols=ncols)
        if ncols == 1 or legend.get_window_extent().width <= width:
            return
        legend.remove()


def list_column_counts(count: int) -> Iterator[int]:
    """Yield the numbers of columns in which a legend has the fewest entries left over, from the most on.

    >>> list(list_column_counts(7))
    [7, 4, 3, 2, 1]
    """
    previous = 0
    for rows in range(1, count + 1):
        ncols = -(-count // rows)
        if ncols != previous:
            yield ncols
        previous = ncols
