"""Prompts as the user's turn of a conversation, in a model's own chat template."""

from __future__ import annotations

from typing import Any

from jinja2 import TemplateError

from isocompute.errors import EngineError


def apply_template(tokenizer: Any, model: str, prompt: str) -> str:
    """Return a conversation of one user turn, up to where the model's reply begins.

    The template comes with the model; transformers runs it in jinja's sandbox.

    Raises:
        EngineError: the model has no template, or one that cannot be used.
    """
    turn = [{"role": "user", "content": prompt}]
    try:
        return str(tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False))
    except (TemplateError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise EngineError(
            f"The chat template of '{model}' cannot be used: {reason}; for a model without one, set chat: false."
        ) from error


def check_chat_template(model: str) -> None:
    """Raise unless a local checkpoint has a chat template that can be used.

    Raises:
        EngineError: it has none, or one that cannot be used, or its tokenizer cannot be read.
    """
    from transformers import AutoTokenizer

    from isocompute.runners.engines.checkpoint import build_load_error

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    except Exception as error:  # many kinds are raised here; each means that the tokenizer cannot be read
        raise build_load_error(model, error) from error
    apply_template(tokenizer, model, "1+1?")
