"""Grading a run again, without sampling: every stored text is read anew, and what is found lies over the answers.

The parts of a run are never changed. What a re-grade finds is one more table, `GRADES`, which is replaced as a whole;
`Run.frame` reads answers through it. A re-reading of verdicts would be another such overlay, of the verifications.
"""

from __future__ import annotations

from dataclasses import dataclass

from isocompute.errors import RunError
from isocompute.runners.config import sweep_of
from isocompute.runners.grading import Classes, Grader
from isocompute.runners.log import Run
from isocompute.runners.tables import GRADES, PROBLEMS, SOLUTIONS
from isocompute.runners.thinking import cut


@dataclass(frozen=True)
class Regraded:
    """What a re-grade found.

    ``changed`` counts the solutions whose answer is now another string, or none, or one where there was none; of a
    class of wrong answers that is also a change of its representative. ``refused`` counts the answers that could not
    be compared within the limits on time and memory.
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


def regrade(run: Run, grader: Grader) -> Regraded:
    """Grade every solution of a run again.

    The answers to a problem are put into classes in the order of the solutions' numbers: the same texts and the same
    grader give the same bytes. Killed at any moment, it leaves the grades that were there.

    Args:
        run: a run that no other process is writing.
        grader: what reads the answers.

    Raises:
        RunError: there is no run, it holds no solutions, or another process is writing it.
        DataError: a part is damaged, or the grader cannot read a right answer.
    """
    before = grader_of(run)
    thinking_end = sweep_of(run.manifest(), run.path).solver.thinking_end
    with run.lock():
        problems = run.frame(PROBLEMS, ["problem_id", "gold"])
        golds = dict(problems.itertuples(index=False, name=None))
        solutions = run.frame(SOLUTIONS, ["problem_id", "solution_id", "text", "answer", "correct", "status"])
        solutions = solutions[(solutions["status"] == "ok") & solutions["text"].notna()]
        if solutions.empty:
            raise RunError(f"The run at '{run.path}' holds no solutions to grade; run its sweep first.")
        rows, refused = [], grader.refused
        for problem, group in solutions.groupby("problem_id", sort=False):
            if problem not in golds:
                raise RunError(f"The run at '{run.path}' has solutions to '{problem}', and no such problem.")
            classes = Classes(grader, golds[problem])
            for number, text in zip(group["solution_id"], group["text"], strict=True):
                answer, correct = classes.grade(cut(text, thinking_end))
                rows.append((problem, number, answer, correct, grader.title))
        run.replace(GRADES, (dict(zip(GRADES.schema.names, row, strict=True)) for row in rows))
    answers = solutions["answer"].astype(object).where(solutions["answer"].notna(), None).tolist()
    was = solutions["correct"].eq(True).tolist()
    return Regraded(
        run=run.path,
        before=before,
        grader=grader.title,
        solutions=len(rows),
        changed=sum(old != row[2] for old, row in zip(answers, rows, strict=True)),
        now_right=sum(row[3] and not old for old, row in zip(was, rows, strict=True)),
        now_wrong=sum(old and not row[3] for old, row in zip(was, rows, strict=True)),
        unread=sum(row[2] is None for row in rows),
        refused=grader.refused - refused,
    )


def grader_of(run: Run) -> str:
    """Return name and version of the grader whose answers a run's frames hold.

    Raises:
        RunError: there is no run.
        DataError: its manifest or its grades cannot be read.
    """
    names = run.read(GRADES, ["grader"])["grader"]
    return str(names[0].as_py() if len(names) else run.manifest().get("grader"))
