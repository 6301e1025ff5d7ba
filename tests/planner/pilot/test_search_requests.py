"""Searches to run next: a size that advice rests on, one beyond the last, more seeds, and what to type for them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

import isocompute as iso
from isocompute.fits import build_voting_options
from isocompute.fits.choice.posterior import compute_posterior
from isocompute.fits.choice.size_interpolation import build_sized_options
from isocompute.planner.pilot.decision import SMALLEST_GAIN, build_decision
from isocompute.planner.prior import read_accuracy_prior
from isocompute.runners.config.search import SearchConfig
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SEARCHES_TABLE


@pytest.fixture
def sweep(searching, stepping):
    """Sweeps some searches beside a scored pool, on six problems; rows may be set right or wrong afterwards."""

    def run(searches, right=None, **changes):
        engine, scorer = stepping()
        task = {"name": "lab", "problems": 10}
        config = searching(searches=searches, solutions=6, scored=4, task=task, **changes)
        made = run_sweep(config, load=engine, load_scorer=scorer).run
        if right is not None:
            opened = Run(made)
            frame = opened.read_frame(SEARCHES_TABLE).astype(object)
            numbers = {problem: at for at, problem in enumerate(sorted(set(frame["problem_id"])))}
            rows = frame.where(frame.notna(), None).to_dict("records")
            opened.replace_table(
                SEARCHES_TABLE,
                [
                    row | {"answer": row["answer"] or "1", "correct": bool(right(row, numbers[row["problem_id"]]))}
                    for row in rows
                ],
            )
        return made

    return run


def list_requests(run, budget):
    found = iso.next_rows(run, budget)
    return found, {(each.strategy, each.numbers["N"]): each for each in found.searches}


def test_a_size_that_advice_rests_on_is_asked_for_and_running_it_makes_it_a_measured_one(
    sweep, searching, stepping, command
):
    searches = [{"strategy": "beam", "n": [2, 8], "width": 2, "rounds": 4, "seeds": 2}]
    run = sweep(searches, right=lambda row, problem: problem < 2 * row["n"])
    profile = iso.fit(run)
    part = profile._profile.searches["beam+weighted"]
    budget = float(np.sqrt(part.cost["completion"][0] * part.cost["completion"][1])) * 1.01
    assert iso.plan(profile, budget).to_dict()["recommendation"]["numbers"] == {"N": 4, "M": 2}
    found, asked = list_requests(run, budget)
    assert found.to_dict()["recommended"] == "beam+weighted N=4 M=2 (interpolated)"
    request = asked["beam+weighted", 4]
    assert request.reason == "N=4 was not run, and is interpolated between N=2 and N=8; the recommendation rests on it"
    assert request.cost == pytest.approx(10 * 2 * budget / 1.01)
    assert request.rows == "beam+weighted N=4 M=2, 2 seeds"
    (entry,) = yaml.safe_load(request.entries)
    assert entry == {"strategy": "beam", "n": [2, 4, 8], "width": 2, "rounds": 4, "seeds": 2}
    printed = command("next", run, "--budget", f"{budget}x", columns=120).out
    assert "    - {strategy: beam, n: [2, 4, 8], width: 2, rounds: 4, seeds: 2}" in printed
    assert "isocompute sweep FILE" in printed
    in_json = json.loads(command("next", run, "--budget", f"{budget}x", "--json").out)["searches"]
    assert [(each["numbers"], each["entries"]) for each in in_json] == [
        (each.numbers, each.entries) for each in found.searches
    ]
    engine, scorer = stepping()
    again = searching(searches=[entry], solutions=6, scored=4, task={"name": "lab", "problems": 10})
    run_sweep(again, load=engine, load_scorer=scorer)
    assert not iso.plan(iso.fit(run), budget * 1.2).to_dict()["recommendation"]["interpolated"]


def test_at_the_largest_and_at_the_smallest_size_that_was_run_one_beyond_is_asked_for(sweep):
    searches = [{"strategy": "rebase", "n": [4, 8], "rounds": 4, "seeds": 2}]
    run = sweep(searches, right=lambda row, problem: problem < row["n"])
    _, asked = list_requests(run, 500)
    request = asked["rebase+weighted", 16]
    assert request.reason == "N=8 is the largest that was run, and the budget would pay for more"
    assert (request.cost, request.gain) == (None, None)
    assert yaml.safe_load(request.entries) == [{"strategy": "rebase", "n": [4, 8, 16], "rounds": 4, "seeds": 2}]


def test_the_smallest_size_is_halved_where_larger_ones_do_no_better(sweep):
    searches = [{"strategy": "rebase", "n": [4, 8], "rounds": 4, "seeds": 2}]

    def falling(row, problem):
        return problem < 13 - row["n"]

    run = sweep(searches, right=falling)
    _, asked = list_requests(run, 500)
    assert asked["rebase+weighted", 2].reason == "N=4 is the smallest that was run, and does as well as larger ones"
    wide = sweep([{"strategy": "beam", "n": [4, 8], "width": 4, "rounds": 4}], right=falling, run=f"{run}-wide")
    _, asked = list_requests(wide, 500)
    assert ("beam+weighted", 2) not in asked  # fewer slots than the width are another search


def test_a_second_seed_is_asked_for_where_there_is_one_and_more_where_they_matter(sweep):
    once = sweep([{"strategy": "rebase", "n": [4, 8], "rounds": 4}], right=lambda row, problem: problem < 9)
    _, asked = list_requests(once, 500)
    request = asked["rebase+weighted", 4]  # the cheaper of two sizes that do the same
    assert request.reason == "with one seed, how much the answers differ from seed to seed is unknown"
    assert (request.seeds, request.gain) == (2, None)
    assert yaml.safe_load(request.entries) == [
        {"strategy": "rebase", "n": [8], "rounds": 4},
        {"strategy": "rebase", "n": [4], "rounds": 4, "seeds": 2},
    ]
    steady = sweep([{"strategy": "rebase", "n": [4], "rounds": 4, "seeds": 2}], lambda row, problem: problem < 9,
                   run=f"{once}-steady")  # fmt: skip
    found, asked = list_requests(steady, 500)
    assert all(each.seeds == 2 for each in found.searches)  # the seeds agree, so that more of them tell nothing


def test_the_variance_over_seeds_is_that_of_each_problem_s_rows(sweep):
    searches = [
        {"strategy": "rebase", "n": [4], "rounds": 4, "seeds": 2},
        {"strategy": "beam", "n": [4], "width": 2, "rounds": 4, "seeds": 2},
    ]
    lucky = {"rebase": 4, "beam": 5}  # problems that are right with both seeds; eight are with one of them
    run = sweep(searches, lambda row, problem: problem < lucky[row["strategy"]] or (problem < 8 and row["seed"]))
    _, asked = list_requests(run, 500)
    request = asked["rebase+weighted", 4]
    assert request.seeds == 4
    assert request.gain >= SMALLEST_GAIN
    assert request.cost == pytest.approx(
        10 * 2 * iso.fit(run)._profile.searches["rebase+weighted"].cost["completion"][0]
    )
    spread = 0.5 * 4 / 10  # 1/2 on four of ten problems
    assert request.reason == f"seeds alone make its mean accuracy vary by ±{196 * np.sqrt(spread / 2 / 10):.1f} points"
    (entry,) = yaml.safe_load(request.entries)
    assert (SearchConfig(**entry).n, SearchConfig(**entry).seeds) == ((4,), 4)


def build_sized_decision(scale):
    rng = np.random.default_rng(5)
    right = rng.random((30, 1))
    votes = np.clip(right + np.array([0.0, 0.02, 0.1]), 0, 1)
    beam = np.clip(right + np.array([0.1, 0.16]), 0, 1)
    tables = [
        build_voting_options(votes, [1, 8, 64]),
        build_sized_options(beam, [10.0, 40.0], {"N": [4, 16]}, "beam+weighted", scale),
    ]
    return build_decision(compute_posterior(tables, read_accuracy_prior()), 30.0)


def test_the_gain_of_running_a_size_is_that_of_draws():
    decision = build_sized_decision(1.0)
    at = int(np.flatnonzero(decision.missed)[0])
    assert decision.find_allocation("beam+weighted", decision.cost[at]) == at
    rng = np.random.default_rng(0)
    moved = decision.mean[at] + decision.missed[at] * rng.standard_normal(400_000)
    others = np.delete(decision.mean, at).max()
    drawn = np.maximum(moved, others).mean() - max(decision.mean[at], others)
    assert decision.compute_gain_of_running(at) == pytest.approx(drawn, rel=0.02)
    assert decision.compute_gain_of_running(0) == 0.0  # SC with one solution was sampled


def test_what_is_not_known_of_a_size_counts_as_regret():
    vague, sure = build_sized_decision(3.0), build_sized_decision(1e-9)
    assert vague.compute_regret() > sure.compute_regret() + 0.002
    assert vague.recommended == sure.recommended


def test_more_seeds_lower_the_regret_and_no_more_than_knowing():
    decision = build_sized_decision(1.0)
    gains = [decision.compute_gain_of_repeating("beam+weighted", 10.0, less) for less in (0.0, 1e-4, 5e-4)]
    assert gains[0] == 0
    assert sorted(gains) == gains
    assert gains[-1] < decision.compute_regret()
