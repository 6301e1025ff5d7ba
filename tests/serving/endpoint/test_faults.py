"""Servers that fail, clients that go, too many requests, and the end of the service."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.serving.endpoint.upstream_double import UpstreamDouble

BODY = {"model": "double", "messages": [{"role": "user", "content": "3 + 4?"}]}


def post(endpoint, body=None, **more):
    return httpx.post(f"{endpoint.base}/v1/chat/completions", json={**BODY, **(body or {})}, timeout=30, **more)


def ask_many(endpoint, count, width=16, body=None):
    """Send requests side by side; every response, in the order of the requests."""
    limits = httpx.Limits(max_connections=width)

    async def send_all():
        gate = asyncio.Semaphore(width)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:

            async def send(number):
                async with gate:
                    asked = {**BODY, "user": str(number), **(body or {})}
                    return await client.post(f"{endpoint.base}/v1/chat/completions", json=asked)

            return await asyncio.gather(*(send(i) for i in range(count)))

    return asyncio.run(send_all())


def test_faults_at_a_tenth_each_lose_no_request(double, endpoint):
    server = double(seconds=0.01, harm=UpstreamDouble.KINDS, seed=5)
    served = endpoint(server, retries=8, budget="4x")
    answers = ask_many(served, 40)
    assert Counter(answer.status_code for answer in answers) == {200: 40}
    assert all(answer.json()["isocompute"]["answer"] == "7" for answer in answers)
    assert len({answer.json()["id"] for answer in answers}) == 40
    for kind in UpstreamDouble.KINDS:
        assert server.harmed[kind] > 5
    failed = sum(answer.json()["isocompute"]["failed"] for answer in answers)
    assert failed == sum(server.harmed[kind] for kind in ("drop", "429", "500", "truncate"))


def test_a_passed_request_survives_the_same_faults(double, endpoint):
    served = endpoint(double(seconds=0.01, harm=UpstreamDouble.KINDS, seed=6), retries=8)
    for body in ({}, {"stream": True}):
        answers = ask_many(served, 20, body={**body, "isocompute": {"policy": "off"}})
        whole = [answer for answer in answers if answer.status_code == 200 and '"error"' not in answer.text]
        # A stream that broke off after it had begun cannot be sent again: it ends with an error.
        assert len(whole) == 20 if not body else len(whole) >= 12
        assert all("boxed" in answer.text for answer in whole)
        assert all(answer.text.count("[DONE]") == 1 for answer in answers if body)


def test_a_dead_server_among_several_is_passed_over(double, endpoint):
    alive, dead = double(), double()
    dead.stop()
    served = endpoint(dead, alive)
    answers = ask_many(served, 10, width=2)
    assert {answer.status_code for answer in answers} == {200}
    assert len(alive.seen.bodies) == 40
    # It rests: not every call goes there first.
    assert sum(answer.json()["isocompute"]["failed"] for answer in answers) < 12


def test_a_server_that_is_killed_and_comes_back_loses_no_request(double, endpoint):
    server = double(seconds=0.2)
    served = endpoint(server, retries=20, budget="4x")

    def restart():
        time.sleep(0.3)
        server.stop()
        time.sleep(0.5)
        server.start()

    restarting = threading.Thread(target=restart)
    restarting.start()
    answers = ask_many(served, 40, width=8)
    restarting.join()
    assert {answer.status_code for answer in answers} == {200}
    assert any(answer.json()["isocompute"]["failed"] for answer in answers)


@pytest.mark.parametrize(("status", "expected"), [(500, 502), (429, 429), (401, 502), (404, 404), (400, 400)])
def test_a_servers_error_becomes_one_of_the_endpoint(double, endpoint, status, expected):
    server = double()
    server.status = status
    for body in ({}, {"stream": True}, {"isocompute": {"policy": "off"}}):
        answer = post(endpoint(server, retries=1), body)
        if body.get("stream") and answer.status_code == 200:  # it had begun to sample
            error = re.search(r'data: (\{"error".*\})', answer.text)
            assert error is not None
            assert answer.text.endswith("data: [DONE]\n\n")
            continue
        assert answer.status_code == expected
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert ("retry-after" in answer.headers) == (expected == 429)


def test_no_server_at_all_is_an_error_in_words(double, endpoint):
    server = double()
    served = endpoint(server, retries=0)
    server.stop()
    answer = post(served)
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_unavailable"


def test_a_call_that_takes_too_long_is_made_elsewhere(double, endpoint):
    slow, fast = double(seconds=30), double()
    answer = post(endpoint(slow, fast, timeout=0.3, retries=2, budget="4x"))
    assert answer.status_code == 200
    assert answer.json()["isocompute"]["solutions"] == 4


def test_a_client_that_goes_cancels_its_calls(double, endpoint, wait_for):
    server = double(seconds=30)
    served = endpoint(server)
    for streamed in (False, True):
        before = server.seen.ends["abandoned"]
        with pytest.raises(httpx.ReadTimeout), httpx.Client(timeout=0.5) as client:
            client.post(f"{served.base}/v1/chat/completions", json={**BODY, "stream": streamed}).read()
        wait_for(lambda: server.seen.running == 0)
        assert server.seen.ends["abandoned"] == before + 4
    assert served.service.admission.running == 0
    wait_for(lambda: 'isocompute_requests_total{status="499"} 2.0' in httpx.get(f"{served.base}/metrics").text)


def test_too_many_requests_wait_and_then_are_refused_with_a_time_to_return(double, endpoint, wait_for):
    server = double(seconds=0.4)
    served = endpoint(server, running=1, waiting=2, budget="4x")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(served), range(8)))
    counted = Counter(answer.status_code for answer in answers)
    assert counted[200] >= 3
    assert counted[200] + counted[429] == 8
    assert counted[429] >= 3
    for answer in answers:
        if answer.status_code == 429:
            assert answer.json()["error"]["code"] == "queue_full"
            assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert server.seen.most_running <= 4
    assert post(served).status_code == 200


def test_a_deadline_passes_in_the_queue(double, endpoint):
    served = endpoint(double(seconds=1.0), running=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, served)
        time.sleep(0.3)
        late = post(served, {"isocompute": {"deadline": 0.2}})
        assert late.status_code == 504
        assert "queue" in late.json()["error"]["message"]
        assert first.result().status_code == 200


def test_calls_at_once_are_bounded_over_all_requests(double, endpoint):
    server = double(seconds=0.05)
    ask_many(endpoint(server, calls=3), 5)
    assert server.seen.most_running == 3


def test_metrics_count_requests_calls_and_tokens(double, endpoint):
    served = endpoint(double())
    post(served)
    text = httpx.get(f"{served.base}/metrics").text
    for line in (
        'isocompute_requests_total{status="200"} 1.0',
        'isocompute_calls_total{end="finished",role="solver"} 4.0',
        'isocompute_tokens_total{end="finished",kind="prompt",role="solver"} 20.0',
        'isocompute_stopped_total{reason="allocation spent"} 1.0',
        "isocompute_requests_running 0.0",
    ):
        assert line in text.splitlines()


class ForgetfulDouble(UpstreamDouble):
    """A double that fails its first call, and answers all others."""

    async def _answer(self, body, headers, reader, writer) -> bool:
        self.status = 500 if not self.seen.bodies else 200
        return await super()._answer(body, headers, reader, writer)


@pytest.mark.parametrize("budget", ["1x", "4x"])
def test_a_solution_that_nobody_answered_is_sampled_anew(endpoint, budget):
    server = ForgetfulDouble()
    try:
        own = post(endpoint(server, retries=0, budget=budget)).json()["isocompute"]
    finally:
        server.close()
    assert (own["answer"], own["solutions"], own["failed"]) == ("7", int(budget[0]), 1)
    assert "1 call got no answer from any server." in own["notes"]


def test_sigterm_ends_requests_first_and_takes_no_new_ones(double, tmp_path):
    server = double(seconds=1.5)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "isocompute", "serve", "--profile", "qwen2.5-coder-1.5b-gsm-symbolic"]
    command += ["--url", server.url, "--grader", "boxed-number", "--budget", "4x", "--port", str(port)]
    log = tmp_path / "log"
    with log.open("wb") as output:
        running = subprocess.Popen(command, stdout=output, stderr=output, env=dict(os.environ))
    try:
        url = f"http://127.0.0.1:{port}"
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            try:
                httpx.get(f"{url}/health")
                break
            except httpx.TransportError:
                assert running.poll() is None, log.read_text()
                time.sleep(0.1)
        with ThreadPoolExecutor(1) as pool:
            begun = pool.submit(lambda: httpx.post(f"{url}/v1/chat/completions", json=BODY, timeout=30))
            while not server.seen.running:
                time.sleep(0.01)
            running.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            with pytest.raises(httpx.TransportError):
                httpx.get(f"{url}/health")
            assert begun.result().json()["isocompute"]["answer"] == "7"
        running.wait(20)
    finally:
        running.kill()
        running.wait()
    assert "3 + 4" not in log.read_text()
    assert "Traceback" not in log.read_text()
