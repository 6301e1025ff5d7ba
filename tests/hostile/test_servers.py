"""Servers that send too much, echo the key or send it elsewhere: a sweep ends, within memory, and no key is shown."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.hostile.cases import HostileInput
from tests.hostile.material import dump_json, make_sweep

KEY = "sk-hostile-2f9c41d7e85b60a3"
TEXT = r"14+11 = 25\n\boxed{25}"
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def build_answer(**changed) -> dict:
    choice = {"index": 0, "text": TEXT, "finish_reason": "stop", "logprobs": None}
    return {"choices": [choice], "usage": USAGE} | changed


def build_error(message: str) -> dict:
    return {"error": {"message": message}}


def pack(content: bytes, times: int) -> bytes:
    """Return a content that unpacks to many times itself, without ever having all of it."""
    squeezed = gzip.compress(content * 64, 9)
    return squeezed * (times // 64)


ECHOES = {
    "plain": f"Incorrect API key provided: {KEY}",
    "base64": base64.b64encode(KEY.encode()).decode(),
    "percent": "".join(f"%{ord(c):02x}" for c in KEY),
    "hex": KEY.encode().hex(),
    "hex-spaced": KEY.encode().hex(" ").upper(),
    "wide": "".join(chr(ord(c) + 0xFEE0) for c in KEY),
    "upper": KEY.upper(),
    "spaced": " ".join(KEY),
    "broken": f"{KEY[:8]}\n{KEY[8:]}",
    "reversed": KEY[::-1],
}
MODES: dict[str, tuple[int, object, dict[str, str]]] = {
    "lists": (200, b"[" + b"[]," * (24 << 20) + b"[]]", {}),
    "gzip-spaces": (200, pack(b" " * 2**20, 2048), {"Content-Encoding": "gzip"}),
    "gzip-damaged": (200, b"not gzip", {"Content-Encoding": "gzip"}),
    "huge-claim": (200, b"{}", {"Content-Length": str(2**40)}),
    "digits": (200, json.dumps(build_answer()).replace("11", "9" * 5000).encode(), {}),
    "deep": (200, b"[" * 200_000, {}),
    "tokens-huge": (200, build_answer(usage={"prompt_tokens": 2**70, "completion_tokens": 1e308}), {}),
    "not-utf8": (200, b'{"choices": [{"text": "\xff\xfe"}]}', {}),
    "key-in-answer": (200, build_answer(choices=[{"text": f"the key is {KEY}", "finish_reason": "stop"}]), {}),
    "key-in-reason": (200, build_answer(choices=[{"text": "a", "finish_reason": f"because {KEY}"}]), {}),
    "key-in-header": (400, build_error("no"), {"X-Key": KEY, "Retry-After": KEY}),
    **{
        f"echo-{status}-{name}": (status, build_error(text), {})
        for name, text in ECHOES.items()
        for status in (401, 500)
    },
    **{f"redirect-{status}": (status, b"", {"Location": "ELSEWHERE"}) for status in (301, 302, 307, 308)},
}


CASES = [pytest.param(mode, marks=[] if at % 3 == 0 else [pytest.mark.soak]) for at, mode in enumerate(MODES)]


class HostileServer(ThreadingHTTPServer):
    """A server that answers by the first part of the path, and writes down what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that closes the connection."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HostileServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.answer(200, {"data": []}, {})

    def do_POST(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        mode = self.path.split("/")[1]
        self.answer(*MODES.get(mode, (200, build_answer(), {})))

    def answer(self, status: int, content: object, headers: dict[str, str]) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        port = self.server.server_address[1]
        headers = {"Content-Length": str(len(body))} | headers
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value.replace("ELSEWHERE", f"http://localhost:{port}/stolen/v1/completions"))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def server():
    with HostileServer() as running:
        yield running
        running.shutdown()


def make_case(name: str, url: str, **environment: str) -> HostileInput:
    """Return a sweep of a model behind a server, with a key in the environment."""
    sweep = make_sweep()
    options = {"urls": url, "concurrency": 2, "retries": 0, "timeout": 5, "patience": 1, "backoff": 0.1}
    sweep["solver"] |= {"options": options}
    return HostileInput(
        f"server-{name}",
        ("sweep", "s.yaml"),
        {"s.yaml": dump_json(sweep)},
        environment={"OPENAI_API_KEY": KEY, "no_proxy": "127.0.0.1,localhost"} | environment,
        writes_rows=True,
    )


@pytest.mark.parametrize("mode", CASES)
def test_a_hostile_server_does_no_harm_and_no_key_is_shown(judge, server, mode):
    server.asked.clear()
    ending, faults = judge(make_case(mode, f"http://127.0.0.1:{server.server_address[1]}/{mode}/v1"))
    assert not faults, f"{faults}; {ending}"[:2000]
    shown = (ending.out + ending.err).decode().lower()
    squeezed = "".join(shown.split())
    for form in {KEY, *ECHOES.values()}:
        secret = "".join(form.lower().split()).removeprefix("incorrectapikeyprovided:")
        assert secret not in squeezed
    assert server.asked
    assert all("stolen" not in path for path, _ in server.asked)  # a redirect is not followed, least of all with a key


def test_a_proxy_of_the_environment_is_used_and_gets_no_more_than_the_request(judge, server):
    server.asked.clear()
    proxy = f"http://127.0.0.1:{server.server_address[1]}"
    ending, faults = judge(make_case("proxy", "http://models.invalid/v1", http_proxy=proxy, no_proxy=""))
    assert not faults, f"{faults}; {ending}"[:2000]
    assert {path for path, _ in server.asked} == {"http://models.invalid/v1/completions"}
    assert KEY.encode() not in ending.out + ending.err
