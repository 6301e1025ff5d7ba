"""Errors of extrapolated accuracies on held-out solutions, by model, on the lab and the GPQA traces.

    python -m experiments.extrapolation

Reads the shipped run and, where ISOCOMPUTE_SHARED_DATA (or ../shared/data) holds them, the GPQA traces of the study's
authors, which are read and never copied. Writes docs/extrapolation.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from experiments.beta_binomial import fit_beta_binomial
from experiments.published_laws import ROOT, SHARED
from isocompute.fits import Extrapolation, Pool, extrapolate_accuracy, extrapolate_coverage
from isocompute.fits.estimators.selection import estimate_coverage
from isocompute.fits.estimators.voting import estimate_self_consistency
from isocompute.fits.laws.extrapolation import (
    EXTRAPOLATION_METHODS,
    build_coverage_predictors,
    build_voting_predictors,
)
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.runners.storage.run import Run

PAGE = ROOT / "docs" / "extrapolation.md"
PARTS = 8, 4, 2
MEASURES = {
    "SC": (estimate_self_consistency, build_voting_predictors()),
    "coverage": (estimate_coverage, build_coverage_predictors()),
}
MODELS = tuple(EXTRAPOLATION_METHODS)


def read_pools() -> dict[str, Pool]:
    pools = {"lab (100 problems)": read_pool(Run(str(ROOT / "data" / "runs" / "lab"))).pool}
    traces = SHARED / "gpqa64_llama70b_raw.npz"
    if traces.is_file():
        raw = np.load(traces)
        pools["GPQA traces (64 problems)"] = Pool(raw["answers"], raw["gold"])
    return pools


def measure_errors(pool: Pool, parts: int, statistic: str) -> dict[str, list[float]]:
    """Return the error of each model in points, fitted on each of so many parts of the solutions."""
    N = pool.solutions
    n = N // parts
    measure, models = MEASURES[statistic]
    truth = float(measure(pool, [N]).mean())
    missed: dict[str, list[float]] = {}
    for part in range(parts):
        own = Pool(pool.answers[:, part * n : (part + 1) * n], pool.gold)
        for name, predict in models.items():
            missed.setdefault(name, []).append(100 * (float(predict(own, np.array([N])).mean()) - truth))
        if statistic == "SC":
            missed.setdefault("beta", []).append(100 * (float(fit_beta_binomial(own).self_consistency([N])[0]) - truth))
    return missed


def build_rows(name: str, pool: Pool, statistic: str) -> list[str]:
    rows = []
    for parts in PARTS:
        missed = measure_errors(pool, parts, statistic)
        cells = [f"{np.sqrt(np.mean(np.square(missed[m]))):.1f} ({np.mean(missed[m]):+.1f})" if m in missed else "–"
                 for m in MODELS]  # fmt: skip
        rows.append(f"| {name} | {statistic} | {pool.solutions // parts} → {pool.solutions} | {' | '.join(cells)} |")
    return rows


def describe_choice(name: str, pool: Pool, statistic: str) -> str:
    extrapolate: Callable[..., Extrapolation] = extrapolate_accuracy if statistic == "SC" else extrapolate_coverage
    found = extrapolate(pool, [2 * pool.solutions, 4 * pool.solutions])
    low, high = found.compute_interval()
    cells = [f"{100 * a:.1f} [{100 * b:.1f}, {100 * c:.1f}]"
             for a, b, c in zip(found.accuracy.mean(axis=0), low, high, strict=True)]  # fmt: skip
    return f"| {name} | {statistic} | {found.method} | {100 * found.error:.1f} | {' | '.join(cells)} |"


TEXT = """# Accuracy of more solutions than were sampled

Made by `python -m experiments.extrapolation`. `fit` extrapolates SC and coverage up to four times the sampled
solutions, by the model that was off least on held-out solutions: each model is fitted on each quarter and each half of
the solutions, and predicts the accuracy of all of them. A plan beyond the measured range prints the extrapolated
accuracy with an interval that includes this error, and recommends nothing on it.

- *mixture*: a nonparametric distribution of (p, r): the probability of the right answer, and its rival's share of the
  rest.
- *plug-in*: votes drawn with replacement from each problem's own answers.
- *dirichlet*: the same, with shares drawn from a Dirichlet distribution whose parameters are the counts.
- *curve*: a + b·S^-c through the mean accuracies.
- *beta*: p from a Beta distribution. For SC p and r, by `experiments.beta_binomial`, for comparison only.

## Errors, in points

Root mean square over the parts, with the mean in parentheses, against the accuracy of all solutions.

| data | of | fitted on → predicted | {models} |
|---|---|---|{lines}|
{errors}

## What is chosen

| data | of | model | error where it could be checked | at 2N | at 4N |
|---|---|---|--:|---|---|
{choices}

The model is the best of several, so its error is a little too low. Strategies with verdicts are not extrapolated: more
solutions than were verified bring verdicts that nobody has seen.
"""


def main() -> None:
    pools = read_pools()
    each = [(name, pool, statistic) for statistic in MEASURES for name, pool in pools.items()]
    text = TEXT.format(
        models=" | ".join(MODELS),
        lines="|".join(["--:"] * len(MODELS)),
        errors="\n".join(row for arguments in each for row in build_rows(*arguments)),
        choices="\n".join(describe_choice(*arguments) for arguments in each),
    )
    PAGE.write_text(text, encoding="utf-8")
    print(f"Wrote {PAGE}.")


if __name__ == "__main__":
    main()
