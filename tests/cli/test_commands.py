"""The commands: what they say when all is well."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from rich.console import Console

import isocompute
from isocompute.cli import main as cli
from isocompute.cli.screens import text as report
from isocompute.fits.estimators.fused import ODDS_EXPONENTS
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE

LLAMA = ("--profile", "llama-3.1-8b-math")
PUBLISHED = Path(__file__).resolve().parents[2] / "data" / "published" / "llama-3.1-8b-math.json"
OPTION = {"strategy", "solutions", "verifications", "compute", "accuracy", "interval", "probability_best"}


def finite(text: str):
    """Parse JSON, of which NaN and Infinity are no part."""

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def profile(written_run, tmp_path, command):
    """The profile of a small run, from `fit`."""
    path = tmp_path / "profile.json"
    assert command("fit", written_run, "-o", path).code == 0
    return path


@pytest.fixture
def without_verifications(small, scripted):
    return Path(run_sweep(small(verifications=0), load=scripted()).run)


def test_plan_names_an_allocation_within_the_budget(command):
    ended = command("plan", "--budget", "128x", *LLAMA)
    assert ended.code == 0
    assert ended.err == ""
    assert ended.out.startswith(
        "Sample 128 solutions of each question, and take the answer with the most votes (sc S=128): 55.6 % of the "
        "measured problems solved for 128x per problem, within the budget of 128x.\n"
    )
    assert "128x is 2x-plateau" in ended.out
    assert "without intervals" in ended.out


def test_plan_stands_alone_too(command):
    alone = command("--budget", "128x", *LLAMA, entry=cli.plan_main)
    assert alone == command("plan", "--budget", "128x", *LLAMA)


@pytest.mark.parametrize("budget", ["1x", "7.5x", "128x", "4096x", "1e9x", "0.5x-plateau", "128x-plateau"])
def test_plan_as_json_has_the_documented_fields(command, profile, budget):
    for which in (LLAMA, ("--profile", profile)):
        ended = command("plan", "--budget", budget.replace("1e9", "1000000000"), *which, "--json")
        assert ended.code == 0
        plan = finite(ended.out)
        assert {
            "budget",
            "recommendation",
            "expected",
            "alternatives",
            "crossover",
            "laws",
            "warnings",
            "profile",
        } <= set(plan)
        assert {"x", "plateau_multiple"} <= set(plan["budget"])
        for option in (plan["recommendation"], *plan["alternatives"]):
            assert set(option) >= OPTION
            assert option["compute"] <= plan["budget"]["x"] + 1e-9
            assert isinstance(option["solutions"], int)
            assert isinstance(option["verifications"], int)
        assert {"x", "interval"} <= set(plan["crossover"])
        if plan["laws"] is not None:
            assert set(plan["laws"]) == {"budgets", "grid", "smooth", "censored", "notes"}
            assert {"a", "b", "a_interval", "b_interval", "edge_budgets", "identity"} <= set(plan["laws"]["smooth"])


def test_a_profile_of_means_has_no_intervals_and_says_so(command):
    plan = finite(command("plan", "--budget", "4096x", *LLAMA, "--json").out)
    for option in (plan["recommendation"], *plan["alternatives"]):
        assert option["interval"] is None
        assert option["probability_best"] is None
    assert plan["crossover"]["interval"] is None
    assert plan["laws"]["grid"]["edge_budgets"] == [2048, 4096, 8192, 16384]
    assert plan["laws"]["censored"]["a_interval"] is None
    assert any("no interval" in warning for warning in plan["warnings"])


def test_a_run_s_profile_gives_intervals_and_probabilities(command, profile):
    plan = finite(command("plan", "--budget", "8x", "--profile", profile, "--json").out)
    best, others = plan["recommendation"], plan["alternatives"]
    assert {best["strategy"], *(o["strategy"] for o in others)} == {"sc", "genrm", "genrm+vote", "weighted", "fused"}
    assert best["interval"][0] <= best["accuracy"] <= best["interval"][1]
    assert {option["probability_best"] for option in (best, *others)} == {None}  # it has fewer than five problems
    lab = finite(command("plan", "--budget", "8x", "--json").out)
    options = (lab["recommendation"], *lab["alternatives"])
    assert sum(option["probability_highest"] for option in options) == pytest.approx(1)
    assert all(option["probability_best"] >= option["probability_highest"] for option in options)
    for other in others:
        assert other["gap"] == pytest.approx(best["accuracy"] - other["accuracy"])
    assert plan["trust"] in ODDS_EXPONENTS


def test_beyond_what_was_measured_plan_says_so(command, profile):
    for text in (
        command("plan", "--budget", "500x", "--profile", profile).out,
        command("plan", "--budget", "500x", "--profile", profile, "--json").out,
    ):
        assert "SC was measured up to 6x" in text
        assert "GenRM was measured up to S=6, V=3" in text


def test_a_lambda_that_is_given_replaces_the_profile_s(command):
    plan = finite(command("plan", "--budget", "64x", "--lambda", "0.5", *LLAMA, "--json").out)
    genrm_option = next(o for o in (plan["recommendation"], *plan["alternatives"]) if o["strategy"] == "genrm")
    assert genrm_option["compute"] == genrm_option["solutions"] * (1 + 0.5 * genrm_option["verifications"])
    assert plan["lambda"] == 0.5


def test_fit_says_what_it_found_and_where_it_put_it(command, written_run, tmp_path):
    ended = command("fit", written_run, "-o", tmp_path / "found")
    assert ended.code == 0
    assert f"Profile written to {tmp_path}/found.json." in ended.out
    assert re.search(r"verifier: yes to \d+\.\d % \[.*\] of right solutions, yes to .* of wrong ones; ranks", ended.out)
    found = finite(command("fit", written_run, "-o", tmp_path / "again.json", "--json").out)
    keys = {"profile", "problems", "lambda", "lambdas", "plateau", "plateau_interval", "crossover", "crossovers"}
    keys |= {"verifier", "laws", "frontier", "trust", "drawn_error", "warnings", "counting", "rhos", "searches"}
    keys |= {"power", "odds_exponent", "schema_version", "laws_by_strategy", "published_note", "policies"}
    assert keys == set(found)
    power = found["power"]
    told = (
        f"to tell {power['strategy']}, the best other than {power['against']}, from {power['against']} with power 0.8"
    )
    assert told in ended.out.replace("\n", " ")
    assert f"At {power['x']:g}x it takes" in ended.out
    assert (power["x"], power["problems"], power["power"]) == (found["frontier"][-1]["x"], 4, 0.8)
    assert power["strategy"] in {option["strategy"] for option in found["frontier"][-1]["options"]} - {"sc"}
    assert found["problems"] == 4


def test_fit_prints_the_three_laws_side_by_side(command, tmp_path):
    ended = command("fit", PUBLISHED, "-o", tmp_path / "theirs.json")
    assert ended.code == 0
    for line in (
        "best cells       0.61 0.39 0.54, 0.46   0.98",
        "edges as bounds  0.51 0.52 0.52, 0.51   1.00",
        "so that it is only bounded: 4,096x, 8,192x, 16,384x",
    ):
        assert line in ended.out


def test_a_run_without_verifications_is_planned_with_sc_alone(command, without_verifications, tmp_path):
    path = tmp_path / "sc.json"
    assert command("fit", without_verifications, "-o", path).code == 0
    assert (
        "The profile has no verifications: only SC can be planned."
        in command("plan", "--budget", "4x", "--profile", path).out
    )
    plan = finite(command("plan", "--budget", "4x", "--profile", path, "--json").out)
    assert plan["recommendation"]["strategy"] == "sc"
    assert plan["alternatives"] == []
    assert plan["crossover"] is None
    assert plan["laws"] is None


def test_failed_rows_and_what_they_may_change_are_said_by_fit_and_plan(command, written_run, rewrite, tmp_path):
    lost = {"text": None, "answer": None, "correct": None, "status": "too long"}

    def fail(frame):
        is_lost = frame["solution_id"].eq(5) | frame["problem_id"].eq("lab-0-4-0")
        return pd.concat([frame[~is_lost].astype(object), frame[is_lost].astype(object).assign(**lost)])

    rewrite(written_run, VERIFICATIONS_TABLE, lambda f: f[(f["problem_id"] != "lab-0-4-0") & (f["solution_id"] != 5)])
    rewrite(written_run, SOLUTIONS_TABLE, fail)
    ended = command("fit", written_run, "-o", tmp_path / "p.json")
    assert ended.code == 0
    named = "1 of 4 problems is left out, with too few rows: 'lab-0-4-0' has no solutions (too long)."
    failed = "9 of 24 solutions (37.5 %) failed."
    planned = command("plan", "-b", "4x", "-p", tmp_path / "p.json")
    for said in (ended.out, planned.out):
        assert named in said
        assert failed in said
        assert "if all that failed or is left out were wrong or right" in said


def test_a_sweep_that_is_stopped_says_that_it_goes_on(command, small, tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("isocompute.runners.sampling.sweep.run_sweep", stopped)
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(small().model_dump(mode="json", exclude_none=True)))
    ended = command("sweep", path)
    assert ended.code == 130
    assert "the same command continues from there" in ended.err


def test_the_version_and_the_help(command):
    assert command("--version").out == f"isocompute {isocompute.__version__}\n"
    for name in ("sweep", "runs", "check", "fit", "plan", "difficulty", "evaluate", "figures"):
        assert name in command("--help").out
        assert command(name, "--help").code == 0


def test_an_interval_of_words_is_printed_and_not_taken_for_markup(capsys):
    console = Console(width=200)
    report.print_line(
        console,
        f"never: {report.format_interval((np.inf, np.inf), 1)}, at last: "
        f"{report.format_interval((29.0, np.inf), 1, digits=0)}",
    )
    assert capsys.readouterr().out == "never: [never, never], at last: [29, never]\n"


def test_plan_says_that_a_rule_is_ahead_when_the_budget_is_a_mean(command):
    words = " ".join(command("plan", "--budget", "32x", "--profile", "lab").out.split())
    first = json.loads(command("plan", "--budget", "32x", "--profile", "lab", "--json").out)["policies"][0]
    assert first["gap"] < 0
    assert f"the rule {first['rule']}, which stops early, is expected to solve {100 * first['accuracy']:.1f} %" in words
    assert f"It is ahead by {-100 * first['gap']:.1f} points" in words
    assert f"`--policy {first['rule']}`" in words


def test_plan_does_not_speak_of_a_rule_that_is_behind(command):
    plan = json.loads(command("plan", "--budget", "256x", "--profile", "lab", "--json").out)
    assert plan["policies"][0]["gap"] >= 0
    assert "If the budget may be a mean" not in " ".join(
        command("plan", "--budget", "256x", "--profile", "lab").out.split()
    )
