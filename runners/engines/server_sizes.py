"""Parameter counts of served models, as far as the server reports them.

The protocol does not include the count, but three servers report it in other ways:

- llama.cpp's: ``data[].meta.n_params`` of ``GET /v1/models`` (ggml-org/llama.cpp, tools/server/README.md, "GET
  /v1/models"). ``meta`` is null while the model is loading. It serves its one model under any name.
- Ollama: ``model_info["general.parameter_count"]`` of ``POST /api/show``, beside ``/v1`` (ollama/ollama, docs/api.md,
  "Show Model Information"); ``<architecture>.expert_count`` there marks a mixture of experts.
- vLLM's: ``data[].root`` of ``GET /v1/models`` is the path that it was started with (vllm-project/vllm,
  vllm/entrypoints/openai/models/serving.py). If the server is on this machine, the checkpoint in that folder is read.

Failures are not errors: the size is then unknown.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from isocompute.errors import ConfigError, EngineError
from isocompute.runners.cost.model_size import count_checkpoint_parameters
from isocompute.runners.documents import parse_answer_json
from isocompute.runners.engines.openai import OpenAIEngine
from isocompute.runners.engines.server_client import LostResponseError, read_response_body
from isocompute.runners.engines.servers import Server

SIZE_QUERY_SECONDS = 5.0
"""Seconds within which a server must have reported its size, all requests together."""

MOST_PARAMETERS = 1e15
"""Numbers of parameters from this on are taken for errors."""


def fetch_served_parameters(model: str, options: Mapping[str, Any]) -> float | None:
    """Return a model's number of parameters, as its servers report it.

    The requests go through the engine's own client: redirects are not followed, responses are limited in length, and
    keys are redacted in logs.

    Args:
        model: the name that the servers give it.
        options: of the engine `openai`: the servers, and the location of their key.

    Returns:
        None if a server does not report it or two differ. Also None for a known mixture of experts, since a token
            passes
        through only a few of the experts.
    """
    try:
        engine = OpenAIEngine(model, **options)
    except (ConfigError, TypeError, ValueError):  # sampling with these options reports the error
        return None
    try:
        asked = asyncio.run_coroutine_threadsafe(fetch_server_sizes(engine), engine.loop)
        sizes = asked.result()
    finally:
        engine.close()
    return next(iter(sizes)) if len(sizes) == 1 else None


async def fetch_server_sizes(engine: OpenAIEngine) -> set[float | None]:
    """Return the sizes that the servers report; None stands for a server that reports none."""
    return set(await asyncio.gather(*(fetch_server_size(engine, server) for server in engine.servers.all)))


async def fetch_server_size(engine: OpenAIEngine, server: Server) -> float | None:
    """Return a server's size of the engine's model; None if it reports none or does not respond in time."""
    try:
        async with asyncio.timeout(min(SIZE_QUERY_SECONDS, engine.timeout)), engine.build_client() as client:
            card = find_model_card(await fetch_json(client, server, f"{server.url}/models"), engine.model)
            if card is None:
                return None
            size = read_card_size(card, is_local_url(server.url))
            beside = server.url.removesuffix("/v1")
            if size is None and "meta" not in card and "root" not in card and beside != server.url:
                size = read_ollama_size(await fetch_json(client, server, f"{beside}/api/show", {"model": engine.model}))
            return size
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, LostResponseError, ValueError, RecursionError):
        return None


async def fetch_json(client: httpx.AsyncClient, server: Server, url: str, body: Mapping[str, Any] | None = None) -> Any:
    """Return the JSON of a server's response; a request with a body is sent by POST.

    Raises:
        LostResponseError, httpx.HTTPError, ValueError, RecursionError: the response is an error, too long, or not JSON.
    """
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **server.headers}
    request = client.build_request("GET" if body is None else "POST", url, content=content, headers=headers)
    answer = await client.send(request, stream=True)
    content_bytes = await read_response_body(answer)
    if not answer.is_success:
        raise LostResponseError(f"HTTP {answer.status_code}")
    return parse_answer_json(content_bytes)


def find_model_card(answer: Any, model: str) -> dict[str, Any] | None:
    """Return a model's entry in a server's list of models; None if it is not listed.

    >>> find_model_card({"data": [{"id": "a"}, {"id": "b", "root": "/models/b"}]}, "b")
    {'id': 'b', 'root': '/models/b'}
    >>> find_model_card({"data": [{"id": "m.gguf", "owned_by": "llamacpp"}]}, "any")["id"]
    'm.gguf'
    """
    listed = answer.get("data") if isinstance(answer, dict) else None
    cards = [card for card in listed if isinstance(card, dict)] if isinstance(listed, list) else []
    named = [card for card in cards if model == card.get("id") or model in read_model_aliases(card)]
    if not named and len(cards) == 1 and cards[0].get("owned_by") == "llamacpp":
        named = cards
    return named[0] if named else None


def read_model_aliases(card: Mapping[str, Any]) -> list[Any]:
    """Return the other names of a model that llama.cpp's server reports."""
    names = card.get("aliases")
    return names if isinstance(names, list) else []


def read_card_size(card: Mapping[str, Any], local: bool) -> float | None:
    """Return the size in a model's entry: llama.cpp's number, or that of the folder that vLLM names.

    Args:
        card: the model's entry in the list.
        local: whether the server is on this machine, so that its folder can be read.

    >>> read_card_size({"meta": {"n_params": 8030261312}}, False)
    8030261312.0
    """
    meta, root = card.get("meta"), card.get("root")
    if isinstance(meta, dict):
        return clean_parameter_count(meta.get("n_params"))
    if not (local and isinstance(root, str) and Path(root).is_absolute()):
        return None
    try:
        return count_checkpoint_parameters(root)
    except (EngineError, OSError):
        return None


def read_ollama_size(answer: Any) -> float | None:
    """Return the size that Ollama reports; None for a mixture of experts.

    >>> read_ollama_size({"model_info": {"general.architecture": "llama", "general.parameter_count": 8030261248}})
    8030261248.0
    """
    info = answer.get("model_info") if isinstance(answer, dict) else None
    if not isinstance(info, dict) or info.get(f"{info.get('general.architecture')}.expert_count"):
        return None
    return clean_parameter_count(info.get("general.parameter_count"))


def clean_parameter_count(number: Any) -> float | None:
    """Return a number of parameters, or None if it is invalid."""
    return float(number) if type(number) is int and 0 < number < MOST_PARAMETERS else None


def is_local_url(url: str) -> bool:
    """Return whether a server's address is this machine's own.

    >>> is_local_url("http://127.0.0.1:8000/v1"), is_local_url("https://api.example.com/v1")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
