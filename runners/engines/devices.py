"""Loading of a model in vLLM, once or as several copies with devices of their own."""

from __future__ import annotations

import os
from functools import partial
from operator import attrgetter
from typing import Any

from isocompute.errors import ConfigError
from isocompute.runners.engines.base import Engine
from isocompute.runners.engines.replicas import load_replicas


def load_vllm(model: str, **options: Any) -> Engine:
    """Load a model in vLLM, or ``replicas`` copies of it that share the work.

    Raises:
        ConfigError: an option is unknown or unsafe, or the number of copies is not possible.
        EngineError: the model cannot be loaded.
    """
    from isocompute.runners.engines.vllm import VLLMEngine

    return load_replicas(partial(VLLMEngine, model), attrgetter("prompt"), assign_devices, **options)


def assign_devices(copy: int, copies: int, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that give a copy of a model the next devices in order.

    Copies on a CPU share its cores under the operating system's scheduling; vLLM would bind them all to the same cores.

    Raises:
        ConfigError: ``device_ids`` are given, and their number is not the one that all copies need together.
    """
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        return {}
    each = options.get("tensor_parallel_size", 1) * options.get("pipeline_parallel_size", 1)
    devices = options.get("device_ids") or range(copies * each)
    if len(devices) != copies * each:
        raise ConfigError(
            f"{copies} replicas need {copies * each} devices, {each} each; 'device_ids' lists {len(devices)}."
        )
    return {"device_ids": list(devices[copy * each : (copy + 1) * each])}
