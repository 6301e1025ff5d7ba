"""The scorer ``verdicts``: the mean verdict of a generative verifier on the solution so far.

The score is yes / (yes + no) over the verdicts that could be read, and 0 if none could, as in the estimator
(`isocompute.fits.estimate_genrm`). The scorer has no model of its own and uses an engine. Unlike a reward model, a
verifier samples text, which `ScoreResult.completion_tokens` counts. A result's time runs from the start of its first
verification to the end of its last.
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
    """A generative verifier behind `Scorer`; the engine's owner closes the engine.

    Seeds derive from the question, the text and the verification's number, so the same text always has the same score.

    Args:
        engine: the engine that runs the verifier.
        prompt: with the places ``{question}`` and ``{solution}``.
        sampling: sampling settings of the verifications.
        verifications: V, the number of verifications of each solution.
        seed: the sweep's.
        chat: whether the prompt is a user's turn.
        thinking_end: the marker that ends the verifier's thinking, if it has one.
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
        """Verify the solution up to each new step, for all requests side by side."""
        requests: deque[Request] = deque()
        in_progress: dict[int, PendingVerdicts] = {}
        while pending:
            yield from self._take_requests(pending, requests, in_progress)
            for request, completion in self.engine.run(requests):
                name, step = request.key
                in_progress[name].verifications[step].append(completion)
                in_progress[name].missing_count -= 1
                if not in_progress[name].missing_count:
                    done = in_progress.pop(name)
                    spans = [build_time_span(one.started_at, one.seconds) for one in done.completions]
                    answer, span = self._build_result(done), merge_time_spans(spans)
                    yield done.request, answer if span is None else add_time_span(answer, span)
                yield from self._take_requests(pending, requests, in_progress)

    def close(self) -> None:
        """Do nothing: the engine may have other work."""

    def _take_requests(
        self, pending: deque[ScoreRequest], requests: deque[Request], in_progress: dict[int, PendingVerdicts]
    ) -> Iterator[tuple[ScoreRequest, ScoreResult]]:
        """Queue the verifications of all pending requests; yield requests that have nothing to verify."""
        while pending:
            request, name = pending.popleft(), next(self.names)
            steps = [i for i in range(request.known, len(request.steps)) if request.steps[i].strip()]
            if not steps:
                yield request, ScoreResult((math.nan,) * len(request.new_steps), 0, 0, 0, seconds=0.0)
                continue
            in_progress[name] = PendingVerdicts(request, len(steps) * self.verifications, {step: [] for step in steps})
            for step in steps:
                solution = "".join(request.steps[: step + 1])
                prompt = self.prompt.fill(question=request.question, solution=solution)
                for i in range(self.verifications):
                    seed = derive_seed(self.seed, "verdict", request.question, solution, i)
                    requests.append(Request((name, step), prompt, seed, self.sampling, self.chat))

    def _build_result(self, finished: PendingVerdicts) -> ScoreResult:
        completions = finished.completions
        prompt_tokens, cached_tokens, completion_tokens = (
            sum_counts(getattr(completion, name) for completion in completions)
            for name in ("prompt_tokens", "cached_tokens", "completion_tokens")
        )
        failed = next((completion.status for completion in completions if completion.status != "ok"), None)
        if failed is not None:
            return ScoreResult(None, prompt_tokens, cached_tokens, len(completions), failed, completion_tokens)
        new = range(finished.request.known, len(finished.request.steps))
        scores = tuple(self._average_verdicts(finished.verifications.get(step, ())) for step in new)
        return ScoreResult(scores, prompt_tokens, cached_tokens, len(completions), completion_tokens=completion_tokens)

    def _average_verdicts(self, verifications: Sequence[Completion]) -> float:
        """Return the mean of the readable verdicts, 0 without any; NaN for a step without verifications."""
        if not verifications:
            return math.nan
        verdicts = [
            parse_verdict(cut_thinking(completion.text or "", self.thinking_end, completion.is_ended))
            for completion in verifications
        ]
        return sum(verdict or 0.0 for verdict in verdicts) / max(1, len(verdicts) - verdicts.count(None))


@dataclass
class PendingVerdicts:
    """A request in progress: its verifications so far by step, and the number still missing."""

    request: ScoreRequest
    missing_count: int
    verifications: dict[int, list[Completion]] = field(default_factory=dict)

    @property
    def completions(self) -> list[Completion]:
        """The verifications so far."""
        return [completion for step in self.verifications.values() for completion in step]


def sum_counts(counts: Iterator[int | None]) -> int | None:
    """Return the sum of counts; None if one of them is unknown.

    >>> sum_counts(iter([3, 4])), sum_counts(iter([3, None]))
    (7, None)
    """
    known = list(counts)
    return None if None in known else sum(number for number in known if number is not None)
