"""Requests that cannot be answered: an OpenAI-shaped 4xx each, no traceback, bounded memory."""

from __future__ import annotations

import itertools
import json
import logging
import resource
import socket
from contextlib import suppress

import httpx
import pytest

from isocompute.serving.endpoint import bodies

MESSAGES = [{"role": "user", "content": "3 + 4?"}]
GOOD = {"model": "double", "messages": MESSAGES}
WRONG = {
    "text": "x",
    "empty": "",
    "list": [],
    "object": {"a": 1},
    "true": True,
    "negative": -1,
    "huge": 10**30,
    "fraction": 0.5,
    "deep": [[[[[[]]]]]],
    "surrogate": "\ud800",
}
# Field → the kinds of WRONG that are valid there.
FIELDS = {
    "model": {"surrogate", "text"},
    "messages": set(),
    "stream": {"true"},
    "stream_options": {"object"},
    "n": {"true"},
    "temperature": {"fraction"},
    "top_p": {"fraction"},
    "max_tokens": set(),
    "max_completion_tokens": set(),
    "seed": {"negative"},
    "stop": {"text", "empty", "list", "surrogate"},
    "logprobs": {"true"},
    "top_logprobs": set(),
    "presence_penalty": {"negative", "fraction"},
    "frequency_penalty": {"negative", "fraction"},
    "tools": {"list", "deep"},
    "functions": {"list", "deep"},
    "user": {"text", "empty", "surrogate"},
    "logit_bias": {"object"},
    "response_format": {"object"},
    "metadata": {"object"},
    "isocompute": set(),
}
WRONG_MESSAGES = [
    [], "x", {}, None, [None], ["x"], [[]], [{}], [{"role": "user"}], [{"role": "nobody", "content": "x"}],
    [{"role": 1, "content": "x"}], [{"role": "user", "content": 3}], [{"role": "user", "content": ["x"]}],
    [{"role": "user", "content": None}], [{"role": [], "content": "x"}], [{"content": "x"}],
    [{"role": "user", "content": True}], [{"role": "system", "content": None}], MESSAGES * 3000,
]  # fmt: skip
WRONG_OPTIONS = [
    *({"budget": value} for value in ("-1x", "0x", "-16", -3, 0, "x", "", "NaN", "nan x", "1e999x", "16 parsecs", True,
                                      [], {}, "1" * 200, "0.5x", "inf", "1x\x00", "-0.0", 1e308, 10**400, "16xx", "$-1",
                                      "٣x", "1_000x")),
    *({"deadline": value} for value in (-1, 0, "-5", "-5 s", "2020-01-01T00:00:00Z", "2020-13-01T00:00:00Z", "soon", "",
                                        True, [], 1e12, "nan", "2999-01-01T00:00:00", "9999-12-31T23:59:59Z", 10**400)),
    *({"target": value} for value in (-0.1, 0, 1, 1.5, "x", "150%", "", True, [], "nan", 10**400, 0.9999)),
    *({"policy": value} for value in ("best", "", 3, True, [], {}, "BETA", "beta ", "beta\n", "../beta", "value" * 40)),
    *({"policy": "beta", "threshold": value} for value in ("x", "nan", "inf", True, [], "", "1e999")),
    *({"policy": value, "threshold": 0.9} for value in ("auto", "fixed", "off")),
    {"threshold": 0.9}, {"budget": 1e-320},
    {"policy": "weighted-beta"}, {"unknown": 1}, {"budget": "4x", "Budget": "8x"}, {"": 1}, {"\ud800": 1},
]  # fmt: skip
RAW_BODIES = [
    b"", b"{", b"[]", b"null", b"3", b'"x"', b"\xff\xfe", b'{"model": "\xff"}', b"{} {}", b"{'model': 1}",
    b'{"model": NaN}', b'{"temperature": Infinity, "model": "double"}', b"[" * 100_000, b'{"a":' * 50_000,
    b'{"model": "double", "messages": [{"role": "user", "content": "x"}], "temperature": -Infinity}',
    b'{"model": ' + b"1" * 10_000 + b"}", json.dumps(GOOD).encode("utf-16"), b"\x00" * 1000, b"model=double",
    "ﾠ".encode(), b'{"model": "double", "model": 3}', json.dumps(GOOD).encode()[:-1],
]  # fmt: skip
WRONG_HEADERS = [
    {"x-isocompute-budget": "-1x"}, {"x-isocompute-budget": "x" * 1000}, {"x-isocompute-deadline": "-1"},
    {"x-isocompute-target": "2"}, {"x-isocompute-policy": "none"}, {"x-isocompute-threshold": "NaN"},
    {"x-isocompute-budgets": "4x"}, {"x-isocompute-threshold": "0.9"},
    {"x-isocompute-deadline": "2001-01-01T00:00:00Z"}, {"x-isocompute-budget": "\xff"},
    {"content-type": "text/plain"}, {"content-type": "application/xml"}, {"content-type": ""},
    {"host": "evil.example"}, {"host": "127.0.0.1.evil.example:80"},
]  # fmt: skip


def list_bad_requests():
    """Yield (name, content, headers) of each bad request."""

    def dump(body):
        return json.dumps(body).encode()

    for field, valid in FIELDS.items():
        for kind, value in WRONG.items():
            if kind not in valid:
                yield f"{field} {kind}", dump(GOOD | {field: value}), {}
    for i, messages in enumerate(WRONG_MESSAGES):
        yield f"messages {i}", dump(GOOD | {"messages": messages}), {}
    for options in WRONG_OPTIONS:
        yield f"options {str(options)[:40]}", dump(GOOD | {"isocompute": options}), {}
    for i, content in enumerate(RAW_BODIES):
        yield f"body {i}", content, {}
    for headers in WRONG_HEADERS:
        yield f"headers {str(headers)[:60]}", dump(GOOD), headers
    for name in ("another", "double ", "DOUBLE", "x" * 201, "../double", "\u202edouble"):
        yield f"model {name[:20]!r}", dump(GOOD | {"model": name}), {}
    yield "a large body", dump(GOOD | {"user": "x" * bodies.MOST_BODY_BYTES}), {}


BAD = list(list_bad_requests())


def check_error(response: httpx.Response) -> dict:
    assert 400 <= response.status_code < 500, (response.status_code, response.text)
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    message = body["error"]["message"]
    assert isinstance(message, str)
    assert message.endswith(".")
    assert "Traceback" not in response.text
    return body["error"]


def test_there_are_more_than_three_hundred_bad_requests():
    assert len(BAD) >= 300
    assert len({(content, str(headers)) for _, content, headers in BAD}) >= 295


def test_every_bad_request_gets_an_error_and_reaches_no_server(double, endpoint, capfd, caplog):
    server = double()
    served = endpoint(server)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    codes = {}
    with caplog.at_level(logging.WARNING), httpx.Client(timeout=30) as client:
        for name, content, headers in BAD:
            response = client.post(
                f"{served.base}/v1/chat/completions",
                content=content,
                headers={"content-type": "application/json"} | {k: v.encode("latin-1") for k, v in headers.items()},
            )
            try:
                codes[name] = check_error(response)["code"]
            except AssertionError as error:
                pytest.fail(f"{name}: {error}")
        good = client.post(f"{served.base}/v1/chat/completions", json=GOOD)
    assert good.status_code == 200
    assert len(server.seen.bodies) == 4  # those of the good request
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 200  # MB; what the largest bodies take, and no more
    assert "Traceback" not in capfd.readouterr().err
    assert not [record for record in caplog.records if record.name == "isocompute.serve"]
    assert codes["a large body"] == "body_too_large"
    assert codes["model 'another'"] == "model_not_found"


def test_a_key_is_needed_where_there_is_one(double, endpoint, ask):
    key = "a-key-of-clients-0123"
    served = endpoint(double(), key=key)
    wrong = ["", "Bearer", f"Bearer {key}x", f"Bearer {key[:-1]}", f"Basic {key}", key, "Bearer é"]
    for value in wrong:
        refused = ask(served, headers={"authorization": value.encode()})
        assert check_error(refused)["code"] == "invalid_api_key"
        assert refused.status_code == 401
        assert key not in refused.text
    assert ask(served, headers={"authorization": f"Bearer {key}"}).status_code == 200
    for path in ("/metrics", "/v1/models"):
        assert httpx.get(served.base + path).status_code == 401
    assert httpx.get(served.base + "/health").status_code == 200


def test_the_key_of_the_servers_behind_reaches_no_client_and_the_clients_key_no_server(
    double, endpoint, ask, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-upstream-0123456789")
    server = double()
    served = endpoint(server)
    ask(served, headers={"authorization": "Bearer sk-of-the-client"})
    assert {headers["authorization"] for headers in server.seen.headers} == {"Bearer sk-upstream-0123456789"}
    server.status = 400
    server._write_json, write = (
        (
            lambda writer, status, value, headers=None, cut=False: write(
                writer, status, {"error": {"message": "the key sk-upstream-0123456789 is odd"}}
            )
        ),
        server._write_json,
    )
    refused = ask(served)
    assert check_error(refused)["code"] == "upstream_refused"
    assert "0123456789" not in refused.text


def test_unknown_paths_and_methods_are_refused_in_the_same_form(double, endpoint):
    served = endpoint(double())
    for method, path in itertools.product(("GET", "PUT", "DELETE"), ("/v1/chat/completions", "/v1/nothing", "/docs")):
        code = check_error(httpx.request(method, served.base + path))["code"]
        assert code == ("method_not_allowed" if "chat" in path else "not_found")
    assert check_error(httpx.get(f"{served.base}/v1/models/"))["code"] == "not_found"
    check_error(httpx.post(f"{served.base}/v1/completions", json={"model": "double", "prompt": "x"}))


RAW_REQUESTS = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "one endless header": (b"GET /health HTTP/1.1\r\nx: " + b"a" * 100_000, 431),
    "many headers": (b"GET /health HTTP/1.1\r\n" + b"x: y\r\n" * 30_000 + b"\r\n", 431),
    "an endless path": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", 431),
    "a wrong length": (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                       b"Content-Length: abc\r\n\r\n", 400),
}  # fmt: skip


@pytest.mark.parametrize("name", RAW_REQUESTS)
def test_what_is_hardly_http_is_refused(double, endpoint, name):
    content, status = RAW_REQUESTS[name]
    served = endpoint(double())
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
        client.sendall(content)
        answer = b""
        with suppress(ConnectionResetError):  # what was sent after the refusal is not read
            while piece := client.recv(65536):
                answer += piece
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert set(json.loads(answer.partition(b"\r\n\r\n")[2])) == {"error"}


def test_slow_headers_and_slow_bodies_are_given_up(double, endpoint, monkeypatch):
    from isocompute.serving.endpoint import connections

    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.2)
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.2)
    served = endpoint(double())
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for content in (b"", b"GET /health HTT", head + b"Content-Length: 10\r\n\r\n{"):
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
            client.sendall(content)
            assert client.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(double, endpoint):
    served = endpoint(double())

    def endless():
        for _ in range(bodies.MOST_BODY_BYTES // 2**16 + 10):
            yield b"x" * 2**16

    try:
        response = httpx.post(
            f"{served.base}/v1/chat/completions", content=endless(), headers={"content-type": "application/json"}
        )
    except httpx.TransportError:
        return  # the server answered and closed while the client still wrote
    assert check_error(response)["code"] == "body_too_large"


def test_the_bodies_of_all_requests_share_their_memory(double, endpoint, ask, wait_for):
    served = endpoint(double())
    memory = served.service.bodies
    memory.most = 1000
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
        client.sendall(head + b"Content-Length: 901\r\n\r\n" + b" " * 900)  # a body that is never complete
        wait_for(lambda: memory.taken == 900)
        refused = ask(served, user="x" * 200)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "bodies_too_large"
        assert int(refused.headers["retry-after"]) >= 1
    wait_for(lambda: memory.taken == 0)
    assert ask(served).status_code == 200
    wait_for(lambda: memory.taken == 0)


def test_a_body_counts_until_its_request_ends(double, endpoint, wait_for):
    server = double(seconds=30)
    served = endpoint(server)
    content = json.dumps(GOOD | {"user": "x" * 5000}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
        client.sendall(head + f"Content-Length: {len(content)}\r\n\r\n".encode() + content)
        wait_for(lambda: server.seen.running > 0)
        assert served.service.bodies.taken > len(content)
    wait_for(lambda: served.service.bodies.taken == 0)


def test_a_body_of_too_many_values_is_refused(double, endpoint, monkeypatch):
    monkeypatch.setattr(bodies, "MOST_BODY_VALUES_BYTES", 10_000)
    refused = httpx.post(f"{endpoint(double()).base}/v1/chat/completions", json=GOOD | {"metadata": {"a": [[]] * 500}})
    assert check_error(refused)["code"] == "body_too_large"
