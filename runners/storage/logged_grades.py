"""Grades of answers that another tool judged: equal answers are one answer, which has one verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from isocompute.runners.grading import AnswerClasses, make_logged_grader
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import GRADES_TABLE, PROBLEMS_TABLE, SOLUTIONS_TABLE


@dataclass(frozen=True)
class SplitVerdict:
    """An answer that the log calls right in some solutions and wrong in others."""

    problem_id: str
    answer: str
    right: int
    wrong: int


def grade_logged_answers(run: Run, title: str) -> tuple[list[SplitVerdict], int]:
    """Group the logged answers of each problem by their value, and give each group the verdict of most of its members.

    The grades overlay what was logged, which stays in the run. Which answers are equal is decided by the answers alone,
    and which are right by the log, or in a tie by the spelling of the right answer.

    Args:
        run: an import whose log says what is right.
        title: the grader's title for the grades.

    Returns:
        The answers with two verdicts, and the number of answers that were too large or too slow to compare.
    """
    columns = ["problem_id", "solution_id", "answer", "correct", "logged_answer", "logged_correct", "status"]
    solutions = run.read_frame(SOLUTIONS_TABLE, columns)
    solutions = solutions[(solutions["status"] == "ok") & solutions["logged_correct"].notna()]
    problems = run.read_frame(PROBLEMS_TABLE, ["problem_id", "gold"])
    golds = dict(problems.itertuples(index=False, name=None))
    rows, split_verdicts, changed = [], list[SplitVerdict](), False
    with make_logged_grader() as grader:
        for problem, group in solutions.groupby("problem_id", sort=False):
            classes = AnswerClasses(grader, None)
            answers = [
                classes.grade_answer(answer)[0] if isinstance(answer, str) else None
                for answer in group["logged_answer"]
            ]
            logged = group["logged_correct"].astype(bool).tolist()
            spellings = zip(answers, group["logged_answer"], strict=True)
            as_gold = {answer for answer, text in spellings if answer is not None and text == golds.get(problem)}
            correct, split = decide_group_verdicts(answers, logged, as_gold)
            split_verdicts += [SplitVerdict(str(problem), answer, *counts) for answer, counts in split.items()]
            changed = changed or correct != logged or answers != group["answer"].tolist()
            rows += [
                {"problem_id": problem, "solution_id": number, "answer": answer, "correct": right, "grader": title}
                for number, answer, right in zip(group["solution_id"], answers, correct, strict=True)
            ]
        if changed:
            run.replace_table(GRADES_TABLE, rows)
        return split_verdicts, grader.refused_count


def decide_group_verdicts(
    answers: Sequence[str | None], logged: Sequence[bool], as_gold: Collection[str] = ()
) -> tuple[list[bool], dict[str, tuple[int, int]]]:
    """Return one verdict for all solutions with the same answer: that of most of them.

    Args:
        answers: the answer of each solution.
        logged: whether it is right in the log.
        as_gold: answers that some solution spells exactly as the right answer. In a tie these are right, others wrong.

    Returns:
        The verdict of each solution, and how often each answer with two verdicts is right and wrong in the log. A
        solution without an answer keeps its verdict.

    >>> decide_group_verdicts(["7", "7", "8", "8", None], [True, False, True, True, False])
    ([False, False, True, True, False], {'7': (1, 1)})
    >>> decide_group_verdicts(["7", "7"], [True, False], {"7"})
    ([True, True], {'7': (1, 1)})
    """
    verdicts = defaultdict[str, list[bool]](list)
    for answer, right in zip(answers, logged, strict=True):
        if answer is not None:
            verdicts[answer].append(right)
    counts = {answer: (sum(each), len(each) - sum(each)) for answer, each in verdicts.items()}
    correct = [
        right if answer is None else counts[answer][0] + (answer in as_gold) > counts[answer][1]
        for answer, right in zip(answers, logged, strict=True)
    ]
    return correct, {answer: both for answer, both in counts.items() if all(both)}


def describe_split_verdicts(split: Sequence[SplitVerdict]) -> list[str]:
    """Return a sentence on the answers with two verdicts, with the first of them."""
    if not split:
        return []
    first, count = split[0], sum(each.right + each.wrong for each in split)
    what = "An answer has" if len(split) == 1 else f"{len(split):,} answers have"
    return [
        f"{what} two verdicts in the log, in {count:,} solutions. Equal answers get the verdict of most of them, and a "
        "tie counts as wrong unless one is spelt as the right answer. An example is "
        f"{format_error_value(first.answer)} to the problem {format_error_value(first.problem_id)}, right in "
        f"{first.right:,} of {first.right + first.wrong:,} solutions."
    ]
