"""A search, drawn: rounds from left to right, each node in the colour of its score, the path to the answer marked."""

from __future__ import annotations

from collections import defaultdict
from io import BytesIO
from pathlib import PurePosixPath

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from isocompute.errors import DataError
from isocompute.runners.parsing.printable import plain
from isocompute.runners.search.describe import describe_outcome, find_path, name_search
from isocompute.runners.search.rows import Key, Tried

MARKS = {"kept": "o", "dropped": "x", "finished": "s", "cut": "v", "limit": "^", None: "."}
"""What became of a node; one that failed, or waits for others, is a point."""
MARKED = "#c1440e"
"""Colour of the path to the answer."""
NONE = "#bbbbbb"
"""Colour of the other lines, and of a node without a score."""
FORMATS = (".png", ".pdf", ".svg")


def places(search: Tried) -> dict[int, float]:
    """Return the height of each node: ends of the tree stand one below the other, what grew into them in their middle.

    The problem is node 0.
    """
    children: dict[int, list[int]] = defaultdict(list)
    for number, row in sorted(search.nodes.items()):
        children[row["parent"]].append(number)
    height: dict[int, float] = {}
    ends = 0
    waiting = [(0, False)]
    while waiting:
        number, seen = waiting.pop()
        if number not in children:
            height[number], ends = -float(ends), ends + 1
        elif seen:
            height[number] = sum(height[child] for child in children[number]) / len(children[number])
        else:
            waiting += [(number, True), *((child, False) for child in reversed(children[number]))]
    return height


def draw_tree(question: str, key: Key, search: Tried) -> Figure:
    """Draw a search.

    Args:
        question: the problem's text.
        key: which search.
        search: its nodes.
    """
    height, marked = places(search), find_path(search)
    rounds = max((row["round"] for row in search.nodes.values()), default=0)
    size = (min(3 + 0.9 * rounds, 12), min(max(2.5, 1.6 - 0.11 * min(height.values())), 14))
    shades = mpl.colormaps["viridis"]
    with mpl.rc_context({"font.size": 8, "pdf.fonttype": 42}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        for number, row in search.nodes.items():
            start, end = (row["round"] - 1, height[row["parent"]]), (row["round"], height[number])
            shade, width = (MARKED, 1.8) if number in marked else (NONE, 0.6)
            axes.plot(*zip(start, end, strict=True), color=shade, lw=width, zorder=width)
        axes.plot(0, height[0], "D", color="black", ms=5, zorder=3)
        legend = [Line2D([], [], color=MARKED, lw=1.8, label="path to the answer")] if marked else []
        for fate, mark in MARKS.items():
            if rows := [(number, row) for number, row in search.nodes.items() if row["fate"] == fate]:
                x, y = [row["round"] for _, row in rows], [height[number] for number, _ in rows]
                hues = [NONE if row["score"] is None else shades(row["score"]) for _, row in rows]
                axes.scatter(x, y, c=hues, marker=mark, s=22, lw=1, zorder=4)
                label = fate or "failed, or waits"
                legend.append(Line2D([], [], marker=mark, color="#555555", ls="", ms=5, label=label))
        figure.colorbar(mpl.cm.ScalarMappable(cmap=shades), ax=axes, label="score", shrink=0.8)
        figure.legend(handles=legend, loc="outside lower center", ncols=1 + len(MARKS), frameon=False)
        axes.set_xticks(range(rounds + 1), ["problem", *map(str, range(1, rounds + 1))])
        axes.set_xlabel("round")
        axes.yaxis.set_visible(False)
        axes.spines[["left", "top", "right"]].set_visible(False)
        said = f"{plain(question, 90)}\n{name_search(key)}: {describe_outcome(search)}"
        axes.set_title(said.replace("$", r"\$"), fontsize=8, loc="left", wrap=True)
    return figure


def tree_image(figure: Figure, file: str) -> bytes:
    """Return a drawn search as the bytes of a file.

    Args:
        figure: the search.
        file: whose ending says in which format.

    Raises:
        DataError: the ending is none of `FORMATS`.
    """
    ending = PurePosixPath(file).suffix
    if ending not in FORMATS:
        raise DataError(f"A search is drawn into {', '.join(FORMATS)}; '{file}' is none of these.")
    image = BytesIO()
    with mpl.rc_context({"pdf.fonttype": 42, "svg.fonttype": "none"}):
        figure.savefig(image, dpi=160, format=ending[1:])
    return image.getvalue()
