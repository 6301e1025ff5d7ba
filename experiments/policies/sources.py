"""The runs that policies are measured on, as pools, with their fixed plans."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isocompute.fits import Pool, estimate_self_consistency
from isocompute.fits.choice.options import AllocationOptions, build_voting_options
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.profile import read_profile
from isocompute.planner.strategies.options import list_strategy_options
from isocompute.runners.storage.run import Run

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "data" / "runs"
TRACES = Path(os.environ.get("ISOCOMPUTE_SHARED_DATA", ROOT.parent / "shared" / "data")) / "gpqa64_llama70b_raw.npz"
VOTES_AND_VERDICTS = ("sc", "genrm", "genrm+vote", "weighted", "fused")


@dataclass(frozen=True)
class Source:
    """A run to replay, and what it is compared with.

    Args:
        name: in tables.
        pool: its samples.
        lam: λ; None if only votes are used.
        options: the fixed plans of strategies that use no more than the policy does.
        others: pools of other problems of the same task and models, to learn on as well.
    """

    name: str
    pool: Pool
    lam: float | None
    options: Sequence[AllocationOptions]
    others: Sequence[Pool] = ()


def load_lab() -> Source:
    """Return the lab's run, and the one on 200 other problems with the same solver and verifier."""
    profile = read_profile("lab")
    options = [each for each in list_strategy_options(profile, profile.lam) if each.strategy in VOTES_AND_VERDICTS]
    others = [read_pool(Run(str(RUNS / "lab-both-small"))).pool]
    return Source("lab", read_pool(Run(str(RUNS / "lab"))).pool, profile.lam, options, others)


def load_qwen() -> Source:
    """Return the run of Qwen on GSM-Symbolic."""
    profile = read_profile("qwen2.5-coder-1.5b-gsm-symbolic")
    options = [each for each in list_strategy_options(profile, profile.lam) if each.strategy in VOTES_AND_VERDICTS]
    return Source("qwen", read_pool(Run(str(RUNS / "qwen-gsm-symbolic"))).pool, profile.lam, options)


def load_traces() -> Source:
    """Return the votes of the GPQA traces."""
    with np.load(TRACES) as raw:
        pool = Pool(raw["answers"], raw["gold"])
    every = np.arange(1, pool.solutions + 1)
    options = [build_voting_options(estimate_self_consistency(pool, every), every)]
    return Source("gpqa", pool, None, options)
