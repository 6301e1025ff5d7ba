from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isocompute.planner.estimate.arrays import build_pool_arrays

COLUMNS = ["problem_id", "solution_id", "answer", "correct", "finish_reason", "score", "scored"]


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
        pd.DataFrame(verifications, columns=["problem_id", "solution_id", "verdict"]),
        nested,
    )


@pytest.mark.parametrize("seed", range(25))
def test_rows_are_laid_out_as_one_by_one(seed):
    solutions, verifications, nested = drawn(seed)
    kept = ["a", "c"]
    layout = build_pool_arrays(solutions, verifications, kept)
    lists = [sorted(nested[problem], key=lambda one: not one[2]) for problem in kept]  # stable
    N = min(map(len, lists))
    K = min(sum(bool(row[2]) for row in one) for one in lists)
    assert layout.answers.tolist() == [[row[0] for row in one[:N]] for one in lists]
    assert layout.correct.tolist() == [[row[1] for row in one[:N]] for one in lists]
    L = min(next((i for i, row in enumerate(one[:N]) if not row[5]), N) for one in lists)
    if L:
        assert layout.scores.tolist() == [[row[4] for row in one[:L]] for one in lists]
        assert layout.finished.tolist() == [[row[3] == "stop" for row in one[:L]] for one in lists]
    else:
        assert layout.scores is layout.finished is None
    if not K:
        assert layout.verdicts is None
        return
    counts = [[len(row[2]) for row in one[:K]] for one in lists]
    M = np.max(counts)
    padded = [[row[2] + [np.nan] * (M - len(row[2])) for row in one[:K]] for one in lists]
    np.testing.assert_array_equal(layout.verdicts, padded)
    equal = np.min(counts) == M
    assert (layout.judged is None) == equal
    if not equal:
        assert layout.judged.tolist() == counts


def test_equal_numbers_are_laid_out_without_a_note():
    solutions = pd.DataFrame(
        [("a", 0, "x", True, "stop", np.nan, False), ("a", 1, None, None, "stop", np.nan, False)], columns=COLUMNS
    )
    layout = build_pool_arrays(solutions, pd.DataFrame({"problem_id": [], "solution_id": [], "verdict": []}), ["a"])
    assert layout.notes == []
    assert layout.verdicts is layout.judged is None
    assert layout.correct.tolist() == [[True, False]]
