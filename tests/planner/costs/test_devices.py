"""The devices' figures: those of the data sheets, without sparsity."""

from __future__ import annotations

import pytest

from isocompute.planner.costs.devices import DEVICES

# With 2:4 sparsity, as NVIDIA prints them, in TFLOPs; and bytes a second.
PRINTED = {
    "a100": (624, 2.039e12),
    "h100": (1978.9, 3.35e12),
    "h200": (1978.9, 4.8e12),
    "b200": (4500, 7.7e12),
    "l4": (242, 0.3e12),
}


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_has_half_of_what_is_printed_with_sparsity(name):
    sparse, bandwidth = PRINTED[name]
    assert DEVICES[name].flops == pytest.approx(sparse / 2 * 1e12, rel=1e-4)
    assert DEVICES[name].bandwidth == bandwidth
    assert 100 < DEVICES[name].intensity < 500
