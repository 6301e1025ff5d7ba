"""Colours of figures: contrast against the background, and styles of lines that are ordered by a number."""

from __future__ import annotations

from colorsys import hls_to_rgb, rgb_to_hls
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex, to_rgb, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from isocompute.figures.look import BACKGROUNDS, get_look
from isocompute.runners.search.registry import DASHES

LEAST_CONTRASTS = {"print": 3.0, "dark": 4.5}
"""The least contrast of lines and markers against the background of each style.

WCAG 2.2 asks for 3 (success criterion 1.4.11); thin light lines on a dark background need more.
"""
GREY = "#555555"
"""Colour of elements that belong to no single strategy."""
MARKERS = "os^Dv<>PXph*"
"""Markers of lines that are told apart by their place in a list."""
COLOURS = ("#882e8b", "#007f5f", "#d55e00", "#0072b2", "#8a6d00", "#c2508f", "#2583b5", "#7a4a2b")
"""Colours of lines that are told apart by their place in a list, after Okabe and Ito, darker for contrast on white."""
ORDERED_SHADES = {"print": (0.05, 0.55), "dark": (0.55, 1.0)}
"""The part of the colour map viridis that has enough contrast against the background of each style."""


class LineStyle(NamedTuple):
    """The looks that tell a line apart: its colour, and matplotlib's format string of its marker and its dash."""

    colour: str
    format: str


def list_line_styles(count: int) -> list[LineStyle]:
    """Return styles of lines that are told apart by their place in a list.

    >>> list_line_styles(2)
    [LineStyle(colour='#882e8b', format='o-'), LineStyle(colour='#007f5f', format='s--')]
    """
    return [LineStyle(COLOURS[i % len(COLOURS)], format_line(i)) for i in range(count)]


def list_ordered_styles(count: int) -> list[LineStyle]:
    """Return styles of lines that are ordered by a number, such as V: shades of one colour map, from one end on."""
    low, high = ORDERED_SHADES[get_look().style]
    # dark lines come last on white, light ones on a dark background: the largest number stands out
    places = np.linspace(high, low, count) if get_look().style == "print" else np.linspace(low, high, count)
    shades = [to_hex(mpl.colormaps["viridis"](place)) for place in places]
    return [LineStyle(shade, format_line(i)) for i, shade in enumerate(shades, 1)]  # SC has the first marker and dash


def format_line(place: int) -> str:
    """Return the marker and the dash of the line at a place in a list, as matplotlib's format string."""
    return MARKERS[place % len(MARKERS)] + DASHES[place % len(DASHES)]


def compute_luminance(colour: Any) -> float:
    """Return the relative luminance of a colour, 0 black … 1 white (WCAG 2.2)."""
    rgb = np.asarray(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def compute_contrast(colour: Any, background: Any) -> float:
    """Return the contrast of two colours, 1 none … 21 black on white (WCAG 2.2).

    >>> round(compute_contrast("white", "black"))
    21
    """
    dark, light = sorted((compute_luminance(colour), compute_luminance(background)))
    return (light + 0.05) / (dark + 0.05)


def raise_contrast(colour: Any) -> str:
    """Return a colour with enough contrast in the current style.

    A colour that has too little on a dark background gets the opposite lightness first, so that dark colours that
    differ in lightness still do. Then it is mixed with as little black or white as is needed.

    >>> raise_contrast("#0072b2"), raise_contrast("yellow")
    ('#0072b2', '#999900')
    """
    style = get_look().style
    background, least = BACKGROUNDS[style], LEAST_CONTRASTS[style]
    rgb, end = np.array(to_rgb(colour)), np.zeros(3) if style == "print" else np.ones(3)
    if style == "dark" and compute_contrast(colour, background) < least:
        hue, lightness, saturation = rgb_to_hls(*rgb)
        rgb = np.array(hls_to_rgb(hue, 1 - lightness, saturation))
    mixed = (to_hex(rgb + share * (end - rgb)) for share in np.linspace(0, 1, 101))
    return next(each for each in mixed if compute_contrast(each, background) >= least)


def raise_figure_contrast(figure: Figure) -> None:
    """Give each line, marker, error bar and band of a figure enough contrast against the background of its style.

    Markers on an image are left alone.
    """
    for axes in figure.axes:
        if axes.images:
            continue
        for line in axes.lines:
            raise_line_contrast(line)
        for drawn in axes.collections:
            raise_collection_contrast(drawn)


def raise_line_contrast(line: Line2D) -> None:
    """Give a line and its markers enough contrast, if they are not transparent."""
    if line.get_alpha() in (None, 1):
        face = line.get_markerfacecolor()
        edge = line.get_markeredgecolor()
        line.set_color(raise_contrast(line.get_color()))
        if is_visible(edge):
            line.set_markeredgecolor(raise_contrast(edge))
        if is_visible(face) and to_hex(face) != BACKGROUNDS[get_look().style]:
            line.set_markerfacecolor(raise_contrast(face))


def raise_collection_contrast(drawn: Any) -> None:
    """Give error bars, scattered markers and bands colours with enough contrast; bands stay as transparent as they are.

    What is coloured by a number is left alone.
    """
    if drawn.get_array() is not None:
        return
    for get, set_colours in ((drawn.get_edgecolor, drawn.set_edgecolor), (drawn.get_facecolor, drawn.set_facecolor)):
        colours = to_rgba_array(get())
        if len(colours):
            set_colours([(*to_rgb(raise_contrast(each[:3])), each[3]) for each in colours])


def is_visible(colour: Any) -> bool:
    """Return whether a marker's colour is drawn: neither none nor transparent."""
    return not (isinstance(colour, str) and colour.lower() == "none") and to_rgba_array(colour)[0, 3] > 0


def list_drawn_colours(axes: Axes) -> list[str]:
    """Return the colours of the lines, markers and error bars of a panel that are not transparent."""
    colours: list[str] = []
    for line in axes.lines:
        if line.get_alpha() in (None, 1):
            if line.get_linestyle() not in ("None", "", " "):
                colours.append(to_hex(line.get_color()))
            if line.get_marker() not in ("None", "", " ", None):
                colours.append(to_hex(line.get_markeredgecolor()))
    for drawn in axes.collections:
        if isinstance(drawn, LineCollection | PathCollection) and drawn.get_alpha() in (None, 1):
            colours += [to_hex(each) for each in to_rgba_array(drawn.get_edgecolor()) if each[3] == 1]
    return colours
