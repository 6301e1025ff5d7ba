"""Regrading of a run without sampling: every stored text is read again, and the new grades overlay the answers.

Where an import has answers without texts, the logged answers are compared again.

The parts of a run are not changed. The new grades are one more table, `GRADES_TABLE`, which is replaced as a whole and
which `Run.read_frame` applies to the solutions.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from isocompute.errors import RunError
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.grading import GRADERS, AnswerClasses, Grader
from isocompute.runners.parsing.thinking import cut_thinking
from isocompute.runners.storage.check import require_whole_run
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.log_comparison import LogComparison, compare_with_log
from isocompute.runners.storage.provenance import (
    GOLD_AS_GIVEN,
    LOGGED_GRADER,
    ImportedRun,
    extract_origin,
    read_grader_title,
)
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import GRADES_TABLE, PROBLEMS_TABLE, SOLUTIONS_TABLE


@dataclass(frozen=True)
class RegradeResult(LogComparison):
    """The result of a regrade, and the new grades beside those of the log of an import.

    ``changed`` counts the solutions whose answer is now another string, or appeared or disappeared; in a class of wrong
    answers a new representative counts too. ``refused`` counts comparisons that exceeded the limits on time or memory.
    ``notes`` are caveats on the numbers.
    """

    run: str
    before: str
    grader: str
    solutions: int
    changed: int
    now_right: int
    now_wrong: int
    unread: int
    refused: int
    notes: list[str]


def regrade_run(run: Run, grader: Grader) -> RegradeResult:
    """Grade every solution of a run again.

    The answers to a problem are put into classes in the order of the solutions' numbers, so the same texts and grader
    give the same bytes. If the process is killed, the old grades remain.

    Args:
        run: a run that no other process is writing.
        grader: the grader.

    Raises:
        RunError: there is no run, it has no solutions or no gold answer, its searches selected by another grader's
            classes, or another process is writing it.
        DataError: a part is damaged, or the grader cannot read a gold answer.
    """
    before, original = read_grader_title(run), run.read_manifest().get("grader")
    origin = extract_origin(run.read_manifest(), run.path)
    if isinstance(origin, Sweep) and origin.searches and grader.title != original:
        raise RunError(
            f"The searches of '{run.path}' selected answers that {original} read, so its solutions cannot be graded by "
            f"{grader.title}; sweep into a new run with that grader."
        )
    thinking_end = origin.solutions_thinking_end
    with run.lock():
        require_whole_run(run)
        problems = run.read_frame(PROBLEMS_TABLE, ["problem_id", "gold"])
        golds = dict(problems.itertuples(index=False, name=None))
        solutions = read_gradable_solutions(run)
        if solutions.empty:
            raise RunError(f"The run at '{run.path}' holds no solutions to grade{explain_missing_texts(run)}.")
        rows, refused = [], grader.refused_count
        for problem, group in solutions.groupby("problem_id", sort=False):
            if problem not in golds:
                raise RunError(f"The run at '{run.path}' has solutions to '{problem}', but no such problem.")
            if not isinstance(golds[problem], str):  # pandas may turn null into NaN
                raise RunError(f"The run at '{run.path}' lacks the right answer to '{problem}'.")
            classes = AnswerClasses(grader, golds[problem])
            for number, text, logged, reason in group[
                ["solution_id", "text", "logged_answer", "finish_reason"]
            ].itertuples(index=False, name=None):
                if isinstance(text, str):
                    answer, graded = classes.grade(cut_thinking(text, thinking_end, reason != "length"))
                    correct = graded is True
                else:
                    answer, correct = classes.grade_answer(logged)
                digest = digest_text(text) if isinstance(text, str) else None
                rows.append((problem, number, answer, correct, grader.title, digest))
        run.replace_table(GRADES_TABLE, (dict(zip(GRADES_TABLE.schema.names, row, strict=True)) for row in rows))
    answers = solutions["answer"].astype(object).where(solutions["answer"].notna(), None).tolist()
    correct_before = solutions["correct"].eq(True).tolist()
    return RegradeResult(
        run=run.path,
        before=before,
        grader=grader.title,
        solutions=len(rows),
        changed=sum(old != row[2] for old, row in zip(answers, rows, strict=True)),
        now_right=sum(row[3] and not old for old, row in zip(correct_before, rows, strict=True)),
        now_wrong=sum(old and not row[3] for old, row in zip(correct_before, rows, strict=True)),
        unread=sum(row[2] is None for row in rows),
        refused=grader.refused_count - refused,
        **vars(compare_with_log(run)),
        notes=note_rewritten_gold(run, grader),
    )


def read_gradable_solutions(run: Run) -> pd.DataFrame:
    """Return the solutions of a run that did not fail and have a text, or else an answer that was logged."""
    columns = ["problem_id", "solution_id", "text", "logged_answer", "answer", "correct", "finish_reason", "status"]
    solutions = run.read_frame(SOLUTIONS_TABLE, columns)
    is_readable = solutions["text"].notna() | solutions["logged_answer"].notna()
    return solutions[(solutions["status"] == "ok") & is_readable]


def note_rewritten_gold(run: Run, grader: Grader) -> list[str]:
    """Return a note if a run of an earlier version stores normalised gold answers of another grader."""
    manifest = run.read_manifest()
    if manifest.get("gold") == GOLD_AS_GIVEN or manifest.get("grader") == grader.title:
        return []
    return [
        f"this run holds the right answers as {manifest.get('grader')} read them, not as they were given; an answer "
        "that equals only the given form counts as wrong"
    ]


def require_own_grader(run: Run) -> str:
    """Return name and version of a run's grader, for grading the run again.

    Raises:
        RunError: there is no run, it has no texts, or its answers were logged by another tool.
        DataError: its manifest or its grades cannot be read.
    """
    grader = read_grader_title(run)
    origin = extract_origin(run.read_manifest(), run.path)
    if isinstance(origin, ImportedRun) and "solutions.text" in origin.unknown and not has_logged_answers(run):
        raise RunError(f"The run at '{run.path}' holds no solutions to grade{explain_missing_texts(run)}.")
    if grader.startswith(f"{LOGGED_GRADER}/"):
        raise RunError(
            f"The answers of '{run.path}' were logged by another tool ({grader}), not read by a grader here; name "
            f"one to read them: --grader {GRADERS.names_as_text}."
        )
    return grader


def has_logged_answers(run: Run) -> bool:
    """Return whether a solution has an answer that was logged."""
    answers = run.read_table(SOLUTIONS_TABLE, ["logged_answer"])["logged_answer"]
    return bool(answers.null_count < len(answers))


def explain_missing_texts(run: Run) -> str:
    """Return the reason why a run has no solutions to grade."""
    if isinstance(extract_origin(run.read_manifest(), run.path), Sweep):
        return "; run its sweep first"
    return ": the import has neither solution texts nor answers"
