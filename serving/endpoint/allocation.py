"""A plan's fixed allocation, carried out step by step as a policy is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.choice.answer import RULES, weigh_answers
from isocompute.fits.policies.policy import Choice, SampledProblem, Step
from isocompute.planner.strategies.registry import STRATEGIES

ALLOCATION_SPENT = "allocation spent"
"""The reason for which a fixed allocation stops."""


class Decider(Protocol):
    """A `Policy` or a `FixedAllocation`: it decides the next step of a problem, and its answer."""

    @property
    def solutions(self) -> int:
        """The most solutions."""
        ...

    @property
    def verifications(self) -> int:
        """The most verifications of a solution."""
        ...

    @property
    def verifications_per_solution(self) -> float:
        """The most verifications, over the number of solutions."""
        ...

    def choose_step(self, problem: SampledProblem) -> Step:
        """Return what to do next."""
        ...

    def choose_answer(self, problem: SampledProblem) -> Choice:
        """Return the answer."""
        ...


@dataclass(frozen=True)
class ScoredProblem(SampledProblem):
    """The finished solutions of one problem with their scores.

    Args:
        scores: the score of each solution, 0 … 1; NaN for one without.
        complete: whether each solution came to its end.
    """

    scores: Sequence[float] = ()
    complete: Sequence[bool] = ()


@dataclass(frozen=True)
class FixedAllocation:
    """S solutions, each of them verified V times or scored once, and the answer by a strategy's rule.

    Args:
        strategy: one of ``fits.choice.answer.RULES``.
        solutions: S.
        verifications: V.
        trust: κ of the fused vote.

    Raises:
        DataError: there is no such strategy.

    Example:
        >>> FixedAllocation("sc", 4).choose_step(SampledProblem(answers=[0, 0, 1]))
        Step(solutions=1, verify=(), stopped=None)
        >>> FixedAllocation("sc", 3).choose_answer(SampledProblem(answers=[0, 1, 1]))
        Choice(answer=1, agreement=0.6666666666666666, p_right=None)
    """

    strategy: str
    solutions: int
    verifications: int = 0
    trust: float = 1.0

    def __post_init__(self) -> None:
        if self.strategy not in RULES:
            raise DataError(f"strategy must be one of {', '.join(RULES)}; got {self.strategy!r}.")

    @property
    def verifications_per_solution(self) -> float:
        """V, as every solution is verified."""
        return float(self.verifications)

    @property
    def is_scored(self) -> bool:
        """True if every solution is scored."""
        return STRATEGIES[self.strategy].needs == "scores"

    def choose_step(self, problem: SampledProblem) -> Step:
        """Return the solutions and verifications that are missing."""
        missing = [self.verifications - len(seen) for seen in problem.verdicts]
        if waiting := tuple(i for i, count in enumerate(missing) for _ in range(count)):
            return Step(verify=waiting)
        if len(problem.answers) < self.solutions:
            return Step(solutions=self.solutions - len(problem.answers))
        return Step(stopped=ALLOCATION_SPENT)

    def choose_answer(self, problem: SampledProblem) -> Choice:
        """Return the answer of the strategy's rule; of tied answers the one seen first, as in `Policy`.

        Where no solution has a score, the votes decide.
        """
        codes = np.array(problem.answers, dtype=np.int64)
        if not len(codes) or codes.max() < 0:
            return Choice(None, 0.0)
        verdicts = None
        if self.verifications:
            most = max(1, *map(len, problem.verdicts))
            verdicts = np.array([[*seen, *[np.nan] * (most - len(seen))] for seen in problem.verdicts], dtype=float)
        strategy, scores, complete = self.strategy, None, None
        if self.is_scored:
            assert isinstance(problem, ScoredProblem), "a strategy that needs scores gets them"
            scores, complete = np.array(problem.scores, dtype=float), np.array(problem.complete, dtype=bool)
            if np.isnan(scores).all():
                strategy, scores = "sc", None
        probability = weigh_answers(strategy, codes, verdicts, scores, self.trust, complete).probability
        tied = (
            {int(code) for code in np.flatnonzero(probability >= probability.max() - 1e-9)}
            if probability.max()
            else set()
        )
        answer = next((code for code in problem.answers if code in tied), None)
        if answer is None:  # the best solutions have no answer
            return Choice(None, 0.0)
        return Choice(answer, Counter(problem.answers)[answer] / len(problem.answers))
