"""One request under a policy: its samples and verifications side by side, until the policy stops.

The policy decides on solutions in the order in which they were begun: on the first n once all of them are finished and
verified. In the order in which they finish, short texts would come first, and a stopped vote would lean towards them.
So the answer is that of the policy's replay, whatever the speed of each call; what ran ahead is cancelled and charged.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

from isocompute.fits.policies.policy import Policy, SampledProblem
from isocompute.serving.endpoint.allocation import Decider, FixedAllocation, ScoredProblem
from isocompute.serving.endpoint.errors import REFUSED, TIMEOUT, ApiError
from isocompute.serving.endpoint.ledger import Ledger
from isocompute.serving.endpoint.prompting import SolverCall, build_verifier_body, draw_seed
from isocompute.serving.endpoint.reading import AnswerReader, cut_visible, read_verdict
from isocompute.serving.endpoint.samples import Outcome, Sample, Verifier
from isocompute.serving.endpoint.scoring import RewardModel
from isocompute.serving.endpoint.upstream import Upstream

UNREADABLE_LIMIT = 5
"""Solutions without an answer, the first of a request, after which no more are sampled: it asks for no answer."""

FAILED_LIMIT = 3
"""Failed calls of a request, each with all its retries, after which no more are made."""

DEADLINE = "deadline"
UPSTREAM_FAILED = "upstream failed"
NO_ANSWER = "no answer can be read"


class Answering:
    """The work on one request.

    Args:
        call: how solutions are sampled.
        decider: the policy or the fixed allocation.
        solver: the servers of the solver.
        verifier: the verifier; None without one.
        scorer: the reward model; None without one.
        reader: reads answers.
        ledger: takes every call.
        width: the solutions that are sampled side by side beyond those that the policy needs anyway.
        ends_at: the time of the event loop at which the answer is due; None without a deadline.
    """

    def __init__(
        self,
        call: SolverCall,
        decider: Decider,
        solver: Upstream,
        verifier: Verifier | None,
        scorer: RewardModel | None,
        reader: AnswerReader,
        ledger: Ledger,
        width: int,
        ends_at: float | None = None,
    ) -> None:
        self.call, self.decider, self.solver, self.verifier = call, decider, solver, verifier
        self.reader, self.ledger, self.width, self.ends_at = reader, ledger, width, ends_at
        self.classes = reader.build_classes()
        self.names: list[str] = []  # the answers, by number
        self.samples: list[Sample] = []
        self.used: list[Sample] = []  # those that the answer is chosen from
        self.begun = self.decided = 0
        self.failures: list[ApiError] = []
        self.fatal: BaseException | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.changed = asyncio.Event()
        self.early_verifications = count_early_verifications(decider)
        self.scorer = scorer if isinstance(decider, FixedAllocation) and decider.is_scored else None

    async def find_answer(self) -> Outcome:
        """Sample until the policy stops, and choose the answer.

        Raises:
            ApiError: the server refuses the request, none answers, or the deadline passes without a solution.
        """
        try:
            stopped = await self._sample_solutions()
            if stopped in (DEADLINE, UPSTREAM_FAILED):
                self.used = [sample for sample in self.samples if sample.text is not None]
            used = self.used
            if not used:
                raise self._describe_nothing(stopped)
            await self._stop_tasks()
            choice = self.decider.choose_answer(self._describe_samples(used))
            if choice.answer is None:
                return await self._choose_unread(used, stopped)
            fitting = [sample for sample in used if sample.code == choice.answer]
            best = max(fitting, key=lambda sample: sample.rank)
            assert best.text is not None, "used samples are finished"
            return Outcome(
                best.text, self.names[choice.answer], choice.agreement, choice.p_right, len(used),
                sum(len(sample.verdicts) for sample in used), stopped, self._write_notes(),
            )  # fmt: skip
        finally:
            await self._stop_tasks()

    async def _sample_solutions(self) -> str:
        """Carry out the policy's steps; return why it stopped."""
        while True:
            if self.fatal is not None:
                raise self.fatal
            if len(self.failures) >= FAILED_LIMIT:
                return UPSTREAM_FAILED
            self._start_missing(self.decided)  # in place of those that were lost
            if (stopped := self._take_steps(self._list_ready())) is not None:
                return stopped
            if not await self._wait_for_change():
                return DEADLINE

    def _take_steps(self, ready: list[Sample]) -> str | None:
        """Take the policy's steps on the solutions that are ready; return why it stopped, or None to wait for more."""
        first = ready[:UNREADABLE_LIMIT]
        if len(first) == min(UNREADABLE_LIMIT, self.decider.solutions) and all(sample.code < 0 for sample in first):
            self.used = first
            return NO_ANSWER
        while self.decided <= len(ready):
            seen = ready[: self.decided]
            step = self.decider.choose_step(self._describe_samples(seen))
            if step.stopped is not None:
                self.used = seen
                return step.stopped
            for i in step.verify:
                self._start_verification(seen[i])
            self._start_solutions(self.decided + step.solutions)
            if step.verify:
                return None
            self.decided += step.solutions
        return None

    def _list_ready(self) -> list[Sample]:
        """Return the first solutions, up to the first that is not finished."""
        count = next((i for i, sample in enumerate(self.samples) if not sample.is_finished), len(self.samples))
        return self.samples[:count]

    def _describe_samples(self, samples: list[Sample]) -> SampledProblem:
        codes, verdicts = [sample.code for sample in samples], [sample.verdicts for sample in samples]
        if self.scorer is None:
            return SampledProblem(codes, verdicts)
        complete = [sample.text is not None and sample.text.finish_reason != "length" for sample in samples]
        return ScoredProblem(codes, verdicts, [sample.score for sample in samples], complete)

    def _start_solutions(self, needed: int) -> None:
        """Begin the solutions that the policy needs, and as many ahead as the width allows."""
        running = sum(sample.text is None for sample in self.samples)
        ahead = len(self.samples) + max(0, self.width - running)
        self._start_missing(min(max(needed, ahead), self.decider.solutions))

    def _start_missing(self, count: int) -> None:
        """Begin solutions until so many are finished or under way."""
        for _ in range(len(self.samples), count):
            sample = Sample(self.begun)
            self.begun += 1
            self.samples.append(sample)
            self._start_task(self._complete_solution, sample)

    def _start_verification(self, sample: Sample) -> None:
        sample.verifying += 1
        sample.asked += 1
        self._start_task(self._complete_verification, sample, sample.asked - 1)

    def _start_task(self, work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        task = asyncio.create_task(self._guard_task(work, *arguments))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _guard_task(self, work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        try:
            await work(*arguments)
        except Exception as error:  # noqa: BLE001 - raised again by the request that waits for this task
            self.fatal = error
        self.changed.set()

    async def _complete_solution(self, sample: Sample) -> None:
        try:
            text = await self.solver.complete_call(
                self.call.path, self.call.build_body(sample.index), self.ledger, "solution"
            )
        except ApiError as error:
            self._record_failure(error)
            self.samples.remove(sample)
            return
        sample.visible = cut_visible(text)
        answer = await self.reader.read_answer(self.classes, sample.visible)
        if answer is not None:
            if answer not in self.names:
                self.names.append(answer)
            sample.code = self.names.index(answer)
        for _ in range(self.early_verifications):
            self._start_verification(sample)
        if self.scorer is not None:
            sample.is_scoring = True
            self._start_task(self._complete_score, self.scorer, sample, text.completion_tokens)
        sample.text = text

    async def _complete_verification(self, sample: Sample, number: int) -> None:
        verdict = math.nan
        try:
            if sample.visible.strip() and self.verifier is not None:
                seed = None
                if self.call.seed is not None:
                    seed = draw_seed(self.call.seed, "verification", sample.index, number)
                path, body = build_verifier_body(
                    self.verifier.model, self.verifier.settings, self.call.question, sample.visible, seed
                )
                verdict = read_verdict(
                    await self.verifier.upstream.complete_call(path, body, self.ledger, sample.index)
                )
        except ApiError as error:
            self._record_failure(error)
        sample.verdicts.append(verdict)
        sample.verifying -= 1

    async def _complete_score(self, scorer: RewardModel, sample: Sample, tokens: int) -> None:
        try:
            sample.score = await scorer.score_solution(self.call.question, sample.visible, tokens, self.ledger)
        except ApiError as error:
            if error.code != REFUSED:  # one that is too long for the scorer has no score
                self._record_failure(error)
        sample.is_scoring = False

    def _record_failure(self, error: ApiError) -> None:
        """Record a failed call; a request that a server refuses would be refused by all."""
        if error.code == "upstream_unavailable":
            self.failures.append(error)
        else:
            self.fatal = error

    async def _wait_for_change(self) -> bool:
        """Wait until a call ends; return False at the deadline."""
        left = None if self.ends_at is None else self.ends_at - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(left):
                await self.changed.wait()
        except TimeoutError:
            return False
        self.changed.clear()
        return True

    async def _stop_tasks(self) -> None:
        """Cancel every call that is under way, and wait until they are."""
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _choose_unread(self, used: list[Sample], stopped: str) -> Outcome:
        """Return the solution that the verifier prefers, or the first one, where no answer can be read."""
        notes = list(self._write_notes())
        is_late = stopped in (DEADLINE, UPSTREAM_FAILED)
        if self.verifier is not None and not is_late and not any(sample.asked for sample in used):
            for sample in used:
                sample.verdicts.clear()
                self._start_verification(sample)
            while any(sample.verifying for sample in used):
                if self.fatal is not None:
                    raise self.fatal
                if not await self._wait_for_change():
                    break
        best = max(used, key=lambda sample: sample.rank)
        who = "the first one is returned"
        if any(sample.verdicts for sample in used):
            who = "the verifier chose among them"
        elif any(not math.isnan(sample.score) for sample in used):
            who = "the scorer chose among them"
        notes.insert(0, f"No answer can be read in the solutions, so {who}.")
        assert best.text is not None, "used samples are finished"
        count = sum(len(sample.verdicts) for sample in used)
        return Outcome(best.text, None, 0.0, None, len(used), count, stopped if is_late else NO_ANSWER, tuple(notes))

    def _describe_nothing(self, stopped: str) -> ApiError:
        """Return the error of a request without a single solution."""
        if stopped == DEADLINE:
            return ApiError(504, "The deadline passed before a solution was finished.", TIMEOUT, code="deadline")
        return self.failures[-1]

    def _write_notes(self) -> tuple[str, ...]:
        """Return what the client should know of the prompt and of calls that failed."""
        failed = len(self.failures)
        lost = (f"{failed} call{'s' if failed > 1 else ''} got no answer from any server.",) if failed else ()
        unscored = 0 if self.scorer is None else sum(math.isnan(sample.score) for sample in self.used)
        left = (f"{unscored} of {len(self.used)} solutions have no score.",) if unscored else ()
        return (*self.call.notes, *lost, *left)


def count_early_verifications(decider: Decider) -> int:
    """Return how often each solution is verified as soon as it is finished, because it is verified in any case."""
    if isinstance(decider, FixedAllocation):
        return decider.verifications
    if isinstance(decider, Policy) and decider.rule == "weighted-beta":
        return decider.verifications
    return 0
