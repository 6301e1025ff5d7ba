from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from isocompute.planner.estimate.arrays import build_pool_arrays
from isocompute.planner.estimate.judged_rows import JUDGED_COLUMNS, JudgedRows
from isocompute.runners.storage.schema import VERIFICATIONS_TABLE
from isocompute.runners.storage.unequal import choose_pool_size

COLUMNS = ["problem_id", "solution_id", "answer", "correct", "finish_reason", "score", "scored"]


def judge(verdicts):
    """Return verifications with the verdicts of ``(problem, solution, verdict)``, numbered in their order."""
    numbers, rows = Counter(), []
    for problem, solution, verdict in verdicts:
        keys = {"problem_id": problem, "solution_id": solution, "verification_id": numbers[problem, solution]}
        rows.append({**keys, "verdict": verdict, "status": "ok"})
        numbers[problem, solution] += 1
    judged = JudgedRows("abcde", (16, 16))
    judged.add_batches([pa.Table.from_pylist(rows, VERIFICATIONS_TABLE.select_schema(JUDGED_COLUMNS))])
    return judged


def drawn(seed):
    """Draw rows of problems with unequal numbers of solutions and verdicts, as frames and as nested lists."""
    rng = np.random.default_rng(seed)
    solutions, verifications, nested = [], [], {}
    for problem in ("a", "b", "c"):
        nested[problem] = []
        for i in range(rng.integers(1, 6)):
            answer, correct = rng.choice(["x", "y"]), bool(rng.integers(2))
            verdicts = rng.integers(0, 2, rng.integers(0, 4)).astype(float).tolist()
            scored = i < 2 or bool(rng.integers(2))
            solutions.append((problem, i, answer, correct, rng.choice(["stop", "length"]), i / 8, scored))
            verifications += [(problem, i, verdict) for verdict in verdicts]
            nested[problem].append((answer, correct, verdicts, *solutions[-1][-3:]))
    return (
        pd.DataFrame(solutions, columns=COLUMNS),
        judge(verifications),
        nested,
    )


@pytest.mark.parametrize("seed", range(25))
def test_each_place_holds_a_row_of_its_problem_and_no_row_is_wasted(seed):
    solutions, verifications, nested = drawn(seed)
    layout = build_pool_arrays(solutions, verifications, ["a", "b", "c"])
    N, P = layout.answers.shape[1], len(layout.problems)
    K = 0 if layout.verdicts is None else layout.verdicts.shape[1]
    L = 0 if layout.scores is None else layout.scores.shape[1]
    assert set(layout.problems) | set(layout.short) == {"a", "b", "c"}
    assert choose_pool_size([len(rows) for rows in nested.values()]) == N
    counts = np.full((P, K), -1) if layout.verdicts is None else np.full((P, K), layout.verdicts.shape[2])
    counts = counts if layout.judged is None else layout.judged
    for i, problem in enumerate(layout.problems):
        rows = nested[problem]
        verdicts = [None if j >= K else layout.verdicts[i, j, : counts[i, j]].tolist() for j in range(N)]
        for j in range(N):
            place = (layout.answers[i, j], layout.correct[i, j])
            alike = [k for k, row in enumerate(rows) if row[:2] == place and (j >= K or row[2] == verdicts[j])]
            if j < L:
                finish = "stop" if layout.finished[i, j] else "length"
                alike = [k for k in alike if rows[k][3:] == (finish, layout.scores[i, j], True)]
                assert alike
            assert alike
        assert 2 * len(rows) >= N
        assert 2 * sum(bool(row[2]) for row in rows) >= K
        assert 2 * sum(row[5] for row in rows) >= L
        if L:  # scores tell the solutions apart
            least = min(L, sum(row[5] and (bool(row[2]) or not K) for row in rows))
            assert len({*layout.scores[i].tolist()}) >= least


def test_rows_that_suffice_are_laid_out_in_their_order_verified_ones_first():
    solutions = pd.DataFrame(
        [(p, i, f"{p}{i}", i == 1, "stop", i / 8, i < 3) for p in "ab" for i in range(4)], columns=COLUMNS
    )
    verdicts = [(p, i, v) for p, ids in (("a", (1, 3)), ("b", (0, 1))) for i in ids for v in (1.0, i / 8)]
    layout = build_pool_arrays(solutions, judge(verdicts), ["a", "b"])
    assert layout.short == {}
    assert layout.verdicts.shape == (2, 2, 2)
    assert layout.answers[1].tolist() == ["b0", "b1", "b2", "b3"]
    # Places 0 and 1 need a verdict and a score; of "a" only solution 1 has both.
    assert layout.answers[0].tolist() == ["a1", "a1", "a0", "a2"]
    assert layout.scores[0].tolist() == [1 / 8, 1 / 8, 0]
    assert layout.notes == [
        "1 of 8 solutions are missing, in 1 of 2 problems; others of the same problem take their places, as if they "
        "were missing at random."
    ]


def test_missing_solutions_are_replaced_in_turn_and_short_problems_left_out():
    ids = {"a": range(8), "b": (0, 2, 3, 5, 7), "c": (4,), "d": range(8), "e": range(8)}
    rows = [(p, i, f"{p}{i}", False, "stop", np.nan, False) for p, each in ids.items() for i in each]
    verdicts = [(p, i, 1.0) for p, each in ids.items() for i in each for _ in range(2) if i != 2]
    verdicts.remove(("a", 3, 1.0))
    layout = build_pool_arrays(
        pd.DataFrame(rows, columns=COLUMNS),
        judge(verdicts),
        list(ids),
    )
    assert layout.problems == ["a", "b", "d", "e"]
    assert layout.short == {"c": "1 of 8 solutions"}
    assert layout.verdicts.shape == (4, 7, 2)
    assert layout.answers[0].tolist() == ["a0", "a1", "a3", "a4", "a5", "a6", "a7", "a2"]
    assert layout.answers[1].tolist() == ["b0", "b3", "b5", "b7", "b0", "b3", "b5", "b2"]
    assert layout.judged[0].tolist() == [2, 2, 1, 2, 2, 2, 2]
    all_kept = build_pool_arrays(
        pd.DataFrame(rows, columns=COLUMNS),
        judge([]),
        list(ids),
        fewest=True,
    )
    assert (all_kept.short, all_kept.answers.shape) == ({}, (5, 1))


def test_equal_numbers_are_laid_out_without_a_note():
    solutions = pd.DataFrame(
        [("a", 0, "x", True, "stop", np.nan, False), ("a", 1, None, None, "stop", np.nan, False)], columns=COLUMNS
    )
    layout = build_pool_arrays(solutions, judge([]), ["a"])
    assert layout.notes == []
    assert layout.verdicts is layout.judged is None
    assert layout.correct.tolist() == [[True, False]]
