"""Policies as they are carried out: from what was seen of a problem, the next action and the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.fits.policies.value_model import ValueModel
from isocompute.fits.policies.value_step import choose_value_answer, choose_value_step
from isocompute.fits.policies.vote_track import VoteTrack

if TYPE_CHECKING:
    from isocompute.fits.policies.stop_rule import StopRule

VALUE = "value"
BUDGET_SPENT = "budget spent"
"""The reason given by a policy that has sampled its most solutions."""


@dataclass(frozen=True)
class Policy:
    """A rule with its threshold and the full budget of a problem.

    Args:
        rule: the rule's name, one of `STOP_RULES`, or "value".
        threshold: the value of its parameter at which it stops; the price μ of "value".
        solutions: the most solutions of a problem, ≥ 1.
        lam: λ, the cost of a verification in solutions; None if it never verifies.
        model: what "value" has learnt; None for other rules.

    Raises:
        DataError: an unknown rule, fewer than one solution, a threshold that is not a number, no λ for a rule that
            verifies, or a model where none belongs, or none where one does.

    Example:
        >>> policy = Policy("beta", 0.95, solutions=16)
        >>> policy.choose_step(SampledProblem(answers=[0, 0, 0, 0]))
        Step(solutions=0, verify=(), stopped='beta reached 0.95')
        >>> policy.choose_step(SampledProblem(answers=[0, 1]))
        Step(solutions=1, verify=(), stopped=None)
    """

    rule: str
    threshold: float
    solutions: int
    lam: float | None = None
    model: ValueModel | None = None

    def __post_init__(self) -> None:
        if self.rule not in (*STOP_RULES, VALUE):
            raise DataError(f"rule must be one of {', '.join((*STOP_RULES, VALUE))}; got {self.rule!r}.")
        if (self.rule == VALUE) != (self.model is not None):
            raise DataError(
                f"the rule {VALUE!r} needs its model, and no other rule has one; the rule is {self.rule!r}."
            )
        if self.solutions < 1:
            raise DataError(f"solutions must be at least 1; got {self.solutions}.")
        if not np.isfinite(self.threshold):
            raise DataError(f"threshold must be a finite number; got {self.threshold}.")
        if self.rule != VALUE and self.threshold <= 0:
            raise DataError(f"the threshold of {self.rule!r} must be above 0; got {self.threshold:g}.")
        if self.rule == VALUE and self.threshold < 0:
            raise DataError(f"the price of {VALUE!r} must be at least 0; got {self.threshold}.")
        if self.verifications and self.lam is None:
            raise DataError(f"{self.rule} verifies, so it needs λ, the cost of a verification; got none.")

    @property
    def stop_rule(self) -> StopRule:
        """The rule, if it stops by votes."""
        return STOP_RULES[self.rule]

    @property
    def verifications(self) -> int:
        """The most verifications of a solution."""
        if self.model is not None:
            return self.model.verifications if self.model.is_verifying else 0
        return int(self.stop_rule.is_weighted)

    @property
    def verifications_per_solution(self) -> float:
        """The most verifications, over the number of solutions: fewer than of each where only leaders are verified."""
        return float(self.verifications if self.model is None else min(self.model.rate, self.verifications))

    def choose_step(self, problem: SampledProblem) -> Step:
        """Return what to do next: sample, verify, or stop.

        Those who sample several solutions side by side may call this as each of them finishes; a step that asks for
        solutions is then carried out once all that were begun are finished, or as soon as there is room.

        Args:
            problem: the finished solutions and their verdicts so far.
        """
        count = len(problem.answers)
        if self.model is not None:
            more, verify = choose_value_step(
                self.model, self.threshold, self.solutions, self.lam, problem.answers, problem.verdicts
            )
            if more or verify:
                return Step(more, verify)
            return Step(stopped=BUDGET_SPENT if count >= self.solutions else f"a gain below {self.threshold:g}")
        rule = self.stop_rule
        if waiting := tuple(i for i, seen in enumerate(problem.verdicts) if len(seen) < self.verifications):
            return Step(verify=waiting)
        checks = rule.checks(self.solutions, 1)
        if count in checks:
            score = float(rule.score(problem.track_last_vote(rule.is_weighted))[0, 0, -1])
            if score >= self.threshold:
                return Step(stopped=f"{self.rule} reached {self.threshold:g}")
        if count >= self.solutions:
            return Step(stopped=BUDGET_SPENT)
        return Step(solutions=int(checks[np.searchsorted(checks, count, side="right")]) - count)

    def choose_answer(self, problem: SampledProblem) -> Choice:
        """Return the answer with the most votes, the largest sum of verdicts, or by "value" the highest P(right).

        Ties go to the answer that was seen first. Solutions come in random order, so each of the answers with equally
        many votes is first equally often, as in replays, where ties are uniform. Sums of verdicts may also tie with
        unequal votes; then the answer with more votes is first more often than in replays.
        """
        if self.model is not None:
            leader, p_right = choose_value_answer(self.model, problem.answers, problem.verdicts)
            agreement = 0.0 if leader is None else Counter(problem.answers)[leader] / len(problem.answers)
            return Choice(leader, agreement, p_right)
        totals = problem.sum_votes(self.stop_rule.is_weighted)
        if not totals:
            return Choice(None, 0.0)
        answer = max(totals, key=totals.__getitem__)
        return Choice(answer, Counter(problem.answers)[answer] / len(problem.answers))


@dataclass(frozen=True)
class SampledProblem:
    """The finished solutions of one problem, in the order in which they finished, and their verdicts.

    Args:
        answers: the answer of each solution as a number, equal for equal answers; -1 if it could not be read.
        verdicts: the verdicts of each solution so far, numbers in [0, 1], NaN for one that could not be read; empty
            lists, or nothing at all, without verifications.
    """

    answers: Sequence[int]
    verdicts: Sequence[Sequence[float]] = field(default=())

    def __post_init__(self) -> None:
        verdicts = self.verdicts if len(self.verdicts) else [()] * len(self.answers)
        if len(verdicts) != len(self.answers):
            raise DataError(f"there must be verdicts for each of {len(self.answers)} solutions; got {len(verdicts)}.")
        object.__setattr__(self, "verdicts", verdicts)

    def sum_votes(self, is_weighted: bool) -> dict[int, float]:
        """Return answer → votes, or the sum of the first verdicts of its solutions, in the order of appearance."""
        totals: dict[int, float] = {}
        for answer, seen in zip(self.answers, self.verdicts, strict=True):
            if answer >= 0:
                weight = float(np.nan_to_num(seen[0] if seen else np.nan)) if is_weighted else 1.0
                totals[answer] = totals.get(answer, 0.0) + weight
        return totals

    def track_last_vote(self, is_weighted: bool) -> VoteTrack:
        """Return the state of the vote after the last solution; the entries before it are 0."""
        shape = (1, 1, len(self.answers))
        first, second, repeats = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int32)
        totals = sorted(self.sum_votes(is_weighted).values(), reverse=True)
        first[0, 0, -1], second[0, 0, -1] = (*totals, 0.0, 0.0)[:2]
        last = self.answers[-1]
        if last >= 0:
            repeats[0, 0, -1] = sum(1 for _ in takewhile(lambda answer: answer == last, reversed(self.answers)))
        return VoteTrack(first, second, np.zeros(shape), np.zeros(shape), repeats, int(is_weighted))


@dataclass(frozen=True)
class Step:
    """The next action of a policy.

    Args:
        solutions: how many more solutions it samples.
        verify: the solutions, by position, that are verified once more; one that stands twice is verified twice.
        stopped: why it stops; None if it goes on.
    """

    solutions: int = 0
    verify: tuple[int, ...] = ()
    stopped: str | None = None


@dataclass(frozen=True)
class Choice:
    """The answer of a problem.

    Args:
        answer: its number among the problem's answers; None if none could be read.
        agreement: the share of the solutions that have it.
        p_right: the probability that it is right; None if the policy has no model of it.
    """

    answer: int | None
    agreement: float
    p_right: float | None = None
