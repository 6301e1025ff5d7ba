"""GenRM's mean verdict as a score: a generative verifier judges the solution so far, several times.

The score is yes / (yes + no) over the verdicts that could be read, and 0 if none could, as in the estimator
(`isocompute.fits.genrm`). It has no model of its own but asks an engine. Unlike a reward model it writes what it
thinks: `ScoreResult.completion_tokens` counts that. When a text was scored is from its first verification's begin to
    its last one's end.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from isocompute.runners.engines import Completion, Engine, Request, Sampling
from isocompute.runners.engines.clock import add_time_span, build_time_span, merge_time_spans
from isocompute.runners.parsing.thinking import cut_thinking
from isocompute.runners.parsing.verdicts import parse_verdict
from isocompute.runners.prompts import Prompt
from isocompute.runners.scorers.base import ScoreRequest, ScoreResult
from isocompute.runners.seeds import derive_seed


class VerdictScorer:
    """A generative verifier behind `Scorer`; the engine stays its owner's to close.

    What a solution is judged by depends on its text alone: seeds come from question, text and number, so that the
    same text has the same score wherever it stands.

    Args:
        engine: what holds the verifier.
        prompt: with the places ``{question}`` and ``{solution}``.
        sampling: how verifications are drawn.
        verifications: V, how often each solution is judged.
        seed: the sweep's.
        chat: whether the prompt is a user's turn.
        thinking_end: what ends the verifier's thinking, if it thinks aloud.
    """

    def __init__(
        self,
        engine: Engine,
        prompt: Prompt,
        sampling: Sampling,
        verifications: int,
        seed: int = 0,
        chat: bool = False,
        thinking_end: str | None = None,
    ) -> None:
        self.engine, self.prompt, self.sampling, self.verifications = engine, prompt, sampling, verifications
        self.seed, self.chat, self.thinking_end = seed, chat, thinking_end
        self.names = count()

    def run(self, pending: deque[ScoreRequest]) -> Iterator[tuple[ScoreRequest, ScoreResult]]:
        """Have every new step's solution so far judged, side by side."""
        asked: deque[Request] = deque()
        judged: dict[int, PendingVerdicts] = {}
        while pending:
            yield from self._take_requests(pending, asked, judged)
            for request, completion in self.engine.run(asked):
                name, step = request.key
                judged[name].verifications[step].append(completion)
                judged[name].missing_count -= 1
                if not judged[name].missing_count:
                    done = judged.pop(name)
                    spans = [build_time_span(one.started_at, one.seconds) for one in done.completions]
                    answer, span = self._build_result(done), merge_time_spans(spans)
                    yield done.request, answer if span is None else add_time_span(answer, span)
                yield from self._take_requests(pending, asked, judged)

    def close(self) -> None:
        """Do nothing: the engine may have other work."""

    def _take_requests(
        self, pending: deque[ScoreRequest], asked: deque[Request], judged: dict[int, PendingVerdicts]
    ) -> Iterator[tuple[ScoreRequest, ScoreResult]]:
        """Ask for what is pending; yield the requests in which nothing is to be judged."""
        while pending:
            request, name = pending.popleft(), next(self.names)
            steps = [i for i in range(request.known, len(request.steps)) if request.steps[i].strip()]
            if not steps:
                yield request, ScoreResult((math.nan,) * len(request.new_steps), 0, 0, 0, seconds=0.0)
                continue
            judged[name] = PendingVerdicts(request, len(steps) * self.verifications, {step: [] for step in steps})
            for step in steps:
                solution = "".join(request.steps[: step + 1])
                prompt = self.prompt.fill(question=request.question, solution=solution)
                for i in range(self.verifications):
                    seed = derive_seed(self.seed, "verdict", request.question, solution, i)
                    asked.append(Request((name, step), prompt, seed, self.sampling, self.chat))

    def _build_result(self, judged: PendingVerdicts) -> ScoreResult:
        completions = judged.completions
        read, cached, written = (
            sum_counts(getattr(completion, name) for completion in completions)
            for name in ("prompt_tokens", "cached_tokens", "completion_tokens")
        )
        failed = next((completion.status for completion in completions if completion.status != "ok"), None)
        if failed is not None:
            return ScoreResult(None, read, cached, len(completions), failed, written)
        new = range(judged.request.known, len(judged.request.steps))
        scores = tuple(self._average_verdicts(judged.verifications.get(step, ())) for step in new)
        return ScoreResult(scores, read, cached, len(completions), completion_tokens=written)

    def _average_verdicts(self, verifications: Sequence[Completion]) -> float:
        """Return the mean of the verdicts that could be read; NaN if nothing was judged."""
        if not verifications:
            return math.nan
        said = [parse_verdict(cut_thinking(completion.text or "", self.thinking_end)) for completion in verifications]
        return sum(verdict or 0.0 for verdict in said) / max(1, len(said) - said.count(None))


@dataclass
class PendingVerdicts:
    """A request whose verifications are coming in: those of each step, and how many are still to come."""

    request: ScoreRequest
    missing_count: int
    verifications: dict[int, list[Completion]] = field(default_factory=dict)

    @property
    def completions(self) -> list[Completion]:
        """Those that have come in."""
        return [completion for step in self.verifications.values() for completion in step]


def sum_counts(counts: Iterator[int | None]) -> int | None:
    """Return the sum of counts; None if one of them is not known.

    >>> sum_counts(iter([3, 4])), sum_counts(iter([3, None]))
    (7, None)
    """
    known = list(counts)
    return None if None in known else sum(number for number in known if number is not None)
