"""The value rule, learnt on other problems, against the best fixed plans of equal mean compute.

    python -m experiments.policies.value_rule [lab] [lab+] [qwen] [gpqa]

Prints a table for each run. `lab+` learns on the 200 problems of data/runs/lab-both-small as well.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np

from experiments.policies.sources import Source, load_lab, load_qwen, load_traces
from isocompute.fits import split_folds
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.held_out import score_held_out, score_in_sample
from isocompute.fits.policies.orders import draw_orders
from isocompute.fits.policies.value_fit import fit_value_model
from isocompute.fits.policies.value_rule import estimate_value_rule

PRICES = np.geomspace(2e-4, 3e-2, 15)
PARTS, SPLITS, DRAWS, SEED = 5, 2, 64, 128
GOALS = {64.0: 25.0, 128.0: 50.0}


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The value rule on problems that it was not learnt on.

    Args:
        accuracy, compute: (P, T) means over orders and splits.
        p95: (T,) quantile of compute over problems and orders, of the first split.
        rates: the rates of verifications that were learnt.
    """

    accuracy: Floats
    compute: Floats
    p95: Floats
    rates: list[float]


def replay_held_out(source: Source, prices: Floats = PRICES) -> HeldOut:
    """Replay the rule on each problem, learnt on the problems of the other folds and on those of other runs."""
    pool = source.pool
    orders = draw_orders(pool, DRAWS, SEED)
    folds = split_folds(pool.problems, PARTS, SPLITS)
    total, accuracy, compute = np.zeros(pool.problems), 0.0, 0.0
    costs = np.zeros((pool.problems, DRAWS, len(prices)), dtype=np.float32)
    rates = []
    for fold, (train, test) in enumerate(zip(folds.train, folds.test, strict=True)):
        model = fit_value_model([pool.select_problems(np.flatnonzero(train)), *source.others], source.lam)
        rates.append(model.rate)
        # It may verify as much as the run allows, also if runs of other problems verified less.
        model = replace(model, verifiable=pool.verified_solutions, verifications=pool.verifications)
        at = np.flatnonzero(test)
        found = estimate_value_rule(
            pool.select_problems(at), model, prices.tolist(), orders.select_problems(at), lam=source.lam
        )
        reached, spent = np.zeros((2, pool.problems, len(prices)))
        reached[at], spent[at] = found.accuracy, found.compute
        accuracy, compute = accuracy + reached / SPLITS, compute + spent / SPLITS
        total[at] += 1
        if fold < PARTS:
            costs[at] = found.costs
    assert (total == SPLITS).all()
    p95 = np.quantile(costs.reshape(-1, len(prices)), 0.95, axis=0)
    return HeldOut(np.asarray(accuracy), np.asarray(compute), np.asarray(p95), rates)


def build_table(source: Source) -> str:
    """Return the table of a run, and where the goals stand."""
    found = replay_held_out(source)
    means = found.compute.mean(axis=0)
    highest = min(max(option.grid.cost.max() for option in source.options), 1e9)
    order = np.argsort(means)
    budgets = np.append(means[order], list(GOALS))
    fixed = score_held_out(source.options, budgets, split_folds(source.pool.problems)).accuracy[-1]
    best = score_in_sample(source.options, budgets).accuracy[-1]
    lines = [
        f"## {source.name}",
        "",
        f"Rates of verifications learnt in the folds: {sorted(found.rates)}.",
        "",
        "| μ | accuracy | mean compute | p95 | − fixed plan, held out | − best fixed plan in hindsight |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for column, t in enumerate(order):
        cells = [
            f"{PRICES[t]:.1e}",
            f"{100 * found.accuracy[:, t].mean():.1f}",
            f"{means[t]:.1f}x",
            f"{found.p95[t]:.0f}x",
        ]
        for other in (fixed[:, column], best[:, column]):
            gap = found.accuracy[:, t] - other
            cells.append(f"{100 * gap.mean():+.1f} ± {100 * gap.std(ddof=1) / np.sqrt(len(gap)):.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    for i, (budget, goal) in enumerate(GOALS.items()):
        if budget > highest:
            continue
        for name, reference in (("held out", fixed), ("in hindsight", best)):
            at = reference[:, len(means) + i]
            values = np.array([np.interp(np.log(goal), np.log(means[order]), row) for row in found.accuracy[:, order]])
            gap = values - at
            reached = found.accuracy.mean(axis=0)[order]
            over = np.flatnonzero(reached >= at.mean())
            needed = f"{np.interp(at.mean(), np.maximum.accumulate(reached), means[order]):.1f}x"
            error = 100 * gap.std(ddof=1) / np.sqrt(len(gap))
            lines.append(
                f"The best fixed plan at {budget:g}x, {name}: {100 * at.mean():.1f}. The rule at {goal:g}x: "
                f"{100 * values.mean():.1f} ({100 * gap.mean():+.1f} ± {error:.1f}); "
                f"it reaches the plan's accuracy at {needed if len(over) else 'no price'}."
            )
    return "\n".join(lines)


def main() -> None:
    names = sys.argv[1:] or ["lab", "lab+", "qwen", "gpqa"]
    for name in names:
        if name in ("lab", "lab+"):
            lab = load_lab()
            source = replace(lab, name=name, others=lab.others if name == "lab+" else ())
        else:
            source = load_qwen() if name == "qwen" else load_traces()
        print(build_table(source), flush=True)
        print()


if __name__ == "__main__":
    main()
