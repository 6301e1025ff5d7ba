"""Servers that keep to no protocol: they drip, never end, lie about lengths, and answer with values of other kinds."""

from __future__ import annotations

import gzip
import json
import socketserver
import threading
import time
import zlib
from collections.abc import Callable, Iterator

import pytest

from tests.hostile.cases import HostileInput
from tests.hostile.material import dump_json, make_sweep
from tests.hostile.test_servers import KEY, TEXT, USAGE, build_answer

MOST_SECONDS = 40.0
"""Seconds after which a server that never ends gives up, so that no thread outlives the tests."""

Pieces = Callable[[], Iterator[bytes]]


def build_head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Type: application/json", *lines, "", ""]).encode()


def answer(content: object, *lines: str, status: str = "200 OK") -> Pieces:
    """Return the pieces of a whole response."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return lambda: iter([build_head(f"Content-Length: {len(body)}", *lines, status=status) + body])


def repeat(first: bytes, piece: bytes, wait: float = 0.0) -> Pieces:
    """Return pieces without end."""

    def send() -> Iterator[bytes]:
        yield first
        end = time.monotonic() + MOST_SECONDS
        while time.monotonic() < end:
            yield piece
            time.sleep(wait)

    return send


def raw(content: bytes) -> Pieces:
    return lambda: iter([content])


def squeeze(kind: str, size: int) -> bytes:
    block = b" " * 2**20
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if kind == "gzip" else 15)
    return b"".join(packer.compress(block) for _ in range(size >> 20)) + packer.flush()


def choose(**choice: object) -> dict:
    return {"choices": [{"index": 0, "text": TEXT, "finish_reason": "stop"} | choice], "usage": USAGE}


CHUNKED = build_head("Transfer-Encoding: chunked")
GOOD = json.dumps(build_answer()).encode()
MODES: dict[str, Pieces] = {
    "drip": repeat(build_head("Content-Length: 1000000"), b" ", 0.1),
    "drip-headers": repeat(b"HTTP/1.1 200 OK\r\nX-A: ", b"a", 0.1),
    "drip-chunks": repeat(CHUNKED, b"1\r\n \r\n", 0.1),
    "endless-chunks": repeat(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "endless-headers": repeat(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"a" * 1000 + b"\r\n"),
    "endless-header": repeat(b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 4096),
    "endless-status": repeat(b"HTTP/1.1 200 ", b"O" * 4096),
    "endless-continue": repeat(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
    "endless-body": repeat(build_head("Connection: close"), b" " * 65536),
    "endless-lists": repeat(build_head("Connection: close"), b"[[[[[[[["),
    "endless-trailers": repeat(CHUNKED + b"0\r\n", b"X-A: a\r\n"),
    "no-http": raw(b"\x00\xff\x16\x03\x01" * 100),
    "http-0.9": raw(b"<html>hello</html>"),
    "ssh": raw(b"SSH-2.0-OpenSSH_9.0\r\n"),
    "nothing": raw(b""),
    "cut-head": raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "cut-body": raw(build_head("Content-Length: 500") + GOOD[:20]),
    "length-negative": raw(build_head("Content-Length: -1") + GOOD),
    "length-text": raw(build_head("Content-Length: many") + GOOD),
    "length-digits": raw(build_head(f"Content-Length: {'9' * 5000}") + GOOD),
    "length-two": raw(build_head("Content-Length: 5", "Content-Length: 7") + GOOD),
    "chunk-size": raw(CHUNKED + b"ffffffffffffffffffff\r\n" + GOOD),
    "chunk-negative": raw(CHUNKED + b"-5\r\n" + GOOD),
    "chunk-extension": raw(CHUNKED + b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n"),
    "status-999": answer({}, status="999 \x1b[31mHello"),
    "status-text": raw(b"HTTP/1.1 abc OK\r\n\r\n"),
    "status-204": raw(b"HTTP/1.1 204 No Content\r\n\r\n" + GOOD),
    "status-escape": answer({"error": "\x1b]0;pwn\x07[/red]"}, status="400 \x1b]0;pwn\x07"),
    "header-escape": answer({}, "X-A: \x1b]0;pwn\x07", "Retry-After: \x1b[31m", status="429 No"),
    "header-nul": raw(b"HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\n{}"),
    "retry-long": answer({}, "Retry-After: 1e300", status="429 No"),
    "retry-date": answer({}, "Retry-After: Fri, 31 Dec 9999 23:59:59 -9999", status="503 No"),
    "encoding-unknown": raw(build_head("Content-Encoding: evil", f"Content-Length: {len(GOOD)}") + GOOD),
    "encoding-brotli": raw(build_head("Content-Encoding: br", f"Content-Length: {len(GOOD)}") + GOOD),
    "gzip-twice": answer(gzip.compress(gzip.compress(GOOD)), "Content-Encoding: gzip, gzip"),
    "gzip-bomb": answer(squeeze("gzip", 3 << 30), "Content-Encoding: gzip"),
    "deflate-bomb": answer(squeeze("deflate", 3 << 30), "Content-Encoding: deflate"),
    "redirect-self": answer({}, "Location: /redirect-self/v1/completions", status="307 Go"),
    "redirect-file": answer({}, "Location: file:///etc/passwd", status="302 Go"),
    "redirect-none": answer({}, status="301 Go"),
    "upgrade": raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
    "null": answer(None),
    "list": answer([]),
    "text": answer("choices"),
    "nan": answer(b'{"choices": [{"text": "a", "finish_reason": "stop"}], "usage": {"prompt_tokens": NaN}}'),
    "infinity": answer(b'{"choices": [{"text": "a"}], "usage": {"completion_tokens": -Infinity}}'),
    "float": answer(choose() | {"usage": {"prompt_tokens": 1e308, "completion_tokens": -2.5}}),
    "twice": answer(b'{"choices": [], ' + GOOD[1:]),
    "utf-16": answer(GOOD.decode().encode("utf-16")),
    "utf-7": answer(GOOD, "Content-Type: application/json; charset=utf-7"),
    "charset": answer(GOOD, "Content-Type: application/json; charset=\x1bevil"),
    "mark": answer(b"\xef\xbb\xbf" + GOOD),
    "latin": answer(b'{"choices": [{"text": "\xe4"}]}'),
    "two-documents": answer(GOOD + GOOD),
    "stream": answer(b"data: " + GOOD + b"\n\ndata: [DONE]\n\n", "Content-Type: text/event-stream"),
    "deep-choices": answer(b'{"choices": ' + b"[" * 900 + b"]" * 900 + b"}"),
    "many-choices": answer({"choices": [{"index": i, "text": "x"} for i in range(200_000)], "usage": USAGE}),
    "choices-block": answer({"choices": {"0": {"text": "x"}}, "usage": USAGE}),
    "choice-null": answer({"choices": [None], "usage": USAGE}),
    "text-null": answer(choose(text=None)),
    "text-number": answer(choose(text=7)),
    "text-list": answer(choose(text=["a"])),
    "text-escape": answer(choose(text="\x1b]0;pwn\x07\\boxed{\x1b[31m5}")),
    "text-half": answer(b'{"choices": [{"text": "\\ud800", "finish_reason": "stop"}]}'),
    "text-nul": answer(choose(text="a\0b")),
    "text-long": answer(choose(text="\\boxed{" * 3_000_000)),
    "text-astral": answer(choose(text="\U0001f600" * 10_000_000)),
    "text-key": answer(choose(text=f"{KEY} {KEY[::-1]}")),
    "reason-list": answer(choose(finish_reason=[1])),
    "reason-long": answer(choose(finish_reason="r" * 1_000_000)),
    "reason-escape": answer(choose(finish_reason="\x1b[31m")),
    "usage-list": answer(choose() | {"usage": [1]}),
    "usage-text": answer(choose() | {"usage": "many"}),
    "usage-deep": answer(choose() | {"usage": {"prompt_tokens": [[[1]]], "completion_tokens": {"a": 1}}}),
    "usage-details": answer(choose() | {"usage": USAGE | {"prompt_tokens_details": {"cached_tokens": 10**30}}}),
    "logprobs": answer(choose(logprobs={"tokens": 1, "token_logprobs": "x", "top_logprobs": [None, {"a": "b"}]})),
    "error-list": answer({"error": [{"message": ["\x1b[31m"]}]}, status="400 No"),
    "error-long": answer({"error": {"message": "word " * 2_000_000}}, status="422 No"),
    "error-deep": answer(b'{"error": ' * 3000 + b"1" + b"}" * 3000, status="400 No"),
    "error-html": answer(b"<html>" + b"<p>bad</p>" * 500_000, status="502 Bad"),
    "error-key": answer({"error": {"message": f"Bearer {KEY} [/red]"}}, status="403 No"),
    "models-root": answer({"data": [{"id": "m", "root": "/proc/self/fd"}], **build_answer()}),
    "models-nul": answer({"data": [{"id": "m", "root": "/a\0b"}], **build_answer()}),
    "models-size": answer({"data": [{"id": "m", "meta": {"n_params": 10**400}}], **build_answer()}),
    "models-odd": answer({"data": [None, 1, {"id": None}, {"id": "m", "meta": []}], **build_answer()}),
    "models-lists": answer(b'{"data": [' + b"[]," * 30_000_000 + b"[]]}"),
}
BATCH = {"id": "b1", "status": "completed", "output_file_id": "f1"}
BATCH_MODES: dict[str, dict[str, Pieces]] = {
    "file-odd": {"POST /files": answer({"id": ["x"]})},
    "file-name": {"POST /files": answer({"id": "../../\x1b[31m"})},
    "made-odd": {"POST /batches": answer({"id": 7})},
    "state-odd": {"GET /batches/": answer({"id": "b1", "status": [1]})},
    "state-deep": {"GET /batches/": answer(b"[" * 100_000)},
    "state-failed": {"GET /batches/": answer(BATCH | {"status": "failed", "errors": {"data": "\x1b[31m"}})},
    "state-fault": {
        "GET /batches/": answer(
            BATCH | {"status": "failed", "errors": {"data": [{"code": "\x1b[31m", "message": "[/red]" * 9999}]}}
        )
    },
    "results-endless": {"GET /files/": repeat(build_head("Connection: close"), b"x" * 65536)},
    "results-drip": {"GET /files/": repeat(build_head("Content-Length: 100000"), b"x", 0.1)},
    "results-bytes": {"GET /files/": answer(bytes(range(256)) * 1000)},
    "results-lines": {"GET /files/": answer(b"\n" * 1_000_000)},
    "results-other": {
        "GET /files/": answer(b'{"custom_id": "nobody", "response": {"status_code": 200, "body": {}}}\n' * 1000)
    },
    "results-long": {"GET /files/": answer(b'{"custom_id": "' + b"x" * 50_000_000)},
    "results-lists": {"GET /files/": answer(b'{"custom_id": [' + b"[]," * 20_000_000 + b"[]]}")},
    "results-gone": {"GET /files/": answer({"error": "\x1b[31mno"}, status="404 No")},
    "results-gzip": {"GET /files/": answer(squeeze("gzip", 1 << 30), "Content-Encoding: gzip")},
    "pages-endless": {},  # made below
}


def turn_pages() -> Pieces:
    """Return a list of batches whose every page has a last batch of its own, and another page after it."""
    number = iter(range(10**9))

    def send() -> Iterator[bytes]:
        page = {"data": [{"id": f"b{next(number)}", "status": "completed"}], "has_more": True}
        return answer(page)()

    return send


class WildHandler(socketserver.BaseRequestHandler):
    """Reads one request, and sends what its mode says."""

    def handle(self) -> None:
        read = bytearray()
        while b"\r\n\r\n" not in read:
            piece = self.request.recv(65536)
            if not piece:
                return
            read += piece
        head, _, body = bytes(read).partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        lengths = [int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length")]
        while len(body) < sum(lengths):
            body += self.request.recv(65536)
        method, path, _ = lines[0].split(" ", 2)
        _, mode, _, *rest = path.split("/", 3)
        try:
            for piece in find_pieces(mode, f"{method} /{''.join(rest)}")():
                self.request.sendall(piece)
        except OSError:  # the client has closed the connection
            return


def find_pieces(mode: str, asked: str) -> Pieces:
    """Return what is sent for a request."""
    if mode in MODES:
        is_list = asked.startswith("GET /models") and not mode.startswith(("models", "drip", "endless"))
        return answer({"data": []}) if is_list else MODES[mode]
    replies: dict[str, Pieces] = {
        "POST /files": answer({"id": "f0"}),
        "POST /batches": answer(BATCH | {"status": "in_progress"}),
        "GET /batches/": answer(BATCH),
        "GET /batches?": turn_pages() if mode == "pages-endless" else answer({"data": []}),
        "GET /files/": answer(b"\n"),
        "GET /models": answer({"data": []}),
    } | BATCH_MODES[mode]
    if mode == "pages-endless" and asked.startswith("POST /batches"):
        return answer({}, status="500 No")
    return next((pieces for start, pieces in replies.items() if asked.startswith(start)), answer({}))


class WildServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that closes the connection."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with WildServer(("127.0.0.1", 0), WildHandler) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield running.server_address[1]
        running.shutdown()


def make_case(mode: str, port: int, engine: str = "openai") -> HostileInput:
    """Return a sweep of a model behind a wild server."""
    sweep = make_sweep() | {"engine": engine}
    options = {"urls": f"http://127.0.0.1:{port}/{mode}/v1", "retries": 0, "timeout": 2, "patience": 2, "backoff": 0.1}
    options |= {"concurrency": 2} if engine == "openai" else {"poll": 0.1}
    sweep["solver"] |= {"options": options}
    if mode.startswith("models"):
        del sweep["solver"]["parameters"]
    return HostileInput(
        f"wild-{engine}-{mode}",
        ("sweep", "s.yaml"),
        {"s.yaml": dump_json(sweep)},
        environment={"OPENAI_API_KEY": KEY, "no_proxy": "127.0.0.1,localhost"},
        writes_rows=True,
    )


def mark_some(modes: dict) -> list:
    return [pytest.param(mode, marks=[] if at % 12 == 1 else [pytest.mark.soak]) for at, mode in enumerate(modes)]


@pytest.mark.parametrize("mode", mark_some(MODES))
def test_a_wild_server_does_no_harm(judge, port, mode):
    ending, faults = judge(make_case(mode, port))
    assert not faults, f"{faults}; {ending}"[:2000]
    assert KEY.encode() not in ending.out + ending.err


@pytest.mark.parametrize("mode", mark_some(BATCH_MODES))
def test_a_wild_server_of_batches_does_no_harm(judge, port, mode):
    ending, faults = judge(make_case(mode, port, "openai-batch"))
    assert not faults, f"{faults}; {ending}"[:2000]
    assert KEY.encode() not in ending.out + ending.err
