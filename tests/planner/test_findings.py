"""Plateau, laws by strategy and the published multiples, as the planner derives and says them."""

from __future__ import annotations

import json
import re

import pytest
from rich.console import Console

from isocompute.api.json_schema.findings import build_strategy_law
from isocompute.cli.screens.laws import build_fits_table, describe_strategy_law
from isocompute.errors import DataError
from isocompute.planner.estimate.profile_from_grid import read_grid_profile
from isocompute.planner.findings import derive_findings
from isocompute.planner.profile import read_profile


@pytest.fixture(scope="module")
def lab_findings():
    profile = read_profile("lab")
    return derive_findings(profile, profile.lam)


def test_every_strategy_with_verifications_has_a_law_with_a_prefactor_or_a_reason(lab_findings):
    laws = lab_findings.laws_by_strategy
    assert list(laws) == ["genrm", "genrm+vote", "weighted", "fused"]
    for name, each in laws.items():
        found, said = build_strategy_law(each).to_dict(), describe_strategy_law(name, each)
        assert said.startswith(f"Law of {name}{':' if found['a'] is None else ','} ")
        assert (found["a"] is None) == (found["unknown_reason"] is not None) == ("unknown" in said)
        assert found["optima"] == len(found["budgets"]) == len(found["edges"])
        assert found["at_edge"] == sum(edge != "" for edge in found["edges"])
        if found["a"] is not None:
            solutions = found["S_prefactor"] * 128 ** found["a"]
            verifications = found["V_prefactor"] * 128 ** found["b"]
            assert solutions == pytest.approx(each.usable.solutions.predict_optimum(128))
            assert solutions * (1 + lab_findings.lam * verifications) == pytest.approx(128, rel=0.35)
            assert found["S_prefactor_interval"][0] < found["S_prefactor"] < found["S_prefactor_interval"][1]
    assert laws["genrm"].usable.a == pytest.approx(0.48, abs=0.02)
    assert laws["genrm"].usable.b == pytest.approx(0.60, abs=0.02)


def test_optima_at_edges_give_no_law(lab_findings):
    laws = lab_findings.get_laws("genrm+vote")
    assert laws.usable is None
    assert laws.unknown_reason.startswith("7 of 7 optima lie at an edge of the measured grid (")
    assert laws.unknown_reason.endswith("and a law needs 3 inside.")
    table = build_fits_table(laws)
    assert [list(column.cells) for column in table.columns[1:3]] == [["unknown"] * 2] * 2


def test_the_law_of_the_recommendation_comes_first(command):
    arguments = ("plan", "--profile", "lab", "--budget", "128x")
    said = " ".join(command(*arguments).out.split())
    recommended = json.loads(command(*arguments, "--json").out)["recommendation"]["strategy"]
    laws = [re.split("[:,]", part)[0] for part in said.split("Law of ")[1:]]
    assert laws[0] == recommended
    assert "genrm" in laws


def test_laws_are_fitted_when_asked_for_and_once(lab_findings, monkeypatch):
    fresh = derive_findings(lab_findings.profile, lab_findings.lam)
    calls = []
    monkeypatch.setattr("isocompute.planner.findings.fit_strategy_laws", lambda *got: calls.append(got[1]))
    assert fresh.get_laws("fused") is fresh.get_laws("fused") is None
    assert calls == ["fused"]


def test_the_published_profile_explains_the_paper_s_multiples(command):
    profile = read_profile("llama-3.1-8b-math")
    found = derive_findings(profile, profile.lam)
    assert found.plateau == 64
    note = found.published_note
    assert "matches SC at 8x and gains 3.8 % at 128x" in note
    assert "A plateau of S=128 fits both: 1,024x (here GenRM overtakes at 1,184x) and 16,384x." in note
    assert note.endswith("so their 8x is 16x-plateau.")
    said = " ".join(command("plan", "--budget", "8x-plateau", "--profile", "llama-3.1-8b-math").out.split())
    assert " ".join(note.split()) in said
    planned = command("plan", "--budget", "8x-plateau", "--profile", "llama-3.1-8b-math", "--json").out
    assert json.loads(planned)["published_note"] == note


def test_without_a_paper_there_is_no_note(lab_findings):
    assert lab_findings.published_note is None


def test_bad_published_numbers_are_named(tmp_path):
    grid = {
        "lambda_": 1.0,
        "n_problems": 8,
        "self_consistency": {"1": 0.5, "2": 0.6},
        "best_of_n": [{"S": 1, "V": 1, "success": 0.5}],
        "published": {"source": "them", "matches_at": 8, "gains_at": 16, "gain": 0.01},
    }
    path = tmp_path / "grid.json"
    path.write_text(json.dumps({"x": grid}), encoding="utf-8")
    with pytest.raises(DataError, match=r"x: published\.plateau: Field required\.$"):
        read_grid_profile(str(path), None, None)


def test_a_plateau_is_printed_with_three_digits(lab_findings):
    from isocompute.cli.screens.plan import format_plateau

    console = Console(width=80)
    with console.capture() as printed:
        console.print(format_plateau(lab_findings), highlight=False)
    low, high = lab_findings.plateau_interval
    assert printed.get().strip() == f"{lab_findings.plateau:.3g}x (95 % interval {low:.3g}x to {high:.3g}x)"
