from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.planner.estimate.profile_from_grid import read_grid_profile
from isocompute.planner.profile import find_bundled_profiles

PUBLISHED = Path(__file__).resolve().parents[3] / "data" / "published"
ENTRY = {
    "lambda_": 2,
    "n_problems": 10,
    "self_consistency": {"1": 0.3, "2": 0.35, "10": 0.4},
    "best_of_n": [{"S": s, "V": v, "success": s * v / 10} for v in (2, 1) for s in (1, 2)],
}


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "grid.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


def changed(**changes):
    return {"mine": copy.deepcopy(ENTRY) | changes}


def refused(path, entry=None):
    with pytest.raises(DataError) as caught:
        read_grid_profile(path, entry, None)
    return str(caught.value).removeprefix(path)


def test_a_grid_becomes_a_profile_of_means(written):
    profile = read_grid_profile(written({"mine": ENTRY}), None, None)
    assert (profile.name, profile.problems, profile.per_problem, profile.lam) == ("mine", 10, [], 2.0)
    assert profile.self_consistency.solutions == [1, 2, 10]
    assert (profile.genrm.solutions, profile.genrm.verifications) == ([1, 2], [1, 2])
    np.testing.assert_allclose(profile.genrm.array[0], [[0.1, 0.2], [0.2, 0.4]])
    assert profile.coverage is None
    assert "without intervals" in profile.warnings[0]


def test_one_of_several_entries_is_chosen(written):
    path = written({"a": ENTRY, "b": ENTRY | {"lambda_": 3}, "note": "a remark"})
    assert read_grid_profile(path, "b", "n").lam == 3.0
    assert refused(path) == " holds several grids; choose one with --entry (entry= in Python): a, b."
    assert refused(path, "c") == " has no entry 'c'; it has: a, b."


def test_the_bundled_profile_is_that_of_the_published_figure(tmp_path):
    name = "llama-3.1-8b-math"
    read_grid_profile(str(PUBLISHED / f"{name}.json"), None, name).write(str(tmp_path / "made.json"))
    assert (tmp_path / "made.json").read_bytes() == find_bundled_profiles()[name].read_bytes()


def test_the_published_grids_read(shared_data):
    path = shared_data / "published_grids.json"
    for entry, grid in json.loads(path.read_text()).items():
        if isinstance(grid, dict) and "best_of_n" in grid:
            assert read_grid_profile(str(path), entry, None).genrm is not None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (changed(lambda_=0), ", mine: 'lambda_' must be a positive number below 1e9; got 0."),
        (changed(lambda_=float("nan")), ", mine: 'lambda_' must be a positive number below 1e9; got nan."),
        (changed(n_problems=1.5), ", mine: 'n_problems' must be a positive whole number below 1e9; got 1.5."),
        (changed(self_consistency=[0.3]), ", mine: 'self_consistency' must be a table {S: success}."),
        (changed(self_consistency={}), ", mine: 'self_consistency' must be a table {S: success}."),
        (
            changed(self_consistency={"2": 0.3}),
            ", mine: 'self_consistency' must begin at S=1, the accuracy of one solution.",
        ),
        (
            changed(self_consistency={"0": 0.3}),
            ", mine: self_consistency: S and V must be whole numbers from 1 to 999,999,999; got '0'.",
        ),
        (
            changed(self_consistency={"1": 33.5}),
            ", mine: self_consistency at S=1: the success is 33.5; it must lie between 0 and 1.",
        ),
        (
            changed(self_consistency={"1": None}),
            ", mine: self_consistency at S=1: the success is None; it must lie between 0 and 1.",
        ),
        (changed(best_of_n=[]), ", mine: 'best_of_n' has no cells."),
        (changed(best_of_n=None), ", mine: 'best_of_n' must be a list of cells with S, V and success."),
        (changed(best_of_n=[{"S": 1}]), ", mine: 'best_of_n' must be a list of cells with S, V and success."),
        (
            changed(best_of_n=ENTRY["best_of_n"][1:]),
            ", mine: 'best_of_n' has no cell S=1, V=2; the grid must be full.",
        ),
        (
            changed(best_of_n=[{"S": 1.5, "V": 1, "success": 0.3}]),
            ", mine: best_of_n: S and V must be whole numbers from 1 to 999,999,999; got '1.5'.",
        ),
        ({}, " holds no grid; it must hold {name: {lambda_, n_problems, self_consistency, best_of_n}}."),
        ([ENTRY], " holds no grid; it must hold {name: {lambda_, n_problems, self_consistency, best_of_n}}."),
    ],
)
def test_a_bad_grid_is_refused_with_its_place(written, content, sentence):
    assert refused(written(content)) == sentence


def test_a_cell_that_stands_twice_is_refused_by_its_numbers(written):
    cells = [*ENTRY["best_of_n"], {"S": 2, "V": "1", "success": 0.99}]
    assert refused(written(changed(best_of_n=cells))) == (
        ", mine: best_of_n: the cell S=2, V=1 appears twice; remove one."
    )


def test_a_key_that_stands_twice_is_refused(written):
    text = json.dumps({"mine": ENTRY})
    path = written(text.replace('"1": 0.3', '"1": 0.3, "1": 0.9'))
    assert refused(path) == (
        f"The grid '{path}': the key '1' appears twice in 'mine.self_consistency'; remove one of the two."
    )
    assert "the key 'mine' appears twice; " in refused(written(f"{text[:-1]}, {text[1:]}"))


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000])
def test_what_is_not_json_is_refused(written, text):
    path = written(text)
    with pytest.raises(DataError) as caught:
        read_grid_profile(path, None, None)
    assert str(caught.value) == f"The grid '{path}' is not JSON."


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none.json' cannot be read: No such file or directory\.$"):
        read_grid_profile(str(tmp_path / "none.json"), None, None)
