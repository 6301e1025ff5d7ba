"""Keys of the `openai` engine: sent to servers, and shown nowhere else, whatever servers say."""

from __future__ import annotations

import logging
import os
import traceback
from collections import deque

import pytest

from isocompute.errors import ConfigError, EngineError
from isocompute.runners.engines import Request, Sampling

KEY = "sk-live-7Q2x/9vW+e31"


def requests(n, start=0):
    return [Request(("p", i), f"prompt {i}", 10**15 + 31 * i, Sampling()) for i in range(start, start + n)]


def ask(engine, pending):
    rows = list(engine.run(deque(pending)))
    assert len({request.key for request, _ in rows}) == len(rows)
    return {request.key: completion for request, completion in rows}


def printed(error):
    """All that Python would show of an error and of what led to it."""
    chain = [error]
    while nearest := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(nearest)
    return "".join(traceback.format_exception(error)) + "".join(f"{e!r}{e}{e.args}" for e in chain)


def everything(caplog, capfd, *more):
    out, err = capfd.readouterr()
    return "\n".join([caplog.text, out, err, *map(str, more)])


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_stops_the_engine_and_is_shown_nowhere(stage, connect, monkeypatch, caplog, capfd, status):
    caplog.set_level(logging.DEBUG)
    server = stage.server(
        lambda asked: stage.Reply({"error": f"bad key: {asked.headers['authorization']}" + 300 * "."}, status)
    )
    engine = connect(server.url)
    monkeypatch.setenv("MY_KEY", KEY)
    engine = connect(server.url, key_env="MY_KEY")
    with pytest.raises(EngineError, match="rejects the key; it is read from the environment variable MY_KEY") as caught:
        ask(engine, requests(20))
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert len(server.asked) <= 8
    assert "***" in str(caught.value)
    assert KEY not in everything(caplog, capfd, printed(caught.value), repr(engine), vars(engine), engine.servers.all)


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ({"body": b"", "status": 400, "reason": f"Key {KEY} is bad"}, "refused: HTTP 400: Key *** is bad"),
        (
            {"body": b"", "status": 500, "reason": f"Key {KEY} is bad"},
            "no answer in 1 attempts; the last: HTTP 500: Key",
        ),
        ({"body": {"error": {"message": f"bad {KEY[:9]}\n{KEY[9:]}"}}, "status": 400}, "refused: HTTP 400: bad ***"),
        (
            {"body": {"choices": [{"text": "", "finish_reason": f"for {KEY}"}]}},
            "the server ended the text for the reason",
        ),
        (
            {"body": {"choices": [{"text": "", "finish_reason": "." * 70 + KEY}]}},
            "the server ended the text for the reason '" + "." * 70 + "***'",
        ),
        ({"body": b"", "status": 400, "headers": {"X-Key": KEY}}, "refused: HTTP 400: Scripted"),
    ],
)
def test_no_way_in_which_a_server_speaks_leads_the_key_out(stage, connect, monkeypatch, caplog, capfd, reply, status):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = stage.server(lambda asked: stage.Reply(**reply))
    done = ask(connect(server.url, retries=0), requests(1))["p", 0]
    assert done.status.startswith(status)
    assert KEY[:9] not in everything(caplog, capfd, done)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_reason_phrase_that_ends_the_engine_does_not_show_the_key(stage, connect, monkeypatch, caplog, capfd, status):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = stage.server(lambda asked: stage.Reply(b"", status, reason=f"Key {KEY} is bad"))
    with pytest.raises(EngineError, match=r"Key \*\*\* is bad") as caught:
        ask(connect(server.url), requests(1))
    assert KEY not in everything(caplog, capfd, printed(caught.value))


def test_a_server_that_is_given_up_does_not_show_the_key(stage, connect, monkeypatch, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = stage.server(lambda asked: stage.Reply(b"", 503, {"Retry-After": "900"}, reason=f"Key {KEY} is bad"))
    with pytest.raises(EngineError, match=r"the last failure: .*HTTP 503: Key \*\*\* is bad") as caught:
        ask(connect(server.url), requests(1))
    assert KEY not in everything(caplog, capfd, printed(caught.value))


@pytest.mark.parametrize(
    ("key", "text", "kept"),
    [
        (KEY, f"my key is {KEY}", "my key is ***"),
        ("EMPTY", "The set is EMPTY, not empty.", "The set is EMPTY, not empty."),
        ("1", "1 + 1 = 2", "1 + 1 = 2"),
        ("secret-word", "the secret-word", "the secret-word"),  # 11 characters
    ],
)
def test_a_key_of_twelve_characters_is_blotted_out_of_a_text_and_a_shorter_one_is_not(
    stage, connect, monkeypatch, key, text, kept
):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    server = stage.server(lambda asked: stage.Reply({"choices": [{"text": text, "finish_reason": "stop"}]}))
    done = ask(connect(server.url), requests(1))["p", 0]
    assert (done.text, done.status) == (kept, "ok")


def test_what_a_server_says_does_not_steer_the_terminal(stage, connect):
    said = "no \x1b[31m\x07model\u202e"
    server = stage.server(lambda asked: stage.Reply({"error": {"message": said}}, 400))
    assert ask(connect(server.url), requests(1))["p", 0].status == "refused: HTTP 400: no [31mmodel"


def test_a_key_that_is_cut_out_of_a_long_complaint_leaves_no_piece(stage, connect, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = stage.server(lambda asked: stage.Reply({"error": {"message": "." * 292 + KEY}}, 400))
    status = ask(connect(server.url), requests(1))["p", 0].status
    assert KEY[:4] not in status


def test_a_missing_key_is_asked_for_by_name(stage, connect):
    server = stage.server(lambda asked: stage.Reply({"error": {"message": "no key"}}, 401))
    with pytest.raises(
        EngineError, match=r"requires a key; .* the environment variable OPENAI_API_KEY \(HTTP 401: no key"
    ):
        ask(connect(server.url), requests(1))
    assert "authorization" not in server.asked[0].headers


def test_user_and_password_of_a_url_are_sent_and_shown_nowhere(stage, connect, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    server = stage.server()
    url = server.url.replace("http://", "http://me:pass%2Fword@")
    engine = connect(url)
    assert ask(engine, requests(1))["p", 0].status == "ok"
    login = server.asked[0].headers["authorization"]
    assert login == "Basic bWU6cGFzcy93b3Jk"
    server.says = lambda asked: stage.Reply(f"{login} pass%2Fword pass/word".encode(), 401)
    with pytest.raises(EngineError) as caught:
        ask(engine, requests(1))
    server.stop()
    engine = connect(url, patience=0.2)
    with pytest.raises(EngineError) as gone:
        ask(engine, requests(1))
    seen = everything(caplog, capfd, printed(caught.value), printed(gone.value), vars(engine), engine.servers.all)
    assert not any(secret in seen for secret in ("pass%2Fword", "pass/word", "bWU6cGFzcy93b3Jk"))


@pytest.mark.parametrize("key", [KEY + "\nx", "schlüssel", "sk-\x1b[2J"])
def test_a_key_that_no_header_holds_is_refused_unseen(connect, monkeypatch, key):
    monkeypatch.setitem(os.environ, "OPENAI_API_KEY", key)
    with pytest.raises(ConfigError, match="OPENAI_API_KEY holds characters that are not allowed in a key") as caught:
        connect("http://127.0.0.1:9/v1")
    assert key not in printed(caught.value)
