"""The shared look: our own figures always have it, somebody's own Axes never; and what is no Axes."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from isocompute.errors import DataError
from isocompute.figures.plots.caps import draw_capped_accuracies, draw_capped_gains, draw_caps
from isocompute.figures.plots.difficulty import draw_choices, draw_difficulty, draw_levels
from isocompute.figures.plots.frontiers import draw_frontiers, draw_lead, draw_strategy_accuracies
from isocompute.figures.plots.solutions_and_compute import (
    draw_by_compute,
    draw_by_solutions,
    draw_solutions_and_compute,
)
from isocompute.figures.style import add_title_prefix, get_figure, prepare_axes, render_figure, render_file

PAIRS = {
    "solutions_and_compute": draw_solutions_and_compute,
    "frontiers": draw_frontiers,
    "difficulty": draw_difficulty,
    "caps": draw_caps,
}
PANELS = {
    "solutions_and_compute": (draw_by_solutions, draw_by_compute),
    "frontiers": (draw_strategy_accuracies, draw_lead),
    "difficulty": (draw_choices, draw_levels),
    "caps": (draw_capped_accuracies, draw_capped_gains),
}


def empty(axes):
    return not (axes.lines or axes.collections or axes.images or axes.get_title() or axes.get_legend())


@pytest.mark.parametrize("name", PAIRS)
def test_two_panels_are_drawn_in_the_axes_that_are_given_and_nowhere_else(tables, grid, name):
    figure = grid[0].figure
    drawn = PAIRS[name](tables[name], ax=[grid[1], grid[2]])
    assert list(drawn) == [grid[1], grid[2]]
    assert [empty(axes) for axes in grid] == [True, False, False, True]
    assert list(figure.axes) == list(grid)
    assert (figure.get_suptitle(), figure.legends, plt.get_fignums()) == ("", [], [])


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("panel", [0, 1])
def test_each_panel_can_be_drawn_alone(tables, grid, name, panel):
    draw = PANELS[name][panel]
    assert draw(tables[name], ax=grid[2]) is grid[2]
    assert [empty(axes) for axes in grid] == [True, True, False, True]
    alone, both = draw(tables[name]), PAIRS[name](tables[name])[panel]
    assert f"({'ab'[panel]}) {alone.get_title()}" == both.get_title()
    assert get_figure(alone).axes == [alone]
    for mine, theirs in zip(alone.lines, both.lines, strict=True):
        np.testing.assert_array_equal(mine.get_xydata(), theirs.get_xydata())


@pytest.mark.parametrize("name", PAIRS)
def test_without_axes_a_figure_is_made_that_pyplot_does_not_keep(tables, name):
    drawn = PAIRS[name](tables[name])
    assert plt.get_fignums() == []
    assert list(get_figure(drawn[0]).axes) == list(drawn)
    assert " problems, " in get_figure(drawn[0]).get_suptitle()


def test_our_own_figures_do_not_depend_on_the_settings_around_them(tables):
    plain = render_figure(get_figure(draw_solutions_and_compute(tables["solutions_and_compute"])[0]), "png", dpi=40)
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "black", "savefig.bbox": "tight", "pdf.fonttype": 3}):
        changed = get_figure(draw_solutions_and_compute(tables["solutions_and_compute"])[0])
        assert render_figure(changed, "png", dpi=40) == plain
        assert b"/Type3" not in render_figure(changed, "pdf")
        assert mpl.rcParams["font.size"] == 20


def test_axes_of_somebody_keep_their_own_settings(tables):
    with mpl.rc_context({"axes.titlesize": 21, "lines.markersize": 11}):
        axes = draw_by_compute(tables["solutions_and_compute"], ax=Figure().subplots())
    assert axes.title.get_fontsize() == 21
    assert {line.get_markersize() for line in axes.lines} == {11}


@pytest.mark.parametrize(
    ("ax", "sentence"),
    [
        ("left", "ax must be 2 matplotlib Axes, or None for a new figure; got str."),
        ([], "ax must be 2 matplotlib Axes, or None for a new figure; got nothing."),
        ([None, None], "ax must be 2 matplotlib Axes, or None for a new figure; got NoneType, NoneType."),
    ],
)
def test_what_is_no_axes_is_a_sentence(tables, ax, sentence):
    with pytest.raises(DataError) as raised:
        draw_frontiers(tables["frontiers"], ax=ax)
    assert str(raised.value) == sentence


def test_a_number_of_axes_that_does_not_fit_is_a_sentence(tables, grid):
    three = [*grid, grid[0]]
    with pytest.raises(
        DataError, match=r"^ax must be 2 matplotlib Axes, or None for a new figure; got Axes, Axes, Axes"
    ):
        draw_solutions_and_compute(tables["solutions_and_compute"], ax=three)
    with (
        pytest.raises(DataError, match=r"^ax must be one matplotlib Axes, or None for a new figure; got Axes, Axes"),
        prepare_axes(grid),
    ):
        pass
    assert all(map(empty, grid))


@pytest.mark.parametrize("name", PAIRS)
def test_a_table_that_cannot_be_drawn_is_a_sentence(tables, lab, name):
    with pytest.raises(DataError, match=f"^The table of {name} must be a data frame; got Profile.$"):
        PAIRS[name](lab)
    with pytest.raises(DataError, match=f"^The table of {name} has no column 'problems'; it must have: "):
        PAIRS[name](tables[name].drop(columns="problems"))
    with pytest.raises(DataError, match=f"^The table of {name} has no rows, so there is nothing to draw.$"):
        PAIRS[name](tables[name].iloc[:0])


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_the_same_figure_gives_the_same_bytes(tables, kind):
    first, second = (render_figure(get_figure(draw_lead(tables["frontiers"])), kind, dpi=40) for _ in range(2))
    assert first == second
    assert b"/Type3" not in first


def test_a_name_stands_before_the_title_and_a_dollar_in_it_is_a_dollar(tables):
    figure = get_figure(draw_frontiers(tables["frontiers"])[0])
    add_title_prefix(figure, "a$\\b$")
    assert figure.get_suptitle().startswith("a\\$\\b\\$: 100 problems, expected accuracies on new ones")
    assert render_figure(figure, "png", dpi=40)
    add_title_prefix(untitled := get_figure(draw_lead(tables["frontiers"])), "lab")
    assert untitled.get_suptitle() == "lab"


def test_an_unknown_ending_is_a_sentence():
    with pytest.raises(DataError, match=r"^The file of a figure must end in \.png, \.pdf, \.svg; got 'a/b\.gif'\.$"):
        render_file(Figure(), "a/b.gif")
