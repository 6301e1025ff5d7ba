"""Levels of problem difficulty, and the solutions and verdicts that they are estimated from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.pool import Pool

DIFFICULTY_BINS = 5
DIFFICULTY_SEED = 2408


@dataclass(frozen=True, eq=False)
class DifficultyLevels:
    """Difficulty levels of problems, estimated R times, with the solutions that they were estimated from.

    Args:
        levels: (R, P) level of each problem; 1 is the easiest.
        charge: cost of finding the level of a problem, in x, which every budget has to pay.
        in_practice: whether the level can be found without knowing the gold answer.
        seen: (R, P, m) indices of the solutions that the level was estimated from; m is 0 if nothing was sampled.
        seen_verdicts: (R, P, m) index of the verdict that was read of each of them; None if none was.
    """

    levels: NDArray[np.int64]
    charge: float
    in_practice: bool
    seen: NDArray[np.int64]
    seen_verdicts: NDArray[np.int64] | None = None

    @property
    def samples(self) -> int:
        """m, the number of solutions of each problem that the level was estimated from."""
        return int(self.seen.shape[2])


def assign_quantile_levels(ease: ArrayLike, bins: int = DIFFICULTY_BINS) -> NDArray[np.int64]:
    """Assign values to levels 1 to `bins` of equal size; level 1 has the highest values.

    Equal values are never split: all get the level of the middle one. Levels may then differ in size. With many equal
    values some level may be empty; its number is then unused.

    Args:
        ease: values of any shape; higher is easier.
        bins: number of levels.

    Raises:
        DataError: no values, values that are not finite, or fewer than one bin.

    Example:
        >>> assign_quantile_levels([0.9, 0.1, 0.5, 0.3, 0.7])
        array([1, 5, 3, 4, 2])
        >>> assign_quantile_levels([1.0, 0.0, 0.0, 0.0, 0.0])
        array([1, 4, 4, 4, 4])
    """
    values = np.asarray(ease, dtype=float)
    if values.size == 0 or not np.isfinite(values).all():
        raise DataError("difficulty needs at least one value, and all values must be finite.")
    if bins < 1:
        raise DataError(f"bins must be at least 1; got {bins}.")
    _, place, count = np.unique(-values.ravel(), return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - count / 2  # middle rank of each group of equal values, from the easiest
    level = np.minimum(np.floor(middle * bins / values.size).astype(np.int64) + 1, bins)
    return np.asarray(level[place].reshape(values.shape))


def assign_oracle_levels(pool: Pool, bins: int = DIFFICULTY_BINS) -> DifficultyLevels:
    """Assign quantile levels of pass@1 over the whole pool (Snell et al. 2024, arXiv 2408.03314, §3.2).

    An upper bound: it uses the gold answers and the solutions that are used again afterwards, and charges nothing.

    Args:
        pool: the sampled solutions.
        bins: number of levels.

    Example:
        >>> assign_oracle_levels(Pool([[0, 0], [1, 0], [1, 1]], [0, 0, 0]), bins=3).levels
        array([[1, 2, 3]])
    """
    levels = assign_quantile_levels(pool.correct.mean(axis=1), bins)[None]
    return DifficultyLevels(levels, 0.0, in_practice=False, seen=_make_unseen(pool))


def assign_given_levels(levels: ArrayLike, pool: Pool) -> DifficultyLevels:
    """Use the levels that a dataset provides, which cost nothing.

    Args:
        levels: (P,) integers; 1 is the easiest.
        pool: the sampled solutions.

    Raises:
        DataError: levels that are not one integer per problem.
    """
    level = np.asarray(levels)
    if level.shape != (pool.problems,) or level.dtype.kind not in "iu":
        raise DataError(f"levels must be one integer for each of {pool.problems} problems; got {level.shape}.")
    return DifficultyLevels(level.astype(np.int64)[None], 0.0, in_practice=True, seen=_make_unseen(pool))


def assign_pass_rate_levels(
    pool: Pool, samples: int, repeats: int = 8, bins: int = DIFFICULTY_BINS, seed: int = DIFFICULTY_SEED
) -> DifficultyLevels:
    """Assign quantile levels of pass@1 over a few solutions, each of which costs 1x.

    These solutions are drawn `repeats` times, and results are averaged over the draws. They are drawn from the verified
    and scored solutions if there are any, so that every strategy can go on from them (`order_seen_first`).

    Args:
        pool: the sampled solutions.
        samples: m, the number of solutions of each problem to draw.
        repeats: R, the number of draws.
        bins: number of levels.
        seed: seed of the draws.

    Raises:
        DataError: more samples than there are solutions to draw from.

    Example:
        >>> found = assign_pass_rate_levels(Pool([[0, 0, 0], [1, 1, 1]], [0, 0]), samples=2, repeats=1, bins=2)
        >>> found.levels, found.charge, found.seen.shape
        (array([[1, 2]]), 2.0, (1, 2, 2))
    """

    def measure_pass_rate(seen: NDArray[np.int64], verdict: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(np.take_along_axis(pool.correct, seen, axis=1).mean(axis=1))

    levels, seen, _ = _build_levels(pool, samples, measure_pass_rate, repeats, bins, seed)
    return DifficultyLevels(levels, float(samples), in_practice=False, seen=seen)


def assign_agreement_levels(
    pool: Pool, samples: int, repeats: int = 8, bins: int = DIFFICULTY_BINS, seed: int = DIFFICULTY_SEED
) -> DifficultyLevels:
    """Assign quantile levels by how many of a few solutions agree; the gold answer is not needed.

    The ease is the share of the most frequent answer among m solutions. An unparsed answer agrees with no other.

    Args, Returns and Raises are those of `assign_pass_rate_levels`.

    Example:
        >>> assign_agreement_levels(Pool([[2, 2, 2], [1, 0, 2]], [0, 0]), samples=2, repeats=1, bins=2).levels
        array([[1, 2]])
    """

    def measure_agreement(seen: NDArray[np.int64], verdict: NDArray[np.int64]) -> NDArray[np.float64]:
        answers = np.take_along_axis(pool.answers, seen, axis=1)
        same = (answers[:, :, None] == answers[:, None, :]) & (answers >= 0)[:, :, None]
        return np.asarray(same.sum(axis=2).max(axis=1) / samples)

    levels, seen, _ = _build_levels(pool, samples, measure_agreement, repeats, bins, seed)
    return DifficultyLevels(levels, float(samples), in_practice=True, seen=seen)


def assign_verdict_levels(
    pool: Pool, samples: int, lam: float, repeats: int = 8, bins: int = DIFFICULTY_BINS, seed: int = DIFFICULTY_SEED
) -> DifficultyLevels:
    """Assign quantile levels of the mean verdict on a few solutions, each verified once.

    This is the predicted difficulty of Snell et al. 2024, with a generative verifier's verdicts instead of PRM scores,
    and with its cost m(1 + λ) charged. An unparsed verdict, or one on an unparsed answer, counts as 0.

    Args:
        pool: the sampled solutions, with verdicts.
        samples: m, the number of verified solutions of each problem to draw.
        lam: λ, the cost of a verification in solutions.
        repeats: R, the number of draws.
        bins: number of levels.
        seed: seed of the draws.

    Raises:
        DataError: no verdicts, or more samples than there are verified solutions to draw from.
    """
    verdicts = pool.verdicts
    if verdicts is None:
        raise DataError("difficulty by score needs verdicts; this pool has none.")

    def average_verdicts(seen: NDArray[np.int64], verdict: NDArray[np.int64]) -> NDArray[np.float64]:
        read = verdicts[np.arange(pool.problems)[:, None], seen, verdict]
        answered = np.take_along_axis(pool.answers, seen, axis=1) >= 0
        return np.asarray(np.where(answered, np.nan_to_num(read), 0.0).mean(axis=1))

    levels, seen, read = _build_levels(pool, samples, average_verdicts, repeats, bins, seed)
    return DifficultyLevels(levels, samples * (1 + lam), in_practice=True, seen=seen, seen_verdicts=read)


def order_seen_first(
    levels: DifficultyLevels,
    draw: int,
    pool: Pool,
    solutions: int,
    verified: bool,
    orders: int = 1,
    seed: int = DIFFICULTY_SEED,
) -> Pool:
    """Put the pool into random orders in which everything that the level was estimated from comes first.

    The first S solutions with their first V verdicts are then what a strategy uses that goes on from the solutions that
    it paid for: a random S-subset with random V-subsets, given that they contain what was seen.

    Args:
        levels: the levels of R draws, estimated from m solutions each.
        draw: the draw, 0..R-1.
        pool: the pool that they were estimated from.
        solutions: n ≥ m; the first n solutions of the pool are ordered, the others left out.
        verified: whether to keep the verdicts; n is then at most the number of verified solutions.
        orders: T, the number of random orders.
        seed: seed of the orders; each draw has its own.

    Returns:
        A pool of T·P rows, order by order, with n solutions each.

    Example:
        >>> pool = Pool(np.arange(6)[None], [0])
        >>> levels = assign_agreement_levels(pool, 2, repeats=3)
        >>> ordered = order_seen_first(levels, 1, pool, 6, verified=False)
        >>> set(ordered.answers[0, :2].tolist()) == set(levels.seen[1, 0].tolist())
        True
    """
    rng = np.random.default_rng((seed, draw, 1))
    problem = np.tile(np.arange(pool.problems), orders)
    seen, rows, own = levels.seen[draw][problem], problem[:, None], np.arange(len(problem))[:, None]
    keys = rng.random((len(problem), solutions))
    np.put_along_axis(keys, seen, rng.random(seen.shape) - 1, axis=1)  # below all other keys
    order = np.argsort(keys, axis=1)
    answers, gold = pool.answers[rows, order], pool.gold[problem]
    scores, finished = (
        None if column is None or solutions > column.shape[1] else column[rows, order]
        for column in (pool.scores, pool.finished)
    )
    if not verified or pool.verdict_codes is None or pool.judged is None:
        return Pool(answers, gold, scores=scores, finished=finished)
    keys = rng.random((len(problem), solutions, pool.verifications))
    if levels.seen_verdicts is not None:
        keys[own, seen, levels.seen_verdicts[draw][problem]] = -1.0
    judged = pool.judged[problem, :solutions]
    keys[judged[:, :, None] <= np.arange(pool.verifications)] = 2.0  # places without a verdict stay last
    verdicts = np.take_along_axis(pool.verdict_codes[problem, :solutions], np.argsort(keys, axis=2), axis=2)
    return Pool(answers, gold, verdicts[own, order], judged[own, order], scores, finished)


def cut_pool(pool: Pool, solutions: int, verifications: int = 0) -> Pool:
    """Return the pool with the first solutions of each problem, and the first verdicts of each.

    Args:
        pool: the pool.
        solutions: S ≥ 1.
        verifications: V; 0 leaves the verdicts out.

    Example:
        >>> cut_pool(Pool([[0, 1, 2]], [0], [[[1, 0], [0, 0]]]), 1, 1).verdicts
        array([[[1.]]])
    """
    verdicts = judged = None
    if verifications and pool.verdict_codes is not None and pool.judged is not None:
        verdicts = pool.verdict_codes[:, :solutions, :verifications]
        judged = np.minimum(pool.judged[:, :solutions], verifications)
    scores, finished = (None if column is None else column[:, :solutions] for column in (pool.scores, pool.finished))
    return Pool(pool.answers[:, :solutions], pool.gold, verdicts, judged, scores, finished)


def _make_unseen(pool: Pool) -> NDArray[np.int64]:
    return np.zeros((1, pool.problems, 0), dtype=np.int64)


def _build_levels(
    pool: Pool,
    samples: int,
    ease: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]],
    repeats: int,
    bins: int,
    seed: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the levels (R, P), and the solutions and a verdict of each that were drawn, (R, P, m)."""
    among = min(pool.verified_solutions or pool.solutions, pool.scored_solutions or pool.solutions)
    if not 1 <= samples <= among:
        raise DataError(
            f"samples must lie between 1 and {among}, the solutions that every strategy can use; got {samples}."
        )
    rng = np.random.default_rng(seed)
    values, seen, read = [], [], []
    for _ in range(repeats):
        seen.append(np.argsort(rng.random((pool.problems, among)), axis=1)[:, :samples])
        share = rng.random((pool.problems, samples))
        many = 1 if pool.judged is None else np.maximum(np.take_along_axis(pool.judged, seen[-1], axis=1), 1)
        read.append((share * many).astype(np.int64))
        values.append(ease(seen[-1], read[-1]))
    return assign_quantile_levels(values, bins), np.stack(seen), np.stack(read)
