"""The protocol of every scorer: requests and results."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from isocompute.errors import DataError


@dataclass(frozen=True)
class ScoreRequest:
    r"""The steps of one solution, complete or not, to be scored.

    Args:
        key: identity of the row or node that the scores are for.
        question: the problem.
        steps: the steps' texts, each with the delimiter that ends it; joined they are the solution so far.
        known: number of steps, from the first on, that need no score; 0 requests all scores.

    Raises:
        DataError: ``known`` is negative or more than the number of steps.

    >>> ScoreRequest("a", "1 + 1?", ("It is 2.\n\n", "\\boxed{2}"), known=1).new_steps
    ('\\boxed{2}',)
    """

    key: Any
    question: str
    steps: tuple[str, ...]
    known: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.known <= len(self.steps):
            raise DataError(f"The request {self.key!r} has {len(self.steps)} steps, {self.known} of them known.")

    @property
    def new_steps(self) -> tuple[str, ...]:
        """The steps to score."""
        return self.steps[self.known :]


@dataclass(frozen=True)
class ScoreResult:
    """The result of a request; unknown counts are None, not 0.

    Args:
        scores: one in [0, 1] for each new step; NaN for a blank one. None if the request failed.
        prompt_tokens: prompt tokens over all calls.
        cached_tokens: prompt tokens that were read from a cache, without computing them.
        calls: number of sequences that the model read.
        status: ``ok``, or says in a sentence why there are no scores.
        completion_tokens: tokens sampled for the scores; 0 except for ``verdicts``.
        started_at: when the scorer took up the request, in seconds since 1970; None if not reported.
        seconds: wall time until the scores were complete, while other requests ran too; None if not reported.
    """

    scores: tuple[float, ...] | None
    prompt_tokens: int | None
    cached_tokens: int | None
    calls: int | None
    status: str = "ok"
    completion_tokens: int | None = 0
    started_at: float | None = field(default=None, compare=False)
    seconds: float | None = field(default=None, compare=False)

    @property
    def cost_columns(self) -> dict[str, int | None]:
        """Tokens and calls under their column names, which are the same in every table.

        >>> ScoreResult((0.5,), 9, 4, 1).cost_columns
        {'scorer_prompt_tokens': 9, 'scorer_cached_tokens': 4, 'scorer_calls': 1, 'scorer_completion_tokens': 0}
        """
        counts = ("prompt_tokens", "cached_tokens", "calls", "completion_tokens")
        return {f"scorer_{count}": getattr(self, count) for count in counts}


class Scorer(Protocol):
    """A model that scores steps."""

    def run(self, pending: deque[ScoreRequest]) -> Iterator[tuple[ScoreRequest, ScoreResult]]:
        """Work through the queue, yielding each request with its scores as it finishes."""
        ...

    def close(self) -> None:
        """Free the memory."""
        ...
