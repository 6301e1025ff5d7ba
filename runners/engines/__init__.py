"""Engines: the protocol by which models are called, and its implementations.

An engine takes requests from the left of a queue as it has room and yields each one with its completion as it
finishes, in any order. The caller may add to the queue meanwhile, so verification follows solving without a pause.
The text of a completion is a function of its request's prompt, sampling and seed, up to the floating-point order of
the arithmetic, which may depend on the other requests in the batch.
"""

from isocompute.runners.engines.base import Completion, Engine, Request, Sampling, Token
from isocompute.runners.engines.registry import (
    ENGINES,
    EngineEntry,
    check_model_folder,
    is_checkpoint_folder,
    load_engine,
)

__all__ = [
    "ENGINES", "Completion", "Engine", "EngineEntry", "Request", "Sampling", "Token",
    "check_model_folder", "is_checkpoint_folder", "load_engine",
]  # fmt: skip
