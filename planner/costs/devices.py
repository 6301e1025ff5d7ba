"""Devices by name: their peak FLOPs and memory bandwidth, as published."""

from __future__ import annotations

from dataclasses import dataclass

from isocompute.errors import ConfigError
from isocompute.runners.parsing.printable import format_error_value

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


# Peak FLOPs are dense: NVIDIA prints most of them with 2:4 sparsity, which doubles them. Sources, NVIDIA's documents as
# others quote them, each number from two of them at least:
# a100, 80 GB SXM4: 312 TFLOPs (624 sparse), 2,039 GB/s. Data sheet nvidia-1758950-r4.
# h100, 80 GB SXM5: 989.4 TFLOPs (1,978.9 sparse), 3.35 TB/s. Hopper white paper; data sheet (1,979 sparse).
# h200, 141 GB SXM: the same chip (1,979 sparse) with 4.8 TB/s. nvidia.com/en-us/data-center/h200.
# b200, 180 GB HGX: 2,250 TFLOPs (4,500 sparse), 7.7 TB/s. Blackwell technical brief, table 3. A bus of 7,680 bits at
# 3,996 MHz, which a driver reports, is 7.67 TB/s (github.com/pytorch/ao/pull/4002); 8 TB/s is often quoted, of 192 GB.
# l4, 24 GB: 121 TFLOPs (242 sparse), 300 GB/s. Data sheet, nvidia.com/en-us/data-center/l4.
DEVICES = {
    device.name: device
    for device in (
        Device("a100", 312e12, 2.039e12),
        Device("h100", 989.4e12, 3.35e12),
        Device("h200", 989.4e12, 4.8e12),
        Device("b200", 2250e12, 7.7e12),
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
        raise ConfigError(
            f"The device {format_error_value(name)} is not known; it must be one of {', '.join(DEVICES)}."
        )
    return device
