"""How long the exact estimators take, beside a Monte Carlo estimate of the same numbers and its error.

    python benchmarks/estimators.py

The pool is synthetic: 500 problems × 256 solutions × 32 verifications. The peer draws 25 random S-subsets for
each cell, as the public code of "When To Solve, When To Verify" does for self-consistency; its time is that
of 20 problems, scaled up, and its error the root mean square over problems against the exact value.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from isocompute.fits import Pool, best_of_n, coverage, genrm, self_consistency

SOLUTIONS, VERIFICATIONS = 2 ** np.arange(9), 2 ** np.arange(6)
EVERY = np.arange(1, 257)
SAMPLED = 20
DRAWS = 25


def synthetic(problems: int, unparsed: float, rng: np.random.Generator) -> Pool:
    answers = np.stack([rng.choice(12, 256, p=rng.dirichlet(np.full(12, 0.3))) for _ in range(problems)])
    gold = np.where(rng.random(problems) < 0.6, answers[:, 0], rng.integers(0, 12, problems))
    right = answers == gold[:, None]
    yes = np.where(right, rng.beta(3, 1, right.shape), rng.beta(1.3, 1.5, right.shape))
    verdicts = (rng.random((*right.shape, 32)) < yes[..., None]).astype(float)
    verdicts[rng.random(verdicts.shape) < unparsed] = np.nan
    answers[rng.random(answers.shape) < 0.03] = -1
    return Pool(answers, gold, verdicts)


def drawn_votes(pool: Pool, S: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    wins = np.zeros((SAMPLED, len(S)))
    for p in range(SAMPLED):
        for s, size in enumerate(S):
            for _ in range(DRAWS):
                votes = pool.answers[p, rng.choice(pool.solutions, size, replace=False)]
                counts = np.bincount(votes[votes >= 0], minlength=pool.gold[p] + 1)
                tied = np.flatnonzero(counts == counts.max())
                wins[p, s] += (pool.gold[p] in tied) / len(tied) / DRAWS
    return wins


def drawn_genrm(pool: Pool, rng: np.random.Generator) -> NDArray[np.float64]:
    assert pool.verdicts is not None
    wins = np.zeros((SAMPLED, len(SOLUTIONS), len(VERIFICATIONS)))
    for p in range(SAMPLED):
        for s, size in enumerate(SOLUTIONS):
            for v, many in enumerate(VERIFICATIONS):
                for _ in range(DRAWS):
                    subset = rng.choice(pool.verified, size, replace=False)
                    judged = rng.permuted(pool.verdicts[p, subset], axis=1)[:, :many]
                    parsed = np.isfinite(judged).sum(axis=1)
                    score = np.nansum(judged, axis=1) / np.maximum(parsed, 1) * (pool.answers[p, subset] >= 0)
                    wins[p, s, v] += pool.correct[p, subset[score == score.max()]].mean() / DRAWS
    return wins


def timed(call: Callable[[], NDArray[np.float64]]) -> tuple[float, NDArray[np.float64]]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def main() -> None:
    rng = np.random.default_rng(20250401)
    pool, holes = synthetic(500, 0.0, rng), synthetic(500, 0.02, rng)
    small = Pool(pool.answers[:1, :4], pool.gold[:1], pool.verdicts[:1, :4, :2])
    compiled, _ = timed(lambda: self_consistency(small, [1, 2]) + genrm(small, [1, 2], [1])[:, :, 0])
    cells = len(SOLUTIONS) * len(VERIFICATIONS)
    rows: list[tuple[str, int, Callable, Callable | None, float | None]] = [
        ("coverage", 256, lambda: coverage(pool, EVERY), None, None),
        (
            "best_of_n",
            256,
            lambda: best_of_n(pool.verdicts.mean(axis=2), pool.correct, EVERY),
            None,
            None,
        ),
        (
            "self_consistency",
            256,
            lambda: self_consistency(pool, EVERY),
            lambda: drawn_votes(pool, EVERY, rng),
            5.0,
        ),
        (
            "genrm",
            cells,
            lambda: genrm(pool, SOLUTIONS, VERIFICATIONS),
            lambda: drawn_genrm(pool, rng),
            60.0,
        ),
        (
            "genrm, 2% NaN",
            cells,
            lambda: genrm(holes, SOLUTIONS, VERIFICATIONS),
            lambda: drawn_genrm(holes, rng),
            60.0,
        ),
    ]
    table = Table(title="500 problems × 256 solutions × 32 verifications")
    for column in ("estimator", "cells", "seconds", "bound", f"{DRAWS} draws", "ratio", "error"):
        table.add_column(column, justify="left" if column == "estimator" else "right")
    for name, count, exact, peer, bound in rows:
        seconds, values = timed(exact)
        line = [name, str(count), f"{seconds:.2f}", "" if bound is None else f"{bound:.0f}"]
        if peer is not None:
            slower, guess = timed(peer)
            slower *= pool.problems / SAMPLED
            error = np.sqrt(np.mean((guess - values[:SAMPLED]) ** 2))
            line += [f"{slower:.0f}", f"{slower / seconds:.0f}×", f"±{100 * error:.1f} pt"]
        table.add_row(*line)
    console = Console()
    console.print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    console.print(f"compiling (or loading from cache): {compiled:.1f} s; peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
