"""What a scorer is asked, and what it answers: the protocol of every scorer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from isocompute.errors import DataError


@dataclass(frozen=True)
class ScoreRequest:
    r"""The steps of one solution, so far as it goes, to be scored.

    Args:
        key: identity of the row or node it is for.
        question: the problem.
        steps: the steps' texts, each with the delimiter that ends it; joined they are the solution so far.
        known: how many of them, from the first on, need no score; 0 asks for all.

    Raises:
        DataError: ``known`` is negative or more than there are steps.

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
        """The steps that are to be scored."""
        return self.steps[self.known :]


@dataclass(frozen=True)
class ScoreResult:
    """What came back.

    ``status`` is ``ok``, or says in a sentence why there are no scores. Counts that are not known are None, not 0.

    Args:
        scores: one in [0, 1] for each new step; NaN for a step of blanks alone, which is no step. None if it failed.
        prompt_tokens: tokens of all that the model was given, over all calls.
        cached_tokens: those among them that a cache held, so that nothing was computed for them.
        calls: sequences that were read.
        completion_tokens: tokens that were sampled to come to the scores; 0 but for ``verdicts``.
        started_at: when the scorer took the request up, in seconds since 1970; None if it does not say.
        seconds: wall time until the scores were there, while others ran beside it; None if it does not say.
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
        """Tokens and calls by the names of their columns, which are the same in every table.

        >>> ScoreResult((0.5,), 9, 4, 1).cost_columns
        {'scorer_prompt_tokens': 9, 'scorer_cached_tokens': 4, 'scorer_calls': 1, 'scorer_completion_tokens': 0}
        """
        counts = ("prompt_tokens", "cached_tokens", "calls", "completion_tokens")
        return {f"scorer_{count}": getattr(self, count) for count in counts}


class Scorer(Protocol):
    """A model that can be asked how good steps are."""

    def run(self, pending: deque[ScoreRequest]) -> Iterator[tuple[ScoreRequest, ScoreResult]]:
        """Work the queue off, yielding each request with its scores as it finishes."""
        ...

    def close(self) -> None:
        """Give back the memory."""
        ...
