"""The look of figures: their width, light or dark, the text sizes that follow, and matplotlib's settings for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, get_args

import matplotlib.style

from isocompute.errors import DataError

FigureStyle = Literal["print", "dark"]

WIDTHS = {"column": 3.25, "page": 6.75, "slide": 10.0}
"""The widths with a name, in inches: a column and a page of a paper, and a slide of 10 by 5.6 inches."""
LEAST_WIDTH, MOST_WIDTH = 2.5, 20.0
"""The range of widths, in inches: below it the text has no room, above it no page or screen has."""
MOST_COLUMN_WIDTH = 5.0
"""The largest width, in inches, at which panels stand one below the other."""
LEAST_SLIDE_WIDTH = 8.5
"""The least width, in inches, of a slide, which has a shape of 16:9 and text that can be read from afar."""

RESOLUTION = 200
"""Pixels per inch of figures, in which text is measured, as its width in inches depends on them a little."""

BACKGROUNDS: dict[FigureStyle, str] = {"print": "#ffffff", "dark": "#161b22"}
"""The background of each style."""
TEXT_COLOURS: dict[FigureStyle, str] = {"print": "#000000", "dark": "#e6edf3"}
"""The colour of text and axes of each style."""


@dataclass(frozen=True)
class FigureLook:
    """The look of a figure.

    Args:
        width: width in inches, 2.5 … 20.
        style: ``print``, dark on white, or ``dark``, light on a dark background.

    Raises:
        DataError: the width is out of range, or the style is unknown.
    """

    width: float = WIDTHS["page"]
    style: FigureStyle = "print"

    def __post_init__(self) -> None:
        if not LEAST_WIDTH <= self.width <= MOST_WIDTH:
            raise DataError(
                f"The width of a figure must be {', '.join(WIDTHS)}, or {LEAST_WIDTH:g} to {MOST_WIDTH:g} inches; "
                f"got {self.width:g}."
            )
        if self.style not in get_args(FigureStyle):
            raise DataError(f"The style of a figure must be {' or '.join(get_args(FigureStyle))}; got '{self.style}'.")

    @property
    def is_column(self) -> bool:
        """True if panels stand one below the other."""
        return self.width <= MOST_COLUMN_WIDTH

    @property
    def is_slide(self) -> bool:
        """True if the figure has the shape and the text sizes of a slide."""
        return self.width >= LEAST_SLIDE_WIDTH

    @property
    def font_size(self) -> float:
        """The text size in points: 7.5 at column width, 8.5 on a page, and 12 on a slide of 10 inches."""
        return 1.2 * self.width if self.is_slide else 7.5 if self.is_column else 8.5

    @property
    def settings(self) -> dict[str, Any]:
        """The matplotlib settings (rcParams) that differ from its defaults."""
        text, background, size = TEXT_COLOURS[self.style], BACKGROUNDS[self.style], self.font_size
        return {
            "font.size": size,
            "axes.titlesize": "medium",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.titlesize": "medium",
            "figure.facecolor": background,
            "figure.dpi": RESOLUTION,
            "axes.facecolor": background,
            "legend.facecolor": background,
            "text.color": text,
            "axes.edgecolor": text,
            "axes.labelcolor": text,
            "xtick.color": text,
            "ytick.color": text,
            "grid.color": "#b0b0b0",
            "legend.fontsize": max(7.0, 0.94 * size),
            "legend.frameon": False,
            "legend.loc": "upper right",  # it is moved out of the panel; "best" would compare it with every point
            "legend.handlelength": 3.2,  # as long as a dash and a half
            "legend.columnspacing": 1.5,
            "lines.markersize": 0.44 * size,
            "lines.linewidth": 0.15 * size,
            "lines.markeredgewidth": 0.08 * size,
            "pdf.fonttype": 42,  # TrueType: journals require it, and its text can be edited
            "svg.fonttype": "none",
            "svg.hashsalt": "isocompute",  # makes the ids inside an SVG reproducible
        }


_current_look: ContextVar[FigureLook | None] = ContextVar("isocompute_figure_look", default=None)


def get_look() -> FigureLook:
    """Return the look of the figures that are drawn now."""
    return _current_look.get() or FigureLook()


@contextmanager
def use_look(look: FigureLook) -> Iterator[None]:
    """Draw all new figures with a look while the context lasts.

    >>> with use_look(FigureLook(WIDTHS["column"], "dark")):
    ...     get_look().font_size
    7.5
    """
    token = _current_look.set(look)
    try:
        yield
    finally:
        _current_look.reset(token)


def parse_width(text: str) -> float:
    """Return a width in inches from its name or number.

    Raises:
        DataError: it is neither a name nor a number in the range.

    >>> parse_width("column"), parse_width("5.5")
    (3.25, 5.5)
    """
    if text in WIDTHS:
        return WIDTHS[text]
    try:
        return FigureLook(float(text)).width
    except ValueError:
        raise DataError(
            f"The width of a figure must be {', '.join(WIDTHS)}, or {LEAST_WIDTH:g} to {MOST_WIDTH:g} inches; "
            f"got '{text}'."
        ) from None


def use_figure_style(changes: Mapping[str, Any] | None = None) -> AbstractContextManager[None]:
    """Return a context in which matplotlib uses its defaults with the common style on top.

    A ``matplotlibrc`` in the working directory is ignored, so that a figure has the same bytes wherever it is drawn.

    Args:
        changes: settings that override those of the look.

    Example:
        >>> import matplotlib as mpl
        >>> with use_figure_style({"font.size": 8}):
        ...     mpl.rcParams["font.size"], mpl.rcParams["pdf.fonttype"]
        (8.0, 42)
    """
    context: AbstractContextManager[None] = matplotlib.style.context(
        ["default", get_look().settings | dict(changes or {})]
    )
    return context
