"""Simulated worlds in which thresholds are certified: how often the certificate is kept.

    python -m experiments.policies.guarantees [--worlds 400]

It writes docs/guarantees.md. A world draws problems of one of four kinds of votes, replays a rule under all its
thresholds, and certifies one for δ. The certificate is kept if the true P(answer ≠ the full budget's answer) at that
threshold, from 100,000 other problems of the kind, is at most δ; where none is certified there is nothing to break.
The true share of different answers (mean) and the saving against the full budget (median) are those of the worlds
with a certificate. The last column shows what happens without a test: how often the cheapest threshold at which at
most a share δ of the answers differs on the problems of the world changes more than δ in truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from isocompute.fits import Pool
from isocompute.fits.policies.certificate import certify_threshold
from isocompute.fits.policies.estimate import PolicyEstimate
from isocompute.fits.policies.orders import draw_orders
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.fits.policies.replay import estimate_stop_rule
from isocompute.fits.policies.value_fit import fit_value_model
from isocompute.fits.policies.value_model import ValueModel
from isocompute.fits.policies.value_rule import estimate_value_rule

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guarantees.md"
TEXT = """# Promises of the same answer, in simulated worlds

Made by `python -m experiments.policies.guarantees`. `isocompute policies RUN --same-answer 0.01` promises that a rule
changes at most a share δ of the full budget's answers, with 95 % confidence over samples of problems. Each world draws
100 to 800 problems of one of four kinds of votes, certifies a threshold on them, and is then held against 100,000 other
problems of its kind. `kept` is the share of worlds in which at most δ of the answers truly change; a world without a
certificate breaks nothing, and with fewer than 299 problems (59) none is possible for 1 % (5 %). `true share` is the
mean share of changed answers and `saving` the median saving against the full budget, both of worlds with a certificate.
The last column takes the cheapest threshold at which at most δ of the answers change on the world's own problems: what
would be broken without a test.

{table}
"""
SEED = 20250418
SOLUTIONS, LAM = 32, 0.5
SIZES = (100, 200, 400, 800)
"""Numbers of problems; 299 can certify 1 %, 59 can certify 5 %."""
VOTES = {
    "settled": (1.5, 0.05, 0.05, 0.02),
    "mixed": (1.0, 0.4, 0.3, 0.2, 0.1),
    "close": (2.0, 2.0, 0.3, 0.1),
    "many answers": (1.0, *[0.25] * 12),
}
"""Dirichlet parameters of the answers of a problem; the first answer is the right one."""
READ = (0.8, 0.35)
"""The probability that a verification says yes to a right and to a wrong solution."""
TRUE_PROBLEMS, CHUNK, LEARNT = 100_000, 5_000, 200
DELTAS = (0.01, 0.05)
RULES = (*STOP_RULES, "value")
PRICES = np.append(0.0, np.geomspace(1e-6, 0.1, 31))
"""Prices of the value rule; without a price it never stops."""


@dataclass(frozen=True)
class CertifiedWorld:
    """The certificate of one world.

    Args:
        certified: whether a threshold was.
        true_share: its true P(different answer); NaN without.
        saving: full budget over its mean compute; NaN without.
        untested_share: the true P(different answer) of the threshold that is chosen without a test.
    """

    certified: bool
    true_share: float
    saving: float
    untested_share: float


def draw_votes(kind: str, problems: int, rng: np.random.Generator) -> Pool:
    """Draw problems of a kind, each solution with one verdict."""
    p = rng.dirichlet(VOTES[kind], problems)
    answers = (rng.random((problems, SOLUTIONS, 1)) > p.cumsum(axis=1)[:, None, :-1]).sum(axis=2)
    verdicts = rng.random(answers.shape) < np.where(answers == 0, *READ)
    keys = rng.integers(0, 2**63, problems, dtype=np.uint64)
    return Pool(answers, np.zeros(problems, dtype=int), verdicts[..., None].astype(float), keys=keys)


@cache
def learn_value(kind: str) -> ValueModel:
    """Return the value rule as it is learnt on problems of a kind that no world holds."""
    return fit_value_model(draw_votes(kind, LEARNT, np.random.default_rng([SEED, 1, *kind.encode()])), lam=LAM)


def estimate_rule(rule: str, kind: str, pool: Pool, draws: int) -> PolicyEstimate:
    orders = draw_orders(pool, draws, seed=0)
    if rule == "value":
        return estimate_value_rule(pool, learn_value(kind), PRICES, orders, lam=LAM)
    found = STOP_RULES[rule]
    return estimate_stop_rule(pool, found, found.list_thresholds(SOLUTIONS), orders, lam=LAM)


@cache
def compute_true_shares(rule: str, kind: str) -> np.ndarray:
    """Return (T,) the true P(different answer) of a rule's thresholds."""
    rng = np.random.default_rng([SEED, *kind.encode()])
    parts = [
        1 - estimate_rule(rule, kind, draw_votes(kind, CHUNK, rng), 8).same.mean(axis=0)
        for _ in range(TRUE_PROBLEMS // CHUNK)
    ]
    return np.mean(parts, axis=0)


def simulate_world(rule: str, world: int) -> dict[float, CertifiedWorld]:
    """Draw a world and certify a threshold for each δ."""
    kind = list(VOTES)[world % len(VOTES)]
    rng = np.random.default_rng([SEED, world, *rule.encode()])
    estimate = estimate_rule(rule, kind, draw_votes(kind, int(rng.choice(SIZES)), rng), 16)
    truth = compute_true_shares(rule, kind)
    # Only the value rule makes its own number of verifications; without a price it never stops.
    full = estimate.compute[:, 0].mean() if rule == "value" else SOLUTIONS * (1 + LAM * STOP_RULES[rule].is_weighted)
    found = {}
    for delta in DELTAS:
        choice = certify_threshold(estimate, delta)
        at = choice.position
        allowed = np.flatnonzero(1 - estimate.same.mean(axis=0) <= delta)
        untested = allowed[np.argmin(estimate.compute.mean(axis=0)[allowed])]
        found[delta] = CertifiedWorld(
            at is not None,
            np.nan if at is None else float(truth[at]),
            np.nan if choice.compute is None else full / choice.compute,
            float(truth[untested]),
        )
    return found


def format_rows(rule: str, found: list[dict[float, CertifiedWorld]]) -> Iterator[str]:
    """Return a line of the table for each δ."""
    for delta in DELTAS:
        worlds = [each[delta] for each in found]
        kept = sum(not each.true_share > delta for each in worlds)
        certified = [each for each in worlds if each.certified]
        low, high = proportion_confint(kept, len(worlds), method="wilson")
        broken = np.mean([each.untested_share > delta for each in worlds])
        mean_true, saving = (
            (np.mean([each.true_share for each in certified]), np.median([each.saving for each in certified]))
            if certified
            else (np.nan, np.nan)
        )
        yield (
            f"| {rule} | {delta:.0%} | {len(worlds)} | {len(certified)} | {kept / len(worlds):.1%} "
            f"| [{low:.1%}, {high:.1%}] | {mean_true:.2%} | {saving:.1f}x | {broken:.0%} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure how often certificates of thresholds are kept.")
    parser.add_argument("--worlds", type=int, default=400)
    worlds = parser.parse_args().worlds
    lines = [
        "| rule | δ | worlds | certified | kept | 95 % interval | true share | saving | broken without a test |",
        "|---|--:|--:|--:|--:|---|--:|--:|--:|",
    ]
    for rule in RULES:
        lines += format_rows(rule, [simulate_world(rule, world) for world in range(worlds)])
        print(f"{rule} is measured.", flush=True)
    PAGE.write_text(TEXT.format(table="\n".join(lines)), encoding="utf-8")
    print(f"Wrote {PAGE}.")


if __name__ == "__main__":
    main()
