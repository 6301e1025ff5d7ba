"""`isocompute tree -o FILE`: where nodes stand, and that a search is drawn whatever it holds."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from isocompute.errors import DataError
from isocompute.figures.plots import search_tree as figure
from isocompute.figures.style import render_figure
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.search.describe import find_selected_path
from isocompute.runners.search.rows import LoggedSearch, read_problem_searches
from isocompute.runners.storage.run import Run

BEAM = ("--strategy", "beam", "--n", "8", "--seed", "1")
FORMATS = (".png", ".pdf", ".svg")


@pytest.fixture
def run(searching, stepping):
    engine, scorer = stepping()
    return Run(run_sweep(searching(), load=engine, load_scorer=scorer).run)


def test_ends_stand_below_each_other_and_a_node_in_the_middle_of_its_children():
    parents = {1: 0, 2: 0, 3: 1, 4: 1, 5: 2}
    heights = figure.place_nodes(LoggedSearch({number: {"parent": parent} for number, parent in parents.items()}, None))
    assert heights == {3: 0, 4: -1, 5: -2, 1: -0.5, 2: -2, 0: -1.25}


def test_the_table_has_a_row_for_each_node_and_one_for_the_problem(run):
    for search in read_problem_searches(run, "lab-0-1-0").values():
        table = figure.build_search_tree_table(search)
        assert tuple(table.columns) == figure.SEARCH_TREE_COLUMNS
        assert table["node_id"].tolist() == [0, *sorted(search.nodes)]
        assert pd.isna(table["parent"].iloc[0])
        assert table.loc[table["on_path"], "node_id"].tolist() == [0, *sorted(find_selected_path(search))]
        for row in table.iloc[1:].itertuples():
            node = search.nodes[row.node_id]
            assert (row.parent, row.round) == (node["parent"], node["round"])
            assert (None if pd.isna(row.fate) else row.fate) == node["fate"]
            assert (None if pd.isna(row.score) else row.score) == node["score"]


def test_every_search_is_drawn_with_a_line_to_each_node(run):
    for key, search in read_problem_searches(run, "lab-0-1-0").items():
        table = figure.build_search_tree_table(search)
        axes = figure.draw_search_tree(table, title=figure.make_search_title("1 + 1 = $?", key, search))
        assert axes.get_title(loc="left").startswith(f"1 + 1 = \\$?\n{key[1]} with n = {key[2]}")
        places = table.set_index("node_id")
        *edges, problem = axes.lines
        assert problem.get_xydata().tolist() == [[0, places.loc[0, "height"]]]
        assert [edge.get_xydata().tolist() for edge in edges] == [
            [places.loc[node, ["round", "height"]].tolist() for node in (row.parent, row.node_id)]
            for row in table.iloc[1:].itertuples()
        ]
        points = [tuple(point) for drawn in axes.collections for point in drawn.get_offsets().tolist()]
        assert sorted(points) == sorted(zip(table["round"][1:], table["height"][1:], strict=True))


def test_a_search_without_nodes_is_drawn_too():
    table = figure.build_search_tree_table(LoggedSearch({}, None))
    assert table["node_id"].tolist() == [0]
    (problem,) = figure.draw_search_tree(table).lines
    assert problem.get_xydata().tolist() == [[0, 0]]


def test_a_search_is_drawn_in_the_axes_that_are_given_and_nowhere_else(run, grid):
    search = next(iter(read_problem_searches(run, "lab-0-1-0").values()))
    open_before = plt.get_fignums()  # of other tests of this process
    assert figure.draw_search_tree(figure.build_search_tree_table(search), ax=grid[3]) is grid[3]
    drawn_in = grid[0].figure
    assert list(drawn_in.axes) == list(grid)
    assert [bool(axes.lines) for axes in grid] == [False, False, False, True]
    assert (drawn_in.legends, plt.get_fignums()) == ([], open_before)
    assert render_figure(drawn_in, "png", dpi=40)


def test_a_table_without_a_parent_is_a_sentence(run):
    search = next(iter(read_problem_searches(run, "lab-0-1-0").values()))
    table = figure.build_search_tree_table(search)
    with pytest.raises(
        DataError, match=r"^The table of search_tree has no node 0, but other nodes name it as parent\.$"
    ):
        figure.draw_search_tree(table[table["node_id"] > 0])


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_is_written(run, command, tmp_path, ending):
    ended = command("tree", run.path, "lab-0-1-0", *BEAM, "-o", tmp_path / f"tree{ending}")
    assert (ended.code, ended.out) == (0, f"wrote {tmp_path}/tree{ending}\n")
    assert (tmp_path / f"tree{ending}").stat().st_size > 1000


@pytest.mark.parametrize(
    ("name", "sentence"), [("tree.txt", "must end in .png, .pdf, .svg"), ("file/tree.png", "cannot be written: ")]
)
def test_a_file_that_cannot_be_written_is_a_sentence(run, refused, tmp_path, name, sentence):
    (tmp_path / "file").touch()
    assert sentence in refused("tree", run.path, "lab-0-1-0", *BEAM, "-o", tmp_path / name)


def test_of_several_searches_none_is_drawn_and_that_is_no_success(run, command, tmp_path):
    ended = command("tree", run.path, "lab-0-1-0", "--strategy", "beam", "-o", tmp_path / "tree.png")
    assert ended.code == 2
    assert "A file shows one search, and several match" in ended.err
    assert not (tmp_path / "tree.png").exists()
