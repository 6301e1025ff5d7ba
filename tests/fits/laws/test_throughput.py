"""Throughput against the number of requests at once: the law, and the time of a batch against a simulation."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits.laws.throughput import ThroughputLaw, fit_throughput


def share_machine(law: ThroughputLaw, tokens, others=0.0) -> float:
    """Run requests that start together, in small steps of time, and return when the last one is done."""
    left, clock, step = np.array(tokens, dtype=float), 0.0, 1e-3
    while (left > 0).any():
        working = int((left > 0).sum())
        left[left > 0] -= step / float(law.compute_token_seconds(working + others))
        clock += step
    return clock


@pytest.mark.parametrize("others", [0.0, 3.0])
def test_a_batch_takes_as_long_as_it_does_step_by_step(others):
    law = ThroughputLaw(0.02, 0.01, 1, 16, 0.0)
    for tokens in ([40], [40, 40, 40], [5, 10, 40, 80]):
        predicted = law.compute_batch_seconds(max(tokens), sum(tokens), others)
        assert float(predicted) == pytest.approx(share_machine(law, tokens, others), rel=0.01)


def test_the_law_is_found_again_from_noisy_points():
    n, noise = np.array([1, 2, 4, 8, 16, 32]), np.array([1.02, 0.98, 1.01, 0.99, 1.02, 0.98])
    found = fit_throughput(n, (0.03 + 0.005 * n) * noise)
    assert (found.alone, found.shared) == pytest.approx((0.03, 0.005), rel=0.06)
    assert found.error == pytest.approx(0.02, abs=0.02)
    assert (found.lowest, found.highest) == (1, 32)
    saturated = found.compute_throughput([1e9])[0]
    assert saturated == pytest.approx(1 / found.shared)
    assert (found.compute_throughput([1, 2, 4, 8]) < saturated).all()


def test_what_would_be_below_zero_is_zero():
    queueing = fit_throughput([1, 2, 4], [0.1, 0.3, 0.9])  # the more, the slower by more than their number
    assert queueing.alone == 0
    assert queueing.shared == pytest.approx(0.16, rel=0.3)
    parallel = fit_throughput([1, 2, 4], [0.11, 0.1, 0.09])  # more requests slow nothing down
    assert parallel.shared == 0
    assert parallel.alone == pytest.approx(0.1, rel=0.05)


def test_points_with_more_rows_weigh_more():
    light, heavy = (fit_throughput([1, 2, 4], [0.1, 0.15, 0.2], [1, 1, weight]) for weight in (1, 100))
    off = [abs(law.compute_token_seconds([4])[0] - 0.2) for law in (light, heavy)]
    assert off[1] < off[0] / 10


@pytest.mark.parametrize(
    ("n", "seconds", "weights"),
    [([4, 4], [1, 1], None), ([1], [1], None), ([1, 2], [1, 0], None), ([1, 2], [1, 1], [1, 0]), ([1, 2], [1], None)],
)
def test_what_is_no_measurement_is_refused(n, seconds, weights):
    with pytest.raises(DataError, match=r"requests at once"):
        fit_throughput(n, seconds, weights)
