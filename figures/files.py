"""Writing of figures to files: every registered figure that a source supports, as PNG, PDF and CSV table."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from isocompute.figures.registry import FIGURES, FigureEntry
from isocompute.figures.source import FigureSource
from isocompute.figures.style import add_title_prefix, get_figure, render_figure
from isocompute.figures.tables import render_table
from isocompute.runners.storage.files import write_output


def write_figures(source: FigureSource, folder: str) -> Iterator[str]:
    """Draw every registered figure that a source supports into a folder, and yield each path once it is written.

    All figures are drawn before the first is written, so that a failure leaves no files.

    Args:
        source: a run or a profile.
        folder: a folder on a local disk or in an object store.

    Yields:
        The paths of the files, for each figure ``NAME.png``, ``NAME.pdf`` and ``NAME.csv``.

    Raises:
        DataError: a file cannot be written.
        ConfigError: a figure of another package cannot be drawn.
    """
    entries = dict(FIGURES)
    drawn = {name: make_figure_files(name, entry, source) for name, entry in entries.items()}
    for name, files in drawn.items():
        for kind, content in files.items():
            path = posixpath.join(folder, f"{name}.{kind}")
            write_output(path, content)
            yield path


def make_figure_files(name: str, entry: FigureEntry, source: FigureSource) -> dict[str, bytes]:
    """Return the contents of a figure's files by extension; empty if the source lacks the figure's input.

    Args:
        name: the figure's name in the registry.
        entry: the figure.
        source: a run or a profile.

    Raises:
        ConfigError: the figure comes from another package and cannot be drawn.
    """
    given = source.get_input(entry.needs)
    if given is None:
        return {}
    with FIGURES.wrap_plugin_errors(name):
        return render_figure_files(entry, given, source.profile.name)


def render_figure_files(entry: FigureEntry, given: Any, title: str) -> dict[str, bytes]:
    """Return a figure's images and table as file contents by extension; empty if its table has no rows.

    Args:
        entry: the figure.
        given: the input of its table.
        title: prefix of its title.

    Raises:
        TypeError: the draw function does not return Axes.
    """
    table = entry.table_function(given)
    if table.empty:
        return {}
    axes = np.ravel(np.asarray(entry.draw_function(table), dtype=object))
    if not len(axes) or not isinstance(axes[0], Axes):
        raise TypeError("draw must return the Axes in which it drew")
    figure = get_figure(axes[0])
    add_title_prefix(figure, title)
    return {"png": render_figure(figure, "png"), "pdf": render_figure(figure, "pdf"), "csv": render_table(table)}
