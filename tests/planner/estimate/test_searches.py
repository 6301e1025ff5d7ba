"""Searches of a run: what they cost, what they reach, and what of them is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isocompute.errors import DataError, RunError
from isocompute.fits import compute_t_interval
from isocompute.planner.estimate.costs import ModelSizes, measure_costs, measure_scoring_work
from isocompute.planner.estimate.pool_from_run import describe_unplaced_searches, read_pool
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.planner.estimate.searches import measure_searches
from isocompute.runners.storage.provenance import ImportedRun
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SCORES_TABLE, SEARCHES_TABLE, SOLUTIONS_TABLE


def mean(values):
    return sum(values) / len(values)


@pytest.mark.parametrize(("given", "read"), [((), 1.0), ((3e9, 6e9), 1.0), ((3e9, 6e9), 0.25)])
def test_a_search_costs_what_solver_and_scorer_did_over_what_a_solution_takes(searched_run, given, read):
    run, ratio = Run(searched_run), 2 if given else 1
    pool = read_pool(run)
    found = measure_searches(pool, measure_costs(pool, given, read))
    searches, solutions = run.read_table(SEARCHES_TABLE).to_pylist(), run.read_frame(SOLUTIONS_TABLE).to_dict("records")
    one = {
        "completion": mean([s["completion_tokens"] for s in solutions]),
        "prompts": mean([s["completion_tokens"] + read * s["prompt_tokens"] for s in solutions]),
        "cached": mean([s["completion_tokens"] + read * (s["prompt_tokens"] - s["cached_tokens"]) for s in solutions]),
    }
    asked = (
        ("beam+weighted", "beam", {"N": [2, 4], "M": [2, 2]}),
        ("beam+vanilla", "beam", {"N": [3], "M": [2]}),
        ("rebase+weighted", "rebase", {"N": [3], "k": [1]}),
    )
    for name, strategy, numbers in asked:
        assert found[name].numbers == numbers
        for i, n in enumerate(numbers["N"]):
            rows = pd.DataFrame([row for row in searches if (row["strategy"], row["n"]) == (strategy, n)])
            assert len(rows) == 4 * found[name].seeds[i]
            sampled, scored = rows["generated_tokens"], rows["scorer_prompt_tokens"]
            missed = rows["prompt_tokens"] - rows["cached_tokens"], scored - rows["scorer_cached_tokens"]
            spent = {
                "completion": sampled + ratio * read * np.minimum(sampled, scored),  # an empty last step is not scored
                "prompts": sampled + read * rows["prompt_tokens"] + ratio * read * scored,
                "cached": sampled + read * missed[0] + ratio * read * missed[1],
            }
            for way, each in spent.items():
                assert found[name].costs[way][i] == pytest.approx(each.mean() / one[way])


def test_a_problem_s_accuracy_is_the_share_of_its_seeds_that_are_right(searched_run):
    run = Run(searched_run)
    pool, rows = read_pool(run), run.read_table(SEARCHES_TABLE).to_pylist()
    found = measure_searches(pool, measure_costs(pool))
    for i, n in enumerate((2, 4)):
        for p, name in enumerate(pool.problem_ids):
            right = [r["correct"] for r in rows if (r["problem_id"], r["strategy"], r["n"]) == (name, "beam", n)]
            assert len(right) == 3
            assert found["beam+weighted"].accuracy[p, i] == pytest.approx(mean(right))


def test_scoring_costs_the_tokens_that_were_read_over_those_of_a_solution(searched_run):
    run = Run(searched_run)
    rhos = measure_costs(read_pool(run), [1e9, 4e9]).rhos
    solutions = run.read_frame(SOLUTIONS_TABLE)
    scores = run.read_frame(SCORES_TABLE).merge(solutions, on=["problem_id", "solution_id"])
    met = np.minimum(scores["completion_tokens"], scores["scorer_prompt_tokens"])
    assert rhos["completion"] == pytest.approx(4 * met.mean() / solutions["completion_tokens"].mean())
    whole = (solutions["completion_tokens"] + solutions["prompt_tokens"]).mean()
    assert rhos["prompts"] == pytest.approx(4 * scores["scorer_prompt_tokens"].mean() / whole)


def test_of_a_scorer_that_writes_verdicts_what_it_reads_is_a_prompt():
    rows = pd.DataFrame(
        {"scorer_completion_tokens": [30], "scorer_prompt_tokens": [200], "scorer_cached_tokens": [150]}
    )
    tokens = {
        writes: measure_scoring_work(rows, pd.Series([40]), ModelSizes({}), writes).tokens for writes in (True, False)
    }
    assert {way: count.item() for way, count in tokens[True].items()} == {
        "completion": 30,
        "prompts": 230,
        "cached": 80,
    }
    assert tokens[False]["completion"].item() == 70


def test_the_interval_over_problems_holds_the_spread_of_problems_and_of_seeds():
    """In 600 worlds with 50 problems and 2 seeds, 95 % intervals hold the mean of the whole population 93 to 97 %."""
    rng = np.random.default_rng(0)
    ease = rng.beta(0.7, 1.0, (600, 50))
    low, high = compute_t_interval(rng.binomial(2, ease).T / 2)
    assert 0.93 <= ((low <= 0.7 / 1.7) & (high >= 0.7 / 1.7)).mean() <= 0.97


def without(frame, row, status):
    """A frame in which one row failed."""
    frame = frame.assign(answer=frame["answer"].astype(object), correct=frame["correct"].astype(object))
    frame.loc[row, ["answer", "correct"]] = None
    frame.loc[row, "status"] = status
    return frame


def test_what_is_left_of_failed_searches_is_kept_and_a_missing_one_is_asked_for(searched_run, rewrite):
    whole = measure_searches(read_pool(Run(searched_run)), measure_costs(read_pool(Run(searched_run))))
    row = Run(searched_run).read_frame(SEARCHES_TABLE).iloc[0]
    rewrite(searched_run, SEARCHES_TABLE, lambda f: without(f, 0, "a node failed: lost"))
    found = read_pool(Run(searched_run))
    assert found.excluded_problems == {}
    left = measure_searches(found, measure_costs(found))
    assert {name: part.accuracy.shape for name, part in left.items()} == {
        name: part.accuracy.shape for name, part in whole.items()
    }

    def lose_all_seeds(frame):
        same = (frame[["problem_id", "strategy", "n"]] == row[["problem_id", "strategy", "n"]]).all(axis=1)
        return without(frame, same, "a node failed: lost")

    rewrite(searched_run, SEARCHES_TABLE, lose_all_seeds)
    found = read_pool(Run(searched_run))
    assert found.excluded_problems == {row["problem_id"]: "no search of some kind (a node failed: lost)"}
    searches = measure_searches(found, measure_costs(found))
    assert found.pool.problems == len(found.pool.scores) == len(searches["beam+vanilla"].accuracy) == 3
    rewrite(searched_run, SEARCHES_TABLE, lambda f: f.iloc[1:])
    with pytest.raises(RunError, match="it has 31 of 32 searches; run its sweep again to complete it"):
        read_pool(Run(searched_run))


@pytest.mark.parametrize(
    ("table", "column", "count", "sentence"),
    [
        (SEARCHES_TABLE, "generated_tokens", -1, "32 rows with generated_tokens below 0; the first: "),
        (
            SEARCHES_TABLE,
            "scorer_cached_tokens",
            10**6,
            "32 rows with more scorer_cached_tokens than scorer_prompt_tokens",
        ),
        (
            SCORES_TABLE,
            "scorer_prompt_tokens",
            -2,
            "rows with scorer_prompt_tokens below 0; the first: ('lab-0-1-0', 0)",
        ),
        (SEARCHES_TABLE, "generated_tokens", 0, "The searches beam+weighted of"),
    ],
)
def test_tokens_that_cannot_be_are_refused_with_the_row(searched_run, rewrite, table, column, count, sentence):
    unread = {} if count else {"scorer_prompt_tokens": 0, "scorer_cached_tokens": 0}
    rewrite(searched_run, table, lambda f: f.assign(**{column: count}, **unread))
    with pytest.raises(DataError) as caught:
        estimate_run_profile(searched_run, "mine")
    assert sentence in str(caught.value)


def test_imported_searches_have_no_place_and_that_is_said():
    origin = ImportedRun(
        format="search-and-learn", source="s", files=1, task="math", rows={"solutions": 4, "searches": 7}
    )
    assert describe_unplaced_searches(origin) == ["7 searches are left out: an import does not record their tokens."]
