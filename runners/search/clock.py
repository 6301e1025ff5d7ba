"""When the nodes of a search were made, and how long the search took, as their rows say it."""

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
    """When a node was sampled and scored: the spans of its requests, None where a model does not say its own.

    Args:
        sampled: of its step and of the rollout that looks ahead.
        scored: of its scores; empty if nothing was to be scored.
    """

    sampling_spans: list[TimeSpan | None] = field(default_factory=list)
    scoring_spans: list[TimeSpan | None] = field(default_factory=list)

    @property
    def scorer_seconds(self) -> float | None:
        """From the end of sampling until the scores were there; 0 if they were there already, or none were asked for.

        The scores may be there before: they are those of the same text of another node.
        """
        sampling, scoring = merge_time_spans(self.sampling_spans), merge_time_spans(self.scoring_spans)
        if sampling is None or (self.scoring_spans and scoring is None):
            return None
        return 0.0 if scoring is None else max(0.0, scoring.ended_at - sampling.ended_at)

    @property
    def span(self) -> TimeSpan | None:
        """From the begin of sampling until the scores were there; None if unknown."""
        sampling, scoring = merge_time_spans(self.sampling_spans), self.scorer_seconds
        if sampling is None or scoring is None:
            return None
        return TimeSpan(sampling.started_at, sampling.seconds + scoring)

    @property
    def row_cells(self) -> dict[str, Any]:
        """The columns of a node's row."""
        sampling = merge_time_spans(self.sampling_spans)
        said = (None, None) if sampling is None else (sampling.started_at, sampling.seconds)
        return {**build_clock_columns(*said), "scorer_seconds": self.scorer_seconds}


def read_node_clock(row: Mapping[str, Any]) -> NodeClock:
    """Return the clock of a node as its row has it."""
    begin, scoring = row["started_at"], row["scorer_seconds"]
    sampling = build_time_span(None if begin is None else begin.timestamp(), row["seconds"])
    scored = None if sampling is None else build_time_span(sampling.ended_at, scoring)
    return NodeClock([sampling], [scored])


def build_search_clock_cells(rounds: Sequence[Sequence[TimeSpan | None]]) -> dict[str, Any]:
    """Return the columns of a search's row: when its first node was taken up, and for how long it was at work.

    A search is at work while one of its nodes is; so what passes between its rounds, and between a failure and its
    retry, is left out, be it a moment or the night until the sweep goes on.

    Args:
        rounds: the spans of the nodes of each round; None of one that does not say its own.
    """
    first = merge_time_spans(rounds[0]) if rounds else None
    known = [[span for span in spans if span is not None] for spans in rounds]
    whole = bool(rounds) and all(len(own) == len(spans) > 0 for own, spans in zip(known, rounds, strict=True))
    return build_clock_columns(
        first.started_at if first else None, sum(map(sum_busy_seconds, known)) if whole else None
    )
