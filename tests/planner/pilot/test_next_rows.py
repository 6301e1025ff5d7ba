"""Rows to add during a sweep: the expected regret of a decision, and what further measurements take off it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.errors import BudgetError, DataError
from isocompute.fits.choice.options import build_verified_options, build_voting_options
from isocompute.fits.choice.posterior import compute_posterior
from isocompute.fits.choice.recommendation import choose_recommendations
from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.pilot.additions import limit_samples, list_additions
from isocompute.planner.pilot.decision import build_decision
from isocompute.planner.pilot.next_rows import NextOption, find_dominated_strategies
from isocompute.planner.pilot.noise import place_typical_noise
from isocompute.planner.prior import read_accuracy_prior
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.schema import VERIFICATIONS_TABLE

S, V = [1, 2, 4, 8, 16], [1, 2, 4]


def make_decision(problems: int, gain: float, budget: float = 16.0):
    """Return a decision between votes and a verifier that gains so much, problem by problem."""
    rng = np.random.default_rng(3)
    right = rng.random((problems, 1))
    votes = np.clip(right + 0.02 * np.log2(S), 0, 1)
    gained = gain + 0.1 * rng.standard_normal((problems, 1))
    gained = np.where(np.array(S) > 1, gained, 0)  # with one solution there is nothing to choose from
    judged = np.clip(votes + gained, 0, 1)[:, :, None] * np.ones(3)
    tables = [build_voting_options(votes, S), build_verified_options(judged, S, V, 0.5, "genrm")]
    return build_decision(compute_posterior(tables, read_accuracy_prior()), budget)


def test_a_certain_decision_has_little_regret_and_names_what_is_dominated():
    near, far = make_decision(30, 0.05), make_decision(30, 0.3)
    assert far.compute_regret() < near.compute_regret()
    assert find_dominated_strategies(far) == ("sc",)


def test_the_regret_is_that_of_draws_and_vanishes_with_perfect_knowledge():
    decision = make_decision(20, 0.05)
    tiny = 1e-9 * np.eye(len(decision.posterior.chance))
    assert 0 <= decision.compute_regret_after(tiny) < decision.compute_regret()
    halves = [decision.compute_regret_after(decision.posterior.chance / n) for n in (2, 8, 32)]
    assert halves == sorted(halves, reverse=True)
    assert decision.compute_regret() == decision.compute_regret()


def test_the_rule_is_that_of_the_plan():
    """The decision names the allocation that the plan recommends, at budgets that some strategies do not pay for."""
    posterior = make_decision(20, 0.05).posterior
    expected = posterior.compute_expected_accuracies()
    for budget in (1.0, 3.0, 9.0, 40.0):
        decision = build_decision(posterior, budget)
        (found,) = choose_recommendations(posterior.tables, expected, [budget])
        assert decision.strategies[decision.table[decision.chosen]] == posterior.tables[found.best.table].strategy
        assert (decision.cost[decision.chosen], decision.mean[decision.chosen]) == pytest.approx(
            (found.best.cost, found.best.accuracy)
        )


def make_run(problems: int, cluster: bool = False, seed: int = 0):
    """Return a run in memory: four verdicts on each of eight solutions."""
    rng, rows = np.random.default_rng(seed), []
    for problem in range(problems):
        ease = rng.beta(1, 1)
        for solution in range(8):
            right = rng.random() < ease
            row = {"problem": f"p{problem}", "solution": f"s{solution}", "gold": "1"}
            row |= {"answer": "1" if right else str(rng.integers(2, 5))}
            row |= {"verdict": (rng.random(4) < (0.7 if right else 0.4)).tolist()}
            row |= {"cluster": f"c{problem // 3}"} if cluster else {}
            rows.append(row)
    frame = pd.DataFrame(rows)
    return iso.from_frame(frame, **{name: name for name in frame.columns})


@pytest.mark.parametrize(("cluster", "lam"), [(False, 0.5), (True, 2.0)])
def test_next_recommends_what_a_plan_does(cluster, lam):
    run = make_run(15, cluster)
    profile = iso.fit(run)
    for budget in ("2x", "24x", "500x"):
        found = iso.next_rows(run, budget, lam=lam)
        assert found.to_dict()["recommended"] == name_recommendation(iso.plan(profile, budget, lam=lam))
    assert any("dearest measured allocation" in warning for warning in found.warnings)


def name_recommendation(planned):
    return " ".join([planned.strategy, *(f"{name}={number}" for name, number in planned.numbers.items())])


def test_searches_are_weighed_and_named_as_not_priced(searched_run):
    planned, found = iso.plan(iso.fit(searched_run), "100x"), iso.next_rows(searched_run, "100x")
    assert found.to_dict()["recommended"] == name_recommendation(planned)
    assert any(re.search(r"searches of .*beam.* are not in the costs", warning) for warning in found.warnings)
    assert not any("with N=" in option["rows"] for option in found.to_dict()["options"])


def test_next_recommends_what_a_plan_does_on_the_lab():
    """At 128x powers of two alone gave another strategy."""
    planned, found = iso.plan("lab", "128x"), iso.next_rows("data/runs/lab", "128x")
    assert found.to_dict()["recommended"] == name_recommendation(planned)


def test_problems_of_one_cluster_and_runs_in_memory_are_named_in_words():
    run = make_run(3, cluster=True)
    with pytest.raises(DataError, match="The run 'frame' in memory has one independent problem"):
        iso.next_rows(run, lam=1.0)
    with pytest.raises(DataError, match="'frame' in memory has 1 finished problem; a decision"):
        iso.next_rows(make_run(1), lam=1.0)
    few = iso.next_rows(make_run(2), "4x", lam=1.0).to_dict()
    assert few["options"][0]["rows"].split(" with ")[0] != "1 more problems"
    assert any(option["rows"].startswith("1 more problem") for option in few["options"])


def test_the_rows_to_add_are_the_first_that_gain_enough():
    cheap, enough = (NextOption("rows", PilotShape(2, 1), cost, 0.01, gain) for cost, gain in ((1, 4e-4), (50, 9e-4)))
    found = iso.next_rows(make_run(4), "4x", lam=1.0)._found
    assert replace(found, options=(cheap, enough)).best is enough
    assert replace(found, options=(cheap,)).best is None
    assert any(warning.startswith("1 problem is left out") for warning in replace(found, unfinished=1).warnings)


def test_additions_cost_what_their_rows_cost():
    decision = make_decision(20, 0.05)
    shape = PilotShape(20, 16, 16, 4)
    noise = place_typical_noise(decision.posterior.tables)
    found = {rows: (after, cost) for rows, after, cost, _ in list_additions(decision, shape, noise, 0.5, (8, 1))}
    assert found["20 more problems"] == (replace(shape, problems=40), 20 * (16 + 0.5 * 64))
    assert found["N=32 on the same problems"][1] == 20 * 16
    assert found["M=8 on the same problems"][1] == 20 * 0.5 * 16 * 4
    assert found["20 more problems with N=8 K=8 M=1"] == (PilotShape(20, 8, 8, 1), 20 * (8 + 0.5 * 8))
    assert "K=32 on the same problems" not in found  # there are no more solutions to verify
    assert limit_samples(PilotShape(1, 16, 16, 4), 3, 0) == PilotShape(1, 4)


def test_a_budget_that_pays_for_nothing_is_refused():
    with pytest.raises(BudgetError, match="no measured allocation"):
        make_decision(20, 0.05, budget=0.5)


def test_an_unfinished_run_is_read_as_far_as_it_is_finished(small, scripted, command):
    run = run_sweep(small(), load=scripted()).run
    whole = iso.next_rows(run, lam=1.0)
    opened = iso.open_run(run)
    rows = opened.verifications.astype(object)
    rows = rows.where(rows.notna(), None)
    last = opened.problems["problem_id"].iloc[-1]
    opened._run.replace_table(VERIFICATIONS_TABLE, rows[rows["problem_id"] != last].to_dict("records"))
    if len(opened.problems) < 3:
        with pytest.raises(DataError, match="1 finished problem;"):
            iso.next_rows(run, lam=1.0)
    else:
        part = iso.next_rows(run, lam=1.0)
        assert part.to_dict()["shape"]["problems"] == whole.to_dict()["shape"]["problems"] - 1
        assert any("1 problem is left out" in warning for warning in part.warnings)


def test_the_command_prints_what_the_function_returns(small, scripted, command):
    run = run_sweep(small(), load=scripted()).run
    found = iso.next_rows(run, "2x", lam=1.0)
    printed = command("next", run, "--budget", "2x", "--lambda", "1", "--json")
    assert json.loads(printed.out) == found.to_dict()
    assert "expected regret" in command("next", run, "--budget", "2x", "--lambda", "1").out
    assert "expected regret" in repr(found)
    assert list(found.to_frame().columns) == ["rows", "problems", "N", "K", "M", "cost", "regret", "gain"]
