"""Prompts as the user's turn of a conversation, in a model's own chat template.

The template comes with the model. transformers runs it in Jinja's sandbox, which keeps it from Python and from files,
but not from looping without end; so it is rendered in a process with limits on time and memory.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from isocompute.errors import EngineError
from isocompute.runners.guarded_process import WALL_CLOCK_FACTOR, GuardedProcess

TEMPLATE_SECONDS = 2.0
"""Most CPU seconds of rendering one conversation."""

TEMPLATE_MEGABYTES = 512
"""Most memory that it may take in addition to the process's own."""

PROBE = "1+1?"
"""The question with which a template is checked."""

WRAPPER_MODULES = {"vllm.tokenizers.hf"}
"""Modules whose tokenizers pass conversations on to the tokenizer that they wrap."""

RENDERING_ERRORS = (TemplateError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError)


class TemplateRenderer(GuardedProcess):
    """Renders conversations, one at a time, in a process that is started when it is needed."""

    def __init__(self) -> None:
        self._lock = Lock()
        limits = (TEMPLATE_SECONDS, TEMPLATE_MEGABYTES)
        environment = {"HF_HUB_OFFLINE": "1"}
        module = f"{__package__}.template_worker"
        super().__init__(module, limits, "renders chat templates", EngineError, environment)

    def render_turns(
        self, template: str, turns: Sequence[Mapping[str, str]], reply: bool, names: Mapping[str, Any]
    ) -> str:
        """Return a conversation in a template.

        Args:
            template: the template.
            turns: the turns.
            reply: whether it ends where the model's reply begins.
            names: what the template may name besides, such as the model's special tokens.

        Raises:
            ValueError: the template cannot be rendered, or not within the limits.
            EngineError: the process does not start.
        """
        request = {"template": template, "turns": [dict(turn) for turn in turns], "reply": reply, "names": dict(names)}
        with self._lock:
            answer = self.send_request(request, WALL_CLOCK_FACTOR * TEMPLATE_SECONDS)
            if answer is None:
                self.close()
        if answer is None:
            raise ValueError(f"it takes more than {TEMPLATE_SECONDS:g} s of computing")
        if "error" in answer:
            raise ValueError(answer["error"])
        return str(answer["text"])


RENDERER = TemplateRenderer()
atexit.register(RENDERER.close)


def render_turns(tokenizer: Any, turns: Sequence[Mapping[str, str]], reply: bool) -> str:
    """Return a conversation in the chat template of a tokenizer, see `TemplateRenderer.render_turns`.

    A tokenizer that writes conversations by code of its library, and not by a template, does so here.

    Raises:
        TemplateError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError: it cannot be made.
        EngineError: the process does not start.
    """
    classes = (each for each in type(tokenizer).__mro__ if each.__module__ not in WRAPPER_MODULES)
    writer = next((each for each in classes if "apply_chat_template" in vars(each)), None)
    if writer is not PreTrainedTokenizerBase:
        return str(tokenizer.apply_chat_template(list(turns), add_generation_prompt=reply, tokenize=False))
    names = {
        name: value if isinstance(value, list) else str(value) for name, value in tokenizer.special_tokens_map.items()
    }
    return RENDERER.render_turns(tokenizer.get_chat_template(), turns, reply, names)


def apply_template(tokenizer: Any, model: str, prompt: str) -> str:
    """Return a conversation of one user turn, up to where the model's reply begins.

    Raises:
        EngineError: the model has no template, or one that cannot be used.
    """
    try:
        return render_turns(tokenizer, [{"role": "user", "content": prompt}], reply=True)
    except RENDERING_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise EngineError(
            f"The chat template of '{model}' cannot be used: {reason}; for a model without one, set chat: false."
        ) from error


def check_chat_template(model: str) -> None:
    """Raise unless a local checkpoint has a chat template that can be used.

    Raises:
        EngineError: it has none, or one that cannot be used, or its tokenizer cannot be read.
    """
    from isocompute.runners.engines.tokenizer_file import load_tokenizer

    tokenizer = load_tokenizer(model)
    if PROBE not in apply_template(tokenizer, model, PROBE):
        raise EngineError(f"The chat template of '{model}' cannot be used: it leaves out what the user says.")
