"""GPU-hours: of the machine that a run's rows were made on, or of a device by its peak FLOPs.

Where rows carry times and starts, a request takes the machine its wall time over the number of requests that shared it,
so that all requests together take the time in which the machine was at work. That is measured, and includes whatever
slows a machine. Without times, hours are FLOPs over a share of the device's peak, which is an assumption.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isocompute.errors import ConfigError
from isocompute.planner.budget import Budget
from isocompute.planner.costs.allocation import compute_option_cost
from isocompute.planner.costs.devices import UTILISATION, Device
from isocompute.planner.costs.models import list_needed_roles, price_profile_requests
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.profile import Profile
from isocompute.planner.strategy_option import StrategyOption

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class GpuHours:
    """The hours that an allocation takes for a problem.

    Args:
        amount: the hours; None if unknown.
        source: ``run`` if the run's throughput gives them, ``device`` if a device's peak does; None if unknown.
        of_device: the hours by the device's peak, where one is named and FLOPs are known.
        reason: why the amount is unknown; None if it is known.
    """

    amount: float | None
    source: str | None
    of_device: float | None
    reason: str | None = None


def has_machine_times(profile: Profile, settings: CostSettings) -> bool:
    """Return whether rows give the machine time of all that a profile's strategies do, but for its searches.

    The machine time of a search is not recorded: its rounds share the machine with those of others.
    """
    each = price_profile_requests(profile, "seconds", settings).each
    return all(role in each for role in list_needed_roles(profile, with_searches=False))


def compute_device_flops(hours: float, device: Device) -> float:
    """Compute the FLOPs that a device does in some hours, at `UTILISATION` of its peak."""
    return hours * SECONDS_PER_HOUR * device.flops * UTILISATION


def measure_gpu_hours(
    profile: Profile,
    option: StrategyOption,
    amounts: Mapping[str, float | None],
    settings: CostSettings,
    model: str,
) -> GpuHours:
    """Measure the hours that an option takes for a problem.

    Args:
        profile: the profile.
        option: the option.
        amounts: its costs in FLOPs, by the cost models ``flops`` and ``kv``; None where unknown.
        settings: with the device.
        model: the plan's cost model. Under ``flops`` and ``kv`` hours are of the device, so that they agree with it.
    """
    of_device = None
    work = amounts["kv"] if model == "kv" and amounts["kv"] is not None else amounts["flops"]
    if settings.device is not None and work is not None:
        of_device = work / compute_device_flops(1.0, settings.device)
    if model not in ("flops", "kv") and has_machine_times(profile, settings):
        seconds = compute_option_cost(profile, option, price_profile_requests(profile, "seconds", settings))
        if seconds is not None:
            return GpuHours(seconds / SECONDS_PER_HOUR, "run", of_device)
    if of_device is not None:
        return GpuHours(of_device, "device", of_device)
    if settings.device is None:
        return GpuHours(None, None, None, "there is no device; --device (device= in Python) names it")
    return GpuHours(None, None, None, "the FLOPs are unknown")


def compute_unit_amount(budget: Budget, settings: CostSettings) -> float:
    """Return a budget in the unit of its cost model: FLOPs for GPU-hours.

    Raises:
        ConfigError: GPU-hours need a device.
    """
    if budget.unit != "gpu-hours":
        return budget.multiple
    if settings.device is None:
        raise ConfigError("A budget in gpu-hours needs a device: --device h100 (device= in Python).")
    return compute_device_flops(budget.multiple, settings.device)
