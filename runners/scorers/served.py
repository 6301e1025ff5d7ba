"""Reward models behind a server of vLLM: the calls that score a solution, and the scorer that makes them.

Only language models that predict a token for right and one for wrong are scored this way: servers of completions report
the probabilities of both (``logprob_token_ids``), for all steps of a solution in one call. The tokens are made here, as
for the scorers in this process, so that a solution cannot write markup. So the model's tokenizer must be here, and its
weights only at the server. vLLM 0.32 has the field; other servers do not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx

from isocompute.errors import EngineError
from isocompute.runners.engines.openai_protocol import parse_usage
from isocompute.runners.engines.server_client import ServerClient
from isocompute.runners.scorers.base import ScoreRequest, ScoreResult
from isocompute.runners.scorers.formats.base import (
    RewardModelFormat,
    TokenPair,
    build_score_result,
    tokenise_request,
)

SCORING_PATH = "/completions"
"""The path under the base URL at which solutions are scored."""


class ServedScorer(ServerClient[ScoreRequest, ScoreResult]):
    """A reward model behind one or several servers, as a `Scorer`.

    Args:
        model: checkpoint folder or hub name; its tokenizer is read.
        kind: its format, whose head is a pair of tokens.
        urls: base URLs such as ``http://localhost:8000/v1``.
        served_as: the name that the server gives the model; ``model`` if None.
        concurrency, timeout, retries, patience, backoff, key_env: as of the engine `openai`.

    Raises:
        ConfigError: an option is out of its range, or a URL is invalid.
    """

    def __init__(
        self,
        model: str,
        kind: RewardModelFormat,
        urls: str | Sequence[str] = (),
        served_as: str | None = None,
        concurrency: int = 64,
        timeout: float = 600.0,
        retries: int = 8,
        patience: float = 900.0,
        backoff: float = 1.0,
        key_env: str = "OPENAI_API_KEY",
    ) -> None:
        what = "scorer in the engine 'openai'"
        super().__init__(what, served_as or model, urls, concurrency, timeout, retries, patience, backoff, key_env)
        self.kind = kind

    def encode_call(self, request: ScoreRequest) -> tuple[str, bytes]:
        """Return the path and the body of the call that scores a request's new steps."""
        return SCORING_PATH, json.dumps(build_scoring_body(self.model, self.kind, request)).encode()

    def parse_answer(self, request: ScoreRequest, answer: Any) -> ScoreResult:
        """Return the scores in a response."""
        return parse_scores(self.kind, request, answer)

    def build_failure(self, status: str) -> ScoreResult:
        """Return a result without scores, with the status that says why."""
        return ScoreResult(None, None, None, None, status)

    async def _complete_request(self, client: httpx.AsyncClient, request: ScoreRequest) -> ScoreResult:
        if not any(step.strip() for step in request.new_steps):
            return replace(build_score_result(request, [], 0, 0, 0), seconds=0.0)
        return await super()._complete_request(client, request)


def build_scoring_body(model: str, kind: RewardModelFormat, request: ScoreRequest) -> dict[str, Any]:
    """Return the body of the call that scores a request's new steps: a prompt for each, and one token after it.

    Args:
        model: the name that the server gives the model.
        kind: its format.
        request: the solution; a step of it is new and not blank.

    Raises:
        EngineError: the format's head is not a pair of tokens.
    """
    if not isinstance(kind.head, TokenPair):
        raise EngineError("A server scores with models that predict a token for right and one for wrong; this has a "
                          "head of its own.")  # fmt: skip
    prefixes = [list(prefix) for reading in tokenise_request(kind, request) for prefix in reading.prefixes]
    return {
        "model": model,
        "prompt": prefixes,
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": 1,
        "logprob_token_ids": [kind.head.right, kind.head.wrong],
        "return_tokens_as_token_ids": True,
    }


def parse_scores(kind: RewardModelFormat, request: ScoreRequest, answer: Any) -> ScoreResult:
    """Return the scores in a server's answer to `build_scoring_body`.

    The one token after each prompt is not counted as sampled: it is drawn, and never read.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: the answer does not have the form.
    """
    assert isinstance(kind.head, TokenPair), "the body was built for a pair of tokens"
    right, wrong = f"token_id:{kind.head.right}", f"token_id:{kind.head.wrong}"
    choices = sorted(answer["choices"], key=lambda choice: choice["index"])
    likely = [choice["logprobs"]["top_logprobs"][0] for choice in choices]
    margins = [float(each[right]) - float(each[wrong]) for each in likely]
    if len(margins) != sum(bool(step.strip()) for step in request.new_steps):
        raise ValueError("another number of scores than of steps")
    prompt, cached, _ = parse_usage(answer.get("usage"), "")
    return replace(build_score_result(request, margins, 0, cached, len(margins)), prompt_tokens=prompt)
