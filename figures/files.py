"""Writing of figures to files: every registered figure that the sources support, as pictures and as tables."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from isocompute.errors import ConfigError, DataError
from isocompute.figures.literature import read_published_results
from isocompute.figures.look import FigureLook, use_look
from isocompute.figures.registry import FIGURES, MISSING_INPUTS, SOURCELESS, FigureEntry
from isocompute.figures.source import FigureSource, get_compared_input
from isocompute.figures.style import FORMAT_METADATA, add_title_prefix, get_figure, render_figure
from isocompute.figures.tables import render_latex_table, render_markdown_table, render_table
from isocompute.runners.storage.files import write_output

PICTURE_FORMATS = ("png", "pdf")
"""The formats of pictures unless others are asked for."""


@dataclass(frozen=True)
class FileOptions:
    """The files that are written of each figure.

    Args:
        formats: formats of the pictures: png, pdf or svg.
        look: width and style of the pictures.
        has_tables: whether the table is also written as LaTeX and Markdown; as CSV it always is.

    Raises:
        DataError: a format is unknown.
    """

    formats: Sequence[str] = PICTURE_FORMATS
    look: FigureLook = field(default_factory=FigureLook)
    has_tables: bool = False

    def __post_init__(self) -> None:
        if unknown := [kind for kind in self.formats if kind not in FORMAT_METADATA]:
            raise DataError(f"The format of a figure must be {', '.join(FORMAT_METADATA)}; got '{unknown[0]}'.")


@dataclass(frozen=True)
class FigureFiles:
    """The files of a figure, or why there are none.

    Args:
        name: the figure's.
        folder: name of the folder that they belong in, below that of all figures; empty for that folder itself.
        contents: contents by extension; empty if the figure was not drawn.
        reason: why it was not drawn; empty if it was.
    """

    name: str
    folder: str
    contents: dict[str, bytes]
    reason: str = ""


def draw_figures(
    sources: Sequence[FigureSource], names: Iterable[str] | None = None, options: FileOptions | None = None
) -> Iterator[FigureFiles]:
    """Draw figures of each source, those that compare all of them, and those of published results.

    Args:
        sources: runs and profiles; with several, the files of each belong in a folder of its name.
        names: the figures; None for all that sources give.
        options: what is written of each figure.

    Yields:
        The files of each figure.

    Raises:
        ConfigError: a figure is unknown, or one of another package cannot be drawn.
    """
    names = select_figures(names)
    folders = name_folders(sources)
    for name in names:
        entry = FIGURES[name]
        if entry.needs == "profiles":
            yield make_figure_files(name, entry, get_compared_input(sources), options)
            continue
        if entry.needs == "published":
            yield make_figure_files(name, entry, read_published_results(), options)
            continue
        for source, folder in zip(sources, folders, strict=True):
            given = source.get_input(entry.needs)
            yield make_figure_files(name, entry, given, options, source.profile.name, folder)


def write_figures(drawn: Iterable[FigureFiles], folder: str) -> Iterator[str]:
    """Write the files of figures into a folder, and yield each path once it is written.

    All figures are drawn before the first is written, so that a failure leaves no files.

    Args:
        drawn: figures from `draw_figures`.
        folder: a folder on a local disk or in an object store.

    Yields:
        The paths of the files, for each figure ``NAME.png``, ``NAME.pdf``, ``NAME.csv`` and so on.

    Raises:
        DataError: a file cannot be written.
    """
    for figure in list(drawn):
        for kind, content in figure.contents.items():
            path = posixpath.join(folder, figure.folder, f"{figure.name}.{kind}")
            write_output(path, content)
            yield path


def select_figures(names: Iterable[str] | None) -> list[str]:
    """Return the figures of these names, each once, in the order of the registry; without names all that sources give.

    Raises:
        ConfigError: a name is unknown.
    """
    if names is None:
        return [name for name in FIGURES if FIGURES[name].needs not in SOURCELESS]
    wanted = list(names)
    if unknown := [name for name in wanted if name not in FIGURES]:
        raise ConfigError(f"There is no figure '{unknown[0]}'; the figures are {', '.join(FIGURES)}.")
    return [name for name in FIGURES if name in wanted]


def name_folders(sources: Sequence[FigureSource]) -> list[str]:
    """Return the name of the folder of each source: empty for a source alone, else its name as a file name.

    Sources of one name are numbered.
    """
    if len(sources) < 2:
        return [""] * len(sources)
    folders: list[str] = []
    for source in sources:
        name = re.sub(r"[^\w.+-]+", "_", source.profile.name).strip("._") or "source"
        number = next(i for i in range(1, len(sources) + 1) if (name if i == 1 else f"{name}-{i}") not in folders)
        folders.append(name if number == 1 else f"{name}-{number}")
    return folders


def make_figure_files(
    name: str, entry: FigureEntry, given: Any, options: FileOptions | None = None, title: str = "", folder: str = ""
) -> FigureFiles:
    """Return the contents of a figure's files, or why there are none.

    Args:
        name: the figure's name in the registry.
        entry: the figure.
        given: the input of its table; None if the source has none.
        options: what is written.
        title: prefix of its title.
        folder: name of the folder that the files belong in.

    Raises:
        ConfigError: the figure comes from another package and cannot be drawn.
    """
    if given is None:
        return FigureFiles(name, folder, {}, MISSING_INPUTS.get(entry.needs, entry.missing))
    with FIGURES.wrap_plugin_errors(name):
        contents = render_figure_files(entry, given, title, options or FileOptions())
    return FigureFiles(name, folder, contents, "" if contents else entry.missing)


def render_figure_files(entry: FigureEntry, given: Any, title: str, options: FileOptions) -> dict[str, bytes]:
    """Return a figure's pictures and tables as file contents by extension; empty if its table has no rows.

    Args:
        entry: the figure.
        given: the input of its table.
        title: prefix of its title.
        options: what is written.

    Raises:
        TypeError: the draw function does not return Axes.
    """
    table = entry.table_function(given)
    if table.empty:
        return {}
    with use_look(options.look):
        axes = np.ravel(np.asarray(entry.draw_function(table), dtype=object))
        if not len(axes) or not isinstance(axes[0], Axes):
            raise TypeError("draw must return the Axes in which it drew")
        figure = get_figure(axes[0])
        if title:
            add_title_prefix(figure, title)
        contents = {kind: render_figure(figure, kind) for kind in options.formats}
    contents["csv"] = render_table(table)
    if options.has_tables:
        contents |= {"tex": render_latex_table(table), "md": render_markdown_table(table)}
    return contents
