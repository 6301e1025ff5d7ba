"""Loading a model in vLLM, once or as copies, each on devices of its own."""

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
        ConfigError: an option is unknown or unsafe, or there cannot be so many copies.
        EngineError: the model cannot be loaded.
    """
    from isocompute.runners.engines.vllm import VLLMEngine

    return load_replicas(partial(VLLMEngine, model), attrgetter("prompt"), assign_devices, **options)


def assign_devices(copy: int, copies: int, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that give a copy of a model devices of its own: the next ones of those that there are.

    Copies on a CPU share its cores as the operating system has it; vLLM would bind them all to the same ones.

    Raises:
        ConfigError: ``device_ids`` are given, and not as many as all copies take together.
    """
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        return {}
    each = options.get("tensor_parallel_size", 1) * options.get("pipeline_parallel_size", 1)
    devices = options.get("device_ids") or range(copies * each)
    if len(devices) != copies * each:
        raise ConfigError(
            f"{copies} replicas take {copies * each} devices, {each} each; 'device_ids' has {len(devices)} of them."
        )
    return {"device_ids": list(devices[copy * each : (copy + 1) * each])}
