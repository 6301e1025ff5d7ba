"""The progress of a policy with one question: the rows that it has seen, and those that it waits for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from isocompute.fits.policies.policy import BUDGET_SPENT, Choice, SampledProblem, Step

SolutionRow = tuple[str | None, bool]
"""A solution's answer, None if it could not be read, and whether the solution failed."""

RowNumbers = tuple[int] | tuple[int, int]
"""The numbers of a row of one problem: of a solution, or of a solution and its verification."""


class StepPolicy(Protocol):
    """A decider of the next step of a problem, and of its answer, such as `Policy`."""

    @property
    def solutions(self) -> int:
        """The most solutions of a problem."""
        ...

    @property
    def verifications(self) -> int:
        """The most verifications of a solution."""
        ...

    def choose_step(self, problem: SampledProblem) -> Step:
        """Return the next step."""
        ...

    def choose_answer(self, problem: SampledProblem) -> Choice:
        """Return the answer."""
        ...


@dataclass(eq=False)
class QuestionProgress:
    """A question under a policy.

    The policy is always followed from its first step, over the rows that are there; where one is missing, it waits. So
    a run that was stopped at any row goes on exactly as it would have, and the order in which rows come changes
    nothing. A solution that failed is passed over, as if it had not been sampled; a verification that failed counts as
    one that cannot be read.

    Args:
        policy: decides.
        width: solutions that are sampled side by side, before the policy looks at them.
        solutions: number → the solution, of those that are there.
        verdicts: numbers of a solution and its verification → verdict in [0, 1]; NaN where it cannot be read.

    Example:
        >>> from isocompute.fits.policies.policy import Policy
        >>> progress = QuestionProgress(Policy("certain", 3, solutions=3), width=2)
        >>> progress.list_awaited_rows()
        [(0,), (1,)]
        >>> progress.solutions.update({0: ("7", False), 1: ("7", False)})
        >>> progress.list_awaited_rows(), progress.stopped
        ([], 'certain reached 3')
    """

    policy: StepPolicy
    width: int = 1
    solutions: dict[int, SolutionRow] = field(default_factory=dict)
    verdicts: dict[tuple[int, int], float] = field(default_factory=dict)
    stopped: str | None = None

    def __post_init__(self) -> None:
        self.used: list[int] = []
        """The numbers of the solutions that the policy has seen, in its order."""
        self._verified: list[list[int]] = []  # the numbers of the verifications of each, once more than once asked
        self._next = 0
        self._codes: dict[str, int] = {}
        self._awaited: list[RowNumbers] = []

    def list_awaited_rows(self) -> list[RowNumbers]:
        """Follow the policy as far as the rows reach; return the rows that it waits for, none once it has stopped."""
        while self.stopped is None:
            if missing := [numbers for numbers in self._awaited if not self._has_row(numbers)]:
                return missing
            self._take_awaited()
            self._awaited = list(self._request_step())
        return []

    @property
    def seen(self) -> SampledProblem:
        """The rows that the policy has seen."""
        answers = [self._code_answer(self.solutions[number][0]) for number in self.used]
        verdicts = [
            [self.verdicts[number, each] for each in range(count)]
            for number, count in zip(self.used, map(len, self._verified), strict=True)
        ]
        return SampledProblem(answers, verdicts)

    def choose_answer(self) -> tuple[str | None, Choice]:
        """Return the answer, None if none could be read, and the policy's choice."""
        choice = self.policy.choose_answer(self.seen) if self.used else Choice(None, 0.0)
        names = {code: answer for answer, code in self._codes.items()}
        return (None if choice.answer is None else names[choice.answer]), choice

    def _has_row(self, numbers: RowNumbers) -> bool:
        return numbers in self.verdicts if len(numbers) == 2 else numbers[0] in self.solutions

    def _take_awaited(self) -> None:
        """Let the policy see the rows that it waited for."""
        for numbers in self._awaited:
            if len(numbers) == 2:
                self._verified[self.used.index(numbers[0])].append(numbers[1])
            elif not self.solutions[numbers[0]][1]:
                self.used.append(numbers[0])
                self._verified.append([])

    def _request_step(self) -> Iterator[RowNumbers]:
        """Yield the rows of the policy's next step; none if it stops."""
        step = self.policy.choose_step(self.seen)
        if step.stopped is not None:
            self.stopped = step.stopped
            return
        if step.verify:
            asked: dict[int, int] = {}
            for place in step.verify:
                number = len(self._verified[place]) + asked.get(place, 0)
                asked[place] = asked.get(place, 0) + 1
                yield self.used[place], number
            return
        room = self.policy.solutions - self._next
        if room <= 0:  # some of them failed
            self.stopped = BUDGET_SPENT
            return
        # A policy that looks after each solution looks after each wave; one with waves of its own keeps them.
        count = min(self.width if step.solutions == 1 else step.solutions, room)
        for number in range(self._next, self._next + count):
            yield (number,)
        self._next += count

    def _code_answer(self, answer: str | None) -> int:
        """Return the number of an answer, in the order of appearance; -1 if there is none."""
        return -1 if answer is None else self._codes.setdefault(answer, len(self._codes))
