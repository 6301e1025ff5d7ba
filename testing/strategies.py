"""Tests that every strategy over a pool must pass."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from isocompute.fits import Pool
from isocompute.planner.strategies.registry import Strategy, StrategyEstimate

SUITE_DRAWS = 2000


def make_pool(problems: int, solutions: int, verifications: int, seed: int, unparsed: float = 0.1) -> Pool:
    """Make a random pool with ties, unparsed answers and verdicts, and scores.

    >>> make_pool(3, 5, 2, seed=0).verdicts.shape
    (3, 5, 2)
    """
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, (problems, solutions))
    codes[rng.random(codes.shape) < unparsed] = -1
    verdicts = (rng.random((problems, solutions, verifications)) < 0.6).astype(float)
    verdicts[rng.random(verdicts.shape) < unparsed] = np.nan
    scores = rng.integers(1, 10, (problems, solutions)) / 10
    return Pool(codes, rng.integers(0, 3, problems), verdicts, scores=scores)


class StrategySuite:
    """Tests of a strategy.

    Override `choose` with the simplest implementation of the strategy: the estimator is then compared with the mean
    over all subsets of a small pool.

    Attributes:
        strategy: the strategy's registry entry.
    """

    strategy: ClassVar[Strategy]

    def choose(self, answers: list[int], verdicts: list[list[float]], scores: list[float]) -> dict[int, float]:
        """Return the answers that the strategy may choose among a few solutions, with their probabilities.

        Args:
            answers: the code of each solution's answer; -1 if unparsed.
            verdicts: verdicts on each solution; NaN if unparsed.
            scores: the score of each solution.
        """
        pytest.skip("the strategy does not say what it chooses")

    def estimate(self, pool: Pool, S: Sequence[int], V: Sequence[int] = (1,), seed: int = 0) -> StrategyEstimate:
        """Estimate the strategy over a pool."""
        return self.strategy.estimator(pool, list(S), list(V), SUITE_DRAWS, seed)

    def compute_mean(self, pool: Pool, S: Sequence[int], V: Sequence[int] = (1,)) -> NDArray[np.float64]:
        """Return the means over problems, (nS,) or (nS, nV)."""
        return np.asarray(self.estimate(pool, S, V).accuracy.mean(axis=0))

    def compute_tolerance(self, pool: Pool, S: Sequence[int], V: Sequence[int] = (1,)) -> float:
        """Return the tolerance of a mean: five times its Monte Carlo error.

        An accuracy lies in [0, 1], so the mean over P problems with n draws each has an error of at most 0.5 / √(nP).
        """
        error = self.estimate(pool, S, V).error or 0.0
        assert error <= 0.5 / (SUITE_DRAWS * pool.problems) ** 0.5, "the error is too large for this number of draws"
        return 5 * error + 1e-9

    def test_accuracies_are_shares_of_the_shape_that_is_asked_for(self) -> None:
        pool = make_pool(6, 8, 3, seed=1)
        found = self.estimate(pool, [1, 2, 5], [1, 3])
        surface = (6, 3, 2) if self.strategy.needs == "verifications" else (6, 3)
        assert found.accuracy.shape == surface
        assert (found.accuracy >= -1e-12).all()
        assert (found.accuracy <= 1 + 1e-12).all()

    def test_one_solution_is_right_as_often_as_solutions_are(self) -> None:
        pool = make_pool(8, 6, 2, seed=2)
        expected = pool.correct.mean()
        found = self.compute_mean(pool, [1])
        np.testing.assert_allclose(found, expected, rtol=0, atol=self.compute_tolerance(pool, [1]))

    def test_where_all_are_right_so_is_the_choice_and_where_none_is_it_is_not(self) -> None:
        pool = make_pool(4, 6, 2, seed=3, unparsed=0.0)
        for code, expected in ((0, 1.0), (1, 0.0)):
            same = Pool(np.full((4, 6), code), np.zeros(4, int), np.ones((4, 6, 2)), scores=pool.scores)
            np.testing.assert_allclose(self.compute_mean(same, [1, 3, 6]), expected, rtol=0, atol=1e-9)

    def test_the_order_of_solutions_and_of_their_verdicts_does_not_matter(self) -> None:
        pool = make_pool(8, 6, 2, seed=4)
        order = np.random.default_rng(0).permutation(6)
        assert pool.verdicts is not None
        assert pool.scores is not None
        other = Pool(pool.answers[:, order], pool.gold, pool.verdicts[:, order, ::-1], scores=pool.scores[:, order])
        found, turned = self.estimate(pool, [2, 4]), self.estimate(other, [2, 4])
        if found.error is None:
            np.testing.assert_allclose(found.accuracy, turned.accuracy, rtol=0, atol=1e-9)
        means = (found.accuracy.mean(axis=0), turned.accuracy.mean(axis=0))
        np.testing.assert_allclose(*means, rtol=0, atol=2 * self.compute_tolerance(pool, [2, 4]))

    def test_the_same_seed_gives_the_same_numbers(self) -> None:
        pool = make_pool(5, 6, 2, seed=5)
        first, again = (self.estimate(pool, [2, 4], seed=9).accuracy for _ in range(2))
        np.testing.assert_array_equal(first, again)

    def test_it_equals_the_mean_over_all_subsets(self) -> None:
        pool, S, V = make_pool(6, 5, 2, seed=6), [1, 2, 3, 5], [1, 2]
        assert pool.verdicts is not None
        assert pool.scores is not None
        V = V if self.strategy.needs == "verifications" else [1]
        expected = np.zeros((len(S), len(V)))
        for i, j in itertools.product(range(len(S)), range(len(V))):
            for p in range(pool.problems):
                chances = []
                for subset in itertools.combinations(range(5), S[i]):
                    many = V[j] if self.strategy.needs == "verifications" else 0
                    draws = (itertools.combinations(pool.verdicts[p, k], many) for k in subset)
                    for verdicts in itertools.product(*draws):
                        chosen = self.choose(
                            [int(pool.answers[p, k]) for k in subset],
                            [list(drawn) for drawn in verdicts],
                            [float(pool.scores[p, k]) for k in subset],
                        )
                        chances.append(chosen.get(int(pool.gold[p]), 0.0))
                expected[i, j] += np.mean(chances) / pool.problems
        found = self.compute_mean(pool, S, V).reshape(len(S), len(V))
        np.testing.assert_allclose(found, expected, rtol=0, atol=self.compute_tolerance(pool, S, V))
