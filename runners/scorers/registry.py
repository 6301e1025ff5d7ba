"""The registry of scorers that a sweep file may name, and their loading."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from isocompute.errors import ConfigError, EngineError
from isocompute.registry import Registry, load_object
from isocompute.runners import engines
from isocompute.runners.engines.devices import assign_devices
from isocompute.runners.engines.options import find_bad_option
from isocompute.runners.engines.registry import describe_missing_package
from isocompute.runners.engines.replicas import load_replicas
from isocompute.runners.scorers.base import Scorer

if TYPE_CHECKING:
    from isocompute.runners.scorers.formats.base import RewardModelFormat


@dataclass(frozen=True)
class ScorerEntry:
    """A scorer: a reward model's format that an engine here can run, or a scorer with a loader of its own.

    Args:
        description: a description for users.
        format: ``module:callable`` that takes the model's tokenizer (a `scorers.tokenizer.ScorerTokenizer`), and a
            prompt if given, and returns a `scorers.formats.base.RewardModelFormat`.
        loader: for a scorer without a format: ``module:callable`` that takes a model's name and options, and returns a
            `Scorer`.
        engines: engines that can run a model of this format; ``openai`` stands for a server of vLLM; ignored with a
            loader.
        head: the head of a model that is not a language model: ``classes``, ``value`` or ``reward``, see
            `scorers.heads`.
        has_prompt: whether a sweep may set the prompt before the solution.
        uses_verifier: whether it uses the sweep's verifier instead of a model of its own.
        free_options: with a loader: options that may change when a run is resumed, as those of an engine.
    """

    description: str
    format: str = ""
    loader: str = ""
    engines: tuple[str, ...] = ("vllm", "transformers")
    head: str | None = None
    has_prompt: bool = False
    uses_verifier: bool = False
    free_options: frozenset[str] = frozenset()


SERVED_ENGINE = "openai"
SERVED_ENGINES = ("vllm", "transformers", SERVED_ENGINE)
"""The engines of a language model that predicts a token for right and one for wrong."""

FORMATS_PACKAGE = "isocompute.runners.scorers.formats"

LAB = ScorerEntry(
    "the lab's own PRM: ` +` or ` -` predicted after each line",
    format=f"{FORMATS_PACKAGE}.lab:LabFormat",
    engines=SERVED_ENGINES,
    has_prompt=True,
)
MATH_SHEPHERD = ScorerEntry(
    "Math-Shepherd: `ки` after each step, `+` or `-` predicted there",
    format=f"{FORMATS_PACKAGE}.math_shepherd:MathShepherdFormat",
    engines=SERVED_ENGINES,
)
OUTCOME = ScorerEntry(
    "an outcome reward model: one score for the solution so far",
    format=f"{FORMATS_PACKAGE}.outcome:OutcomeFormat",
    head="reward",
)
QWEN_PRM = ScorerEntry(
    "Qwen2.5-Math-PRM: `<extra_0>` after each step, classified there",
    format=f"{FORMATS_PACKAGE}.qwen_prm:QwenPRMFormat",
    head="classes",
)
RLHFLOW = ScorerEntry(
    "RLHFlow's models: a chat with one step per turn, `+` or `-` as the reply",
    format=f"{FORMATS_PACKAGE}.rlhflow:RLHFlowFormat",
    engines=SERVED_ENGINES,
)
SKYWORK = ScorerEntry(  # vLLM does not know its value head
    "Skywork-o1-Open-PRM: a value at each line's end",
    format=f"{FORMATS_PACKAGE}.skywork:SkyworkFormat",
    engines=("transformers",),
    head="value",
)
VERDICTS = ScorerEntry("GenRM's mean verdict on the solution so far", engines=(), uses_verifier=True)

SCORERS_MODULE = "isocompute.runners.scorers.registry"

SCORERS: Registry[ScorerEntry] = Registry(
    "scorer",
    "isocompute.scorers",
    {
        name: f"{SCORERS_MODULE}:{name.upper().replace('-', '_')}"
        for name in ("lab", "math-shepherd", "outcome", "qwen-prm", "rlhflow", "skywork", "verdicts")
    },
    ScorerEntry,
)
"""Every scorer by its name."""


def check_scorer_engine(kind: str, engine: str) -> None:
    """Raise unless an engine can run the models of a scorer.

    Raises:
        ConfigError: it cannot; the message names the engines that can.
    """
    entry = SCORERS.find(kind)
    if entry.engines and engine not in entry.engines:
        raise ConfigError(f"The scorer '{kind}' runs in {' or '.join(entry.engines)}, not in '{engine}'.")


def load_scorer(kind: str, model: str, engine: str = "vllm", prompt: str | None = None, **options: Any) -> Scorer:
    """Load a reward model into a scorer.

    Args:
        kind: one of `SCORERS`, which defines the model's format.
        model: a checkpoint folder or hub name; its weights are safetensors.
        engine: ``vllm``, which does not recompute prefixes that it read before, ``transformers``, or ``openai`` for a
            server of vLLM; ignored by a scorer with a loader of its own.
        prompt: the text before the solution, by name or file, for a scorer that takes one.
        options: passed on to the engine.

    Raises:
        ConfigError: the kind or the engine is unknown, they do not go together, or an option is unknown.
        EngineError: the library is not installed, or the model does not exist or is not of this kind.
    """
    entry = SCORERS.find(kind)
    if entry.uses_verifier:
        raise ConfigError(f"The scorer '{kind}' takes no model, because it uses the sweep's verifier.")
    check_scorer_engine(kind, engine)
    if not entry.loader and (fault := find_bad_option(engines.ENGINES[engine].options, options)):
        raise ConfigError(f"The scorer '{kind}' in {engine}: {fault}.")
    if prompt is not None and not entry.has_prompt:
        raise ConfigError(f"The scorer '{kind}' has a fixed format; leave the prompt out.")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        with SCORERS.wrap_plugin_errors(kind):
            if entry.loader:
                scorer: Scorer = load_object(entry.loader)(model, **options)
                return SCORERS.guard_worker(kind, scorer)
            engines.check_model_folder(model)
            return load_format_scorer(model, load_scorer_format(entry, model, prompt), engine, options)
    except ImportError as error:
        extra = "" if entry.loader else engine
        raise EngineError(describe_missing_package(f"The scorer '{kind}'", error, extra)) from error
    except TypeError as error:
        where = "" if entry.loader else f" in {engine}"
        raise ConfigError(f"The scorer '{kind}'{where} does not take these options: {error}.") from error


def load_scorer_format(entry: ScorerEntry, model: str, prompt: str | None) -> RewardModelFormat:
    """Load the format of a model."""
    from isocompute.runners.scorers.tokenizer import ScorerTokenizer

    scorer_format: RewardModelFormat = load_object(entry.format)(
        ScorerTokenizer.from_model(model), *([] if prompt is None else [prompt])
    )
    return scorer_format


def load_format_scorer(model: str, kind: RewardModelFormat, engine: str, options: dict[str, Any]) -> Scorer:
    """Load a model into an engine that scores in a format."""
    if engine == SERVED_ENGINE:
        from isocompute.runners.scorers.served import ServedScorer

        return ServedScorer(model, kind, **options)
    if engine == "vllm":
        from isocompute.runners.scorers.vllm import VLLMScorer

        return load_replicas(partial(VLLMScorer, model, kind), attrgetter("question"), assign_devices, **options)
    from isocompute.runners.scorers.transformers import TransformersScorer

    return TransformersScorer(model, kind, **options)
