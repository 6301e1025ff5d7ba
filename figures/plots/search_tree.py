"""The search tree figure: rounds from left to right, nodes coloured by score, the path to the answer highlighted."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from isocompute.errors import DataError
from isocompute.figures.colours import GREY
from isocompute.figures.style import prepare_axes
from isocompute.figures.tables import check_table
from isocompute.runners.parsing.printable import format_one_line
from isocompute.runners.search.describe import describe_search_outcome, find_selected_path, name_search
from isocompute.runners.search.rows import LoggedSearch, SearchKey

SEARCH_TREE_COLUMNS = ("node_id", "parent", "round", "height", "score", "fate", "on_path")
NODE_MARKERS = {"kept": "o", "dropped": "x", "finished": "s", "cut": "v", "limit": "^", None: "."}
"""Markers by the fate of a node; None is the fate of a node that failed or is waiting."""
PATH_COLOUR = "#c1440e"
"""Colour of the path to the answer."""
NEUTRAL_COLOUR = "#bbbbbb"
"""Colour of the other lines, and of nodes without a score."""


def build_search_tree_table(search: LoggedSearch) -> pd.DataFrame:
    """Return the nodes of a search with their positions.

    Args:
        search: the search.

    Returns:
        A row for each node, the problem first. ``node_id``: 0 for the problem. ``parent``: the node that it continues;
        missing for the problem. ``round``: the round in which it was generated; 0 for the problem. ``height``: vertical
        position, 0 for the top leaf and decreasing by 1 per leaf; a node with children is at their mean. ``score``:
        0 … 1; NaN without one. ``fate``: kept, dropped, finished, cut or limit; missing for the problem, and for a node
        that failed or is waiting. ``on_path``: whether it leads to the answer.

    Example:
        >>> grown = {1: 0, 2: 0}
        >>> rows = {i: {"parent": p, "round": 1, "score": 0.5, "fate": "finished"} for i, p in grown.items()}
        >>> build_search_tree_table(LoggedSearch(rows, None))[["node_id", "round", "height"]].values.tolist()
        [[0.0, 0.0, -0.5], [1.0, 1.0, 0.0], [2.0, 1.0, -1.0]]
    """
    height, path = place_nodes(search), find_selected_path(search)
    rows = [{"node_id": 0, "parent": None, "round": 0, "height": height[0], "score": None, "fate": None,
             "on_path": bool(path)}]  # fmt: skip
    for number, row in search.nodes.items():
        own = {name: row[name] for name in ("parent", "round", "score", "fate")}
        rows.append({"node_id": number, **own, "height": height[number], "on_path": number in path})
    table = pd.DataFrame(rows, columns=list(SEARCH_TREE_COLUMNS)).sort_values("node_id", ignore_index=True)
    return table.astype({"parent": "Int64", "score": float})


def place_nodes(search: LoggedSearch) -> dict[int, float]:
    """Return the height of each node: leaves are placed one below the other, a parent at the mean of its children.

    The problem is node 0.
    """
    children: dict[int, list[int]] = defaultdict(list)
    for number, row in sorted(search.nodes.items()):
        children[row["parent"]].append(number)
    height: dict[int, float] = {}
    ends = 0
    waiting = [(0, False)]  # depth first without recursion: a node comes up again after its children, as (node, True)
    while waiting:
        number, seen = waiting.pop()
        if number not in children:
            height[number], ends = float(-ends), ends + 1
        elif seen:
            height[number] = sum(height[child] for child in children[number]) / len(children[number])
        else:
            waiting += [(number, True), *((child, False) for child in reversed(children[number]))]
    return height


def draw_search_tree(table: pd.DataFrame, ax: Any = None, title: str | None = None) -> Axes:
    """Draw a search as a tree.

    Args:
        table: table from `build_search_tree_table`.
        ax: an Axes; None for a new figure, sized to fit the tree.
        title: title of the Axes, see `make_search_title`.

    Returns:
        The Axes.

    Raises:
        DataError: a column or a parent is missing, there are no rows, or ``ax`` is not an Axes.
    """
    check_table(table, SEARCH_TREE_COLUMNS, "search_tree")
    places = table.set_index("node_id")[["round", "height"]]
    if missing_parents := set(table["parent"].dropna()) - set(places.index):
        raise DataError(
            f"The table of search_tree has no node {min(missing_parents)}, but other nodes name it as parent."
        )
    rounds = int(table["round"].max())
    size = (min(3 + 0.9 * rounds, 12), min(max(2.5, 1.6 - 0.11 * table["height"].min()), 14))
    nodes = table[table["parent"].notna()]
    with prepare_axes(ax, size=size, changes={"font.size": 8}) as (axes,):
        starts = places.loc[nodes["parent"]].to_numpy()
        for start, end, on_path in zip(starts, nodes[["round", "height"]].to_numpy(), nodes["on_path"], strict=True):
            shade, width = (PATH_COLOUR, 1.8) if on_path else (NEUTRAL_COLOUR, 0.6)
            axes.plot(*zip(start, end, strict=True), color=shade, lw=width, zorder=width)
        problem = table[table["parent"].isna()]
        axes.plot(problem["round"], problem["height"], "D", color="black", ms=5, zorder=3)
        legend = draw_nodes(nodes, axes)
        add_score_legends(axes, legend, inside=ax is not None)
        axes.set_xticks(range(rounds + 1), ["problem", *map(str, range(1, rounds + 1))])
        axes.set_xlabel("round")
        axes.yaxis.set_visible(False)
        axes.spines[["left", "top", "right"]].set_visible(False)
        if title is not None:
            axes.set_title(title.replace("$", r"\$"), loc="left", wrap=True)
    return axes


def draw_nodes(nodes: pd.DataFrame, axes: Axes) -> list[Line2D]:
    """Draw the nodes, with markers by fate and colours by score, and return the legend's handles."""
    shades = mpl.colormaps["viridis"]
    legend = [Line2D([], [], color=PATH_COLOUR, lw=1.8, label="path to the answer")] if nodes["on_path"].any() else []
    for fate, mark in NODE_MARKERS.items():
        own = nodes[nodes["fate"].isna() if fate is None else nodes["fate"] == fate]
        if len(own):
            hues = [NEUTRAL_COLOUR if pd.isna(score) else shades(score) for score in own["score"]]
            axes.scatter(own["round"], own["height"], c=hues, marker=mark, s=22, lw=1, zorder=4)
            label = fate or "failed or waiting"
            legend.append(Line2D([], [], marker=mark, color=GREY, ls="", ms=5, label=label))
    return legend


def add_score_legends(axes: Axes, legend: list[Line2D], inside: bool) -> None:
    """Add the colour bar of the scores and the legend.

    Args:
        axes: the Axes.
        legend: the legend's handles.
        inside: whether both stay with the Axes, in a caller's figure; if not, they are placed beside them.
    """
    scale = mpl.cm.ScalarMappable(cmap=mpl.colormaps["viridis"])
    if inside:
        axes.figure.colorbar(scale, cax=axes.inset_axes((1.02, 0.1, 0.03, 0.8)), label="score")
        axes.legend(handles=legend, loc="best")
    else:
        axes.figure.colorbar(scale, ax=axes, label="score", shrink=0.8)
        axes.figure.legend(handles=legend, loc="outside lower center", ncols=1 + len(NODE_MARKERS))


def make_search_title(question: str, key: SearchKey, search: LoggedSearch) -> str:
    """Return a title with the question, the name of the search and its outcome."""
    return f"{format_one_line(question, 90)}\n{name_search(key)}: {describe_search_outcome(search)}"
