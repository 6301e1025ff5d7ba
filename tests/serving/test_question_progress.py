"""The progress of a policy with one question."""

from __future__ import annotations

import math
import random

import pytest

from isocompute.fits.policies.policy import Policy, SampledProblem
from isocompute.serving.question_progress import QuestionProgress

POLICIES = [
    Policy("beta", 0.9, 12),
    Policy("certain", 12, 12),
    Policy("window", 3, 12),
    Policy("doubling", 0.75, 12),
    Policy("weighted-beta", 0.8, 6, lam=1.0),
]


def answer_at(number: int, seed: int) -> str | None:
    return random.Random(f"{seed}/{number}").choice(["7", "7", "7", "8", "9", None])


def verdict_at(number: int, place: int, seed: int) -> float:
    return random.Random(f"{seed}/{number}/{place}").choice([1.0, 1.0, 0.0, math.nan])


def follow(progress: QuestionProgress, seed: int, shuffled: bool = False) -> QuestionProgress:
    """Give a policy the rows that it waits for, until it stops."""
    rng = random.Random(seed)
    while waiting := progress.list_awaited_rows():
        for numbers in rng.sample(waiting, len(waiting)) if shuffled else waiting:
            if len(numbers) == 2:
                progress.verdicts[numbers] = verdict_at(*numbers, seed)
            else:
                progress.solutions[numbers[0]] = (answer_at(numbers[0], seed), False)
            if shuffled:
                progress.list_awaited_rows()  # it is asked as each row comes
    return progress


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.rule)
@pytest.mark.parametrize("seed", range(8))
def test_it_does_what_the_policy_says_step_by_step(policy, seed):
    progress = follow(QuestionProgress(policy), seed)
    codes: dict[str, int] = {}
    answers: list[int] = []
    verdicts: list[list[float]] = []
    while (step := policy.choose_step(SampledProblem(answers, verdicts))).stopped is None:
        for place in step.verify:
            verdicts[place].append(verdict_at(place, len(verdicts[place]), seed))
        for _ in range(step.solutions):
            answer = answer_at(len(answers), seed)
            answers.append(-1 if answer is None else codes.setdefault(answer, len(codes)))
            verdicts.append([])
    assert progress.stopped == step.stopped
    assert list(progress.seen.answers) == answers
    assert progress.choose_answer()[1] == policy.choose_answer(SampledProblem(answers, verdicts))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.rule)
@pytest.mark.parametrize("width", [1, 4])
def test_the_order_in_which_rows_come_changes_nothing(policy, width):
    for seed in range(8):
        plain = follow(QuestionProgress(policy, width), seed)
        mixed = follow(QuestionProgress(policy, width), seed, shuffled=True)
        assert (plain.stopped, plain.solutions, plain.choose_answer()) == (
            mixed.stopped,
            mixed.solutions,
            mixed.choose_answer(),
        )


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.rule)
def test_it_goes_on_from_any_row(policy):
    for seed in range(4):
        whole = follow(QuestionProgress(policy, 4), seed)
        for kept in range(len(whole.solutions)):
            begun = QuestionProgress(policy, 4)
            begun.solutions = {number: whole.solutions[number] for number in range(kept)}
            begun.verdicts = {key: verdict for key, verdict in whole.verdicts.items() if key[0] < kept}
            again = follow(begun, seed)
            assert (again.stopped, again.solutions) == (whole.stopped, whole.solutions)
            assert again.choose_answer() == whole.choose_answer()


def test_a_wave_has_its_width_and_never_exceeds_the_budget():
    progress = QuestionProgress(Policy("certain", 7, 7), width=4)
    assert progress.list_awaited_rows() == [(0,), (1,), (2,), (3,)]
    progress.solutions |= {number: (str(number), False) for number in range(4)}
    assert progress.list_awaited_rows() == [(4,), (5,), (6,)]


def test_failed_solutions_are_passed_over_and_use_up_the_budget():
    progress = QuestionProgress(Policy("certain", 3, 3))
    for number in range(3):
        assert progress.list_awaited_rows() == [(number,)]
        progress.solutions[number] = (None, True)
    assert progress.list_awaited_rows() == []
    assert progress.stopped == "budget spent"
    assert progress.choose_answer()[0] is None


def test_more_rows_than_the_policy_asks_for_are_not_seen():
    progress = QuestionProgress(Policy("certain", 3, 3))
    progress.solutions = dict.fromkeys(range(9), ("7", False))
    assert progress.list_awaited_rows() == []
    assert progress.used == [0, 1]
