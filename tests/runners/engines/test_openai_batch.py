"""What the engine `openai-batch` sends, reads and asks for again: a test double of the batch API on loopback."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections import Counter, deque

import pytest
import yaml

from isocompute.errors import ConfigError, DataError, EngineError
from isocompute.runners import engines
from isocompute.runners.cost.estimate import quote_sweep
from isocompute.runners.cost.price import UnitPrices
from isocompute.runners.engines import Request, Sampling
from isocompute.runners.engines.batch_files import BatchRequest, parse_result_line, split_into_files
from isocompute.runners.engines.batch_records import MemoryFiles
from isocompute.runners.engines.openai_batch import OpenAIBatchEngine
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE
from isocompute.testing import EngineSuite
from tests.conftest import lab_text
from tests.runners.engines.batch_server import BatchServer, build_response, respond, write_text

QUICK = {"poll": 0.005, "backoff": 0.005, "patience": 3.0, "timeout": 5.0}
KEY = "sk-live-7Q2x/9vW+e31"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server():
    double = BatchServer()
    yield double
    double.close()


@pytest.fixture
def connect(server):
    """Makes an engine whose waits are short, and closes it."""
    made = []

    def connected(**options):
        made.append(OpenAIBatchEngine("scripted", server.url, **{**QUICK, **options}))
        return made[-1]

    yield connected
    for engine in made:
        engine.close()


def requests(n, start=0, **settings):
    return [Request(("p", i), f"prompt {i}", 10**15 + 31 * i, Sampling(), **settings) for i in range(start, start + n)]


def ask(engine, pending):
    rows = list(engine.run(deque(pending)))
    assert len({request.key for request, _ in rows}) == len(rows)
    return {request.key: completion for request, completion in rows}


def are_right(done, pending):
    """Whether every request has the text that follows from its prompt and seed."""
    bodies = {r.key: {"prompt": r.prompt, "seed": r.seed % (2**31 - 1), "temperature": 0.7} for r in pending}
    texts = {k: write_text({**body, "max_tokens": 1024})["choices"][0]["text"] for k, body in bodies.items()}
    return {key: (completion.text, completion.status) for key, completion in done.items()} == {
        key: (text, "ok") for key, text in texts.items()
    }


class TestOpenAIBatch(EngineSuite):
    """The suite that is shipped."""

    many = 40

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        double = BatchServer()
        engine = OpenAIBatchEngine("scripted", double.url, **QUICK)
        engine.most_requests = 16
        yield engine
        engine.close()
        double.close()


def test_requests_go_up_in_one_file_and_come_back_once(server, connect):
    pending = requests(20)
    assert are_right(ask(connect(extra={"top_k": 5}), pending), pending)
    assert (server.count("POST", "/files"), server.count("POST", "/batches")) == (1, 1)
    lines = [json.loads(line) for line in server.files["file-0"].splitlines()]
    assert {line["url"] for line in lines} == {"/v1/completions"}
    assert lines[3]["body"] | {"seed": 0} == {
        "model": "scripted", "prompt": "prompt 3", "temperature": 0.7, "top_p": 1.0, "max_tokens": 1024, "seed": 0,
        "top_k": 5,
    }  # fmt: skip
    assert set(server.paid.values()) == {1}


def test_each_endpoint_has_a_batch_of_its_own(server, connect):
    pending = requests(4) + requests(4, start=4, chat=True)
    assert are_right(ask(connect(), pending), pending)
    assert sorted(batch["endpoint"] for batch in server.batches.values()) == ["/v1/chat/completions", "/v1/completions"]


def test_what_is_added_while_it_runs_goes_into_the_next_batch(server, connect):
    pending, done = deque(requests(6)), {}
    for request, completion in connect().run(pending):
        done[request.key] = completion
        if request.key[1] < 6:
            pending.append(requests(1, start=6 + request.key[1])[0])
    assert are_right(done, requests(12))
    assert len(server.batches) == 2


def test_files_keep_the_limits_of_the_api():
    lines = [BatchRequest(f"{i:024x}", "/completions", b'{"prompt": "' + b"x" * 100 + b'"}') for i in range(50)]
    size = len(lines[0].line)
    for limits in ({"most_requests": 7}, {"most_bytes": 7 * size}, {"most_bytes": 8 * size - 1}):
        files = list(split_into_files(lines, **limits))
        assert [len(file) for file in files] == [7] * 7 + [1]
        assert [line for file in files for line in file] == lines
    assert [len(file) for file in split_into_files(lines[:2], most_bytes=1)] == [1, 1]
    many = (BatchRequest(f"{i:024x}", "/completions", b"{}") for i in range(100_001))
    assert [len(file) for file in split_into_files(many)] == [50_000, 50_000, 1]


@pytest.mark.parametrize("fault", [500, 429, "drop"])
@pytest.mark.parametrize("path", ["/files", "/batches", "/batches/batch_0", "/files/file-1/content"])
def test_a_passing_failure_costs_nothing_twice(server, connect, fault, path):
    met = Counter()

    def fail(method, where):
        met[where] += 1
        return fault if where == path and met[where] <= 2 else None

    server.fault = fail
    pending = requests(5)
    assert are_right(ask(connect(), pending), pending)
    assert met[path] > 2
    assert set(server.paid.values()) == {1}
    assert len(server.batches) == 1


def test_of_two_batches_that_were_made_by_lost_requests_one_is_cancelled(server, connect):
    listed = []

    def fail(method, where):
        if (method, where) == ("POST", "/batches") and not server.batches:
            return "drop"
        if (method, where) == ("GET", "/batches") and not listed:
            listed.append(server.batches.copy())
            server.batches.clear()  # the list is late by one request
        elif (method, where) == ("GET", "/batches") and listed[0]:
            twin = listed[0].popitem()[1]
            server.batches["batch_9"] = twin | {"id": "batch_9"}
        return None

    server.fault = fail
    assert are_right(ask(connect(), requests(3)), requests(3))
    assert sorted(batch["status"] for batch in server.batches.values()) == ["cancelled", "completed"]
    assert set(server.paid.values()) == {1}


def test_what_expired_is_asked_for_again_and_nothing_else(server, connect):
    server.status = lambda number: "expired" if number < 2 else "completed"
    pending = requests(8)
    assert are_right(ask(connect(), pending), pending)
    assert set(server.paid.values()) == {1}
    assert [len(server.files[b["input_file_id"]].splitlines()) for b in server.batches.values()] == [8, 4, 2]


def test_what_expires_each_time_is_a_row_that_says_why(server, connect):
    server.status = lambda number: "expired"
    done = ask(connect(retries=1), requests(4))
    failed = [completion for completion in done.values() if completion.status != "ok"]
    assert len(failed) == 1
    assert failed[0].status.startswith("batch_expired: This request could not be executed")
    assert failed[0].text is None


def test_lines_that_are_missing_repeated_unknown_or_broken_cost_nobody_a_row(server, connect):
    def change(batch, output, errors):
        if batch["id"] != "batch_0":
            return output, errors
        unknown = respond("f" * 24, write_text({"prompt": "x", "temperature": 0, "max_tokens": 9}))
        broken = [b"", b"{", b"[1]", b'{"custom_id": 7}', b"\xff\xfe", json.dumps({"custom_id": "?"}).encode()]
        return [unknown, *broken, *output[2:], output[3], {**output[4], "response": {"status_code": 200}}], errors

    server.change = change
    pending = requests(9)
    assert are_right(ask(connect(), pending), pending)
    assert [len(server.files[b["input_file_id"]].splitlines()) for b in server.batches.values()] == [9, 2]


def test_a_refused_request_is_a_row_and_a_failed_one_is_asked_for_again(server, connect):
    def change(batch, output, errors):
        if batch["id"] == "batch_0":
            body = {"error": {"message": "too long"}}
            errors = [respond(output[0]["custom_id"], body, 400), respond(output[1]["custom_id"], {}, 500)]
            return output[2:], errors
        return output, errors

    server.change = change
    done = ask(connect(), requests(5))
    assert Counter(completion.status for completion in done.values()) == {"ok": 4, "refused: HTTP 400: too long": 1}
    assert len(server.batches) == 2


def test_lines_that_fail_the_validation_are_rows_and_the_others_are_sent_again(server, connect):
    def faults(lines):
        return [
            {"code": "invalid_value", "message": "bad", "line": i}
            for i, line in enumerate(lines, 1)
            if line["body"]["prompt"] == "prompt 2"
        ]

    server.faults = faults
    done = ask(connect(retries=0), requests(5))
    assert done["p", 2].status == "refused: invalid_value: bad"
    assert Counter(completion.status for completion in done.values())["ok"] == 4


def test_a_batch_that_no_request_is_to_blame_for_stops_the_engine(server, connect):
    server.faults = lambda lines: [{"code": "model_not_found", "message": "no model 'scripted'", "line": None}]
    with pytest.raises(EngineError, match=r"did not begin the batch 'batch_0' .model_not_found: no model 'scripted'"):
        ask(connect(), requests(5))


def test_a_full_queue_is_waited_for_with_smaller_batches(server, connect):
    full = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]
    server.faults = lambda lines: full if len(lines) > 4 else []
    pending = requests(16)
    assert are_right(ask(connect(retries=0), pending), pending)
    server.faults = lambda lines: full
    with pytest.raises(EngineError, match="token_limit_exceeded"):
        ask(connect(), requests(1, start=99))


def test_a_request_of_a_search_is_not_sent(server, connect):
    with pytest.raises(EngineError, match="cannot search"):
        ask(connect(), [Request(0, "a", 1, Sampling(step="\n"))])
    assert not server.batches


@pytest.mark.parametrize("stop_at", ["/batches/", "/files/file-1"])
def test_another_engine_reads_the_results_of_a_batch_that_is_under_way(server, connect, stop_at):
    kept, pending = MemoryFiles(), requests(6)
    server.fault = lambda method, path: 503 if path.startswith(stop_at) else None
    with pytest.raises(EngineError, match=r"Nothing came from .* HTTP 503.* sweep again to read their results"):
        ask(connect(records=kept, patience=0.05), pending)
    server.fault = lambda method, path: None
    more = [*pending, *requests(2, start=6)]
    assert are_right(ask(connect(records=kept), more), more)
    assert set(server.paid.values()) == {1}
    assert len(server.batches) == 2


def test_a_batch_whose_name_never_arrived_is_found_by_its_token(server, connect):
    kept, pending = MemoryFiles(), requests(6)
    for other in range(5):  # several pages of other batches
        ask(connect(), requests(1, start=100 + other))
    server.fault = lambda method, path: "drop" if path == "/batches" else None
    with pytest.raises(EngineError, match="Nothing came"):
        ask(connect(records=kept, patience=0.02), pending)
    assert [json.loads(content)["batch"] for content in kept.files.values()] == [None]
    server.fault = lambda method, path: None
    made = len(server.batches)
    assert are_right(ask(connect(records=kept), pending), pending)
    assert len(server.batches) == made
    assert set(server.paid.values()) == {1}


def test_a_record_of_a_batch_that_was_never_made_is_no_obstacle(server, connect):
    kept = MemoryFiles()
    server.fault = lambda method, path: 500 if path == "/batches" else None
    with pytest.raises(EngineError, match="Nothing came"):
        ask(connect(records=kept, patience=0.02), requests(3))
    server.fault = lambda method, path: None
    assert are_right(ask(connect(records=kept), requests(3)), requests(3))


def test_failures_of_an_earlier_batch_are_asked_for_again(server, connect):
    kept = MemoryFiles()
    server.status = lambda number: "expired"
    failed = ask(connect(records=kept, retries=0), requests(4))
    assert Counter(completion.status == "ok" for completion in failed.values()) == {True: 2, False: 2}
    server.status = lambda number: "completed"
    assert are_right(ask(connect(records=kept), requests(4)), requests(4))
    assert set(server.paid.values()) == {1}


def test_what_becomes_of_a_batch_is_said(server, connect):
    kept, said = MemoryFiles(), []
    ask(connect(records=kept, note=said.append), requests(3))
    (name,) = server.batches
    states = ["in_progress", "completed"]
    assert [line for line in said if "validating" not in line] == [
        f"batch {name}: {what}" for what in ("3 requests sent", *states)
    ]
    said.clear()
    ask(connect(records=kept, note=said.append), requests(3))
    assert said == [f"batch {name}: {what}" for what in ("3 requests sent before", "completed")]


def test_a_batch_that_the_server_does_not_know_is_not_paid_for_again_unasked(server, connect):
    kept = MemoryFiles()
    ask(connect(records=kept), requests(3))
    server.batches.clear()
    with pytest.raises(EngineError, match="Give the URL and key with which it was made, or delete the record"):
        ask(connect(records=kept), requests(3))
    kept.files.clear()
    assert are_right(ask(connect(records=kept), requests(3)), requests(3))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"batch": 5, "requests": []}', b'{"batch": null, "requests": [1]}'])
def test_a_damaged_record_is_named(server, connect, content):
    kept = MemoryFiles()
    kept.write_file("0a.json", content)
    with pytest.raises(DataError, match=r"the record 0a\.json is not"):
        ask(connect(records=kept), requests(3))


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_is_sent_and_shown_nowhere(server, connect, monkeypatch, caplog, status):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("MY_KEY", KEY)
    kept = MemoryFiles()
    assert are_right(ask(connect(key_env="MY_KEY", records=kept), requests(2)), requests(2))
    assert server.keys == {f"Bearer {KEY}"}
    server.fault = lambda method, path: status
    with pytest.raises(EngineError, match="rejects the key; it is read from the environment variable MY_KEY") as caught:
        ask(connect(key_env="MY_KEY"), requests(2, start=5))
    server.fault = lambda method, path: 500
    with pytest.raises(EngineError, match="Nothing came") as silent:
        ask(connect(key_env="MY_KEY", patience=0.05), requests(2, start=5))
    shown = f"{caught.value}{silent.value}{caplog.text}{kept.files}"
    assert "***" in shown
    assert KEY not in shown
    assert KEY.split("/")[0] not in shown


def test_bad_options_are_refused_in_one_sentence():
    for options in ({"poll": 0}, {"retries": -1}, {"timeout": 0}, {"urls": []}, {"urls": ["http://a", "http://b"]}):
        with pytest.raises(ConfigError) as caught:
            engines.load_engine("openai-batch", "m", **{"urls": "http://127.0.0.1:1", **options})
        assert str(caught.value).endswith(".")


def test_what_a_server_says_cannot_break_the_reader():
    for line in (b"null", b"7", b"{}", b'{"custom_id": null}', b"[" * 100_000):
        assert parse_result_line(line, str) is None
    for line in (b'{"custom_id": "a"}', b'{"custom_id": "a", "error": []}', b'{"custom_id": "a", "response": 5}'):
        assert parse_result_line(line, str).why


@pytest.fixture
def lab_server(server):
    """The double, which speaks the lab's language."""
    server.says = lambda body: build_response(body, lab_text(body["prompt"], body["seed"]))
    return server


@pytest.fixture
def batched(small, lab_server):
    """Makes the configuration of the small sweep with the engine."""

    def make(verifier="verifier", **changes):
        options = {"urls": lab_server.url, **QUICK}
        roles = {
            "solver": {"model": "scripted/solver", "prompt": "lab-solve", "options": options},
            "verifier": {"model": f"scripted/{verifier}", "prompt": "lab-verify", "options": options},
        }
        return small(engine="openai-batch", **roles, **changes)

    return make


@pytest.mark.parametrize("verifier", ["solver", "verifier"])
def test_a_sweep_asks_for_solutions_first_and_then_for_their_verifications(batched, lab_server, verifier):
    summary = run_sweep(batched(verifier))
    assert (summary.sampled, summary.solutions, summary.verifications, summary.failed) == (96, 24, 72, {})
    sizes = [len(lab_server.files[b["input_file_id"]].splitlines()) for b in lab_server.batches.values()]
    assert sizes == [24, 72]
    assert lab_server.paid.total() == 96


def test_a_dry_run_measures_with_a_batch_and_keeps_nothing(batched, lab_server):
    price = quote_sweep(batched(), UnitPrices(prompt=1.0, completion=2.0), sample=2)
    assert len(lab_server.batches) == 2
    assert price.dollars > 0
    assert not Run(batched().run).exists


def test_a_new_run_whose_batches_are_under_way_is_kept_and_resumed(batched, lab_server):
    config = batched()
    for role in (config.solver, config.verifier):
        role.options["patience"] = 0.05
    lab_server.fault = lambda method, path: 503 if path.startswith("/batches/") else None
    with pytest.raises(EngineError, match="Nothing came"):
        run_sweep(config)
    assert Run(config.run).exists  # although no row was sampled, because its batches are paid for
    lab_server.fault = lambda method, path: None
    lab_server.looks = 0
    assert run_sweep(config).solutions == 24
    assert set(lab_server.paid.values()) == {1}
    assert lab_server.paid.total() == 96


@pytest.mark.parametrize("lost", [(SOLUTIONS_TABLE,), (VERIFICATIONS_TABLE,), (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)])
def test_rows_that_were_lost_after_their_batch_was_read_are_read_again(batched, lab_server, lost):
    config = batched("solver")
    run_sweep(config)
    run = Run(config.run)
    before = {table: run.read_frame(table) for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)}
    for table in lost:
        for path in run.list_parts(table):
            run.fs.rm(path)
    run_sweep(config)
    assert set(lab_server.paid.values()) == {1}
    for table, frame in before.items():
        assert (
            run.read_frame(table)
            .drop(columns=["started_at", "seconds"])
            .equals(frame.drop(columns=["started_at", "seconds"]))
        )


UPLOAD, MAKE, LOOK, READ = ("POST", "/files"), ("POST", "/batches"), ("GET", "/batches/"), ("GET", "/files/")


@pytest.mark.parametrize(
    "moments", [[MAKE, READ], pytest.param([UPLOAD, MAKE, LOOK, READ, UPLOAD, MAKE, READ], marks=pytest.mark.soak)]
)
def test_a_sweep_that_is_killed_pays_for_no_request_twice(batched, lab_server, tmp_path, moments):
    path = tmp_path / "mine.yaml"
    content = batched().model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    path.write_text(yaml.safe_dump({**content, "checkpoint_seconds": 60}))
    running: list[subprocess.Popen] = []

    def kill_at(method, start):
        def fault(asked, where):
            if asked == method and where.startswith(start) and running[-1].poll() is None:
                running[-1].kill()
                return "drop"
            return None

        return fault

    for moment in [*moments, None]:
        lab_server.fault = (lambda method, path: None) if moment is None else kill_at(*moment)
        command = [sys.executable, "-m", "isocompute.cli.main", "sweep", str(path)]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        running[-1].wait(60)
    run = Run(content["run"])
    assert [process.returncode for process in running] == [-9] * len(moments) + [0]
    assert (len(run.read_keys(SOLUTIONS_TABLE)), len(run.read_keys(VERIFICATIONS_TABLE))) == (24, 72)
    assert len(run.read_table(SOLUTIONS_TABLE)) == 24
    assert set(lab_server.paid.values()) == {1}
    assert lab_server.paid.total() == 96
