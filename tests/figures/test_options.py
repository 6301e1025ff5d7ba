"""`isocompute figures` with its options: sources, names, formats, widths, styles and tables; and `iso.figures`."""

from __future__ import annotations

import csv
import struct

import pandas as pd
import pytest

import isocompute as iso
from isocompute.errors import DataError
from isocompute.figures.files import name_folders
from isocompute.figures.registry import FIGURES, FigureEntry
from isocompute.figures.source import FigureSource
from isocompute.figures.style import prepare_axes
from isocompute.figures.tables import render_latex_table, render_markdown_table, render_table

DRAW = ("figures", "lab-search", "--only", "frontiers")


def read_png_width(path) -> int:
    return struct.unpack(">I", path.read_bytes()[16:20])[0]


def compare_table(profiles):
    return pd.DataFrame({"name": [each.name for each in profiles], "problems": [each.problems for each in profiles]})


def draw_compared(table, ax=None):
    with prepare_axes(ax) as (axes,):
        axes.plot(range(len(table)), table["problems"], "o-")
    return axes


COMPARED = FigureEntry("problem_counts", "profiles beside each other", "profiles", "somebody:table", "somebody:draw")
COMPARED_FUNCTIONS = {"table": compare_table, "draw": draw_compared}


def test_several_sources_have_a_folder_each_and_what_compares_them_has_none(add, command, tmp_path):
    add(COMPARED_FUNCTIONS, problem_counts=COMPARED)
    options = ("--only", "problem_counts", "--only", "policies,policies", "--format", "svg", "-o", tmp_path)
    ended = command("figures", "lab-search", "llama-3.1-8b-math", *options)
    assert ended.code == 0, ended.err
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*") if path.is_file()}
    assert files == {"lab-search/policies.svg", "lab-search/policies.csv", "problem_counts.svg", "problem_counts.csv"}
    assert "llama-3.1-8b-math/policies not drawn: the profile has no policies\n" in ended.out
    alone = command("figures", "lab-search", "--only", "problem_counts", "-o", tmp_path / "alone")
    assert (alone.code, alone.out) == (2, "")
    assert alone.err == "error: problem_counts not drawn: it compares several profiles; name two or more.\n"
    assert not (tmp_path / "alone").exists()


def test_figures_that_compare_take_a_list_in_python(add, lab, means):
    add(COMPARED_FUNCTIONS, problem_counts=COMPARED)
    profiles = [iso.load_profile("lab"), iso.load_profile("lab-search")]
    assert iso.figures.problem_counts(profiles).table["name"].tolist() == ["lab", "lab-search"]
    with pytest.raises(DataError, match=r"^The figure 'problem_counts' cannot be drawn: it compares several profiles"):
        iso.figures.problem_counts(profiles[0])
    with pytest.raises(DataError, match=r"^The figure 'caps' is drawn from one run or profile; got 2\.$"):
        iso.figures.caps(profiles)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--only", "moon"), f"There is no figure 'moon'; the figures are {', '.join(FIGURES)}."),
        (("--format", "gif"), "The format of a figure must be png, pdf, svg; got 'gif'."),
        (("--width", "wide"), "The width of a figure must be column, page, slide, or 2.5 to 20 inches; got 'wide'."),
        (("--width", "200"), "The width of a figure must be column, page, slide, or 2.5 to 20 inches; got '200'."),
        (("--width", "nan"), "The width of a figure must be column, page, slide, or 2.5 to 20 inches; got 'nan'."),
        (("--style", "pink"), "The style of a figure must be print or dark; got 'pink'."),
    ],
)
def test_an_option_that_cannot_be_is_a_sentence(refused, tmp_path, options, sentence):
    assert refused("figures", "lab", "-o", tmp_path / "drawn", *options) == sentence
    assert not (tmp_path / "drawn").exists()


def test_a_picture_has_the_width_that_is_asked_for(command, tmp_path):
    for width, inches in (("column", 3.25), ("4.5", 4.5)):
        assert command(*DRAW, "--format", "png", "--width", width, "-o", tmp_path / width).code == 0
        assert read_png_width(tmp_path / width / "frontiers.png") == round(200 * inches)


def test_tables_hold_the_numbers_of_the_csv(command, tmp_path):
    assert command(*DRAW, "--format", "svg", "--tables", "-o", tmp_path).code == 0
    rows = list(csv.reader((tmp_path / "frontiers.csv").read_text().splitlines()))
    markdown = (tmp_path / "frontiers.md").read_text().replace("\\", "").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown]
    assert [cells[0], *cells[2:]] == rows
    latex = (tmp_path / "frontiers.tex").read_text().replace("\\_", "_").splitlines()
    lines = [line.removesuffix(r" \\").split(" & ") for line in latex if line.endswith(r"\\")]
    assert lines == rows


def test_hostile_names_are_escaped_in_tables():
    table = pd.DataFrame({"na|me": ["a&b%c$d#e_f{g}~^\\input", "<b>[x](y)`*|\nz"], "low": [0.1, float("nan")]})
    latex = render_latex_table(table).decode()
    assert r"a\&b\%c\$d\#e\_f\{g\}\textasciitilde{}\textasciicircum{}\textbackslash{}input & 0.1 \\" in latex
    said = render_markdown_table(table).decode().splitlines()
    assert said[0] == r"| na\|me | low |"
    assert said[3] == r"| \<b\>\[x\](y)\`\*\| z |  |"
    assert len(said) == 4
    assert render_table(table).decode().count("\n") == 4


def test_a_source_cannot_name_a_folder_elsewhere(lab):
    named = [FigureSource(lab.model_copy(update={"name": name})) for name in ("../../up", "../../up", "a b", "..")]
    assert name_folders(named) == ["up", "up-2", "a_b", "source"]
    assert name_folders(named[:1]) == [""]


@pytest.mark.parametrize("place", [1, 3, pytest.param(2, marks=pytest.mark.soak)])  # the first fits a run, for a minute
def test_the_examples_of_the_help_work(command, tmp_path, monkeypatch, place):
    said = command("figures", "--help").out
    examples = [
        line.replace("│", "").split() for line in said.splitlines() if line.strip("│ ").startswith("isocompute")
    ]
    assert len(examples) == 4
    monkeypatch.chdir(tmp_path)
    assert command(*examples[place][1:], "--format", "svg").code == 0
