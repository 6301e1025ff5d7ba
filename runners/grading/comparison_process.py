"""Comparison of hostile answers in a process that can be killed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isocompute.errors import RunError
from isocompute.runners.guarded_process import WALL_CLOCK_FACTOR, GuardedProcess

COMPARISON_SECONDS = 0.75
"""Most CPU seconds of one comparison."""

COMPARISON_MEGABYTES = 512
"""Most memory that a comparison may take in addition to the process's own."""


@dataclass(frozen=True)
class ComparisonResult:
    """The result of comparing an answer with others.

    Args:
        equal: index of the first equal answer; None if there is none.
        refused: index at which the comparison was refused, -1 if the answer itself was; None if it was not refused.
    """

    equal: int | None
    refused: int | None


class AnswerComparer(GuardedProcess):
    """Finds the first of several answers that equals another, in a process that is started when it is needed.

    An answer that computes for more than ``seconds``, takes more than ``megabytes`` or crashes the process is refused
    and counted, without effect on later ones. Not to be shared between threads.

    Args:
        seconds: most CPU seconds of a comparison.
        megabytes: most memory of a comparison beyond the process's own.
        by_library: whether whole texts are compared by math-verify as it is, and not answers by our own parser.
    """

    def __init__(
        self, seconds: float = COMPARISON_SECONDS, megabytes: int = COMPARISON_MEGABYTES, by_library: bool = False
    ) -> None:
        self.seconds, self.megabytes, self.by_library = seconds, megabytes, by_library
        self.comparison_count = self.refused_count = 0
        limits = (seconds, WALL_CLOCK_FACTOR * seconds, megabytes)
        super().__init__(f"{__package__}.comparison_worker", limits, "compares answers", RunError)

    def find_first_equal(self, answer: str, among: Sequence[str]) -> ComparisonResult:
        """Return the first of several answers that equals ``answer``; there must be at least one.

        Raises:
            RunError: the process does not start.
        """
        self.comparison_count += 1
        reply = self.send_request(
            {"answer": answer, "among": list(among), "by_library": self.by_library},
            WALL_CLOCK_FACTOR * self.seconds * len(among),
        )
        if reply is None:  # the process that guards the worker crashed itself
            self.close()
        judgement = ComparisonResult(None, -1) if reply is None else ComparisonResult(**reply)
        self.refused_count += judgement.refused is not None
        return judgement
