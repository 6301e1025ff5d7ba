"""`isocompute tree -o FILE`: where nodes stand, and that a search is drawn whatever it holds."""

from __future__ import annotations

import pytest

from isocompute.runners.sampling.sweep import sweep
from isocompute.runners.search.rows import Tried, tried
from isocompute.runners.storage.run import Run

BEAM = ("--strategy", "beam", "--n", "8", "--seed", "1")
figure = pytest.importorskip("isocompute.figures.search_tree")


@pytest.fixture
def run(searching, stepping):
    engine, scorer = stepping()
    return Run(sweep(searching(), load=engine, load_scorer=scorer).run)


def test_ends_stand_below_each_other_and_a_node_in_the_middle_of_its_children():
    parents = {1: 0, 2: 0, 3: 1, 4: 1, 5: 2}
    heights = figure.places(Tried({number: {"parent": parent} for number, parent in parents.items()}, None))
    assert heights == {3: 0, 4: -1, 5: -2, 1: -0.5, 2: -2, 0: -1.25}


def test_every_search_is_drawn_with_a_line_to_each_node(run):
    for key, search in tried(run, "lab-0-1-0").items():
        drawn = figure.draw_tree("1 + 1 = $?", key, search)
        axes = drawn.axes[0]
        assert len(axes.lines) == len(search.nodes) + 1  # and the problem
        assert sum(len(points.get_offsets()) for points in axes.collections) == len(search.nodes)


def test_a_search_without_nodes_is_drawn_too(run):
    key = next(iter(tried(run, "lab-0-1-0")))
    assert figure.draw_tree("?", key, Tried({}, None)).axes


@pytest.mark.parametrize("ending", figure.FORMATS)
def test_a_file_is_written(run, command, tmp_path, ending):
    ended = command("tree", run.path, "lab-0-1-0", *BEAM, "-o", tmp_path / f"tree{ending}")
    assert (ended.code, ended.out) == (0, f"wrote {tmp_path}/tree{ending}\n")
    assert (tmp_path / f"tree{ending}").stat().st_size > 1000


@pytest.mark.parametrize(
    ("name", "sentence"), [("tree.txt", "drawn into .png, .pdf, .svg"), ("file/tree.png", "cannot be written: ")]
)
def test_a_file_that_cannot_be_written_is_a_sentence(run, refused, tmp_path, name, sentence):
    (tmp_path / "file").touch()
    assert sentence in refused("tree", run.path, "lab-0-1-0", *BEAM, "-o", tmp_path / name)


def test_of_several_searches_none_is_drawn_and_that_is_no_success(run, command, tmp_path):
    ended = command("tree", run.path, "lab-0-1-0", "--strategy", "beam", "-o", tmp_path / "tree.png")
    assert ended.code == 1
    assert "tell them apart" in ended.out
    assert not (tmp_path / "tree.png").exists()
