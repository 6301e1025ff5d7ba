"""How the steps of a solution are scored: one protocol of one method, and the scorers that keep it.

A scorer takes requests from the left of a queue as it has room and yields each one with its scores as it finishes, in
any order. Whoever reads may add to the queue meanwhile. A score is a number in [0, 1], and a function of the question
and of the steps up to its own: the same text has the same score (up to the floating-point order of the arithmetic).

=================  ====================================================================================
``rlhflow``        RLHFlow's models: a chat, a step a turn, ``+`` or ``-`` in reply
``math-shepherd``  Math-Shepherd: ``ки`` after each step, ``+`` or ``-`` predicted there
``qwen-prm``       Qwen2.5-Math-PRM: ``<extra_0>`` after each step, classified there
``skywork``        Skywork-o1-Open-PRM: a value at each line's end; transformers only
``lab``            the lab's own PRM: `` +`` or `` -`` predicted after each line
``outcome``        an outcome reward model: one score for the solution so far
``verdicts``       GenRM's mean verdict on the solution so far; a class of its own (`verdicts.Verdicts`)
=================  ====================================================================================

A solution is most often one step to an outcome reward model, and to ``verdicts``.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol

from isocompute.errors import ConfigError, DataError, EngineError
from isocompute.runners import engines
from isocompute.runners.engines.devices import place
from isocompute.runners.replicas import replicated

if TYPE_CHECKING:
    from isocompute.runners.scorers.reading import Kind

KINDS = ("lab", "math-shepherd", "outcome", "qwen-prm", "rlhflow", "skywork")
"""The kinds that `load` knows."""


@dataclass(frozen=True)
class ScoreRequest:
    r"""The steps of one solution, so far as it goes, to be scored.

    Args:
        key: identity of the row or node it is for.
        question: the problem.
        steps: the steps' texts, each with the delimiter that ends it; joined they are the solution so far.
        known: how many of them, from the first on, need no score; 0 asks for all.

    Raises:
        DataError: ``known`` is negative or more than there are steps.

    >>> ScoreRequest("a", "1 + 1?", ("It is 2.\n\n", "\\boxed{2}"), known=1).new
    ('\\boxed{2}',)
    """

    key: Any
    question: str
    steps: tuple[str, ...]
    known: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.known <= len(self.steps):
            raise DataError(f"The request {self.key!r} has {len(self.steps)} steps, {self.known} of them known.")

    @property
    def new(self) -> tuple[str, ...]:
        """The steps that are to be scored."""
        return self.steps[self.known :]


@dataclass(frozen=True)
class Scored:
    """What came back.

    ``status`` is ``ok``, or says in a sentence why there are no scores. Counts that are not known are None, not 0.

    Args:
        scores: one in [0, 1] for each new step; NaN for a step of blanks alone, which is no step. None if it failed.
        read_tokens: tokens of all that the model was given, over all calls.
        cached_tokens: those among them that a cache held, so that nothing was computed for them.
        calls: sequences that were read.
        written_tokens: tokens that were sampled to come to the scores; 0 but for ``verdicts``.
    """

    scores: tuple[float, ...] | None
    read_tokens: int | None
    cached_tokens: int | None
    calls: int | None
    status: str = "ok"
    written_tokens: int | None = 0


class Scorer(Protocol):
    """A model that can be asked how good steps are."""

    def run(self, pending: deque[ScoreRequest]) -> Iterator[tuple[ScoreRequest, Scored]]:
        """Work the queue off, yielding each request with its scores as it finishes."""
        ...

    def close(self) -> None:
        """Give back the memory."""
        ...


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
    from isocompute.runners.scorers.lab import Lab
    from isocompute.runners.scorers.math_shepherd import MathShepherd
    from isocompute.runners.scorers.outcome import Outcome
    from isocompute.runners.scorers.qwen_prm import QwenPRM
    from isocompute.runners.scorers.rlhflow import RLHFlow
    from isocompute.runners.scorers.skywork import Skywork
    from isocompute.runners.scorers.text import Text

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
