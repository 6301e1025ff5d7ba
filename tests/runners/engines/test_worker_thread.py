from __future__ import annotations

import threading
from concurrent.futures import Future
from queue import SimpleQueue

import pytest

from isocompute.errors import EngineError
from isocompute.runners.engines.worker_thread import ModelThread


class Doubling:
    """A test double: doubles numbers, waits at None, and breaks at a word."""

    def __init__(self):
        self.taken = []
        self.closed, self.began, self.go = threading.Event(), threading.Event(), threading.Event()

    def run(self, pending):
        while pending:
            asked = pending.popleft()
            self.taken.append(asked)
            if asked is None:
                self.began.set()
                assert self.go.wait(10)
            if isinstance(asked, str):
                raise EngineError(asked)
            yield asked, asked and 2 * asked

    def close(self):
        self.closed.set()


@pytest.fixture
def model():
    return Doubling()


@pytest.fixture
def answers():
    return SimpleQueue()


def test_it_answers_whenever_it_is_asked(model, answers):
    thread = ModelThread(model, answers.put)
    for numbers in ([1, 2], [3]):
        thread.submit_requests(numbers)
        assert [answers.get(timeout=10) for _ in numbers] == [(i, 2 * i) for i in numbers]
    thread.stop()
    thread.join(10)
    assert model.closed.is_set()
    assert answers.get(timeout=10).result() is None


def test_what_comes_first_goes_before_what_waits_in_its_own_order(model, answers):
    thread = ModelThread(model, answers.put)
    thread.submit_requests([None])
    assert model.began.wait(10)
    thread.submit_requests([1, 2])
    thread.submit_requests((i for i in (3, 4)), first=True)
    model.go.set()
    assert [answers.get(timeout=10)[0] for _ in range(5)][1:] == [3, 4, 1, 2]
    thread.stop()
    thread.join(10)


def test_an_error_reaches_who_reads_and_the_model_is_closed(model, answers):
    thread = ModelThread(model, answers.put)
    thread.submit_requests([1, "gone", 2])
    assert answers.get(timeout=10) == (1, 2)
    ended = answers.get(timeout=10)
    assert isinstance(ended, Future)
    with pytest.raises(EngineError, match="gone"):
        ended.result()
    assert model.closed.is_set()
    thread.join(10)


def test_when_it_is_stopped_what_waits_is_not_begun(model, answers):
    thread = ModelThread(model, answers.put)
    thread.submit_requests([None, 1, 2])
    assert model.began.wait(10)
    thread.stop()
    model.go.set()
    thread.join(10)
    assert model.taken == [None]
    assert model.closed.is_set()
