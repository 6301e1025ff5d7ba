"""The registry of figures: what it has, what other packages add, and what is wrong with what they add."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import get_args

import pandas as pd
import pytest

import isocompute
from isocompute.errors import ConfigError
from isocompute.figures.files import FigureFiles, draw_figures, make_figure_files
from isocompute.figures.registry import FIGURES, MISSING_INPUTS, FigureEntry, FigureInput
from isocompute.figures.source import FigureSource, open_figure_source
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE

CONTRIBUTING = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def mine_table(profile):
    return pd.DataFrame({"S": [1, 2], "problems": profile.problems})


def draw_mine(table, ax=None):
    from isocompute.figures.style import prepare_axes

    with prepare_axes(ax) as (axes,):
        axes.plot(table["S"], table["problems"])
    return axes


def entry(table="mine_table", draw="draw_mine", needs="profile"):
    return FigureEntry("mine", "mine: what [another] package adds", needs, f"somebody:{table}", f"somebody:{draw}")


FUNCTIONS = {"mine_table": mine_table, "draw_mine": draw_mine}


def test_every_entry_is_called_by_its_name_and_so_are_its_functions():
    assert set(FIGURES) >= {"solutions_and_compute", "frontiers", "search_by_n", "verifier", "search_tree"}
    for name, each in FIGURES.items():
        assert each.name == name
        assert each.description
        assert (each.table_function.__name__, each.draw_function.__name__) == (f"build_{name}_table", f"draw_{name}")
        assert each.table_function.__doc__
        assert each.draw_function.__doc__


def test_the_registry_loads_neither_matplotlib_nor_pandas(tmp_path):
    code = "import sys\nfrom isocompute.figures.registry import FIGURES\nFIGURES['caps']\nprint(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(isocompute.__file__).parents[1])}
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert "isocompute.figures.registry" in said.split()
    assert not {"matplotlib", "pandas", "numpy"} & set(said.split())


def test_a_figure_of_another_package_is_drawn_and_named_in_the_help(add, command, tmp_path):
    add(FUNCTIONS, mine=entry())
    ended = command("figures", "llama-3.1-8b-math", "-o", tmp_path)
    assert ended.code == 0, ended.err
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{name}.{kind}"
        for name in ("solutions_and_compute", "surface", "allocation_law", "crossover", "mine")
        for kind in ("png", "pdf", "csv")
    }
    assert "policies not drawn: the profile has no policies\n" in ended.out
    assert f"wrote {tmp_path}/mine.png\nwrote {tmp_path}/mine.pdf\nwrote {tmp_path}/mine.csv\n" in ended.out
    assert (tmp_path / "mine.csv").read_text() == "S,problems\n1,128\n2,128\n"
    said = " ".join(command("figures", "--help").out.split())
    for line in ("mine mine: what [another] package adds", f"frontiers {FIGURES['frontiers'].description}"):
        assert line in said
    assert "search_tree" not in said


def test_the_help_names_a_figure_once_however_often_it_is_asked_for(add, command):
    add(FUNCTIONS, mine=entry())
    first, second = (command("figures", "--help").out for _ in range(2))
    assert first == second


def boom(*_, **__):
    raise ZeroDivisionError("by\nzero")


def draw_nowhere(table, ax=None):
    return None


HERE = "The figure 'mine' of somebody-s-package "


@pytest.mark.parametrize(
    ("added", "sentence"),
    [
        (entry(table="boom"), "does not work: ZeroDivisionError: by."),
        (entry(draw="boom"), "does not work: ZeroDivisionError: by."),
        (entry(table="lost"), "does not work: AttributeError: module 'somebody' has no attribute 'lost'."),
        (entry(draw="draw_nowhere"), "does not work: TypeError: draw must return the Axes in which it drew."),
    ],
)
def test_a_figure_that_fails_is_a_sentence(add, means, added, sentence):
    add({**FUNCTIONS, "boom": boom, "draw_nowhere": draw_nowhere}, mine=added)
    with pytest.raises(ConfigError) as raised:
        make_figure_files("mine", FIGURES["mine"], means)
    assert str(raised.value) == HERE + sentence


def test_a_figure_that_fails_leaves_nothing(add, refused, tmp_path):
    add({**FUNCTIONS, "boom": boom}, mine=entry(draw="boom"))
    said = refused("figures", "llama-3.1-8b-math", "-o", tmp_path / "drawn")
    assert said == f"{HERE}does not work: ZeroDivisionError: by."
    assert not (tmp_path / "drawn").exists()


def test_what_is_no_entry_is_a_sentence(add, refused, tmp_path):
    add(FUNCTIONS, mine={"name": "mine"})
    said = refused("figures", "llama-3.1-8b-math", "-o", tmp_path / "drawn")
    assert said == f"{HERE}is a dict; it must be a FigureEntry."


class Broken(ModuleType):
    def __getattr__(self, name):
        raise RuntimeError("no licence.")


def test_a_package_that_cannot_be_imported_is_a_sentence_and_the_help_says_it(
    add, refused, command, tmp_path, monkeypatch
):
    add(FUNCTIONS, mine=entry())
    monkeypatch.setitem(sys.modules, "somebody", Broken("somebody"))
    sentence = f"{HERE}cannot be loaded: no licence."
    assert refused("figures", "llama-3.1-8b-math", "-o", tmp_path) == sentence
    assert sentence in " ".join(command("figures", "--help").out.split())


def test_an_entry_that_needs_what_is_not_there_is_a_sentence():
    with pytest.raises(ConfigError) as raised:
        entry(needs="moon")
    named = "profile, profiles, run, source, studies, search, published"
    assert str(raised.value) == f"The figure 'mine' needs 'moon'; it must need one of {named}."


def test_a_run_gives_its_profile_its_rows_and_its_studies(written_run):
    source = open_figure_source(str(written_run))
    profile, profiles, run, itself, studies, search, published = map(source.get_input, get_args(FigureInput))
    assert (profile.name, profile.problems) == ("run", 4)
    assert isinstance(run, Run)
    assert len(run.read_frame(SOLUTIONS_TABLE)) == 24
    assert itself is source
    assert [study.kind for study in studies] == ["agreement", "score", "level", "estimate", "oracle"]
    assert (profiles, search, published) == (None, None, None)


@pytest.mark.parametrize("needs", ["profiles", "run", "studies", "search"])
def test_a_figure_is_left_out_where_the_source_has_not_what_it_needs(add, means, needs):
    add({"mine_table": boom, "draw_mine": boom}, mine=entry(needs=needs))
    (left_out,) = draw_figures([FigureSource(means)], ["mine"])
    assert left_out == FigureFiles("mine", "", {}, MISSING_INPUTS[needs])


def test_a_table_without_rows_is_not_drawn(add, means):
    add({"mine_table": lambda profile: pd.DataFrame(), "draw_mine": boom}, mine=entry())
    files = make_figure_files("mine", FIGURES["mine"], means)
    assert (files.contents, files.reason) == ({}, FIGURES["mine"].missing)
