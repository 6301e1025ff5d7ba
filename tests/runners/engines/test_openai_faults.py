"""What the `openai` engine does when servers and the way to them fail: real sockets on loopback, scripted servers."""

from __future__ import annotations

import gzip
import random
import socket
import threading
import time
from collections import Counter, deque
from contextlib import suppress

import pytest

from isocompute.errors import EngineError
from isocompute.runners.engines import Request, Sampling


def requests(n, start=0):
    return [Request(("p", i), f"prompt {i}", 10**15 + 31 * i, Sampling()) for i in range(start, start + n)]


def ask(engine, pending):
    rows = list(engine.run(deque(pending)))
    assert len({request.key for request, _ in rows}) == len(rows)
    return {request.key: completion for request, completion in rows}


def asked_once_then(stage, first):
    """Says ``first`` to the first request, and answers the others well."""
    said = iter([first])
    return stage.server(lambda asked: next(said, None) or stage.echo(asked))


@pytest.mark.parametrize("seed", [1, 2])
def test_every_row_arrives_once_though_half_of_the_answers_do_not(stage, connect, seed):
    server = stage.server()
    proxies = [stage.proxy(server, seed=10 * seed + i, delay=0.8) for i in range(2)]
    engine = connect(*(proxy.url for proxy in proxies), concurrency=16, timeout=0.4, retries=60, patience=30.0)
    pending, added, rows = deque(requests(200)), 0, []
    for request, completion in engine.run(pending):
        rows.append((request, completion))
        if added < 100:  # as a sweep adds verifications
            pending.append(requests(1, start=200 + added)[0])
            added += 1
    assert Counter(request.key for request, _ in rows) == Counter(("p", i) for i in range(300))
    texts = {request.key: stage.text(request.prompt, request.seed % (2**31 - 1)) for request, _ in rows}
    assert {request.key: completion.text for request, completion in rows} == texts
    assert sum(completion.completion_tokens for _, completion in rows) == sum(map(len, texts.values()))
    assert sum(completion.prompt_tokens for _, completion in rows) == 3 * 300
    assert {(completion.status, completion.finish_reason) for _, completion in rows} == {("ok", "stop")}
    harm = sum((proxy.harm for proxy in proxies), Counter())
    total = sum(harm.values())
    assert all(0.05 * total < harm[kind] < 0.16 * total for kind in proxies[0].KINDS), harm
    assert len(server.asked) > 330  # much was answered in vain, and is not counted
    assert all(proxy.harm["none"] > 30 for proxy in proxies)


def test_a_request_that_never_succeeds_is_a_row_that_says_why(stage, connect):
    server = stage.server(lambda asked: stage.Reply({"error": {"message": "CUDA error"}}, 500))
    done = ask(connect(server.url, retries=4), requests(3))
    assert len(server.asked) == 3 * 5
    for completion in done.values():
        assert completion.status == "no answer in 5 attempts; the last: HTTP 500: CUDA error"
        assert (completion.text, completion.completion_tokens, completion.finish_reason) == (None, None, None)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_passing_failure_is_asked_again(stage, connect, status):
    server = asked_once_then(stage, stage.Reply({"message": "later"}, status))
    assert ask(connect(server.url), requests(1))["p", 0].status == "ok"
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": [{"text": "cut of',
        b"",
        b"[" * 100_000,
        b"null",
        {"object": "error", "message": "overloaded"},
        {"choices": []},
        {"choices": [{"text": None, "finish_reason": "stop"}]},
        {"choices": [{"text": "a", "finish_reason": "stop", "logprobs": {"tokens": ["a"], "token_logprobs": []}}]},
    ],
)
def test_an_answer_that_is_cut_or_malformed_is_asked_for_again(stage, connect, body):
    server = asked_once_then(stage, stage.Reply(body))
    done = ask(connect(server.url), requests(1))["p", 0]
    assert (done.status, done.text) == ("ok", stage.text("prompt 0", 10**15 % (2**31 - 1)))
    assert len(server.asked) == 2


def test_an_answer_that_takes_too_long_is_asked_for_again(stage, connect):
    server = asked_once_then(stage, stage.Reply({}, delay=20.0))
    assert ask(connect(server.url, timeout=0.2), requests(1))["p", 0].status == "ok"
    assert server.left == 1


@pytest.mark.timeout(60)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_by_all_requests(stage, connect, status):
    server = asked_once_then(stage, stage.Reply({}, status, {"Retry-After": "0.7"}))
    engine = connect(server.url, concurrency=1)
    assert all(completion.status == "ok" for completion in ask(engine, requests(3)).values())
    times = [asked.at for asked in server.asked]
    assert len(times) == 4
    assert times[1] - times[0] >= 0.7


@pytest.mark.timeout(60)
def test_a_completion_was_made_in_the_attempt_that_it_came_with(stage, connect):
    server = asked_once_then(stage, stage.Reply({}, 503, {"Retry-After": "0.7"}))
    done = ask(connect(server.url), requests(1))["p", 0]
    began = done.started_at - time.time() + time.monotonic()
    first, second = (asked.at for asked in server.asked)
    assert first + 0.6 < began < second + 0.1  # not the first attempt, nor the wait; two clocks
    assert done.seconds > 0


def test_a_refusal_says_when_it_came_and_a_request_without_an_answer_does_not(stage, connect):
    refuses, fails = (stage.server(lambda asked, status=status: stage.Reply({}, status)) for status in (400, 500))
    refused = ask(connect(refuses.url), requests(1))["p", 0]
    assert refused.status.startswith("refused: ")
    assert refused.seconds > 0
    lost = ask(connect(fails.url, retries=1), requests(1))["p", 0]
    assert lost.status.startswith("no answer in 2 attempts")
    assert (lost.started_at, lost.seconds) == (None, None)


@pytest.mark.timeout(60)  # the busy server wants ten minutes
def test_another_server_works_while_one_asks_to_be_left_alone(stage, connect):
    busy = stage.server(lambda asked: stage.Reply({}, 429, {"Retry-After": "600"}))
    free = stage.server()
    done = ask(connect(busy.url, free.url, concurrency=4), requests(50))
    assert all(completion.status == "ok" for completion in done.values())
    assert len(busy.asked) <= 4


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_a_row_and_is_not_asked_again(stage, connect, status):
    said = "This model's maximum context length is 512 tokens."

    def says(asked):
        return stage.Reply({"error": {"message": said}}, status) if "3" in asked.body["prompt"] else stage.echo(asked)

    server = stage.server(says)
    done = ask(connect(server.url), requests(6))
    assert len(server.asked) == 6
    assert done["p", 3].status == f"refused: HTTP {status}: {said}"
    assert done["p", 3].text is None
    assert all(done["p", i].status == "ok" for i in (0, 1, 2, 4, 5))


@pytest.mark.parametrize(
    "usage",
    [[1], "x", {"prompt_tokens": True, "completion_tokens": 2**40, "prompt_tokens_details": [1]}],
)
def test_a_wrong_usage_costs_no_answer(stage, connect, usage):
    body = {"choices": [{"text": "a", "finish_reason": "stop"}], "usage": usage}
    server = stage.server(lambda asked: stage.Reply(body))
    done = ask(connect(server.url), requests(3))
    assert len(server.asked) == 3
    for row in done.values():
        assert (row.text, row.status, row.prompt_tokens, row.completion_tokens) == ("a", "ok", None, None)


def test_a_number_that_no_float_holds_is_asked_for_again_and_ends_no_engine(stage, connect):
    logprobs = {"tokens": ["a"], "token_logprobs": [10**400], "top_logprobs": None}
    first = stage.Reply({"choices": [{"text": "a", "finish_reason": "stop", "logprobs": logprobs}]})
    server = asked_once_then(stage, first)
    assert ask(connect(server.url), requests(1))["p", 0].status == "ok"


def test_an_answer_without_end_does_not_fill_the_memory(stage, connect, monkeypatch):
    monkeypatch.setattr("isocompute.runners.engines.server_client.LONGEST_RESPONSE_BYTES", 10_000)
    long = gzip.compress(b" " * 10**7)
    server = asked_once_then(stage, stage.Reply(long, headers={"Content-Encoding": "gzip"}))
    assert ask(connect(server.url), requests(1))["p", 0].status == "ok"
    server = stage.server(lambda asked: stage.Reply(b" " * 10_001))
    done = ask(connect(server.url, retries=0), requests(1))["p", 0]
    assert done.status == "no answer in 1 attempts; the last: an answer of more than 10,000 bytes"


def test_an_error_in_an_encoding_that_is_none_of_text_ends_no_engine(stage, connect):
    server = asked_once_then(stage, stage.Reply(b"gone", 500, {"Content-Type": "text/html; charset=base64"}))
    assert ask(connect(server.url), requests(1))["p", 0].status == "ok"


def test_a_model_that_is_not_served_stops_the_engine(stage, connect):
    server = stage.server(lambda asked: stage.Reply({"error": {"message": "The model does not exist."}}, 404))
    sentence = r"/v1/completions does not serve the model 'scripted' \(HTTP 404: The model does not exist\.\)"
    with pytest.raises(EngineError, match=sentence):
        ask(connect(server.url), requests(1))


def test_a_dead_server_is_set_aside_and_used_again_when_it_is_back(stage, connect):
    here, there = stage.server(), stage.server()
    engine = connect(here.url, there.url, concurrency=4)
    ask(engine, requests(40))
    assert min(len(here.asked), len(there.asked)) >= 10
    there.stop()
    before = len(there.asked)
    done = ask(engine, requests(40))
    assert all(completion.status == "ok" for completion in done.values())
    assert len(there.asked) == before
    there.start()
    pending = deque(requests(1))
    for seen, (_, completion) in enumerate(engine.run(pending), 1):  # until it is back at work
        assert completion.status == "ok"
        if len(there.asked) == before and seen < 3000:
            time.sleep(0.001)
            pending.extend(requests(2, start=2 * seen))
    assert len(there.asked) > before
    assert there.probed > 0


def test_a_server_that_comes_back_after_all_were_gone_goes_on_where_it_was(stage, connect):
    server = stage.server()
    engine = connect(server.url, patience=20.0)
    pending, rows = deque(requests(60)), []
    for request, completion in engine.run(pending):
        rows.append((request.key, completion.status))
        if len(rows) == 20:
            server.stop()
            threading.Timer(0.4, server.start).start()
    assert sorted(rows) == [(("p", i), "ok") for i in range(60)]


@pytest.mark.timeout(60)
def test_servers_that_are_all_gone_stop_the_engine_and_what_came_stays(stage, connect):
    servers = [stage.server(), stage.server()]
    engine = connect(*(server.url for server in servers), patience=0.5)
    reader = engine.run(deque(requests(500)))
    rows = [next(reader) for _ in range(30)]
    for server in servers:
        server.stop()
    with pytest.raises(EngineError, match=r"No completion came from .*, .* within 0.5 s; the last failure") as caught:
        rows.extend(reader)
    assert servers[0].url in str(caught.value)
    assert len(rows) >= 30
    assert all(completion.status == "ok" for _, completion in rows)


@pytest.mark.timeout(60)  # its patience is a quarter of an hour
def test_a_server_that_nobody_ever_heard_of_is_told_soon(connect, monkeypatch):
    monkeypatch.setattr("isocompute.runners.engines.servers.FIRST_RESPONSE_SECONDS", 0.2)
    with pytest.raises(EngineError, match=r"No completion came from http://127\.0\.0\.1:9/v1 within 0\.2 s"):
        ask(connect("http://127.0.0.1:9", patience=900.0), requests(3))


@pytest.mark.timeout(60)
def test_an_address_that_speaks_no_http_is_told_as_soon(connect, monkeypatch):
    monkeypatch.setattr("isocompute.runners.engines.servers.FIRST_RESPONSE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drop_connections, args=(listener,), daemon=True).start()
        with pytest.raises(EngineError, match=r"No completion came from .* within 0\.2 s"):
            ask(connect(f"http://127.0.0.1:{listener.getsockname()[1]}", patience=900.0), requests(3))


def drop_connections(listener):
    """Take connections and close them without a word, until the listener is closed."""
    with suppress(OSError):
        while True:
            listener.accept()[0].close()


def test_whoever_stops_reading_cancels_what_is_in_flight(stage, connect):
    server = stage.server(
        lambda a: stage.Reply({}, delay=30.0) if "prompt 0" not in a.body["prompt"] else stage.echo(a)
    )
    engine = connect(server.url, timeout=60.0)
    pending = deque(requests(100))
    reader = engine.run(pending)
    assert next(reader)[0].key == ("p", 0)
    ends = time.monotonic() + 5
    while server.open < 8 and time.monotonic() < ends:
        time.sleep(0.01)
    reader.close()
    while server.left < 8 and time.monotonic() < ends:
        time.sleep(0.01)
    assert server.left == 8
    assert len(pending) >= 100 - 2 * 8
    server.says = stage.echo
    assert ask(engine, requests(20))["p", 19].status == "ok"


def test_closing_an_engine_amid_a_run_ends_its_thread(stage, connect):
    server = stage.server(lambda asked: stage.Reply({}, delay=30.0))
    engine = connect(server.url)
    reader = engine.run(deque(requests(3)))
    threading.Timer(0.3, engine.close).start()
    with pytest.raises(EngineError, match="closed"):
        next(reader)
    engine.thread.join(5)
    assert not engine.thread.is_alive()
    engine.close()


def test_waits_take_nothing_from_the_random_numbers_of_others(stage, connect):
    random.seed(5)
    before = random.getstate()
    server = asked_once_then(stage, stage.Reply({}, 500))
    ask(connect(server.url), requests(5))
    assert random.getstate() == before
