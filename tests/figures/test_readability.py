"""Every registered figure at every width and style, measured as matplotlib draws it: text, legends and contrast."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.legend import Legend
from matplotlib.text import Text

from isocompute.figures.colours import compute_contrast, list_drawn_colours
from isocompute.figures.literature import read_published_results
from isocompute.figures.look import BACKGROUNDS, WIDTHS, FigureLook, use_look
from isocompute.figures.registry import FIGURES
from isocompute.figures.source import FigureSource, get_compared_input
from isocompute.figures.style import add_title_prefix, get_figure
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.profile import read_profile
from isocompute.runners.storage.run import Run

LEAST_TEXT = 7.0
"""The least size of text, in points."""
SLACK = 1.0
"""How far two texts may reach into each other's boxes, in pixels: boxes are wider than their letters."""
WITHOUT_SEARCHES = [name for name in FIGURES.own if FIGURES[name].needs != "search"]
EVERYTHING = list(product(WITHOUT_SEARCHES, WIDTHS, BACKGROUNDS))
# each figure at each width, and half of them in each style
SAMPLE = [(n, w, s) for i, (n, w, s) in enumerate(EVERYTHING) if (i // 2 + i) % 2 == 0]


@pytest.fixture(scope="module")
def sources(capped):
    """A run with scores and searches, of which a fit is shipped, and profiles with verdicts and with limits.

    The last two are of two models on the same problems.
    """
    run = Run("data/runs/lab-search")
    models = [FigureSource(read_profile(name)) for name in ("lab-both-small", "lab-both-large")]
    return [FigureSource(read_profile("lab-search"), run, read_pool(run)), FigureSource(capped), *models]


@pytest.fixture(scope="module")
def drawable(sources):
    """The table of each figure, from the first source that has it."""
    tables = {}
    for name in WITHOUT_SEARCHES:
        entry = FIGURES[name]
        inputs = (get_input(entry.needs, source, sources) for source in (sources[1], sources[2], sources[0]))
        built = (entry.table_function(given) for given in inputs if given is not None)
        tables[name] = next(table for table in built if not table.empty)
    return tables


def get_input(needs, source, sources):
    """The input of a figure: of one source, of the two models, or published."""
    if needs == "published":
        return read_published_results()
    return get_compared_input(sources[-2:]) if needs == "profiles" else source.get_input(needs)


def check_figure(name, table, width, style):
    with use_look(FigureLook(WIDTHS[width], style)):
        figure = get_figure(np.ravel(np.asarray(FIGURES[name].draw_function(table), dtype=object))[0])
        add_title_prefix(figure, "a-run-of-a-usual-name")
        figure.draw_without_rendering()
    texts = list_texts(figure)
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    assert min(text.get_fontsize() for text in texts) >= LEAST_TEXT
    edge = figure.bbox
    clipped = [said for said, box in boxes if box.x0 < edge.x0 or box.x1 > edge.x1 or box.y0 < edge.y0
               or box.y1 > edge.y1]  # fmt: skip
    assert not clipped
    assert not [(a, b) for (a, one), (b, other) in combinations(boxes, 2) if overlap(one, other)]
    for legend in figure.findobj(Legend):
        box = legend.get_window_extent()
        assert not [point for point in list_points(figure) if box.contains(*point)]
    background = BACKGROUNDS[style]
    assert all(compute_contrast(text.get_color(), background) >= 4.5 for text in texts)
    drawn = [colour for axes in figure.axes if not axes.images for colour in list_drawn_colours(axes)]
    assert all(compute_contrast(colour, background) >= 3 for colour in drawn)
    assert figure.get_figwidth() == WIDTHS[width]
    if width == "slide":
        assert figure.get_figheight() == pytest.approx(WIDTHS[width] * 9 / 16)


def list_texts(figure) -> list[Text]:
    """The texts that are drawn: of tick labels, matplotlib keeps some outside the axis."""
    shown = []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            shown.append(text)
    inside = [label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in list_tick_labels(axis)]
    ticks = {id(label) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)
             for label in (*axis.get_ticklabels(which="both"), *list_all_labels(axis))}  # fmt: skip
    return [text for text in shown if id(text) not in ticks] + inside


def list_all_labels(axis) -> Iterator[Text]:
    for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
        yield from (tick.label1, tick.label2)


def list_tick_labels(axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()] if axis.get_visible() else []
    return [tick.label1 for tick in ticks if low <= tick.get_loc() <= high and tick.label1.get_visible()
            and tick.label1.get_text().strip()]  # fmt: skip


def overlap(one, other) -> bool:
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    upwards = min(one.y1, other.y1) - max(one.y0, other.y0)
    return across > SLACK and upwards > SLACK


def list_points(figure) -> Iterator[tuple[float, float]]:
    """The vertices of lines and the places of markers, in pixels."""
    for axes in figure.axes:
        for line in axes.lines:
            yield from line.get_transform().transform(line.get_xydata())
        for drawn in axes.collections:
            if isinstance(drawn, PathCollection):
                yield from axes.transData.transform(drawn.get_offsets())
            elif isinstance(drawn, LineCollection):
                for segment in drawn.get_segments():
                    yield from axes.transData.transform(segment)


@pytest.mark.parametrize(("name", "width", "style"), SAMPLE)
def test_text_is_legible_and_nothing_hides_anything(drawable, name, width, style):
    check_figure(name, drawable[name], width, style)


@pytest.mark.soak
def test_every_figure_of_every_source_is_legible(sources):
    for source, (name, width, style) in product(sources, EVERYTHING):
        given = get_input(FIGURES[name].needs, source, sources)
        table = None if given is None else FIGURES[name].table_function(given)
        if table is not None and not table.empty:
            check_figure(name, table, width, style)
