"""How many parameters the model behind a server has, as far as the server says it.

The protocol does not say it, but three servers do, in ways of their own:

- llama.cpp's: ``data[].meta.n_params`` of ``GET /v1/models`` (ggml-org/llama.cpp, tools/server/README.md, "GET
  /v1/models"). ``meta`` is null while the model is loading. It serves its one model whatever it is called.
- Ollama: ``model_info["general.parameter_count"]`` of ``POST /api/show``, beside ``/v1`` (ollama/ollama, docs/api.md,
  "Show Model Information"); ``<architecture>.expert_count`` there tells a mixture of experts.
- vLLM's: ``data[].root`` of ``GET /v1/models`` is the path that it was started with (vllm-project/vllm,
  vllm/entrypoints/openai/models/serving.py). If the server is on this machine, the checkpoint in that folder tells.

Nothing that goes wrong here is an error: then the size is unknown.
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
from isocompute.runners.engines.openai import LostResponseError, OpenAIEngine, read_response_body
from isocompute.runners.engines.servers import Server

SIZE_QUERY_SECONDS = 5.0
"""Seconds in which the servers must have said it, all questions together."""

MOST_PARAMETERS = 1e15
"""Parameters beyond which a number is not believed."""


def fetch_served_parameters(model: str, options: Mapping[str, Any]) -> float | None:
    """Return how many parameters a model has, as its servers say.

    Redirects are not followed, answers are no longer than others may be, and keys are blotted out of what is logged:
    the engine's own client asks.

    Args:
        model: the name that the servers give it.
        options: of the engine `openai`: the servers, and where their key is.

    Returns:
        None if a server does not say it, or two differ; and of a mixture of experts, if that is known, since a token
        passes through a few of them only.
    """
    try:
        engine = OpenAIEngine(model, **options)
    except (ConfigError, TypeError, ValueError):  # whoever samples with these options meets the error and reports it
        return None
    try:
        asked = asyncio.run_coroutine_threadsafe(fetch_server_sizes(engine), engine.loop)
        sizes = asked.result()
    finally:
        engine.close()
    return next(iter(sizes)) if len(sizes) == 1 else None


async def fetch_server_sizes(engine: OpenAIEngine) -> set[float | None]:
    """Return what the servers say, None for one that does not."""
    return set(await asyncio.gather(*(fetch_server_size(engine, server) for server in engine.servers.all)))


async def fetch_server_size(engine: OpenAIEngine, server: Server) -> float | None:
    """Return what a server says of the engine's model; None if nothing, or if it does not answer in time."""
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
    """Return the JSON that a server answers with; with a body it is sent by POST.

    Raises:
        Lost, httpx.HTTPError, ValueError, RecursionError: it answers with an error, too much, or no JSON.
    """
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **server.headers}
    request = client.build_request("GET" if body is None else "POST", url, content=content, headers=headers)
    answer = await client.send(request, stream=True)
    said = await read_response_body(answer)
    if not answer.is_success:
        raise LostResponseError(f"HTTP {answer.status_code}")
    return json.loads(said)


def find_model_card(answer: Any, model: str) -> dict[str, Any] | None:
    """Return what a list of models says of one; None if it is not on it.

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
    """Return the other names by which llama.cpp's server says that it knows a model."""
    names = card.get("aliases")
    return names if isinstance(names, list) else []


def read_card_size(card: Mapping[str, Any], local: bool) -> float | None:
    """Return the size that a list of models says: llama.cpp's number, or that of the folder that vLLM names.

    Args:
        card: what the list says of the model.
        local: whether the server is on this machine, so that a folder is the one that it means.

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
    except EngineError:
        return None


def read_ollama_size(answer: Any) -> float | None:
    """Return the size that Ollama says; None of a mixture of experts.

    >>> read_ollama_size({"model_info": {"general.architecture": "llama", "general.parameter_count": 8030261248}})
    8030261248.0
    """
    info = answer.get("model_info") if isinstance(answer, dict) else None
    if not isinstance(info, dict) or info.get(f"{info.get('general.architecture')}.expert_count"):
        return None
    return clean_parameter_count(info.get("general.parameter_count"))


def clean_parameter_count(number: Any) -> float | None:
    """Return a number of parameters, or None if it cannot be one."""
    return float(number) if type(number) is int and 0 < number < MOST_PARAMETERS else None


def is_local_url(url: str) -> bool:
    """Return whether a server listens on this machine's own address.

    >>> is_local_url("http://127.0.0.1:8000/v1"), is_local_url("https://api.example.com/v1")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
