"""Time of the estimators, beside the time and error of a plain Monte Carlo estimate of the same numbers.

    python benchmarks/estimators.py [problems]

The pool is synthetic: 500 problems × 256 solutions × 32 verifications. The peer draws 25 random S-subsets for
each cell, as the public code of "When To Solve, When To Verify" does for self-consistency; its time is that
of 20 problems, scaled up, and its error the root mean square over problems against the exact value. An estimator
that itself uses random draws reports its own error; the weighted vote and the fused vote under each exponent share
their draws, and error² × time shows what control variates gain. Bounds are for two cores: 2 s for SC at every S,
10 s for GenRM on the grid of powers of two, 50 ms a problem for one cell (with 2 % NaN); ten times that for
ten times the problems (tenfold).
"""

from __future__ import annotations

import itertools
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from isocompute.fits import (
    Pool,
    estimate_best_of_n,
    estimate_coverage,
    estimate_genrm,
    estimate_genrm_sampled,
    estimate_genrm_vote,
    estimate_self_consistency,
    estimate_verdict_votes,
    estimate_weighted_vote,
)
from isocompute.fits.estimators import control_variates

SOLUTIONS, VERIFICATIONS = 2 ** np.arange(9), 2 ** np.arange(6)
CELLS = len(SOLUTIONS) * len(VERIFICATIONS)
EVERY = np.arange(1, 257)
SAMPLED = 20
DRAWS = 25
OWN_DRAWS = 64


def make_synthetic_pool(problems: int, unparsed: float, rng: np.random.Generator) -> Pool:
    answers = np.stack([rng.choice(12, 256, p=rng.dirichlet(np.full(12, 0.3))) for _ in range(problems)])
    gold = np.where(rng.random(problems) < 0.6, answers[:, 0], rng.integers(0, 12, problems))
    right = answers == gold[:, None]
    yes = np.where(right, rng.beta(3, 1, right.shape), rng.beta(1.3, 1.5, right.shape))
    verdicts = (rng.random((*right.shape, 32)) < yes[..., None]).astype(float)
    verdicts[rng.random(verdicts.shape) < unparsed] = np.nan
    answers[rng.random(answers.shape) < 0.03] = -1
    return Pool(answers, gold, verdicts)


def simulate_votes(pool: Pool, S: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    wins = np.zeros((SAMPLED, len(S)))
    for p in range(SAMPLED):
        for s, size in enumerate(S):
            for _ in range(DRAWS):
                votes = pool.answers[p, rng.choice(pool.solutions, size, replace=False)]
                counts = np.bincount(votes[votes >= 0], minlength=pool.gold[p] + 1)
                tied = np.flatnonzero(counts == counts.max())
                wins[p, s] += (pool.gold[p] in tied) / len(tied) / DRAWS
    return wins


def simulate_genrm(pool: Pool, rng: np.random.Generator) -> NDArray[np.float64]:
    verdicts = pool.verdicts
    assert verdicts is not None
    wins = np.zeros((SAMPLED, len(SOLUTIONS), len(VERIFICATIONS)))
    for p in range(SAMPLED):
        for s, size in enumerate(SOLUTIONS):
            for v, many in enumerate(VERIFICATIONS):
                for _ in range(DRAWS):
                    subset = rng.choice(pool.verified_solutions, size, replace=False)
                    judged = rng.permuted(verdicts[p, subset], axis=1)[:, :many]
                    parsed = np.isfinite(judged).sum(axis=1)
                    score = np.nansum(judged, axis=1) / np.maximum(parsed, 1) * (pool.answers[p, subset] >= 0)
                    wins[p, s, v] += pool.correct[p, subset[score == score.max()]].mean() / DRAWS
    return wins


def measure_call(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def warm_up() -> None:
    pool = Pool([[0, 1]], [0], [[[1, 0], [1, 1]]])
    estimate_self_consistency(pool, [1])
    for exact in (estimate_genrm, estimate_genrm_vote):
        exact(pool, [1], [1])
    for drawn in (estimate_genrm_sampled, estimate_weighted_vote):
        drawn(pool, [1], [1], draws=2, seed=0)
    estimate_verdict_votes(pool, [1], [1], draws=2, seed=0)


def add_exact_rows(table: Table, problems: int, rng: np.random.Generator) -> None:
    pool, holes = make_synthetic_pool(problems, 0.0, rng), make_synthetic_pool(problems, 0.02, rng)
    assert pool.verdicts is not None
    scores, scale = pool.verdicts.mean(axis=2), problems / 500
    rows: list[tuple[str, int, Callable, Callable | None, float | None]] = [
        ("coverage", 256, lambda: estimate_coverage(pool, EVERY), None, None),
        ("best_of_n", 256, lambda: estimate_best_of_n(scores, pool.correct, EVERY), None, None),
        (
            "self_consistency",
            256,
            lambda: estimate_self_consistency(pool, EVERY),
            lambda: simulate_votes(pool, EVERY, rng),
            2.0,
        ),
        (
            "genrm",
            CELLS,
            lambda: estimate_genrm(pool, SOLUTIONS, VERIFICATIONS),
            lambda: simulate_genrm(pool, rng),
            10.0,
        ),
        (
            "genrm, 2% NaN",
            CELLS,
            lambda: estimate_genrm(holes, SOLUTIONS, VERIFICATIONS),
            lambda: simulate_genrm(holes, rng),
            10.0,
        ),
        ("genrm_vote", CELLS, lambda: estimate_genrm_vote(pool, SOLUTIONS, VERIFICATIONS), None, None),
        ("genrm_vote, 2% NaN", CELLS, lambda: estimate_genrm_vote(holes, SOLUTIONS, VERIFICATIONS), None, None),
    ]
    for estimator, (S, V) in itertools.product((estimate_genrm, estimate_genrm_vote), ((32, 16), (128, 31), (256, 32))):
        call = partial(estimator, holes, [S], [V])
        rows.append((f"{estimator.__name__}, S={S} V={V}", 1, call, None, 0.05 * 500 / 2))
    for name, count, exact, peer, bound in rows:
        seconds, values = measure_call(exact)
        line = [name, str(count), f"{seconds:.2f}", "" if bound is None else f"{bound * scale:.2f}"]
        if peer is not None:
            slower, guess = measure_call(peer)
            slower *= problems / SAMPLED
            error = np.sqrt(np.mean((guess - values[:SAMPLED]) ** 2))
            line += [f"{slower:.0f}", f"{slower / seconds:.0f}×", f"±{100 * error:.1f} pt"]
        table.add_row(*line)


def add_sampled_rows(table: Table, problems: int, rng: np.random.Generator) -> None:
    pool = make_synthetic_pool(problems, 0.0, rng)
    assert pool.verdicts is not None
    graded = Pool(pool.answers, pool.gold, (pool.verdicts + rng.random(pool.verdicts.shape)) / 2)
    for estimator in (estimate_genrm_sampled, estimate_weighted_vote):
        seconds, estimate = measure_call(partial(estimator, graded, SOLUTIONS, VERIFICATIONS, OWN_DRAWS, 0))
        error = f"±{100 * np.sqrt(np.mean(estimate.error**2)):.1f} pt"
        table.add_row(f"{estimator.__name__}, {OWN_DRAWS} draws", str(CELLS), f"{seconds:.2f}", "", "", "", error)
    for fewest, what in ((OWN_DRAWS + 1, "plain"), (OWN_DRAWS, "with controls")):
        control_variates.FEWEST_DRAWS = fewest
        # A pool of its own each time: draws are remembered, and added to.
        fresh = pool.select_problems(np.arange(problems))
        estimate_genrm_vote(fresh, SOLUTIONS, VERIFICATIONS)  # known in a fit, before votes are drawn
        seconds, estimates = measure_call(
            partial(estimate_verdict_votes, fresh, SOLUTIONS, VERIFICATIONS, OWN_DRAWS, 0)
        )
        squared = np.mean([np.mean(estimate.error**2) for estimate in estimates])
        error = f"±{100 * np.sqrt(squared):.1f} pt"
        name = f"13 votes by verdicts, {what}, {OWN_DRAWS} draws"
        table.add_row(name, str(13 * CELLS), f"{seconds:.2f}", "", "", f"{1e4 * squared * seconds:.0f} pt²s", error)


def add_tenfold_rows(table: Table, problems: int, rng: np.random.Generator) -> None:
    pool = make_synthetic_pool(problems, 0.0, rng)
    assert pool.verdicts is not None
    verdicts = pool.verdicts.astype(bool)
    many = Pool(np.tile(pool.answers, (10, 1)), np.tile(pool.gold, 10), np.tile(verdicts, (10, 1, 1)))
    for name, count, call, bound in (
        ("sc, tenfold", 256, lambda: estimate_self_consistency(many, EVERY), 20.0),
        ("genrm, tenfold", CELLS, lambda: estimate_genrm(many, SOLUTIONS, VERIFICATIONS), 100.0),
    ):
        seconds, _ = measure_call(call)
        table.add_row(name, str(count), f"{seconds:.2f}", f"{bound * problems / 500:.2f}")


def main() -> None:
    problems = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    rng = np.random.default_rng(20250401)
    compiled, _ = measure_call(warm_up)
    table = Table(title=f"{problems} problems × 256 solutions × 32 verifications")
    for column in ("estimator", "cells", "seconds", "bound", f"{DRAWS} draws", "ratio", "error"):
        table.add_column(column, justify="left" if column == "estimator" else "right")
    for rows in (add_exact_rows, add_sampled_rows, add_tenfold_rows):
        rows(table, problems, rng)
    console = Console()
    console.print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    console.print(f"compiling (or loading from cache): {compiled:.1f} s; peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
