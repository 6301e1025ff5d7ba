"""The scorers by name, and how one is loaded."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from isocompute.errors import ConfigError, EngineError
from isocompute.runners import engines
from isocompute.runners.engines.devices import place
from isocompute.runners.engines.replicas import replicated
from isocompute.runners.scorers.base import Scorer

if TYPE_CHECKING:
    from isocompute.runners.scorers.formats.base import Kind

KINDS = ("lab", "math-shepherd", "outcome", "qwen-prm", "rlhflow", "skywork")
"""The kinds that `load` knows."""


def load(kind: str, model: str, engine: str = "vllm", prompt: str | None = None, **options: Any) -> Scorer:
    """Load a reward model into a scorer.

    Args:
        kind: one of `KINDS`: how the model is asked and read.
        model: a checkpoint folder, or a hub's name for one; its weights are safetensors.
        engine: ``vllm``, where prefixes that were read before are not computed again, or ``transformers``.
        prompt: the prompt of kind ``lab``, by name or file; ``lab-solve`` if not given.
        options: passed on to the engine.

    Raises:
        ConfigError: the kind or the engine is unknown, they do not go together, or an option is unknown.
        EngineError: the library is not installed, or the model is not there or not of this kind.
    """
    if kind == "verdicts":
        raise ConfigError("The scorer 'verdicts' has no model of its own: it asks the sweep's verifier.")
    if kind not in KINDS:
        raise ConfigError(f"The scorer '{kind}' is unknown; there are: {', '.join(KINDS)}, verdicts.")
    if engine not in engines.LOCAL:
        raise ConfigError(f"Scorers run in {' or '.join(engines.LOCAL)}; not in '{engine}'.")
    if kind == "skywork" and engine == "vllm":
        raise ConfigError("vLLM cannot serve 'skywork', whose value head it does not know; use engine: transformers.")
    if prompt is not None and kind != "lab":
        raise ConfigError(f"The scorer '{kind}' has a format of its own; leave the prompt out.")
    engines.check(model)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        reads = _kind(kind, model, prompt)
        if engine == "vllm":
            from isocompute.runners.scorers.vllm import VLLMScorer

            return replicated(partial(VLLMScorer, model, reads), attrgetter("question"), place, **options)
        from isocompute.runners.scorers.transformers import TransformersScorer

        return TransformersScorer(model, reads, **options)
    except ImportError as error:
        raise EngineError(
            f"The scorer '{kind}' needs a package that is not installed ({error.name}): "
            f"pip install 'isocompute[{engine}]'."
        ) from error
    except TypeError as error:
        raise ConfigError(f"The scorer '{kind}' in {engine} does not take these options: {error}.") from error


def _kind(name: str, model: str, prompt: str | None) -> Kind:
    from isocompute.runners.scorers.formats.lab import Lab
    from isocompute.runners.scorers.formats.math_shepherd import MathShepherd
    from isocompute.runners.scorers.formats.outcome import Outcome
    from isocompute.runners.scorers.formats.qwen_prm import QwenPRM
    from isocompute.runners.scorers.formats.rlhflow import RLHFlow
    from isocompute.runners.scorers.formats.skywork import Skywork
    from isocompute.runners.scorers.tokenizer import Text

    text = Text.of(model)
    if name == "lab":
        return Lab(text, prompt or "lab-solve")
    kinds: dict[str, Callable[[Text], Kind]] = {
        "math-shepherd": MathShepherd,
        "outcome": Outcome,
        "qwen-prm": QwenPRM,
        "rlhflow": RLHFlow,
        "skywork": Skywork,
    }
    return kinds[name](text)
