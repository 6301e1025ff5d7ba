"""Devices by name: their peak FLOPs and memory bandwidth, as published."""

from __future__ import annotations

from dataclasses import dataclass

from isocompute.errors import ConfigError

UTILISATION = 0.4
"""The share of a device's peak that GPU-hours assume. Prefill and large batches reach about this; decoding in small
batches is slower, which the cost model ``kv`` counts as reads of memory."""


@dataclass(frozen=True)
class Device:
    """A device.

    Args:
        name: its name on the command line.
        flops: peak dense FLOPs a second in bfloat16.
        bandwidth: bytes of memory read a second.
    """

    name: str
    flops: float
    bandwidth: float

    @property
    def intensity(self) -> float:
        """FLOPs that the device does in the time in which it reads a byte."""
        return self.flops / self.bandwidth


# NVIDIA's data sheets, bfloat16 without sparsity: A100 80GB SXM 312 TFLOPs and 2,039 GB/s; H100 SXM 989.4 TFLOPs and
# 3.35 TB/s; H200 SXM the same FLOPs and 4.8 TB/s; B200 (HGX) 2,250 TFLOPs and 8 TB/s, rounded as printed there;
# L4 121 TFLOPs (242 with sparsity) and 300 GB/s.
DEVICES = {
    device.name: device
    for device in (
        Device("a100", 312e12, 2.039e12),
        Device("h100", 989.4e12, 3.35e12),
        Device("h200", 989.4e12, 4.8e12),
        Device("b200", 2250e12, 8e12),
        Device("l4", 121e12, 0.3e12),
    )
}
"""The known devices, by name."""


def get_device(name: object) -> Device:
    """Return a device by its name, in capitals or not.

    Raises:
        ConfigError: there is no such device.

    >>> round(get_device("H100").intensity)
    295
    """
    device = DEVICES.get(name.lower()) if isinstance(name, str) else None
    if device is None:
        raise ConfigError(f"The device {name!r:.60} is not known; it must be one of {', '.join(DEVICES)}.")
    return device
