"""The block of a sweep file for a model: its name, its prompt and how it samples."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StrictBool

from isocompute.runners.config.base import (
    ConfigBlock,
    ParameterCount,
    TokenLimit,
)


class ModelRole(ConfigBlock):
    """A model, its prompt and its sampling settings. ``options`` are passed to the engine unchanged.

    ``thinking_end`` is the text that ends a model's thinking, such as ``</think>``. ``logprobs`` is the number of
    likeliest tokens reported at each position; with it, p(yes) is read from a verifier. ``parameters`` is the model's
    size, needed if neither a local checkpoint nor the server gives it.
    """

    model: str
    """A checkpoint's folder or its name on the hub; with the engine ``openai`` the name that the server gives it."""
    prompt: str
    """A prompt by name, or the path of a text file with ``{question}``, and for a verifier ``{solution}``."""
    chat: StrictBool = False
    """True if the prompt is sent as a user's message, through the model's chat template."""
    temperature: Annotated[float, Field(ge=0, le=10, strict=True)] = 0.7
    """The sampling temperature."""
    top_p: Annotated[float, Field(gt=0, le=1, strict=True)] = 1.0
    """The share of the probability that sampling keeps at each token."""
    max_tokens: TokenLimit = 1024
    """The most tokens of a completion; a longer one is cut and counted as cut."""
    stop: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(max_length=100)] = ()
    """Texts at which a completion ends."""
    thinking_end: Annotated[str, Field(min_length=1)] | None = None
    """The text that ends a model's thinking; answers are read after it."""
    logprobs: Annotated[int, Field(ge=0, le=20, strict=True)] = 0
    """The number of likeliest tokens reported at each position; a verifier with it gives p(yes) as its verdict."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options that the engine is given as they are."""
    parameters: ParameterCount | None = None
    """The model's number of parameters, if neither a checkpoint's folder nor the server tells it."""
