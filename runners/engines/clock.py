"""Start times and durations of requests, which engines and scorers measure and a run logs with its rows.

Moments come from the system's clock, durations from a monotonic one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

TimedResult = TypeVar("TimedResult", bound=Any)
"""A `Completion` or a `ScoreResult`."""


@dataclass(frozen=True)
class TimeSpan:
    """A span of time.

    Args:
        started_at: its start, in seconds since 1970.
        seconds: its length, 0 or more.
    """

    started_at: float
    seconds: float

    @property
    def ended_at(self) -> float:
        """Its end, in seconds since 1970."""
        return self.started_at + self.seconds


class Stopwatch:
    """A stopwatch that starts when it is created."""

    def __init__(self) -> None:
        self.started_at, self._since = time.time(), time.perf_counter()

    @property
    def elapsed(self) -> TimeSpan:
        """The span from the start until now."""
        return self.measure_until(time.perf_counter())

    def measure_until(self, moment: float) -> TimeSpan:
        """Return the span from the start to a reading of `time.perf_counter`."""
        return TimeSpan(self.started_at, max(0.0, moment - self._since))


def add_time_span(answer: TimedResult, span: TimeSpan) -> TimedResult:
    """Return a copy of a completion or score result with its start time and duration."""
    return replace(answer, started_at=span.started_at, seconds=span.seconds)


def clean_moment(moment: float | None) -> float | None:
    """Return a moment in seconds since 1970; None if it is unknown or out of a calendar's range."""
    return float(moment) if moment is not None and 0 <= moment < 1e11 else None


def clean_seconds(seconds: float | None) -> float | None:
    """Return a duration; None if it is unknown, negative or not finite.

    >>> clean_seconds(2), clean_seconds(-1.0), clean_seconds(float("nan")), clean_seconds(None)
    (2.0, None, None, None)
    """
    return float(seconds) if seconds is not None and 0 <= seconds < math.inf else None


def build_time_span(started_at: float | None, seconds: float | None) -> TimeSpan | None:
    """Return a span of time; None if its start or length is unknown or invalid."""
    begin, length = clean_moment(started_at), clean_seconds(seconds)
    return None if begin is None or length is None else TimeSpan(begin, length)


def merge_time_spans(spans: Sequence[TimeSpan | None]) -> TimeSpan | None:
    """Return the span from the first start to the last end; None if any span is unknown or there are none.

    >>> (merge_time_spans([TimeSpan(5.0, 2.0), TimeSpan(6.0, 4.0)]), merge_time_spans([TimeSpan(5.0, 2.0), None]),
    ... merge_time_spans([]))
    (TimeSpan(started_at=5.0, seconds=5.0), None, None)
    """
    known_spans = [span for span in spans if span is not None]
    if not known_spans or len(known_spans) < len(spans):
        return None
    if len(known_spans) == 1:
        return known_spans[0]
    begin = min(span.started_at for span in known_spans)
    return TimeSpan(begin, max(span.ended_at for span in known_spans) - begin)


def sum_busy_seconds(spans: Iterable[TimeSpan]) -> float:
    """Return the seconds during which at least one span was under way; pauses between spans are left out.

    >>> sum_busy_seconds([TimeSpan(9.0, 1.0), TimeSpan(0.0, 2.0), TimeSpan(1.0, 3.0)])
    5.0
    """
    total, until = 0.0, -math.inf
    for span in sorted(spans, key=lambda span: span.started_at):
        total += max(0.0, span.ended_at - max(span.started_at, until))
        until = max(until, span.ended_at)
    return total


def build_clock_columns(started_at: float | None, seconds: float | None) -> dict[str, Any]:
    """Return the time columns of a row; null where a value is unknown or invalid."""
    moment = clean_moment(started_at)
    return {
        "started_at": None if moment is None else datetime.fromtimestamp(moment, UTC),
        "seconds": clean_seconds(seconds),
    }
