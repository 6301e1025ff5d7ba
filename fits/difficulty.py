"""Levels of problem difficulty, the cost of estimating them, and the solutions that remain to be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.pool import Pool

DIFFICULTY_BINS = 5
DIFFICULTY_SEED = 2408


@dataclass(frozen=True, eq=False)
class DifficultyLevels:
    """Difficulty levels of problems, estimated R times, with the rest of the pool each time.

    Args:
        levels: (R, P) level of each problem; 1 is the easiest.
        charge: cost of finding the level of a problem, in x; it is subtracted from every budget.
        pools: R pools without the solutions that the level was estimated from.
        in_practice: whether the level can be found without knowing the gold answer.
    """

    levels: NDArray[np.int64]
    charge: float
    pools: tuple[Pool, ...]
    in_practice: bool


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
    return DifficultyLevels(
        assign_quantile_levels(pool.correct.mean(axis=1), bins)[None], 0.0, (pool,), in_practice=False
    )


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
    return DifficultyLevels(level.astype(np.int64)[None], 0.0, (pool,), in_practice=True)


def assign_pass_rate_levels(
    pool: Pool, samples: int, repeats: int = 8, bins: int = DIFFICULTY_BINS, seed: int = DIFFICULTY_SEED
) -> DifficultyLevels:
    """Assign quantile levels of pass@1 over a few solutions that are used for nothing else.

    These solutions are drawn `repeats` times, and results are averaged over the draws. They are drawn from those
    without verdicts and scores if there are enough of them, so that no verdict or score is lost. Each costs 1x.

    Args:
        pool: the sampled solutions.
        samples: m, the number of solutions of each problem to draw.
        repeats: R, the number of draws.
        bins: number of levels.
        seed: seed of the draws.

    Raises:
        DataError: so many samples that no solution is left.

    Example:
        >>> found = assign_pass_rate_levels(Pool([[0, 0, 0], [1, 1, 1]], [0, 0]), samples=2, repeats=1, bins=2)
        >>> found.levels, found.charge, found.pools[0].solutions
        (array([[1, 2]]), 2.0, 1)
    """

    def measure_pass_rate(taken: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
        return np.asarray(np.take_along_axis(pool.correct, taken, axis=1).mean(axis=1))

    return _build_levels(
        pool,
        samples,
        _pick_solutions(pool, samples),
        measure_pass_rate,
        repeats,
        bins,
        seed,
        samples,
        in_practice=False,
    )


def assign_agreement_levels(
    pool: Pool, samples: int, repeats: int = 8, bins: int = DIFFICULTY_BINS, seed: int = DIFFICULTY_SEED
) -> DifficultyLevels:
    """Assign quantile levels by how many of a few solutions agree; the gold answer is not needed.

    The ease is the share of the most frequent answer among m solutions, which are used for nothing else. An unparsed
    answer agrees with no other.

    Args, Returns and Raises are those of `assign_pass_rate_levels`.

    Example:
        >>> assign_agreement_levels(Pool([[2, 2, 2], [1, 0, 2]], [0, 0]), samples=2, repeats=1, bins=2).levels
        array([[1, 2]])
    """

    def measure_agreement(taken: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
        answers = np.take_along_axis(pool.answers, taken, axis=1)
        same = (answers[:, :, None] == answers[:, None, :]) & (answers >= 0)[:, :, None]
        return np.asarray(same.sum(axis=2).max(axis=1) / samples)

    return _build_levels(
        pool, samples, _pick_solutions(pool, samples), measure_agreement, repeats, bins, seed, samples, in_practice=True
    )


def assign_verdict_levels(
    pool: Pool, samples: int, lam: float, repeats: int = 8, bins: int = DIFFICULTY_BINS, seed: int = DIFFICULTY_SEED
) -> DifficultyLevels:
    """Assign quantile levels of the mean verdict on a few solutions, each verified once and used for nothing else.

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
        DataError: no verdicts, or so many samples that no verified solution is left.
    """
    verdicts = pool.verdicts
    if verdicts is None:
        raise DataError("difficulty by score needs verdicts; this pool has none.")

    def average_verdicts(taken: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
        which = rng.integers(pool.verifications, size=taken.shape)
        seen = verdicts[np.arange(pool.problems)[:, None], taken, which]
        answered = np.take_along_axis(pool.answers, taken, axis=1) >= 0
        return np.asarray(np.where(answered, np.nan_to_num(seen), 0.0).mean(axis=1))

    return _build_levels(
        pool,
        samples,
        range(pool.verified_solutions),
        average_verdicts,
        repeats,
        bins,
        seed,
        samples * (1 + lam),
        in_practice=True,
    )


def _pick_solutions(pool: Pool, samples: int) -> range:
    """Return the range of solutions to draw from: those without verdicts and scores, if there are enough of them."""
    judged = max(pool.verified_solutions, pool.scored_solutions)
    enough = pool.solutions - judged >= samples and judged > 0
    return range(judged, pool.solutions) if enough else range(pool.verified_solutions or pool.solutions)


def _build_levels(
    pool: Pool,
    samples: int,
    among: range,
    ease: Callable[[NDArray[np.int64], np.random.Generator], NDArray[np.float64]],
    repeats: int,
    bins: int,
    seed: int,
    charge: float,
    in_practice: bool,
) -> DifficultyLevels:
    left = pool.solutions if among.start else len(among)
    if not 1 <= samples < left:
        raise DataError(
            f"samples must lie between 1 and {left - 1}, so that one solution is left for the strategy; got {samples}."
        )
    rng = np.random.default_rng(seed)
    values, pools = [], []
    for _ in range(repeats):
        taken = among.start + np.argsort(rng.random((pool.problems, len(among))), axis=1)[:, :samples]
        values.append(ease(taken, rng))
        pools.append(_remove_solutions(pool, taken))
    return DifficultyLevels(assign_quantile_levels(values, bins), float(charge), tuple(pools), in_practice)


def _remove_solutions(pool: Pool, taken: NDArray[np.int64]) -> Pool:
    """Return the pool without some solutions of each problem, which are either all verified or all not."""
    keep = np.ones(pool.answers.shape, dtype=bool)
    np.put_along_axis(keep, taken, False, axis=1)
    answers = pool.answers[keep].reshape(pool.problems, -1)
    verdicts, judged = pool.verdicts, pool.judged
    if verdicts is not None and judged is not None:
        kept = keep[:, : pool.verified_solutions]
        verdicts = verdicts[kept].reshape(pool.problems, -1, pool.verifications)
        judged = judged[kept].reshape(pool.problems, -1)
    scores, finished = (_keep_first(column, keep) for column in (pool.scores, pool.finished))
    return Pool(answers, pool.gold, verdicts, judged, scores, finished, pool.keys)


def _keep_first(column: NDArray[Any] | None, keep: NDArray[np.bool_]) -> NDArray[Any] | None:
    """Remove solutions from a column over the first solutions, and cut all problems to the length of the shortest.

    The removed solutions may include more scored ones for some problems than for others.
    """
    if column is None:
        return None
    kept = keep[:, : column.shape[1]]
    fewest = int(kept.sum(axis=1).min())
    rows = [row[own][:fewest] for row, own in zip(column, kept, strict=True)]
    return np.stack(rows) if fewest else None
