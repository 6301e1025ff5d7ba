"""Servers behind the endpoint that repeat its key, or send far too much or nothing of use."""

from __future__ import annotations

import json

import httpx
import pytest

from isocompute.serving.endpoint import chunks, receiving
from isocompute.serving.endpoint.chunks import CompletionStream
from isocompute.serving.endpoint.memory import MemoryPool, TooLargeError
from isocompute.serving.endpoint.redacting import AnswerRedactor
from isocompute.serving.endpoint.redacting_streams import MOST_HELD_CHUNKS, StreamRedactor
from tests.serving.endpoint.upstream_double import UpstreamDouble

KEY = "sk-upstream-0123456789"
USAGE = {"prompt_tokens": 5, "completion_tokens": 2}
END = b"data: [DONE]\n\n"


class RawDouble(UpstreamDouble):
    """A double whose streams, and whose other answers, are given as bytes."""

    stream = END
    whole = b"{}"

    async def _answer(self, body, headers, reader, writer) -> bool:
        self.seen.bodies.append(body)
        kind, content = (b"text/event-stream", self.stream) if body.get("stream") else (b"application/json", self.whole)
        length = str(len(content)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nContent-Length: " + length + b"\r\n\r\n")
        writer.write(content)
        return True


@pytest.fixture
def raw():
    """A double that sends what its fields ``stream`` and ``whole`` say."""
    server = RawDouble()
    yield server
    server.close()


def write_event(text="", reason=None, **more):
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": reason}
    return b"data: " + json.dumps({"id": "a", "choices": [choice], **more}).encode() + b"\n\n"


def join_content(answer: httpx.Response) -> str:
    """The text of a stream, as a client puts it together."""
    events = [json.loads(line[6:]) for line in answer.text.split("\n") if line.startswith("data: {")]
    found = [choice for event in events for choice in event.get("choices", ())]
    return "".join(choice["delta"].get("content") or "" for choice in found)


SPLITS = {
    "whole": (f"the key is {KEY} ok",),
    "two": (f"the key is {KEY[:9]}", f"{KEY[9:]} ok"),
    "letters": ("the key is ", *KEY, " ok"),
    "twice": (f"the key is {KEY}{KEY[:3]}", f"{KEY[3:]} ok"),
}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("asked", [{}, {"stream": True}, {"n": 2, "stream": True}])
def test_the_key_reaches_no_client_in_a_text(raw, endpoint, ask, monkeypatch, split, asked):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    pieces = SPLITS[split]
    raw.stream = b"".join(map(write_event, pieces)) + write_event(reason="stop") + END
    answer = ask(endpoint(raw, budget="1x"), **asked)
    assert answer.status_code == 200
    text = join_content(answer) if asked else answer.json()["choices"][0]["message"]["content"]
    assert text == "the key is " + "***" * "".join(pieces).count(KEY) + " ok"
    assert KEY not in answer.text


def test_the_key_reaches_no_client_in_any_field_of_a_passed_answer(raw, endpoint, ask, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    more = {"id": KEY, "model": KEY[::-1], "system_fingerprint": KEY.upper(), KEY: [{"x": KEY}]}
    raw.stream = b": " + KEY.encode() + b"\n\n" + write_event("7", **more) + write_event(reason=KEY, usage=USAGE) + END
    choice = {"index": 0, "message": {"content": f"{KEY}."}, "finish_reason": KEY, "logprobs": {"content": [KEY[:5]]}}
    raw.whole = json.dumps({"choices": [choice], "usage": USAGE, **more}).encode()
    served = endpoint(raw)
    for asked in ({"n": 2}, {"n": 2, "stream": True}):
        answer = ask(served, **asked)
        assert answer.status_code == 200
        for form in (KEY, KEY[::-1], KEY.upper()):
            assert form not in answer.text
    passed = ask(served, n=2).json()["choices"][0]
    assert passed["message"]["content"] == "***."
    assert passed["logprobs"] is None  # its tokens spell the key
    assert KEY not in ask(endpoint(raw)).text  # as the finish reason of a chosen text


def write_chunk(text, name="content", index=0, reason=None):
    return {"choices": [{"index": index, "delta": {name: text}, "finish_reason": reason, "logprobs": {"content": [1]}}]}


def test_a_chunk_is_held_back_only_while_a_key_may_have_begun():
    redactor = StreamRedactor(AnswerRedactor([KEY]))
    plain, open_end, harmless = write_chunk("The sum"), write_chunk("it is"), write_chunk(" 7")
    assert redactor.add_chunk(plain) == [plain]
    assert redactor.add_chunk(open_end) == []  # the key begins with an s
    assert redactor.add_chunk(harmless) == [open_end, harmless]
    assert redactor.add_chunk(write_chunk(KEY[:4])) == []
    assert len(redactor.add_chunk(write_chunk("7", "reasoning"))) == 2  # another text goes on
    first = redactor.add_chunk(write_chunk(KEY[:4], index=1)) + redactor.add_chunk(write_chunk(KEY[4:], index=1))
    assert [chunk["choices"][0]["delta"]["content"] for chunk in first] == ["", "***"]
    assert [chunk["choices"][0]["logprobs"] for chunk in first] == [None, None]
    assert len(redactor.add_chunk(write_chunk(KEY[:4], index=2, reason="stop"))) == 1


def test_few_chunks_are_held_back():
    redactor = StreamRedactor(AnswerRedactor([KEY]))
    redactor.add_chunk(write_chunk("s"))
    released = [redactor.add_chunk(write_chunk("7", index=1)) for _ in range(MOST_HELD_CHUNKS)]
    assert [len(chunks) for chunks in released] == [0] * (MOST_HELD_CHUNKS - 1) + [MOST_HELD_CHUNKS + 1]


def test_without_a_key_nothing_is_changed_or_held_back():
    redactor = StreamRedactor(AnswerRedactor([]))
    chunk = write_chunk(f"s {KEY} s")
    assert redactor.add_chunk(chunk) == [chunk]
    assert chunk == write_chunk(f"s {KEY} s")


def test_a_stream_without_a_usable_chunk_is_an_error_of_the_server(raw, endpoint, ask):
    served = endpoint(raw, retries=0)
    for stream in (END, b'data: {"choices": []}\n\n' + END, b"data: {}\n\n: x\n\n" + END):
        raw.stream = stream
        answer = ask(served, n=2, stream=True)
        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "upstream_unavailable"


def test_a_stream_may_begin_with_a_byte_order_mark(raw, endpoint, ask):
    raw.stream = b"\xef\xbb\xbf" + write_event("\\boxed{7}") + write_event(reason="stop") + END
    served = endpoint(raw)
    assert join_content(ask(served, n=2, stream=True)) == "\\boxed{7}"
    assert ask(served).json()["isocompute"]["answer"] == "7"


@pytest.mark.parametrize(
    ("limit", "stream"),
    [
        ("MOST_STREAM_BYTES", b"\n" * 3000 + END),
        ("MOST_STREAM_CHUNKS", b'data: {"choices":[]}\n\n' * 3000),
        ("LONGEST_STREAM_LINE", b"data: " + b"x" * 3000),
        ("LONGEST_TEXT", write_event("x" * 3000) + END),
    ],
)
@pytest.mark.parametrize("asked", [{}, {"n": 2, "stream": True}])
def test_a_stream_over_a_limit_is_an_error_in_words(raw, endpoint, ask, monkeypatch, limit, stream, asked):
    monkeypatch.setattr(chunks, limit, 2000)
    raw.stream = stream
    answer = ask(endpoint(raw, retries=0, budget="1x"), **asked)
    assert answer.status_code == 502
    assert "more than 2,000" in answer.json()["error"]["message"]


@pytest.mark.parametrize("limit", ["MOST_ANSWER_BYTES", "MOST_ANSWER_VALUES_BYTES"])
def test_an_answer_over_a_limit_is_an_error_in_words(raw, endpoint, ask, monkeypatch, limit):
    served = endpoint(raw, retries=0)
    ask(served)  # the models are listed
    monkeypatch.setattr(receiving, limit, 2000)
    raw.whole = json.dumps({"choices": [[]] * 1500}).encode()
    answer = ask(served, n=2)
    assert answer.status_code == 502
    assert "more than 2,000 bytes" in answer.json()["error"]["message"]


def test_all_answers_that_are_received_share_their_memory(raw, endpoint, ask):
    served = endpoint(raw, retries=0)
    ask(served)
    memory = served.service.solver.memory
    memory.most = 2000
    raw.stream, raw.whole = b"data: " + b"x" * 3000, b" " * 3000
    for asked in ({}, {"n": 2}, {"n": 2, "stream": True}):
        answer = ask(served, **asked)
        assert answer.status_code == 502
        assert "more than 2,000 bytes at once" in answer.json()["error"]["message"]
    assert memory.taken == 0


def test_of_a_stream_only_the_text_is_kept():
    with MemoryPool(10**9).open_share() as share:
        stream = CompletionStream(share)
        for _ in range(100):
            stream.add_piece(write_event("four") * 100)
        assert share.size < 200_000  # of a megabyte
        stream.finish()
        assert stream.build_text().text == "four" * 10_000


def test_a_line_without_an_end_is_given_up():
    with MemoryPool(10**9).open_share() as share:
        stream = CompletionStream(share)
        for _ in range(chunks.LONGEST_STREAM_LINE // 2**20):
            assert stream.add_piece(b"x" * 2**20) == []
        with pytest.raises(TooLargeError):
            stream.add_piece(b"x")
        assert not stream.unread
        assert stream.build_part() is None
