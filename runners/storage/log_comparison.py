"""Comparison of a run's grades with what the log of its import says."""

from __future__ import annotations

from dataclasses import dataclass

from isocompute.runners.storage.provenance import ImportedRun, extract_origin
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE

MOST_EXAMPLES = 3
"""The most differences between two gradings that are shown."""


@dataclass(frozen=True)
class GradeDifference:
    """A solution that the log and the grader judge differently."""

    problem_id: str
    solution_id: int
    gold: str | None
    answer: str | None
    logged: bool
    graded: bool


@dataclass(frozen=True)
class LogComparison:
    """The grades of a run beside those of its log.

    Args:
        accuracy: share of right solutions; None without any.
        problem_accuracy: mean over problems of the share of their solutions that is right, as estimates use it.
        logged_accuracy: share of right solutions as the log says, over those that it judges; None if it judges none.
        differing: solutions whose grade differs from the log's.
        examples: the first of them, at most `MOST_EXAMPLES`.
    """

    accuracy: float | None
    problem_accuracy: float | None
    logged_accuracy: float | None
    differing: int
    examples: list[GradeDifference]


def compare_with_log(run: Run) -> LogComparison:
    """Compare the present grades of a run with the verdicts of its log.

    Where the log says only how many of a problem's solutions are right, the numbers of right ones are compared.

    Raises:
        DataError: a part is damaged.
    """
    columns = ["problem_id", "solution_id", "answer", "correct", "logged_correct", "status"]
    solutions = run.read_frame(SOLUTIONS_TABLE, columns)
    solutions = solutions[solutions["status"] == "ok"]
    if solutions.empty:
        return LogComparison(None, None, None, 0, [])
    judged = solutions[solutions["logged_correct"].notna()]
    differing = judged[judged["correct"].astype(bool) != judged["logged_correct"].astype(bool)]
    count = len(differing)
    origin = extract_origin(run.read_manifest(), run.path)
    if isinstance(origin, ImportedRun) and origin.shares:
        right = judged.groupby("problem_id")[["correct", "logged_correct"]].sum().astype(int)
        gaps = (right["correct"] - right["logged_correct"]).abs()
        differing, count = differing[differing["problem_id"].map(gaps) > 0], int(gaps.sum())
    problems = run.read_frame(PROBLEMS_TABLE, ["problem_id", "gold"])
    golds = dict(problems.itertuples(index=False, name=None))
    shown = differing[["problem_id", "solution_id", "answer", "logged_correct", "correct"]].head(MOST_EXAMPLES)
    examples = [
        GradeDifference(
            problem,
            int(number),
            gold if isinstance(gold := golds.get(problem), str) else None,
            answer if isinstance(answer, str) else None,
            bool(logged),
            bool(graded),
        )
        for problem, number, answer, logged, graded in shown.to_numpy(object)
    ]
    return LogComparison(
        float(solutions["correct"].astype(bool).mean()),
        float(solutions["correct"].astype(bool).groupby(solutions["problem_id"]).mean().mean()),
        float(judged["logged_correct"].astype(bool).mean()) if len(judged) else None,
        count,
        examples,
    )
