"""A check that a checkpoint has all the weights of its configuration, without loading it."""

from __future__ import annotations

from typing import Any

from transformers import AutoModelForCausalLM
from transformers.utils import logging

from isocompute.runners.engines.checkpoint import (
    build_load_error,
    check_checkpoint_files,
    check_finite_weights,
    find_checkpoint_folder,
    refuse_other_weights,
)


def check_weights(
    model: str,
    engine: str,
    shape: Any = None,
    revision: str | None = None,
    cache: str | None = None,
    dtype: str = "auto",
) -> None:
    """Raise unless a checkpoint holds every weight of its model, in its shape, and finite.

    transformers builds the model without allocating memory and reports missing weights. It does not know every
    architecture and packing that vLLM knows; for the others only the files are checked here, and vLLM reports weights
    that it misses when it loads them. vLLM does not notice one missing among weights that it fuses, which is why the
    names are checked here too.

    Args:
        model: checkpoint folder, or hub name of one that is in the cache.
        engine: the engine that will load it, ``transformers`` or ``vllm``.
        shape: the class in transformers that defines the model's weights; a causal language model if not given.
        revision: of a model on the hub; its main branch if not given.
        cache: folder of the hub's cache; the usual one if not given.
        dtype: the type in which the engine will hold the weights.

    Raises:
        EngineError: the message says what is wrong.
    """
    all_files = engine == "vllm"  # vLLM reads every safetensors file of a folder without an index
    check_checkpoint_files(model, revision, cache, all_files)
    check_finite_weights(model, revision, cache, all_files, dtype)
    folder = find_checkpoint_folder(model, revision, cache)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options = {"device_map": "meta", "use_safetensors": True, "trust_remote_code": False}
    try:
        _, found = (shape or AutoModelForCausalLM).from_pretrained(
            str(folder or model), output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    except Exception as error:  # many kinds are raised here
        if engine == "vllm" or isinstance(error, ImportError):  # the engine may still be able to load it
            return
        raise build_load_error(model, error) from error
    # vLLM may use weights that transformers does not, and a scorer's checkpoint may keep an unused lm_head.
    refuse_other_weights(model, found, None if engine == "vllm" else {"lm_head.weight"} if shape else ())
