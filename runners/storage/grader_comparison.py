"""Comparison of two graders on the stored texts of a run, or on logged answers without texts; nothing is written."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from isocompute.errors import RunError
from isocompute.runners.grading import AnswerClasses, Grader, load_grader_by_name
from isocompute.runners.grading.extraction import has_stated_answer
from isocompute.runners.grading.graders import make_library_comparer
from isocompute.runners.parsing.thinking import cut_thinking
from isocompute.runners.storage.check import require_whole_run
from isocompute.runners.storage.provenance import LOGGED_GRADER, extract_origin, read_grader_title
from isocompute.runners.storage.regrade import read_gradable_solutions
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE

LIBRARY = "math-verify"
"""The name of math-verify as a second grader."""

MOST_TEXT = 20_000
"""Characters at the end of a text that math-verify gets."""

MOST_DIFFERENCES = 10
"""The most differences that are shown."""


class Judge(Protocol):
    """Something that says whether a solution is right."""

    title: str

    @property
    def refused_count(self) -> int:
        """Comparisons so far that exceeded the limits."""
        ...

    def judge(self, gold: str, text: str, is_answer: bool) -> tuple[str | None, bool]:
        """Return the answer that was read in a text, or is one, if it is known, and whether it is right."""
        ...


class GraderJudge:
    """A grader, which keeps the classes of answers of the problem at hand."""

    def __init__(self, grader: Grader) -> None:
        self.title, self._grader = grader.title, grader
        self._gold = ""
        self._classes: AnswerClasses | None = None

    @property
    def refused_count(self) -> int:
        """Comparisons so far that exceeded the limits."""
        return self._grader.refused_count

    def judge(self, gold: str, text: str, is_answer: bool) -> tuple[str | None, bool]:
        """Return the answer, and whether it is right."""
        if self._classes is None or gold != self._gold:
            self._gold, self._classes = gold, AnswerClasses(self._grader, gold)
        if is_answer:
            return self._classes.grade_answer(text)
        answer, is_right = self._classes.grade(text)
        return answer, is_right is True


class LibraryJudge:
    """math-verify, called plainly on the whole text."""

    def __init__(self) -> None:
        self.title, self.comparer = make_library_comparer()

    @property
    def refused_count(self) -> int:
        """Comparisons so far that exceeded the limits."""
        return self.comparer.refused_count

    def judge(self, gold: str, text: str, is_answer: bool) -> tuple[str | None, bool]:
        """Return no answer, since the library does not say what it read, and whether the text is right."""
        text = f"\\boxed{{{text}}}" if is_answer and not has_stated_answer(text) else text
        return None, self.comparer.find_first_equal(text[-MOST_TEXT:], [gold]).equal == 0


@dataclass(frozen=True)
class JudgedDifference:
    """A solution that two graders judge differently.

    Args:
        problem_id: the problem.
        solution_id: the number of the solution.
        gold: the right answer.
        answer: the answer that the first grader read; None if it read none, or takes what was logged.
        other_answer: the answer that the second grader read; None if it read none, or does not say.
        is_right: whether the solution is right by the first grader; by the second it is not, and the reverse.
        ending: the end of the text.
    """

    problem_id: str
    solution_id: int
    gold: str
    answer: str | None
    other_answer: str | None
    is_right: bool
    ending: str


@dataclass(frozen=True)
class GraderComparison:
    """The agreement of two graders.

    Args:
        run: the run's folder.
        grader: name and version of the first grader.
        against: name and version of the second.
        solutions: number of solutions that both judged.
        accuracy: share of right solutions by the first.
        other_accuracy: share of right solutions by the second.
        only_first: solutions that are right by the first alone.
        only_second: solutions that are right by the second alone.
        refused: comparisons that exceeded the limits on time or memory; their solutions count as wrong.
        examples: some differences, at most `MOST_DIFFERENCES`.
    """

    run: str
    grader: str
    against: str
    solutions: int
    accuracy: float
    other_accuracy: float
    only_first: int
    only_second: int
    refused: int
    examples: list[JudgedDifference]


def compare_graders(run: Run, name: str | None, against: str) -> GraderComparison:
    """Judge every stored text, or logged answer without a text, by two graders, and count where they differ.

    Args:
        run: the run, which is only read.
        name: the first grader; the run's present grades if None.
        against: the second grader: a registered one, or `LIBRARY`.

    Raises:
        RunError: there is no run, or it holds no texts with right answers.
        ConfigError: a grader is unknown, or its package is missing.
        DataError: a part is damaged, or a grader cannot read a right answer.
    """
    require_whole_run(run)
    thinking_end = extract_origin(run.read_manifest(), run.path).solutions_thinking_end
    golds = run.read_frame(PROBLEMS_TABLE, ["problem_id", "gold"]).set_index("problem_id")["gold"]
    columns = ["problem_id", "solution_id", "text", "logged_answer", "answer", "correct", "finish_reason"]
    solutions = read_gradable_solutions(run)[columns]
    solutions = solutions[solutions["problem_id"].map(golds).notna()].sort_values(["problem_id", "solution_id"])
    if solutions.empty:
        raise RunError(f"The run at '{run.path}' holds no texts with right answers to compare graders on.")
    right, other_right, only_first, only_second = 0, 0, 0, 0
    examples: list[JudgedDifference] = []
    with ExitStack() as stack:
        first = None if name in (None, LOGGED_GRADER) else open_judge(str(name), stack)
        second = open_judge(against, stack)
        for problem, number, stored, logged, graded, correct, reason in solutions.itertuples(index=False, name=None):
            gold, is_answer = str(golds[problem]), not isinstance(stored, str)
            text = logged if is_answer else cut_thinking(stored, thinking_end, reason != "length")
            present = (graded if isinstance(graded, str) else None, bool(correct))
            answer, is_right = present if first is None else first.judge(gold, text, is_answer)
            other_answer, is_other_right = second.judge(gold, text, is_answer)
            right, other_right = right + is_right, other_right + is_other_right
            if is_right == is_other_right:
                continue
            only_first, only_second = only_first + is_right, only_second + is_other_right
            if len(examples) < MOST_DIFFERENCES:
                ending = " ".join(text[-200:].split())
                examples.append(JudgedDifference(problem, number, gold, answer, other_answer, is_right, ending))
        return GraderComparison(
            run=run.path,
            grader=read_grader_title(run) if first is None else first.title,
            against=second.title,
            solutions=len(solutions),
            accuracy=right / len(solutions),
            other_accuracy=other_right / len(solutions),
            only_first=only_first,
            only_second=only_second,
            refused=second.refused_count + (0 if first is None else first.refused_count),
            examples=examples,
        )


def open_judge(name: str, stack: ExitStack) -> Judge:
    """Return a judge by the name of a grader, which is closed with the stack."""
    if name == LIBRARY:
        library = LibraryJudge()
        stack.callback(library.comparer.close)
        return library
    return GraderJudge(stack.enter_context(load_grader_by_name(name)))
