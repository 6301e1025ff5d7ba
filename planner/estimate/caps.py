"""Caps from logs: what self-consistency would be if the solutions of a run had been cut at fewer tokens.

A model writes one token after the other and does not know the limit. So a solution under the limit T is the first T
tokens of a longer one: the rows of a run hold what any lower limit would have given. A solution of at most T tokens
stays as it was. A longer one costs T tokens and counts as one without an answer; no vote, and not right.

What the text said up to T is not read again, because rows hold texts and not tokens. Where a reader would have found
the right answer in it already, the accuracy is a lower bound, see docs/caps.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from isocompute.fits import Pool, estimate_self_consistency
from isocompute.planner.estimate.pool_from_run import RunPool
from isocompute.planner.profile import ACCURACY_DIGITS, LengthCaps, round_accuracies
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.provenance import ImportedRun

CAP_QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
"""The shares of the solutions that the limits leave whole, before the limits are rounded."""

LEAST_CUT = 0.001
"""The least share of the solutions that a limit cuts."""


def measure_caps(run: RunPool, S: Sequence[int]) -> LengthCaps | None:
    """Estimate self-consistency under lower limits on the length of a solution, exactly, over the solutions of a pool.

    Args:
        run: the pool.
        S: (nS,) numbers of solutions of a vote.

    Returns:
        None if votes cannot be counted, if a solution of the pool does not report its completion tokens, or if all
        solutions are equally long.
    """
    rows = run.rows.solutions
    tokens = rows["completion_tokens"].to_numpy(float)[run.places]
    if not run.has_answers or np.isnan(tokens).any() or tokens.max() < 1:
        return None
    limits = choose_limits(tokens)
    if len(limits) == 1:
        return None
    own_cut = rows["finish_reason"].eq("length").to_numpy(bool)[run.places]
    accuracy = [
        estimate_self_consistency(Pool(np.where(tokens > limit, -1, run.pool.answers), run.pool.gold), S)
        for limit in limits
    ]
    return LengthCaps(
        limits=limits,
        cut=[round(float((own_cut | (tokens > limit)).mean()), ACCURACY_DIGITS) for limit in limits],
        tokens=[round(float(np.minimum(tokens, limit).mean()), 3) for limit in limits],
        own_limit=get_token_limit(run.origin, "solver"),
        solutions=list(S),
        accuracy=round_accuracies(np.stack(accuracy, axis=1)),
    )


def choose_limits(tokens: ArrayLike) -> list[int]:
    """Choose limits at quantiles of the solutions' lengths, rounded up to two digits; the last is the longest length.

    A limit that cuts less than `LEAST_CUT` is left out. If at least half of the solutions have the longest length, as
    where the run cut them, quantiles of the others are taken.

    Args:
        tokens: completion tokens of the solutions, of any shape.

    >>> choose_limits([40, 64, 65, 70, 123, 512, 512, 512]), choose_limits([40, 64, 512, 512, 512])
    ([97, 512], [52, 58, 62, 63, 64, 512])
    >>> choose_limits([7, 7])
    [7]
    """
    lengths = np.ravel(np.asarray(tokens, dtype=float))
    longest = int(lengths.max())
    shorter = lengths[lengths < longest]
    used = lengths if 2 * shorter.size > lengths.size else shorter
    quantiles = np.quantile(used, CAP_QUANTILES) if used.size else []
    limits = {round_up_limit(float(length)) for length in quantiles}
    return [*sorted(limit for limit in limits if (lengths > limit).mean() >= LEAST_CUT), longest]


def round_up_limit(length: float) -> int:
    """Round a length up to a whole number with two digits that are not zero.

    >>> [round_up_limit(length) for length in (0.0, 7.2, 98.5, 123.0, 3712.0)]
    [1, 8, 99, 130, 3800]
    """
    whole = max(int(np.ceil(length)), 1)
    step: int = 10 ** max(len(str(whole)) - 2, 0)
    return -(-whole // step) * step


def get_token_limit(origin: Sweep | ImportedRun, role: str) -> int | None:
    """Return ``max_tokens`` of the solver or verifier that a run's rows are from; None if the run does not say."""
    if not isinstance(origin, Sweep):
        return None
    block = origin.sampling_solver if role == "solver" else origin.verifier
    return None if block is None else block.max_tokens
