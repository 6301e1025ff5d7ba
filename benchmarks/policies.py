"""Time of the rules of policies, replayed on a pool of full size.

    python benchmarks/policies.py [problems]

The pool is synthetic: 500 problems × 256 solutions × 32 verifications, drawn from the model of answers. Each rule is
replayed under twelve thresholds on the same 32 random orders of each problem, with λ = 1. The value rule replays what
was learnt on 100 other problems; learning is timed apart. The bound is for two cores and the whole: 60 s for 500
problems, without learning.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.worlds_policies import LAB_LIKE, draw_world
from isocompute.fits.policies.orders import draw_orders
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.fits.policies.replay import estimate_stop_rule
from isocompute.fits.policies.value_fit import fit_value_model
from isocompute.fits.policies.value_rule import estimate_value_rule

DRAWS, LAM, BOUND = 32, 1.0, 60.0
THRESHOLDS = {
    "certain": np.linspace(16, 256, 12),
    "beta": np.linspace(0.6, 0.99, 12),
    "window": np.arange(2, 14),
    "doubling": np.linspace(0.4, 0.95, 12),
    "weighted-beta": np.linspace(0.6, 0.99, 12),
}
PRICES = np.geomspace(2e-4, 2e-2, 12)


def measure_call(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def warm_up() -> None:
    pool = draw_world(LAB_LIKE, 4, 8, 2, np.random.default_rng(0))
    orders = draw_orders(pool, 8, seed=0)
    for rule in STOP_RULES.values():
        estimate_stop_rule(pool, rule, [2.0], orders, lam=LAM)
    estimate_value_rule(pool, fit_value_model(pool, LAM), [0.1], orders, lam=LAM)


def main() -> None:
    problems = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    warm_up()
    rng = np.random.default_rng(1)
    pool, other = draw_world(LAB_LIKE, problems, 256, 32, rng), draw_world(LAB_LIKE, 100, 256, 32, rng)
    table = Table("what", "seconds", "accuracy", "compute", title=f"{problems} problems × 256 × 32, twelve thresholds")
    learning, model = measure_call(lambda: fit_value_model(other, LAM))
    drawing, orders = measure_call(lambda: draw_orders(pool, DRAWS, seed=0))
    table.add_row("orders", f"{drawing:.1f}")
    whole = drawing
    for name in (*STOP_RULES, "value"):
        if name == "value":
            seconds, found = measure_call(lambda: estimate_value_rule(pool, model, PRICES.tolist(), orders, lam=LAM))
        else:
            rule, thresholds = STOP_RULES[name], THRESHOLDS[name].tolist()
            seconds, found = measure_call(
                lambda rule=rule, thresholds=thresholds: estimate_stop_rule(pool, rule, thresholds, orders, lam=LAM)
            )
        whole += seconds
        accuracy, compute = 100 * found.accuracy.mean(axis=0), found.compute.mean(axis=0)
        table.add_row(
            name,
            f"{seconds:.1f}",
            f"{accuracy.min():.1f} … {accuracy.max():.1f}",
            f"{compute.min():.0f}x … {compute.max():.0f}x",
        )
    table.add_row(f"all, bound {BOUND * problems / 500:.0f}", f"{whole:.1f}")
    table.add_row("learning the value rule", f"{learning:.1f}")
    console = Console()
    console.print(table)
    console.print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


if __name__ == "__main__":
    main()
