"""SC, GenRM, GenRM+vote, weighted and fused votes compared at equal compute, on real logs.

    python -m experiments.strategies

Reads the shipped runs, and the GPQA traces of the study's authors in the folder ISOCOMPUTE_SHARED_DATA (they are
read, never copied), and writes docs/strategies.md. Allocations are chosen on other problems than they are scored on.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isocompute.fits import (
    compute_percentile_interval,
    draw_bootstrap_weights,
    resample_means,
    score_held_out,
    split_folds,
)
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.options import list_strategy_options
from isocompute.runners.imports import import_logged_run

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "strategies.md"
SHARED = Path(os.environ.get("ISOCOMPUTE_SHARED_DATA", ROOT.parent / "shared" / "data"))
TRACES = SHARED / "gpqa64_llama70b_raw.npz"
REPLICATES, SEED = 4000, 128
NAMES = ("sc", "genrm", "genrm+vote", "weighted", "fused")

TEXT = """# Votes and verdicts, at equal compute

Made by `python -m experiments.strategies`. Accuracy in percent of each strategy at its best allocation within the
budget. Each problem is scored under the allocation (and the exponent of `fused`) chosen on other problems. Differences
are in points, with paired 95 % intervals over problems. `sc` takes the answer with the most votes; `genrm` that of the
best mean verdict, ties uniform; `genrm+vote` breaks these ties by vote; `weighted` lets each solution vote with its
mean verdict; `fused` with its odds of yes to a power, learnt on other problems. The better of `sc` and `genrm` is
chosen in hindsight, in their favour. All but `sc` verify at least once, so below about 8x they can only lose.

{tables}
"""


def collect_profiles() -> list[tuple[str, Profile]]:
    """Return the profiles to compare, each with its origin."""
    found = [
        (f"the shipped run `data/runs/{path.name}`", estimate_run_profile(str(path), path.name))
        for path in sorted((ROOT / "data" / "runs").iterdir())
        if (path / "verifications").is_dir()
    ]
    if TRACES.is_file():
        with tempfile.TemporaryDirectory() as folder:
            run = str(Path(folder) / "gpqa")
            import_logged_run("sc-genrm-scaling", str(TRACES), run)
            traces = estimate_run_profile(run, "gpqa").use_lambda(1.0, "the study's")
        found.append(("the authors' traces of Llama-3.3-70B on GPQA-Diamond, λ = 1 as in the study", traces))
    return found


def format_gap(of: NDArray[np.float64], over: NDArray[np.float64]) -> str:
    difference = of - over
    low, high = compute_percentile_interval(
        resample_means(difference, draw_bootstrap_weights(len(difference), REPLICATES, SEED))
    )
    return f"{100 * difference.mean():+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def build_strategy_table(origin: str, profile: Profile) -> str:
    options = list_strategy_options(profile, profile.lam)
    last = int(np.log2(max(table.highest_cost for table in options)))
    budgets = [2.0**power for power in range(2, last + 1)]
    scored = score_held_out(options, budgets, split_folds(profile.problems)).accuracy
    reached = dict(zip((table.strategy for table in options), scored, strict=False))
    lines = [
        f"## {profile.name}",
        "",
        f"{profile.problems} problems, λ = {profile.lam:.2f}, exponent of `fused` {profile.odds_exponent:g}: {origin}.",
        "",
        f"| budget | {' | '.join(NAMES)} | fused − sc | fused − genrm | genrm+vote − sc |",
        "|--:" * (len(NAMES) + 4) + "|",
    ]
    behind = []
    for i, budget in enumerate(budgets):
        at = {name: reached[name][:, i] for name in NAMES}
        if np.isnan(at["fused"]).any():
            continue
        better = max(at["sc"].mean(), at["genrm"].mean())
        if at["fused"].mean() < better - 5e-4:
            behind.append(f"{budget:,.0f}x (by {100 * (better - at['fused'].mean()):.1f})")
        cells = [f"{100 * at[name].mean():.1f}" for name in NAMES]
        gaps = (
            format_gap(at["fused"], at["sc"]),
            format_gap(at["fused"], at["genrm"]),
            format_gap(at["genrm+vote"], at["sc"]),
        )
        lines.append(f"| {budget:,.0f}x | {' | '.join([*cells, *gaps])} |")
    where = f"at {', '.join(behind)}" if behind else "at no budget"
    return "\n".join([*lines, "", f"`fused` is behind the better of `sc` and `genrm` {where}."])


def main() -> None:
    tables = [build_strategy_table(origin, profile) for origin, profile in collect_profiles()]
    PAGE.write_text(TEXT.format(tables="\n\n".join(tables)), encoding="utf-8")
    print(f"Wrote {PAGE}.")


if __name__ == "__main__":
    main()
