"""Fuzz targets: what servers answer, what clients ask `isocompute serve`, and the files of model folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from isocompute.errors import EngineError
from isocompute.runners.cost.config_file import check_config_file
from isocompute.runners.cost.model_size import count_checkpoint_parameters, read_architecture
from isocompute.runners.documents import parse_answer_json
from isocompute.runners.engines.base import Request, Sampling
from isocompute.runners.engines.batch_files import parse_result, parse_result_line
from isocompute.runners.engines.batch_records import decode_record
from isocompute.runners.engines.batch_states import parse_batch, parse_page
from isocompute.runners.engines.openai_protocol import parse_error_message, parse_redacted_completion
from isocompute.runners.engines.server_client import LostResponseError
from isocompute.runners.engines.server_sizes import find_model_card, read_card_size, read_ollama_size
from isocompute.runners.storage.leases import decode_lease
from isocompute.serving.endpoint.chunks import parse_stream
from isocompute.serving.endpoint.errors import ApiError
from isocompute.serving.endpoint.memory import TooLargeError
from isocompute.serving.endpoint.receiving import parse_whole
from isocompute.serving.endpoint.redacting import AnswerRedactor
from isocompute.serving.endpoint.redacting_streams import MOST_HELD_CHUNKS, StreamRedactor
from isocompute.serving.endpoint.requests import parse_body, read_chat_request
from tests.hostile.fuzzing.drawing import MARKUP, VALUES, FuzzTarget, dump, encode, mutate, mutate_bytes, write_text
from tests.hostile.kinds.models import SOLVER

INVALID_ANSWER = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What the engine turns into a lost response."""

USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 3,
    "total_tokens": 8,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
CHAT = {
    "choices": [
        {
            "message": {"content": [{"type": "text", "text": "4"}], "reasoning_content": "2", "refusal": None},
            "finish_reason": "stop",
            "stop_reason": "\n\n",
            "logprobs": {"content": [{"token": "4", "logprob": -0.1, "top_logprobs": [{"token": "5", "logprob": -2}]}]},
        }
    ],
    "usage": USAGE,
}
TEXT = {
    "choices": [
        {
            "text": "4",
            "finish_reason": "length",
            "logprobs": {"tokens": ["4"], "token_logprobs": [-0.1], "top_logprobs": [{"4": -0.1, "5": -2.0}]},
        }
    ],
    "usage": USAGE,
}
CARDS = {
    "data": [
        {"id": "m", "root": "/nowhere", "aliases": ["n"], "meta": {"n_params": 7_000_000_000}, "owned_by": "llamacpp"}
    ],
    "model_info": {"general.architecture": "llama", "general.parameter_count": 8_000_000_000, "llama.expert_count": 0},
}
BATCH = {
    "id": "batch_1",
    "status": "failed",
    "output_file_id": "f1",
    "error_file_id": None,
    "metadata": {"isocompute": "0a"},
    "errors": {"data": [{"code": "x", "message": "late", "line": 3}]},
}
RESULT = {"custom_id": "a", "response": {"status_code": 200, "body": CHAT}, "error": {"code": "e", "message": "late"}}
RECORD = {"batch": "b", "requests": ["1b", "2c"]}
LEASE = {"writer": "0a", "machine": "m", "process": 7, "seconds": 30.0}
QUESTION = {
    "model": "m",
    "messages": [{"role": "user", "content": [{"type": "text", "text": "1+1?"}]}],
    "stream": True,
    "stream_options": {"include_usage": True},
    "temperature": 0.7,
    "top_p": 0.9,
    "max_tokens": 7,
    "n": 1,
    "stop": ["\n"],
    "seed": 3,
    "isocompute": {"budget": "16x", "deadline": 5, "target": 0.9, "policy": "beta", "threshold": 0.95},
}
CHUNK = {
    "choices": [{"delta": {"content": "4", "reasoning_content": ""}, "text": None, "finish_reason": None}],
    "usage": USAGE,
    "error": None,
}


def read_answer(_: Path, value: Any) -> None:
    """Read an answer as each engine does: of a text or a chat, with steps or without."""
    text = dump(value)
    for sampling in (Sampling(max_tokens=8), Sampling(max_tokens=8, step="\n\n")):
        try:
            completion = parse_redacted_completion(parse_answer_json(text), sampling, str, str)
        except INVALID_ANSWER:
            continue
        (completion.text or "").encode()  # a half of a surrogate pair cannot be stored
        completion.status.encode()
        for count in (completion.prompt_tokens, completion.cached_tokens, completion.completion_tokens):
            assert count is None or 0 <= count < 2**31
    with suppress(ValueError):
        parse_whole(parse_answer_json(encode(value)))
    assert "\n" not in parse_error_message(text)


def read_cards(_: Path, value: Any) -> None:
    """Read a size as the engine does, which takes any error for a server that reports none."""
    try:
        answer = parse_answer_json(dump(value))
    except (ValueError, RecursionError):
        return
    card = find_model_card(answer, "m")
    for size in (None if card is None else read_card_size(card, False), read_ollama_size(answer)):
        assert size is None or 0 < size < 1e15


def read_batches(_: Path, value: Any) -> None:
    try:
        answer = parse_answer_json(dump(value))
    except (ValueError, RecursionError):
        return
    for parse in (parse_batch, parse_page):
        with suppress(LostResponseError):
            parse(answer)


def read_result(_: Path, value: Any) -> None:
    result = parse_result_line(encode(value), str)
    if result is not None:
        parse_result(result, Request((), "1+1?", 7, Sampling(max_tokens=8)), str, str)


def read_question(_: Path, value: Any) -> None:
    try:
        request = read_chat_request(parse_body(encode(value)), {}, 0.0)
    except ApiError as error:
        refused = error
    else:
        assert isinstance(request.last_user_text, str)
        return
    assert refused.status == 400
    json.dumps(refused.to_body()).encode()


def read_stream(_: Path, events: list[Any]) -> None:
    """Read the chunks of a stream, and search them for a key as they are passed through."""
    raw = b"".join(b"data: " + encode(event) + b"\n\n" for event in events)
    with suppress(ValueError, TooLargeError):
        parse_stream(raw).text.encode()
    redactor = StreamRedactor(AnswerRedactor(["sk-live-4242424242"]))
    with suppress(AttributeError, TypeError, ValueError, RecursionError):
        for line in raw.split(b"\n\n"):
            if line:
                redactor.add_chunk(json.loads(line[6:]))
    assert len(redactor.held) <= MOST_HELD_CHUNKS + 1


def copy_model(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(SOLVER, path)


def read_model_folder(name: str) -> Callable[[Path, Any], None]:
    """Return a target that reads a model's folder, of which one file has the value as its content."""

    def run(path: Path, value: Any) -> None:
        copy_model(path)
        if isinstance(value, bytes):
            (path / name).write_bytes(value)
        else:
            write_text(path / name, dump(value))
        with suppress(EngineError):
            check_config_file(str(path), path)
        with suppress(EngineError):
            size = count_checkpoint_parameters(str(path))
            assert size is None or size >= 0
        read_architecture(str(path))

    return run


CONFIG = json.loads((SOLVER / "config.json").read_text(encoding="utf-8"))
MIXTURE = CONFIG | {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "mlp_only_layers": [0]}
WEIGHTS = (SOLVER / "model.safetensors").read_bytes()
HEADER = WEIGHTS[: 8 + int.from_bytes(WEIGHTS[:8], "little")]

TARGETS = {
    "answers of servers": FuzzTarget(read_answer, mutate(CHAT) | mutate(TEXT)),
    "sizes of servers": FuzzTarget(read_cards, mutate(CARDS)),
    "states of batches": FuzzTarget(
        read_batches,
        mutate(BATCH) | mutate({"data": [BATCH], "has_more": True}),
        found=[BATCH | {"errors": {"data": True}}, BATCH | {"errors": {"data": 7}}],
    ),
    "results of batches": FuzzTarget(read_result, mutate(RESULT)),
    "records of batches": FuzzTarget(lambda _, value: decode_record("a.json", encode(value), "F"), mutate(RECORD)),
    "leases": FuzzTarget(lambda _, value: decode_lease("l", 0, encode(value)), mutate(LEASE)),
    "requests to the server": FuzzTarget(read_question, mutate(QUESTION)),
    "streams": FuzzTarget(read_stream, st.lists(mutate(CHUNK) | st.just("[DONE]") | VALUES | MARKUP, max_size=5)),
    "configs of models": FuzzTarget(
        read_model_folder("config.json"),
        mutate(CONFIG) | mutate(MIXTURE),
        "m",
        [CONFIG | {"num_experts": 8, "num_experts_per_tok": 2}, MIXTURE | {"num_experts_per_tok": 9}],
    ),
    "weights of models": FuzzTarget(read_model_folder("model.safetensors"), mutate_bytes(HEADER), "m"),
    "indexes of models": FuzzTarget(
        read_model_folder("model.safetensors.index.json"),
        mutate({"metadata": {}, "weight_map": {"a": "model.safetensors", "b": "b.safetensors"}}),
        "m",
    ),
}
