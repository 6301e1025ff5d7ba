from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import Pool

NAN = float("nan")


def test_a_pool_knows_its_shape_and_what_is_right():
    pool = Pool(np.array([[3, -1, 3], [0, 1, 2]], dtype=np.int8), [3, 5], np.ones((2, 2, 4), dtype=bool))
    assert (pool.problems, pool.solutions, pool.verified_solutions, pool.verifications) == (2, 3, 2, 4)
    assert pool.correct.tolist() == [[True, False, True], [False, False, False]]


def test_a_pool_without_verdicts_counts_none():
    pool = Pool([[0, 1]], [0])
    assert (pool.verified_solutions, pool.verifications) == (0, 0)


def test_a_pool_keeps_a_read_only_copy():
    answers = np.array([[0, 1]])
    pool = Pool(answers, [0])
    answers[0, 0] = 7
    assert pool.answers[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        pool.answers[0, 0] = 1


def test_solutions_may_have_unequal_numbers_of_verdicts():
    pool = Pool([[0, 1, 1]], [0], [[[1, NAN], [1, NAN], [NAN, NAN]]], judged=[[2, 1, 0]])
    assert pool.judged.tolist() == [[2, 1, 0]]  # the first was asked twice, and once in vain
    assert Pool([[0, 1]], [0], np.ones((1, 2, 3))).judged.tolist() == [[3, 3]]
    assert Pool([[0]], [0]).judged is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ([[0.0, NAN]], [0]),
            "answers must be integers; got NaN at index (0, 1): an unparsed answer is coded -1.",
        ),
        (([[0.0, 1.0]], [0]), "answers must be integers; got an array of float64."),
        (([["A", "B"]], [0]), "answers must be integers; got an array of <U1."),
        (([[0, 1], [0]], [0, 0]), "answers must be a rectangular array; its rows have different lengths."),
        (
            ([], []),
            "answers must have the shape (problems, solutions) with at least one of each; got (0,).",
        ),
        (
            (np.empty((0, 4), int), np.empty(0, int)),
            "answers must have the shape (problems, solutions) with at least one of each; got (0, 4).",
        ),
        (
            ([[0, 1], [0, -2]], [0, 0]),
            "answers holds -2 at problem 1, solution 1: it must be a code ≥ 0, or -1 where no answer was parsed.",
        ),
        (([[0]], [-1]), "gold holds -1 at problem 0: it must be a code ≥ 0."),
        (([[0]], [0, 1]), "gold must hold one code per problem, shape (1,); got (2,)."),
        (([[0]], [1.5]), "gold must be integers; got an array of float64."),
        (
            ([[0]], [0], [1.0]),
            "verdicts must have the shape (problems, verified solutions, verifications) with at least one of "
            "each; got (1,).",
        ),
        (([[0]], [0], [[["yes"]]]), "verdicts must be numbers in [0, 1] or NaN; got an array of <U3."),
        (([[0]], [0], np.ones((2, 1, 1))), "verdicts must cover the 1 problems of answers; got 2."),
        (([[0]], [0], np.ones((1, 2, 1))), "verdicts must cover at most the 1 solutions of answers; got 2."),
        (
            ([[0, 0]], [0], [[[1, 0], [1, 1.7]]]),
            "verdicts holds 1.7 at problem 0, solution 1, verification 1: "
            "it must lie in [0, 1], or be NaN where it was not parsed.",
        ),
        (
            ([[0]], [0], [[[-np.inf]]]),
            "verdicts holds -inf at problem 0, solution 0, verification 0: "
            "it must lie in [0, 1], or be NaN where it was not parsed.",
        ),
        (([[0]], [0], None, [[1]]), "judged says how many verdicts each solution has; it needs verdicts."),
        (
            ([[0, 1]], [0], np.ones((1, 2, 3)), [3, 3]),
            "judged must hold one number per verified solution, shape (1, 2); got (2,).",
        ),
        (([[0]], [0], np.ones((1, 1, 2)), [[1.5]]), "judged must be integers; got an array of float64."),
        (([[0]], [0], np.ones((1, 1, 2)), [[NAN]]), "judged must be integers; got NaN at index (0, 0)."),
        (
            ([[0]], [0], np.ones((1, 1, 2)), [[3]]),
            "judged holds 3 at problem 0, solution 0: it must lie between 0 and 2, the verifications of each solution.",
        ),
        (
            ([[0, 0]], [0], [[[1, NAN], [1, 0]]], [[1, 1]]),
            "verdicts holds 0 at problem 0, solution 1, verification 1, but judged gives the solution "
            "only 1: it must be NaN there.",
        ),
    ],
)
def test_a_bad_pool_is_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(DataError) as caught:
        Pool(*arguments)
    assert str(caught.value) == sentence
