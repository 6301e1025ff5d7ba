from __future__ import annotations

import threading
import time
from collections import Counter, deque
from pathlib import Path
from types import SimpleNamespace

import pytest

from isocompute.errors import ConfigError, EngineError
from isocompute.runners import engines, scorers
from isocompute.runners.engines.devices import assign_devices
from isocompute.runners.engines.replicas import Replicas, load_replicas
from isocompute.runners.scorers import ScoreRequest

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"


class Slow:
    """A test double: answers each request with its own name, all those that it has at once, when it may go on."""

    in_flight = 4

    def __init__(self, name=0):
        self.name, self.taken, self.aborted, self.closed = name, [], [], 0
        self.began, self.go = threading.Event(), threading.Event()
        self.go.set()

    def run(self, pending):
        flying = []
        try:
            while pending or flying:
                while pending and len(flying) < self.in_flight:
                    flying.append(pending.popleft())
                    self.taken.append(flying[-1])
                self.began.set()
                assert self.go.wait(10)
                if "broken" in flying:
                    raise EngineError("It is broken.")
                while flying:
                    request = flying.pop(0)
                    yield request, self.name
        finally:
            self.aborted += flying

    def close(self):
        self.closed += 1


@pytest.fixture
def copies():
    return [Slow(0), Slow(1)]


@pytest.fixture
def replicas(copies):
    return Replicas(copies, lambda request: request[0])


def test_every_request_comes_back_once_with_the_answer_of_who_took_it(replicas, copies):
    asked = [f"{chr(97 + i % 7)}{i}" for i in range(100)]
    done = dict(replicas.run(deque(asked)))
    assert sorted(done) == sorted(asked)
    for copy in copies:
        assert {request for request, name in done.items() if name == copy.name} == set(copy.taken)
    assert min(len(copy.taken) for copy in copies) >= Slow.in_flight


def test_no_more_is_taken_than_all_copies_want(replicas, copies):
    for copy in copies:
        copy.go.clear()
    pending = deque(f"{chr(97 + i)}" for i in range(20))
    seen = []

    def read():
        seen.extend(replicas.run(pending))

    reader = threading.Thread(target=read)
    reader.start()
    deadline = time.monotonic() + 10
    while len(pending) > 12 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)  # if it wants more, it takes more
    left = len(pending)
    for copy in copies:
        copy.go.set()
    reader.join(10)
    assert (left, len(seen)) == (12, 20)


def test_what_comes_while_one_copy_is_busy_goes_to_the_other(replicas, copies):
    copies[0].go.clear()
    pending = deque("a")
    done = replicas.run(pending)
    pending.append("b")
    assert next(done) == ("b", 1)
    pending.append("c")  # nobody answers meanwhile
    assert next(done) == ("c", 1)
    copies[0].go.set()
    assert list(done) == [("a", 0)]


def test_whoever_stops_reading_stops_all_copies_and_may_ask_again(replicas, copies):
    done = replicas.run(deque(f"{chr(97 + i)}" for i in range(8)))
    next(done)
    done.close()
    before = [list(copy.taken) for copy in copies]
    assert Counter(dict(replicas.run(deque("xy")))) == {"x": 0, "y": 1}
    for copy, taken in zip(copies, before, strict=True):
        assert len(copy.taken) == len(taken) + 1
    assert not any(copy.closed for copy in copies)


def test_a_copy_that_does_not_end_in_time_is_waited_for_by_the_next_run(replicas, copies, monkeypatch):
    monkeypatch.setattr("isocompute.runners.engines.replicas.THREAD_END_SECONDS", 0.01)
    copies[0].go.clear()
    done = replicas.run(deque("ab"))
    assert next(done) == ("b", 1)
    assert copies[0].began.wait(10)
    done.close()
    (busy, _) = replicas.threads
    assert busy.thread.is_alive()
    threading.Timer(0.05, copies[0].go.set).start()
    assert dict(replicas.run(deque("cd"))).keys() == {"c", "d"}
    assert not busy.thread.is_alive()


def test_the_error_of_one_copy_reaches_who_reads_and_stops_the_others(replicas, copies):
    with pytest.raises(EngineError, match="It is broken"):
        list(replicas.run(deque(["a", "broken", *"cdefghij"])))
    assert not any(thread.name == "Slow" for thread in threading.enumerate())
    replicas.close()
    assert [copy.closed for copy in copies] == [1, 1]


def test_a_copy_that_cannot_be_loaded_closes_those_that_are():
    loaded = []

    def load(**options):
        if len(loaded) == 2:
            raise EngineError("no room")
        loaded.append(Slow())
        return loaded[-1]

    with pytest.raises(EngineError, match="no room"):
        load_replicas(load, None, lambda copy, copies, options: {}, replicas=3)
    assert [copy.closed for copy in loaded] == [1, 1]


@pytest.mark.parametrize("replicas", [0, -1, True, 1.5, "2", None])
def test_a_number_of_copies_that_is_none_is_refused(replicas):
    with pytest.raises(ConfigError, match=r"^'replicas' is the number of copies of a model, 1 or more; got "):
        load_replicas(Slow, None, lambda *_: {}, replicas=replicas)


def test_each_copy_has_devices_of_its_own(need, monkeypatch):
    need("vllm")
    from vllm import platforms

    def places(copies, **options):
        return [assign_devices(i, copies, options).get("device_ids") for i in range(copies)]

    assert places(2) == [None, None]
    monkeypatch.setattr(platforms, "current_platform", SimpleNamespace(is_cpu=lambda: False))
    assert places(3) == [[0], [1], [2]]
    assert places(2, tensor_parallel_size=2) == [[0, 1], [2, 3]]
    assert places(2, tensor_parallel_size=2, pipeline_parallel_size=2) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert places(2, device_ids=[4, 2]) == [[4], [2]]
    with pytest.raises(ConfigError, match=r"^2 replicas need 4 devices, 2 each; 'device_ids' lists 3\.$"):
        places(2, device_ids=[0, 1, 2], tensor_parallel_size=2)


@pytest.mark.vllm
@pytest.mark.soak
def test_copies_score_what_one_does(need):
    need("vllm")
    shape = {"dtype": "float32", "max_model_len": 512, "max_num_seqs": 16, "block_size": 32, "enforce_eager": True}
    steps = ("10 + 3 = 13\n", "13 * 2 = 26\n", "The answer is \\boxed{26}.")
    asked = [
        ScoreRequest(("p", i, n), f"Start with {i}, add 3, times 2.", steps[:n], n - 1)
        for i in range(8) for n in (1, 2, 3)
    ]  # fmt: skip
    found = []
    for replicas in (1, 2):
        scorer = scorers.load_scorer("lab", str(LAB / "prm"), **shape, replicas=replicas)
        try:
            found.append({request.key: scored for request, scored in scorer.run(deque(asked))})
        finally:
            scorer.close()
    one, two = found
    assert one.keys() == two.keys()
    for key, scored in one.items():
        assert two[key].scores == pytest.approx(scored.scores, abs=1e-5)
        assert two[key].prompt_tokens == scored.prompt_tokens


@pytest.mark.parametrize("name", ["transformers", "openai"])
def test_engines_that_have_no_copies_say_so(name):
    with pytest.raises(ConfigError, match=f"^The engine '{name}' does not take these options: .*replicas"):
        engines.load_engine(name, str(LAB / "solver"), replicas=2)
