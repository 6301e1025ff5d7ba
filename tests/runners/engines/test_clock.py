"""When rows were made: what engines and scorers say, what is made of it, and what is not believed."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from isocompute.runners.engines import Completion, Request, Sampling
from isocompute.runners.engines.clock import (
    Stopwatch,
    TimeSpan,
    add_time_span,
    build_clock_columns,
    build_time_span,
    merge_time_spans,
    sum_busy_seconds,
)
from isocompute.runners.engines.replicas import Replicas

DONE = Completion("x", 1, 0, 1, "stop")
NAN, INF = math.nan, math.inf


def test_a_stopwatch_says_when_it_began_and_never_less_than_no_time():
    before = time.time()
    watch = Stopwatch()
    first, second = watch.elapsed, watch.elapsed
    assert before <= first.started_at == second.started_at <= time.time()
    assert 0 <= first.seconds <= second.seconds
    assert watch.measure_until(-1.0).seconds == 0


def test_when_it_was_made_is_no_part_of_what_an_answer_says():
    stamped = add_time_span(DONE, TimeSpan(5.0, 2.0))
    assert (stamped.started_at, stamped.seconds) == (5.0, 2.0)
    assert stamped == DONE
    assert (DONE.started_at, DONE.seconds) == (None, None)


@pytest.mark.parametrize(
    ("said", "cells"),
    [
        ((5.25, 2.0), (datetime(1970, 1, 1, 0, 0, 5, 250_000, tzinfo=UTC), 2.0)),
        ((None, 2), (None, 2.0)),
        ((5.0, None), (datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC), None)),
        ((NAN, NAN), (None, None)),
        ((-1.0, -1.0), (None, None)),
        ((INF, INF), (None, None)),
        ((1e300, 0.0), (None, 0.0)),
    ],
)
def test_what_is_unknown_or_cannot_be_is_null(said, cells):
    assert tuple(build_clock_columns(*said).values()) == cells


def test_of_several_spans_the_cover_goes_over_pauses_and_the_work_does_not():
    spans = [TimeSpan(10.0, 2.0), TimeSpan(11.0, 3.0), TimeSpan(20.0, 1.0)]
    assert merge_time_spans(spans) == TimeSpan(10.0, 11.0)
    assert sum_busy_seconds(spans) == sum_busy_seconds(reversed(spans)) == 5.0
    assert merge_time_spans([*spans, build_time_span(1.0, None)]) is None
    assert sum_busy_seconds([TimeSpan(0.0, 9.0), TimeSpan(1.0, 2.0)]) == 9.0


class Stamping:
    """A model that stamps its answers with the number of their request."""

    in_flight = 2

    def run(self, pending):
        while pending:
            request = pending.popleft()
            yield request, replace(DONE, started_at=float(request.key[0]), seconds=request.key[0] / 8)

    def close(self):
        pass


def test_copies_pass_on_when_each_answer_was_made():
    requests = deque(Request((i,), f"{i % 5}", i, Sampling()) for i in range(40))
    found = {request.key[0]: answer for request, answer in Replicas([Stamping(), Stamping()], str).run(requests)}
    assert {i: (answer.started_at, answer.seconds) for i, answer in found.items()} == {
        i: (float(i), i / 8) for i in range(40)
    }
