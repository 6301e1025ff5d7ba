"""Doubts about a run's answers: signs that they were graded or recorded in another way than was meant."""

from __future__ import annotations

import pandas as pd

from isocompute.runners.parsing.kinds import count_solution_kinds, count_verification_kinds
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE

FEW_RIGHT = 0.005
"""A smaller share of right solutions is doubtful."""
MIN_GRADED = 30
"""With fewer solutions, neither a small share of right ones nor a small agreement is a surprise."""
MIN_COPIES = 4
"""With fewer solutions of a problem, equal ones are no surprise."""
MOST_COPIED = 0.9
"""In a larger share of the problems, solutions that are all alike are copies."""


def has_known_answers(solutions: pd.DataFrame) -> bool:
    """Return whether answers are recorded: a right solution without an answer shows that only right and wrong were."""
    return not (solutions["correct"].eq(True) & solutions["answer"].isna()).any()


def count_run_kinds(run: Run) -> tuple[dict[str, int], dict[str, int]]:
    """Return the number of solutions and of verifications of each kind in a run, see `runners.parsing.kinds`."""
    solutions = run.read_frame(SOLUTIONS_TABLE, ["answer", "correct", "finish_reason", "status"])
    verifications = run.read_frame(VERIFICATIONS_TABLE, ["verdict", "finish_reason", "status"])
    return count_solution_kinds(solutions, has_known_answers(solutions)), count_verification_kinds(verifications)


def describe_doubts(solutions: pd.DataFrame, grader: str, has_answers: bool) -> list[str]:
    """Return the doubts about the solutions of a run, in sentences.

    Args:
        solutions: rows with problem_id, answer, correct and completion_tokens, without failed ones.
        grader: name and version of the grader.
        has_answers: whether answers are known, and not only which solutions are right.
    """
    sentences = []
    graded = solutions["correct"].dropna().astype(bool)
    if len(graded) >= MIN_GRADED and graded.mean() < FEW_RIGHT:
        sentences.append(
            f"{graded.sum():,} of {len(graded):,} solutions are right by {grader}. Check that it reads these answers: "
            "isocompute grade RUN --against math."
        )
    if not has_answers:
        return sentences
    if (copied := measure_copied_share(solutions)) is not None and copied > MOST_COPIED:
        sentences.append(
            f"All solutions of a problem have the same answer and the same number of tokens, in {copied:.0%} of the "
            "problems. They may be copies, at temperature 0 or from a cache, which cost compute and add nothing."
        )
    agreement = measure_agreement(solutions)
    if agreement is not None and agreement[1] > 0 and agreement[0] <= agreement[1]:
        sentences.append(
            "Two solutions of the same problem agree no more often than two of different problems. Check that each "
            "solution is recorded under its own problem."
        )
    return sentences


def measure_copied_share(solutions: pd.DataFrame) -> float | None:
    """Return the share of problems whose solutions are all alike in answer and tokens; None if it cannot be said.

    >>> rows = {"problem_id": list("aaaabbbb"), "answer": list("7777xyyy"), "completion_tokens": [5] * 8}
    >>> measure_copied_share(pd.DataFrame(rows))
    0.5
    """
    known = solutions.dropna(subset=["answer", "completion_tokens"])
    groups = known.groupby("problem_id")[["answer", "completion_tokens"]]
    several = groups.size() >= MIN_COPIES
    if several.sum() < 2:
        return None
    return float((groups.nunique().max(axis=1) == 1)[several].mean())


def measure_agreement(solutions: pd.DataFrame) -> tuple[float, float] | None:
    """Return how often two solutions have the same answer, within a problem and across problems.

    Returns:
        The two probabilities; None with fewer than two problems, or than `MIN_GRADED` solutions with an answer.

    >>> rows = {"problem_id": [i for i in range(25) for _ in "ab"], "answer": ["x", "y"] * 25}
    >>> within, across = measure_agreement(pd.DataFrame(rows))
    >>> within, across
    (0.0, 0.5)
    """
    known = solutions.dropna(subset=["answer"])
    by_problem = known.groupby("problem_id").size()
    if len(by_problem) < 2 or len(known) < MIN_GRADED:
        return None
    same = known.groupby(["problem_id", "answer"]).size()
    pairs, equal = by_problem * (by_problem - 1), same * (same - 1)
    total = known.groupby("answer").size()
    across_pairs = len(known) * (len(known) - 1) - pairs.sum()
    across_equal = (total * (total - 1)).sum() - equal.sum()
    if not pairs.sum() or not across_pairs:
        return None
    return float(equal.sum() / pairs.sum()), float(across_equal / across_pairs)
