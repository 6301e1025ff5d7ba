"""Whether a checkpoint has all the weights that its configuration asks for, without loading it."""

from __future__ import annotations

from transformers import AutoModelForCausalLM
from transformers.utils import logging

from isocompute.runners.engines.checkpoint import check_files, check_finite, load_error, refuse_other_weights
from isocompute.runners.scorers.heads import CLASSES, HEADS


def check_weights(model: str, engine: str, scorer: str | None = None) -> None:
    """Raise unless a checkpoint's folder holds every weight of its model, in its shape, and finite.

    transformers lays the model out without memory for it and says which weights it did not find. It does not know every
    architecture and packing that vLLM knows. Of those only the files are checked here; vLLM refuses the rest when it
    loads them.

    Args:
        model: the folder.
        engine: what will load it, ``transformers`` or ``vllm``.
        scorer: the kind of a reward model; None for a language model.

    Raises:
        EngineError: says what is wrong.
    """
    check_files(model)
    check_finite(model)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    shape = CLASSES[HEADS[scorer]] if scorer in HEADS else AutoModelForCausalLM
    unused = None if engine == "vllm" else {"lm_head.weight"} if scorer in HEADS else ()
    options = {"device_map": "meta", "use_safetensors": True, "trust_remote_code": False}
    try:
        _, found = shape.from_pretrained(model, output_loading_info=True, ignore_mismatched_sizes=True, **options)
    except (ImportError, OSError, ValueError, KeyError, RuntimeError, NotImplementedError) as error:
        if engine == "vllm" or isinstance(error, ImportError):
            return
        raise load_error(model, error) from error
    refuse_other_weights(model, found, unused)
