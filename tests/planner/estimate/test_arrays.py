from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isocompute.planner.estimate.arrays import laid_out


def drawn(seed):
    """Draw rows of problems with unequal numbers of solutions and verdicts, as frames and as nested lists."""
    rng = np.random.default_rng(seed)
    solutions, verifications, nested = [], [], {}
    for problem in ("a", "b", "c"):
        nested[problem] = []
        for i in range(rng.integers(1, 6)):
            answer, correct = rng.choice(["x", "y"]), bool(rng.integers(2))
            verdicts = rng.integers(0, 2, rng.integers(0, 4)).astype(float).tolist()
            solutions.append((problem, i, answer, correct))
            verifications += [(problem, i, verdict) for verdict in verdicts]
            nested[problem].append((answer, correct, verdicts))
    return (
        pd.DataFrame(solutions, columns=["problem_id", "solution_id", "answer", "correct"]),
        pd.DataFrame(verifications, columns=["problem_id", "solution_id", "verdict"]),
        nested,
    )


@pytest.mark.parametrize("seed", range(25))
def test_rows_are_laid_out_as_one_by_one(seed):
    solutions, verifications, nested = drawn(seed)
    kept = ["a", "c"]
    layout = laid_out(solutions, verifications, kept)
    lists = [sorted(nested[problem], key=lambda one: not one[2]) for problem in kept]  # stable
    N = min(map(len, lists))
    K = min(sum(bool(verdicts) for _, _, verdicts in one) for one in lists)
    assert layout.answers.tolist() == [[answer for answer, _, _ in one[:N]] for one in lists]
    assert layout.correct.tolist() == [[correct for _, correct, _ in one[:N]] for one in lists]
    if not K:
        assert layout.verdicts is None
        return
    counts = [[len(verdicts) for _, _, verdicts in one[:K]] for one in lists]
    M = np.max(counts)
    padded = [[verdicts + [np.nan] * (M - len(verdicts)) for _, _, verdicts in one[:K]] for one in lists]
    np.testing.assert_array_equal(layout.verdicts, padded)
    equal = np.min(counts) == M
    assert (layout.judged is None) == equal
    if not equal:
        assert layout.judged.tolist() == counts


def test_equal_numbers_are_laid_out_without_a_note():
    solutions = pd.DataFrame(
        {"problem_id": ["a", "a"], "solution_id": [0, 1], "answer": ["x", None], "correct": [True, None]}
    )
    layout = laid_out(solutions, pd.DataFrame({"problem_id": [], "solution_id": [], "verdict": []}), ["a"])
    assert layout.notes == []
    assert layout.verdicts is layout.judged is None
    assert layout.correct.tolist() == [[True, False]]
