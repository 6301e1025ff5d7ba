"""Names and texts of other people, of files and of other packages: what is printed, and what is not replaced."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
import yaml

import isocompute
from isocompute import registry
from isocompute.planner.profile import find_bundled_profiles
from isocompute.runners.grading.registry import GRADERS
from isocompute.runners.imports.formats import IMPORT_FORMATS
from isocompute.runners.search.registry import SEARCH_STRATEGIES

FORGED = "x\nerror: FORGED\r\x85\u2028y"
HIDDEN = "a\u3164\u2800\ufe0f\U000e0101\u115f" + "e" + "\u0301" * 300


@pytest.fixture
def odd_profile(tmp_path):
    content = json.loads(Path(find_bundled_profiles()["llama-3.1-8b-math"]).read_text(encoding="utf-8"))
    content |= {"name": f"{FORGED}{HIDDEN}\x1b[31m", "description": FORGED, "warnings": [FORGED, HIDDEN]}
    (tmp_path / "p.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path / "p.json"


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "-b", "8x", "-p", "PROFILE"),
        ("plan", "-b", "8x", "-p", "PROFILE", "-p", "llama-3.1-8b-math"),
        ("plan", "-b", "8x", "-p", "PROFILE", "--json"),
        ("fit", "RUN", "-o", "PLACE/p.json"),
        ("check", "PLACE"),
        ("notebooks", "PLACE/n"),
    ],
)
def test_no_name_begins_a_line_or_hides_a_letter(command, odd_profile, written_run, tmp_path, words):
    place = tmp_path / FORGED
    ended = command(
        *({"PROFILE": odd_profile, "RUN": written_run}.get(word, word.replace("PLACE", str(place))) for word in words)
    )
    said = ended.out + ended.err
    assert not any(line.startswith("error: FORGED") for line in said.split("\n")), said
    assert all(line.isprintable() for line in said.split("\n"))
    assert not set("\u3164\u2800\ufe0f\U000e0101\u115f") & set(said)
    assert "\u0301" * 5 not in said or "--json" in words


def test_an_emitted_sweep_of_an_odd_profile_is_one_that_can_be_read(command, odd_profile, tmp_path):
    emitted = tmp_path / "s.yaml"
    assert command("plan", "-b", "8x", "-p", odd_profile, "--emit", emitted).code == 0
    text = emitted.read_text(encoding="utf-8")
    assert all(line.isprintable() for line in text.split("\n"))
    assert yaml.safe_load(text)["run"]


def test_a_report_holds_no_character_that_is_hidden(command, odd_profile, tmp_path):
    page = tmp_path / "r.html"
    assert command("report", odd_profile, "-o", page).code == 0
    text = page.read_text(encoding="utf-8")
    assert not set("\x1b\x85\u2028\u3164\u115f\U000e0101") & set(text)
    assert "\u0301" * 5 not in text


@pytest.mark.parametrize("words", [("plan", "-b", "8x", "-p", "VALUE"), ("check", "VALUE"), ("runs", "VALUE")])
def test_bytes_that_are_not_text_are_refused(command, words):
    ended = command(*(word.replace("VALUE", "a\udcff\udcfe") for word in words))
    assert ended.code == 2
    assert "the value has bytes that are not UTF-8." in ended.err


def test_a_report_replaces_nothing_but_a_page(refused, tmp_path):
    profile = tmp_path / "p.json"
    profile.write_bytes(Path(find_bundled_profiles()["llama-3.1-8b-math"]).read_bytes())
    before = profile.read_bytes()
    assert refused("report", profile, "-o", profile) == f"'{profile}' must end in .html: a report is one HTML file."
    assert profile.read_bytes() == before


def test_answers_do_not_replace_the_questions(refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("q.csv").write_text("question\n1+1?\n")
    said = refused("solve", "q.csv", "-o", "run", "-p", "lab", "-b", "2x", "--answers", "./q.csv")
    assert said == "'./q.csv' holds the questions; write the answers to another file."
    assert Path("q.csv").read_text() == "question\n1+1?\n"
    assert not Path("run").exists()


@pytest.mark.parametrize("host", ["xn--", "ß..ß", "\u202e.com", "a b", "xn--a", "é" * 70])
def test_a_host_that_cannot_be_asked_for_is_refused_before_a_run_begins(refused, tmp_path, monkeypatch, host):
    monkeypatch.chdir(tmp_path)
    said = refused("solve", "1+1?", "-o", "run", "-p", "lab", "-b", "2x", "--url", f"http://{host}/v1")
    assert said == "solver.options.urls: give base URLs such as http://localhost:8000/v1."
    assert not Path("run").exists()


@pytest.mark.parametrize("name", ["grade", "import", "tree"])
def test_help_shows_names_of_other_packages_as_text(command, monkeypatch, name):
    points = [
        EntryPoint("[/red]x\x1b[31m", "nowhere:X", group)
        for group in ("isocompute.graders", "isocompute.imports", "isocompute.searches")
    ]
    monkeypatch.setattr(registry, "read_entry_points", lambda: EntryPoints(points))
    for found in (GRADERS, IMPORT_FORMATS, SEARCH_STRATEGIES):
        monkeypatch.delitem(vars(found), "plugin_entry_points", raising=False)
    try:
        ended = command(name, "--help")
    finally:
        for found in (GRADERS, IMPORT_FORMATS, SEARCH_STRATEGIES):
            vars(found).pop("plugin_entry_points", None)
    assert ended.code == 0
    assert "[/red]x" in "".join(ended.out.split())
    assert all(line.isprintable() for line in ended.out.split("\n"))


def run_command(words, **variables):
    environment = {**os.environ, "PYTHONPATH": str(Path(isocompute.__file__).parents[1]), **variables}
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def test_variables_of_other_programs_do_not_change_how_a_closed_pipe_ends(tmp_path):
    plan = f"{sys.executable} -m isocompute plan -b 8x --json | true; echo ${{PIPESTATUS[0]}}"
    assert run_command(["bash", "-c", plan], _FOO_COMPLETE="1").stdout == "141\n"


def test_an_encoding_of_host_names_is_replaced():
    ended = run_command([sys.executable, "-m", "isocompute", "check", "nowhere"], PYTHONIOENCODING="idna")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: ")
