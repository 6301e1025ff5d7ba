"""The prompts of the models: the client's messages for solutions, and the verifier's prompt for verifications."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from isocompute.runners.engines.openai_protocol import SEED_MODULUS, replace_surrogates
from isocompute.runners.prompts import Prompt
from isocompute.serving.endpoint.errors import ApiError
from isocompute.serving.endpoint.requests import ChatRequest

SAMPLING_FIELDS = ("temperature", "top_p", "max_tokens")
CHAT_FIELDS = ("response_format", "tool_choice", "parallel_tool_calls", "logprobs", "top_logprobs",
               "max_completion_tokens", "store", "metadata", "reasoning_effort")  # fmt: skip
"""Fields of chats that the plain completions of a server do not have."""


@dataclass(frozen=True)
class RoleSettings:
    """The way in which a profile's run prompted a model.

    Args:
        prompt: its prompt; None if the profile does not say.
        chat: whether the prompt is a turn of a conversation.
        sampling: temperature, top_p and max_tokens; a client's own come first.
    """

    prompt: Prompt | None = None
    chat: bool = True
    sampling: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SolverCall:
    """The calls that sample solutions for one request.

    Args:
        path: path under the base URL.
        body: the body of each, without the seed.
        seed: the client's seed; None if it gave none.
        question: the question, for the verifier.
        notes: what the client should know of the prompt.
    """

    path: str
    body: dict[str, Any]
    seed: int | None
    question: str
    notes: tuple[str, ...] = ()

    def build_body(self, index: int) -> dict[str, Any]:
        """Return the body of one call; each has a seed of its own if the client gave one."""
        return self.body if self.seed is None else {**self.body, "seed": draw_seed(self.seed, "solution", index)}


def build_solver_call(request: ChatRequest, settings: RoleSettings) -> SolverCall:
    """Return the calls that sample solutions.

    A chat model gets the client's messages as they are. A model that is not one gets a text: the client's message if
    it is written in the profile's prompt, or else the profile's prompt with the message as its question.

    Args:
        request: the client's request.
        settings: how the profile's run prompted the solver.

    Raises:
        ApiError: 400, the solver is not a chat model, and the request is not a single text of a user.
    """
    text = replace_surrogates(request.last_user_text)
    question = None if settings.prompt is None else match_prompt(settings.prompt, text)
    fields = {**settings.sampling, **request.settings}
    if "max_completion_tokens" in request.settings:
        fields.pop("max_tokens", None) if settings.chat else fields.update(
            max_tokens=request.settings["max_completion_tokens"]
        )
    seed = fields.pop("seed", None)
    notes = [describe_setting(name, fields[name], value) for name, value in settings.sampling.items()
             if name in fields and fields[name] != value]  # fmt: skip
    if settings.chat:
        if settings.prompt is not None and (question is None or len(request.messages) > 1):
            notes.insert(
                0,
                f"The prompt is not the profile's ('{settings.prompt.name}'), so its accuracies may not hold.",
            )
        body = {"model": request.model, **fields, "messages": request.messages}
        return SolverCall("/chat/completions", body, seed, text if question is None else question, tuple(notes))
    if (
        len(request.messages) != 1
        or request.messages[0]["role"] != "user"
        or not isinstance(request.messages[0]["content"], str)
    ):
        raise ApiError(
            400, "The profile's solver is not a chat model; send one message of the user, as a text.", param="messages"
        )
    prompt = text
    if settings.prompt is not None and question is None:
        question, prompt = text, settings.prompt.fill(question=text)
    plain = {name: value for name, value in fields.items() if name not in CHAT_FIELDS}
    body = {"model": request.model, **plain, "prompt": prompt}
    return SolverCall("/completions", body, seed, text if question is None else question, tuple(notes))


def build_verifier_body(
    model: str, settings: RoleSettings, question: str, solution: str, seed: int | None
) -> tuple[str, dict[str, Any]]:
    """Return path and body of a call that verifies a solution.

    Args:
        model: the verifier's name at its server.
        settings: how the profile's run prompted it.
        question: the question.
        solution: the visible text of the solution.
        seed: its seed; None for the server's own.
    """
    assert settings.prompt is not None, "a verifier has a prompt"
    text = settings.prompt.fill(question=question, solution=replace_surrogates(solution))
    body: dict[str, Any] = {"model": model, **settings.sampling} | ({} if seed is None else {"seed": seed})
    if settings.chat:
        return "/chat/completions", body | {"messages": [{"role": "user", "content": text}]}
    return "/completions", body | {"prompt": text}


def match_prompt(prompt: Prompt, text: str) -> str | None:
    """Return the question of a text that is written in a prompt; None if it is not.

    >>> match_prompt(Prompt("p", "Problem: {question}\\nSolution:\\n"), "Problem: 2 + 2\\nSolution:")
    '2 + 2'
    """
    before, _, after = prompt.template.partition("{question}")
    if "{question}" in after:
        return None
    before, after, text = before.lstrip(), after.rstrip(), text.strip()
    if len(text) < len(before) + len(after) or not text.startswith(before) or not text.endswith(after):
        return None
    return text[len(before) : len(text) - len(after)].strip() or None


def describe_setting(name: str, given: Any, measured: Any) -> str:
    """Return a note on a sampling setting that is not the profile's."""
    return f"{name} is {re.sub(r'[^0-9.e+-]', '', str(given))[:20]}; the profile was measured at {measured}."


def draw_seed(seed: int, *parts: object) -> int:
    """Return a seed that follows from the client's; servers take 31 bits of it.

    >>> draw_seed(7, "solution", 0) == draw_seed(7, "solution", 0) != draw_seed(7, "solution", 1)
    True
    """
    words = "/".join(map(str, (seed, *parts)))
    return int.from_bytes(blake2b(words.encode(), digest_size=8).digest()) % SEED_MODULUS
