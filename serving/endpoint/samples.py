"""The solutions of one request with their verdicts, the model that gives them, and the answer that comes of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from isocompute.serving.endpoint.chunks import StreamedText
from isocompute.serving.endpoint.prompting import RoleSettings
from isocompute.serving.endpoint.upstream import Upstream


@dataclass(frozen=True)
class Verifier:
    """The model that verifies: its servers, its name there, and how it is prompted."""

    upstream: Upstream
    model: str
    settings: RoleSettings


@dataclass(eq=False)
class Sample:
    """One solution: its text, its answer's number (-1 if none can be read), and its verdicts.

    Args:
        index: its place in the order in which solutions were begun.
        text: the completion; None until it is finished.
        visible: its text without thinking.
        code: the number of its answer.
        verdicts: the verdicts so far.
        verifying: verifications under way.
        asked: verifications that were begun.
        score: its score; NaN without one.
        is_scoring: whether its score is under way.
    """

    index: int
    text: StreamedText | None = None
    visible: str = ""
    code: int = -1
    verdicts: list[float] = field(default_factory=list)
    verifying: int = 0
    asked: int = 0
    score: float = math.nan
    is_scoring: bool = False

    @property
    def is_finished(self) -> bool:
        """True if the text is there, and every verification and score that was begun."""
        return self.text is not None and not self.verifying and not self.is_scoring

    @property
    def mean_verdict(self) -> float:
        """The mean of the verdicts that could be read; 0 without any."""
        known = [verdict for verdict in self.verdicts if not math.isnan(verdict)]
        return sum(known) / len(known) if known else 0.0

    @property
    def rank(self) -> float:
        """Its score, or the mean of its verdicts if it has none."""
        return self.mean_verdict if math.isnan(self.score) else self.score


@dataclass(frozen=True)
class Outcome:
    """The answer to a request.

    Args:
        text: the chosen completion.
        answer: its answer; None if none can be read.
        agreement: the share of the solutions that have it.
        p_right: the probability that it is right; None if the policy has no model of it.
        solutions: finished solutions that it was chosen from.
        verifications: their verifications.
        stopped: why the policy stopped.
        notes: what the client should know.
    """

    text: StreamedText
    answer: str | None
    agreement: float
    p_right: float | None
    solutions: int
    verifications: int
    stopped: str
    notes: tuple[str, ...] = ()
