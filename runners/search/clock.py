"""Times of a search's nodes, and the duration of the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isocompute.runners.engines.clock import (
    TimeSpan,
    build_clock_columns,
    build_time_span,
    merge_time_spans,
    sum_busy_seconds,
)


@dataclass
class NodeClock:
    """The time spans of a node's requests; a span is None if the model does not report it.

    Args:
        sampling_spans: of its step and of its lookahead rollout.
        scoring_spans: of its scores; empty if nothing was scored.
    """

    sampling_spans: list[TimeSpan | None] = field(default_factory=list)
    scoring_spans: list[TimeSpan | None] = field(default_factory=list)

    @property
    def scorer_seconds(self) -> float | None:
        """Seconds from the end of sampling to the scores; 0 without scoring, None if unknown.

        It is also 0 if the scores came earlier, for the same text of another node.
        """
        sampling, scoring = merge_time_spans(self.sampling_spans), merge_time_spans(self.scoring_spans)
        if sampling is None or (self.scoring_spans and scoring is None):
            return None
        return 0.0 if scoring is None else max(0.0, scoring.ended_at - sampling.ended_at)

    @property
    def span(self) -> TimeSpan | None:
        """The span from the start of sampling to the scores; None if unknown."""
        sampling, scoring = merge_time_spans(self.sampling_spans), self.scorer_seconds
        if sampling is None or scoring is None:
            return None
        return TimeSpan(sampling.started_at, sampling.seconds + scoring)

    @property
    def row_cells(self) -> dict[str, Any]:
        """The time columns of a node's row."""
        sampling = merge_time_spans(self.sampling_spans)
        columns = (None, None) if sampling is None else (sampling.started_at, sampling.seconds)
        return {**build_clock_columns(*columns), "scorer_seconds": self.scorer_seconds}


def read_node_clock(row: Mapping[str, Any]) -> NodeClock:
    """Return a node's clock from its row."""
    begin, scoring = row["started_at"], row["scorer_seconds"]
    sampling = build_time_span(None if begin is None else begin.timestamp(), row["seconds"])
    scoring_span = None if sampling is None else build_time_span(sampling.ended_at, scoring)
    return NodeClock([sampling], [scoring_span])


def build_search_clock_cells(rounds: Sequence[Sequence[TimeSpan | None]]) -> dict[str, Any]:
    """Return the time columns of a search's row: the start of its first node, and the busy seconds.

    A search is busy while one of its nodes is. Time between its rounds, and between a failure and its retry, does not
    count, however long it is.

    Args:
        rounds: the spans of each round's nodes; None for a node whose span is unknown.
    """
    first = merge_time_spans(rounds[0]) if rounds else None
    known_spans = [[span for span in spans if span is not None] for spans in rounds]
    complete = bool(rounds) and all(
        len(known) == len(spans) > 0 for known, spans in zip(known_spans, rounds, strict=True)
    )
    return build_clock_columns(
        first.started_at if first else None, sum(map(sum_busy_seconds, known_spans)) if complete else None
    )
