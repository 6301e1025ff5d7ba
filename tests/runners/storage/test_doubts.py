"""Signs that a run's answers were graded or recorded in another way than was meant."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from isocompute.runners.storage.doubts import describe_doubts, measure_agreement


def rows(answers, tokens=None, right="7"):
    """A frame of solutions: of each problem a list of answers."""
    return pd.DataFrame(
        [
            {"problem_id": problem, "answer": answer, "correct": answer == right,
             "completion_tokens": 10 + i if tokens is None else tokens}
            for problem, each in enumerate(answers)
            for i, answer in enumerate(each)
        ]
    )  # fmt: skip


def test_agreement_is_that_of_all_pairs():
    rng = np.random.default_rng(0)
    answers = [rng.choice(list("xyz"), size).tolist() for size in (13, 17, 20)]
    within, across = measure_agreement(rows(answers))
    pairs = [pair for each in answers for pair in combinations(each, 2)]
    assert within == pytest.approx(np.mean([a == b for a, b in pairs]))
    others = [pair for one, other in combinations(answers, 2) for pair in product(one, other)]
    assert across == pytest.approx(np.mean([a == b for a, b in others]))


def test_hardly_a_right_solution_is_doubtful():
    (doubt,) = describe_doubts(rows([["8", "9", "8", "8"] * 10, ["5", "5", "6", "5"] * 10]), "numeric/2", True)
    assert doubt.startswith("0 of 80 solutions are right by numeric/2. Check that it reads these answers")
    assert describe_doubts(rows([["7", "9", "8", "8"] * 10, ["5", "5", "6", "5"] * 10]), "numeric/2", True) == []


def test_copies_are_doubtful():
    (doubt,) = describe_doubts(rows([["7"] * 8, ["3"] * 8], tokens=50), "math/2", True)
    assert "the same number of tokens, in 100% of the problems. They may be copies" in doubt
    assert describe_doubts(rows([["7"] * 8, ["3"] * 8]), "math/2", True) == []


def test_solutions_under_other_problems_are_doubtful():
    mixed = [[str((problem + sample) % 8) for sample in range(8)] for problem in range(8)]
    (doubt,) = describe_doubts(rows(mixed), "math/2", True)
    assert "agree no more often than two of different problems" in doubt
    assert describe_doubts(rows([[str(problem)] * 8 for problem in range(8)]), "math/2", True) == []


def test_a_fit_says_it():
    frame = rows([["8"] * 30, ["5"] * 30], tokens=20).drop(columns="correct").assign(gold="7")
    profile = iso.fit(
        iso.from_frame(frame, problem="problem_id", answer="answer", gold="gold", tokens="completion_tokens")
    )
    assert any("0 of 60 solutions are right by" in warning for warning in profile.warnings)
    assert any("They may be copies" in warning for warning in profile.warnings)
