"""The evaluation of the advice: what pilots hold, what regret is, and the same numbers everywhere."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.errors import DataError, IsocomputeError
from isocompute.fits import Pool
from isocompute.fits.choice.recommendation import choose_recommendations
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.evaluation.full_pilots import evaluate_full_pilots, list_pilot_sizes, measure_profile
from isocompute.planner.evaluation.measured_pool import measure_pool
from isocompute.planner.evaluation.pilots import PilotShape, choose_default_shape, complete_shape, draw_pilot
from isocompute.planner.evaluation.regret import ADVICE, evaluate_pool, evaluate_split, measure_regret, split_problems
from isocompute.planner.evaluation.rules import ALWAYS_SC, PUBLISHED_LAW, Allocation, list_fixed_rules
from isocompute.planner.evaluation.run_evaluation import evaluate_run, sort_problems
from isocompute.planner.profile import read_profile
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE


def draw_verified_pool(problems=30, solutions=16, verified=8, verifications=4, seed=0):
    """A pool in which some solutions have fewer verdicts, and some verdicts cannot be parsed."""
    rng = np.random.default_rng(seed)
    answers = rng.integers(0, 4, (problems, solutions)) * (
        rng.random((problems, solutions)) > rng.random((problems, 1))
    )
    right = answers[:, :verified] == 0
    verdicts = (rng.random((*right.shape, verifications)) < np.where(right, 0.8, 0.4)[..., None]).astype(float)
    verdicts[rng.random(verdicts.shape) < 0.1] = np.nan
    judged = rng.integers(1, verifications + 1, right.shape)
    verdicts[np.arange(verifications) >= judged[..., None]] = np.nan
    return Pool(answers, np.zeros(problems, int), verdicts, judged)


def draw_numbered_pool(verified, scored):
    """A pool in which the verdict and the score of a solution tell its answer, and unverified places hold nothing."""
    P, N, M = 5, 12, 3
    answers = np.arange(N) + N * np.arange(P)[:, None]
    verdicts = np.repeat(answers[:, :verified, None] / 100, M, axis=2)
    judged = 1 + answers[:, :verified] % M
    verdicts[np.arange(M) >= judged[..., None]] = np.nan
    return Pool(answers, answers[:, 0], verdicts, judged, answers[:, :scored] / 1000, answers[:, :scored] % 2 == 0)


@pytest.fixture(scope="module")
def measured():
    """Thirty problems with every strategy that verifies, at λ = 0.5."""
    return measure_pool(draw_verified_pool(), 0.5)


@pytest.mark.parametrize(("verified", "scored"), [(6, 6), (4, 9), (9, 4), (12, 3), (3, 12)])
@pytest.mark.parametrize("shape", [(3, 12, 3, 3), (3, 6, 3, 1), (3, 2, 1, 2), (3, 3, 3, 2)])
def test_a_pilot_has_the_shape_asked_and_no_verdict_or_score_of_another_solution(verified, scored, shape):
    pool, problems = draw_numbered_pool(verified, scored), np.array([4, 0, 2])
    shape = PilotShape(*shape)
    pilot = draw_pilot(pool, problems, shape, np.random.default_rng(1))
    assert (pilot.problems, pilot.solutions) == (3, shape.solutions)
    assert (pilot.verified_solutions, pilot.verifications) == (shape.verified, shape.verifications)
    assert pilot.scored_solutions == min(scored, shape.solutions)
    for row, problem in enumerate(problems):
        assert pilot.gold[row] == pool.gold[problem]
        assert len(set(pilot.answers[row])) == shape.solutions
        assert set(pilot.answers[row]) <= set(pool.answers[problem])
    first = pilot.answers[:, : shape.verified]
    assert (pilot.judged == np.minimum(1 + first % 3, shape.verifications)).all()
    there = ~np.isnan(pilot.verdicts)
    assert (there == (np.arange(shape.verifications) < pilot.judged[..., None])).all()
    assert (pilot.verdicts == first[..., None] / 100)[there].all()
    assert (pilot.scores == pilot.answers[:, : pilot.scored_solutions] / 1000).all()
    assert (pilot.finished == (pilot.answers[:, : pilot.scored_solutions] % 2 == 0)).all()


def test_every_solution_and_verdict_is_as_likely_as_any_other():
    pool, shape = draw_numbered_pool(6, 12), PilotShape(5, 4, 2, 1)
    rng, times, drawn = np.random.default_rng(0), 2000, np.zeros(12)
    for _ in range(times):
        drawn += np.bincount(draw_pilot(pool, np.arange(5), shape, rng).answers.ravel() % 12, minlength=12)
    share = drawn / times / 5
    assert share[:6] == pytest.approx(2 / 6 + 4 / 6 * 2 / 10, abs=0.02)
    assert share[6:] == pytest.approx(2 / 10, abs=0.02)


def test_a_pilot_of_unverified_solutions_has_no_verdicts():
    pilot = draw_pilot(Pool([[0, 1, 2], [2, 1, 0]], [0, 0]), np.array([1]), PilotShape(1, 2), np.random.default_rng(0))
    assert (pilot.verdicts, pilot.judged, pilot.scores, pilot.solutions) == (None, None, None, 2)


def test_the_default_pilot_costs_a_tenth_and_is_wide():
    pool = Pool(np.zeros((100, 256), int), np.zeros(100, int), np.zeros((100, 64, 32)))
    shape = choose_default_shape(pool, 1.067)
    assert shape == PilotShape(60, 128, 64, 4)
    assert str(shape) == "60 problems × 128 solutions, 64 verified 4 times"
    assert complete_shape(pool, 1.067, {"solutions": 32, "verified": None}) == PilotShape(60, 32, 32, 4)


def test_regret_is_zero_for_the_best_allocation_and_never_below(measured):
    others = np.arange(10, 30)
    means = [table.accuracy[others].mean(axis=0) @ table.grid.weights for table in measured.tables]
    oracle = []
    for found in choose_recommendations(measured.tables, means, measured.budgets, margin=0.0):
        table = measured.tables[found.best.table]
        numbers = {name: int(column[found.best.allocation]) for name, column in table.grid.numbers.items()}
        oracle.append(measured.weigh(Allocation(table.strategy, numbers)))
    regret = measure_regret(measured, others, {"oracle": oracle, **measured.fixed_rules})
    assert measured.budgets == (8.0, 16.0)
    assert regret["oracle"] == pytest.approx(0, abs=2e-5)  # a tie within 1e-5 goes to the cheapest
    assert {ALWAYS_SC, PUBLISHED_LAW, "genrm V=4", "fused V=1"} <= set(regret)
    assert all((values > -1e-9).all() for values in regret.values())


def test_rules_spend_the_budget_and_fall_back_on_sc(measured):
    rules = list_fixed_rules(measured.tables, 0.5)
    assert rules[ALWAYS_SC](7.9) == Allocation("sc", {"S": 7})
    assert rules[ALWAYS_SC](500) == Allocation("sc", {"S": 16})
    assert rules["weighted V=2"](9) == Allocation("weighted", {"S": 4, "V": 2})
    assert rules["weighted V=4"](2.5) == Allocation("sc", {"S": 2})
    assert rules[PUBLISHED_LAW](16) == Allocation("genrm", {"S": 3, "V": 4})


def test_a_whole_pilot_takes_the_rows_and_each_split_has_its_own_numbers(measured):
    whole = PilotShape(5, 16, 8, 4)
    tables = measured.estimate_pilot(np.array([3, 1]), whole, np.random.default_rng(0))
    for table, all_problems in zip(tables, measured.tables, strict=True):
        assert (table.accuracy == all_problems.accuracy[[3, 1]]).all()
    found = evaluate_pool(measured, whole, splits=3)
    again = [evaluate_split(measured, whole, split) for split in (2, 0, 1)]
    for rule, regret in found.regret.items():
        assert (regret[[2, 0, 1]] == [split[rule] for split in again]).all()
    assert next(iter(found.regret)) == ADVICE
    assert found.cost_share == pytest.approx(5 / 30)


def test_a_cluster_is_in_the_pilot_or_scored_and_never_both(measured):
    clusters = np.repeat(np.arange(10), 3)
    measured = replace(measured, clusters=clusters)
    for seed in range(20):
        problems, others = split_problems(measured, 10, np.random.default_rng(seed))
        assert len(problems) == 10
        assert len(others) == 18
        assert not set(clusters[problems]) & set(clusters[others])
    with pytest.raises(DataError, match="28 problems touches all 10 clusters"):
        evaluate_split(measured, PilotShape(28, 16, 8, 4), 0)
    with pytest.raises(DataError, match=r"at least 3 clusters of problems, .* this run has 2"):
        evaluate_split(replace(measured, clusters=np.arange(30) % 2), PilotShape(10, 16, 8, 4), 0)
    with pytest.raises(DataError, match="2 problems lies in one cluster"):
        evaluate_split(measured, PilotShape(2, 16, 8, 4), 0)
    plain, levels = (replace(measured, clusters=None, strata=strata) for strata in (None, np.arange(30) % 2))
    split = evaluate_split(levels, PilotShape(12, 8, 4, 2), 0)
    assert (split[ALWAYS_SC] == evaluate_split(plain, PilotShape(12, 8, 4, 2), 0)[ALWAYS_SC]).all()


def test_a_shape_that_does_not_fit_is_refused_in_a_sentence(measured):
    pool = measured.pool
    with pytest.raises(DataError, match="The number of problems of a pilot from this run must be 2 to 28; got 29"):
        evaluate_pool(measured, PilotShape(29, 16, 8, 4))
    with pytest.raises(DataError, match="A pilot verifies at most its 4 solutions; got 5"):
        complete_shape(pool, None, {"solutions": 4, "verified": 5})
    with pytest.raises(DataError, match="verifications of each solution of a pilot from this run must be 0; got 1"):
        complete_shape(Pool(np.zeros((9, 4), int), np.zeros(9, int)), None, {"verifications": 1})
    with pytest.raises(DataError, match="takes at least 4 problems"):
        complete_shape(Pool(np.zeros((3, 4), int), np.zeros(3, int)), None, {})


@pytest.fixture
def framed_run(tmp_path):
    """A run made of a frame: twelve problems, six solutions, three verdicts of each."""
    pool = draw_verified_pool(12, 6, 6, 3, seed=3)
    frame = pd.DataFrame(
        {
            "id": [f"p{p:02}" for p in range(12) for _ in range(6)],
            "answer": pool.answers.ravel().astype(str),
            "gold": "0",
            "verdict": [row.tolist() for row in np.nan_to_num(pool.verdicts).reshape(-1, 3)],
            "tokens": 10,
            "verification_tokens": 5,
        }
    )
    names = {name: name for name in ("answer", "gold", "verdict", "tokens", "verification_tokens")}
    return iso.from_frame(frame, problem="id", **names).save(tmp_path / "run").path


def test_command_and_function_say_the_same(command, framed_run):
    result = iso.evaluate(framed_run, problems=6, verifications=1, splits=3)
    ended = command("evaluate", framed_run, "--problems", 6, "--verifications", 1, "--splits", 3, "--json")
    said = json.loads(ended.out)
    assert json.loads(json.dumps(result.to_dict())) == said
    assert ended.err == ""
    assert said["pilot"] == {"problems": 6, "solutions": 3, "verified": 3, "verifications": 1} | {
        "cost_share": pytest.approx(6 * (3 + 0.5 * 3) / (12 * (6 + 0.5 * 18)))
    }
    frame = result.to_frame()
    assert frame["rule"].iloc[0] == ADVICE
    for rule in said["rules"]:
        rows = frame[frame["rule"] == rule["rule"]]
        assert rows["budget"].tolist() == [at["x"] for at in rule["budgets"]]
        assert rows["regret"].tolist() == [at["regret"] for at in rule["budgets"]]
        assert rows["regret"].mean() == pytest.approx(rule["regret"])
    assert said["best_fixed_rule"] == min(said["rules"][1:], key=lambda rule: rule["regret"])["rule"]
    assert len(repr(result).splitlines()) <= 10
    assert result.regret == said["rules"][0]["regret"]


def test_the_table_says_what_was_drawn_and_what_the_numbers_mean(command, framed_run):
    printed = command("evaluate", framed_run, "--splits", 2).out
    text = " ".join(printed.split())
    assert "2 pilots of 7 problems × 3 solutions, 3 verified once" in text
    assert "the advice is scored on the other 5 problems" in text
    rows = [line.split("  ")[0] for line in printed.splitlines() if "±" in line]
    assert rows[:3] == [ADVICE, ALWAYS_SC, PUBLISHED_LAW] or rows[1].startswith("best fixed: ")
    assert "parts of the same 12 problems" in text
    assert "chosen in hindsight" in text


def test_a_shape_that_a_run_does_not_have_is_refused(refused, framed_run):
    said = "The number of solutions of each problem of a pilot from this run must be 1 to 6; got 7."
    assert refused("evaluate", framed_run, "--solutions", 7) == said
    assert refused("evaluate", framed_run, "--problems", 11).endswith("must be 2 to 10; got 11.")
    assert refused("evaluate", framed_run + "-none").startswith("There is no run at ")


def test_a_run_without_a_choice_is_refused_in_a_sentence():
    frame = pd.DataFrame({"id": list("aabbccdd"), "ok": [1, 0] * 4, "verdict": [1, 0] * 4})
    run = iso.from_frame(frame, problem="id", correct="ok", verdict="verdict")
    with pytest.raises(DataError, match=r"has one allocation of known cost, .* λ, the cost of a verification"):
        iso.evaluate(run, splits=2)
    for arguments, said in (
        ({"splits": 1}, "splits=1 must be a whole number from 2"),
        ({"problems": 2.5}, "problems=2.5 must be a whole number from 0"),
        ({"lam": -1.0}, "λ is -1; the cost of a verification in solutions must be above zero"),
    ):
        with pytest.raises(IsocomputeError, match=said):
            iso.evaluate(run, **arguments)
    assert iso.evaluate(run, splits=2, lam=0.5).to_dict()["lambda"] == 0.5


def test_the_order_of_a_frame_changes_nothing_with_clusters_and_levels():
    rng, rows = np.random.default_rng(5), []
    for problem in range(12):
        for solution in range(4):
            right = rng.random() < (problem + 1) / 14
            rows.append(
                {
                    "problem": f"q{problem}",
                    "solution": f"s{solution}",
                    "answer": "1" if right else str(rng.integers(2, 4)),
                    "gold": "1",
                    "verdict": (rng.random(3) < (0.8 if right else 0.3)).tolist(),
                    "level": problem % 2,
                    "cluster": f"c{problem // 2}",
                }
            )
    frame, seen = pd.DataFrame(rows), set()
    for seed in range(3):
        shuffled = frame.sample(frac=1, random_state=seed, ignore_index=True)
        run = iso.from_frame(shuffled, **{name: name for name in frame.columns})
        found = iso.evaluate(run, splits=3, lam=1.0, problems=6, solutions=2).to_dict()
        seen.add(json.dumps(found["rules"]))
    assert len(seen) == 1


def test_the_order_of_rows_changes_nothing(framed_run, rewrite):
    found = evaluate_run(framed_run, {}, splits=2)
    before = sort_problems(read_pool(Run(framed_run)))
    for table in (PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE):
        rewrite(framed_run, table, lambda frame: frame.sample(frac=1, random_state=1))
    after = sort_problems(read_pool(Run(framed_run)))
    assert after.problem_ids == before.problem_ids
    assert (after.pool.answers == before.pool.answers).all()
    again = evaluate_run(framed_run, {}, splits=2)
    for rule, regret in found.evaluation.regret.items():
        assert (again.evaluation.regret[rule] == regret).all()


def test_full_pilots_of_the_largest_size_have_the_regret_of_an_evaluation(measured):
    found = evaluate_full_pilots(measured, 3)
    assert (list(found.advice), found.scored, found.budgets) == ([5, 10, 18], 12, measured.budgets)
    expected = evaluate_pool(measured, PilotShape(18, 16, 8, 4), 3).regret
    np.testing.assert_allclose(found.advice[18], expected[ADVICE])
    for name, regret in found.rules.items():
        np.testing.assert_allclose(regret, expected[name])


def test_full_pilots_hold_two_clusters_and_leave_one_out(measured):
    assert list_pilot_sizes(replace(measured, clusters=np.arange(30) // 6)) == [10, 18]
    paired = replace(measured, clusters=np.arange(30) // 2)
    assert list(evaluate_full_pilots(paired, 2).advice) == [5, 10, 18]
    with pytest.raises(DataError, match="takes at least two clusters, and a third one scores it"):
        evaluate_full_pilots(replace(measured, clusters=np.arange(30) // 15), 2)


def test_a_profile_of_means_has_no_pilots():
    with pytest.raises(DataError, match=r"at least 4 independent problems; the profile 'llama-3\.1-8b-math' has 0"):
        measure_profile(read_profile("llama-3.1-8b-math"))
