"""The command `difficulty`: what to run on each level, from a run and from a profile."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.errors import DataError
from isocompute.fits import Pool, assign_agreement_levels
from isocompute.planner.difficulty import DIFFICULTY_KINDS, build_figure_studies, build_reduced_options
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import build_profile
from isocompute.planner.strategies.options import list_strategy_options
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE


def studied(command, *arguments):
    ended = command("difficulty", *arguments, "--json")
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


@pytest.mark.parametrize("bins", DIFFICULTY_KINDS)
def test_every_kind_of_difficulty_is_planned_and_charged(command, written_run, bins):
    found = studied(command, written_run, "--bins", bins, "--samples", 2)
    charged = {"oracle": 0, "level": 0, "estimate": 2, "agreement": 2}
    assert found["charge"] == charged[bins] if bins in charged else found["charge"] > 2
    assert found["in_practice"] == (bins not in ("oracle", "estimate"))
    assert any("needs the right answers" in said for said in found["warnings"]) == (not found["in_practice"])
    for budget in found["budgets"]:
        broke = budget["x"] < found["charge"] + 1
        assert (budget["gain"] is None) == broke
        assert all((level["run"] is None) == broke for level in budget["levels"])
        assert budget["one_for_all"]["accuracy"] is not None
    assert sum(level["share"] for level in budget["levels"]) == pytest.approx(1)


def test_what_cannot_be_afforded_is_said(command, written_run):
    said = command("difficulty", written_run, "--samples", 3).out
    assert "which costs 3x of every budget" in said
    assert "Estimating the level costs 3x, so a budget of 1x, 2x leaves nothing for the strategy." in said
    assert re.search(r"Level [\d, ]+ has fewer than 10 problems", said)


def test_a_profile_has_an_oracle_only(command, refused):
    assert studied(command, "lab", "--bins", "oracle")["problems"] == 100
    assert refused("difficulty", "lab", "--bins", "score") == (
        "Difficulty by score needs single solutions, which a profile does not hold; give the run's "
        "folder, or use --bins oracle (bins= in Python)."
    )
    assert refused("difficulty", "llama-3.1-8b-math", "--bins", "oracle") == (
        "The profile 'llama-3.1-8b-math' holds only means over problems, so problems cannot be sorted by difficulty."
    )


def test_what_a_run_does_not_hold_is_refused(refused, written_run, rewrite):
    assert refused("difficulty", written_run, "--samples", 6) == (
        "samples must lie between 1 and 5, so that one solution is left for the strategy; got 6."
    )
    rewrite(written_run, PROBLEMS_TABLE, lambda frame: frame.assign(level=None))
    sentence = refused("difficulty", written_run, "--bins", "level")
    assert sentence.endswith(f"of the run at '{written_run}' has no level; choose another --bins (bins= in Python).")


def test_a_kind_that_is_not_there(command, written_run):
    ended = command("difficulty", written_run, "--bins", "colour")
    assert ended.code == 2
    assert "'colour' is not one of oracle, estimate, agreement, score, level." in ended.err


def test_figures_show_frontiers_and_difficulty_too(command, written_run, tmp_path):
    pytest.importorskip("matplotlib")
    assert command("figures", written_run, "-o", tmp_path / "drawn").code == 0
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {
        f"{name}.{kind}" for name in ("figure1", "frontiers", "difficulty") for kind in ("png", "pdf", "csv")
    }


@pytest.mark.parametrize("call", [("lab-search", "--bins", "oracle"), ("lab", "--bins", "oracle")])
def test_no_number_is_cut_on_a_narrow_terminal(command, call):
    assert "…" not in command("difficulty", *call, columns=80).out


def test_a_run_and_its_profile_choose_among_the_same_strategies(command, written_run, tmp_path):
    profile = tmp_path / "p.json"
    assert command("fit", written_run, "-o", profile).code == 0
    of_run, of_profile = (studied(command, source, "--bins", "oracle") for source in (written_run, profile))
    assert of_run.pop("source") != of_profile.pop("source")
    assert of_run == of_profile


def test_by_agreement_every_strategy_and_search_can_be_chosen(written_run, searching, stepping):
    engine, scorer = stepping()
    searches = [{"strategy": "beam", "n": [2], "width": 2, "rounds": 4}]
    config = searching(searches=searches, solutions=6, scored=3, run=f"{written_run}-searched")
    run_sweep(config, load=engine, load_scorer=scorer)
    found = read_pool(Run(config.run))
    profile = build_profile(Run(config.run), found, measure_costs(found), "p")
    whole = list_strategy_options(profile, profile.lam)
    told = assign_agreement_levels(found.pool, 2)
    left = build_reduced_options(told.pools, found.has_answers, profile, whole)
    assert [options.strategy for options in left] == ["sc", "bon", "prm-weighted", "beam+weighted"]
    assert [options.strategy for options in left] == [options.strategy for options in whole]
    assert all(len(options.accuracy) == told.levels.size for options in left)


def test_of_solutions_that_were_looked_at_neither_verdict_nor_score_is_left():
    rng = np.random.default_rng(0)
    pool = Pool(rng.integers(0, 3, (3, 6)), [0] * 3, scores=rng.random((3, 4)))
    told = assign_agreement_levels(pool, 3, repeats=4)
    for left in told.pools:
        assert left.solutions == 3
        for row, before, scores in zip(left.scores, pool.scores, pool.answers, strict=True):
            assert set(row) <= set(before)
            assert len(scores) == 6


def test_without_answers_agreement_is_refused_and_not_drawn(tmp_path):
    rows = [(problem, (problem * sample) % 3 == 0) for problem in range(6) for sample in range(8)]
    run = iso.from_frame(pd.DataFrame(rows, columns=["id", "ok"]), problem="id", correct="ok")
    with pytest.raises(DataError, match="Difficulty by agreement cannot be found in"):
        iso.difficulty(run, bins="agreement")
    pool = read_pool(run._run)
    profile = build_profile(run._run, pool, measure_costs(pool), "x")
    assert [study.kind for study in build_figure_studies(profile, pool)] == ["oracle"]
