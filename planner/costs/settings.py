"""Settings of cost models besides the profile: prices, device and batch."""

from __future__ import annotations

from dataclasses import dataclass

from isocompute.planner.costs.devices import Device
from isocompute.planner.costs.prices import PriceTable


@dataclass(frozen=True)
class CostSettings:
    """The settings of cost models; None where one is not given.

    Args:
        prices: dollars per million tokens, by model.
        device: the device whose speed and memory bandwidth FLOPs, memory reads and GPU-hours are converted with.
        batch: the number of requests that are decoded together; each read of the weights is shared by them. None for
            a batch so large that reads of the weights cost nothing.
    """

    prices: PriceTable | None = None
    device: Device | None = None
    batch: int | None = None
