"""Runs made from a data frame, whatever columns it has."""

from __future__ import annotations

import re
import secrets
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from isocompute.api.cells import clean_cell, normalise_answer_cell, read_cell_text, read_list_cell
from isocompute.api.runs import OpenedRun
from isocompute.errors import DataError
from isocompute.runners.imports.fields import read_count_field, read_flag_field, read_probability_field
from isocompute.runners.imports.finishing import finish_import
from isocompute.runners.imports.gathering import ImportWriter
from isocompute.runners.imports.options import ImportOptions
from isocompute.runners.imports.rows import ImportedMetadata, ImportedProblem, ImportedSolution, ImportedVerification
from isocompute.runners.imports.summaries import SourceSummary
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.building import build_hidden_run
from isocompute.runners.storage.provenance import LOGGED_GRADER
from isocompute.runners.storage.run import Run

if TYPE_CHECKING:
    import pandas as pd

FrameRow = dict[str, Any]


def from_frame(
    frame: pd.DataFrame,
    *,
    problem: str,
    solution: str | None = None,
    answer: str | None = None,
    correct: str | None = None,
    gold: str | None = None,
    verdict: str | None = None,
    p_yes: str | None = None,
    score: str | None = None,
    tokens: str | None = None,
    verification_tokens: str | None = None,
    level: str | None = None,
    cluster: str | None = None,
    name: str = "frame",
) -> OpenedRun:
    """Make a run in memory from a data frame with a row for each solution or each verification.

    Several rows with the same ``problem`` and ``solution`` are verifications of that solution; the columns that
    describe the solution must then be equal in all of them. A cell of ``verdict`` may also hold all verdicts of a
    solution, as a list or as JSON text. Problems may differ in their number of solutions, and solutions in their number
    of verdicts. The order of problems makes no difference, nor that of solutions with names. An empty cell, None or NaN
    means that no answer could be read, or that the verdict could not be parsed.

    Args:
        frame: the rows.
        problem: the column with the problem's name; names are compared as text, so 1 and "1" are one problem.
        solution: the column with the solution's name in its problem; without it each row is a solution.
        answer: the column with the answers: text or numbers. Equal numbers are one answer, however they are written.
        correct: the column that says whether the solution is right; without it ``answer`` is compared with ``gold``.
        gold: the column with the right answer.
        verdict: the column with verdicts: yes or no, booleans, numbers in 0 … 1, or lists of them.
        p_yes: the column with the probability of yes; it is the verdict if there is no ``verdict=``.
        score: the column with the reward score of the solution, in 0 … 1.
        tokens: the column with the completion tokens of the solution.
        verification_tokens: the column with the completion tokens of a verification, or a list of them.
        level: the column with the problem's difficulty, a whole number, 0 or more.
        cluster: the column with the group of problems that the problem was drawn with.
        name: what the task is called in plans.

    Returns:
        The run; it is gone with the object unless it is saved.

    Raises:
        DataError: a column is missing, or a cell does not hold what it should; says which row.

    Example:
        >>> import pandas as pd
        >>> rows = pd.DataFrame({"id": ["a", "a"], "said": ["7", "8"], "right": [7, 7], "yes": [[1, 1], [0, 1]]})
        >>> from_frame(rows, problem="id", answer="said", gold="right", verdict="yes").solutions["correct"].tolist()
        [True, False]
    """
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"name must be text; it is {format_error_value(name)}.")
    columns = {
        "problem": problem, "solution": solution, "answer": answer, "correct": correct, "gold": gold,
        "verdict": verdict, "p_yes": p_yes, "score": score, "tokens": tokens,
        "verification_tokens": verification_tokens, "level": level, "cluster": cluster,
    }  # fmt: skip
    if problem is None:
        raise DataError("from_frame needs problem=, the column with the problem's name.")
    rows = read_frame_rows(frame, {role: column for role, column in columns.items() if column is not None})
    run = Run(
        f"memory://isocompute-frames/{secrets.token_hex(8)}/{re.sub(r'[^A-Za-z0-9._-]', '-', name)[:60] or 'run'}"
    )
    source = SourceSummary("The frame", name, name, 0)
    options = ImportOptions(grader=LOGGED_GRADER)
    with build_hidden_run(run, "import", "importing") as begun, ImportWriter(begun, "table", options) as writer:
        writer.take_row(ImportedMetadata(task=name))
        for row in build_import_rows(sort_frame_rows(rows)):
            writer.take_row(row)
        finish_import(writer, source, run.path)
    opened = OpenedRun(run)
    weakref.finalize(run, run.fs.rm, run.root.rpartition("/")[0], recursive=True)
    return opened


def read_frame_rows(frame: Any, columns: dict[str, str]) -> list[FrameRow]:
    """Return the rows of a frame by role, with where each stands.

    Raises:
        DataError: it is not a frame, has no rows, or lacks a column; or nothing says which solutions are right.
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"from_frame takes a pandas DataFrame; it got {type(frame).__name__}.")
    for role, column in columns.items():
        if not isinstance(column, str) or list(frame.columns).count(column) != 1:
            known = ", ".join(map(str, frame.columns))[:200]
            raise DataError(f"{role}={format_error_value(column)} must name one column of the frame; it has {known}.")
    if not ("correct" in columns or {"answer", "gold"} <= set(columns)):
        raise DataError("from_frame needs correct=, or answer= and gold=, to know which solutions are right.")
    if frame.empty:
        raise DataError("The frame has no rows.")
    cells = {role: read_frame_column(frame[column]) for role, column in columns.items()}
    return [
        {"where": f"row {format_error_value(index)}", **dict(zip(cells, row, strict=True))}
        for index, row in zip(frame.index.tolist(), zip(*cells.values(), strict=True), strict=True)
    ]


def read_frame_column(column: pd.Series[Any]) -> list[Any]:
    """Return the cells of a column as plain Python values; lists stay lists."""
    if column.dtype == "float32" or column.dtype == "float16":
        # tolist would turn 0.1 into 0.10000000149, the nearest 64-bit number.
        return [clean_cell(cell) for cell in column.to_numpy()]
    return [cell if isinstance(cell, list | tuple) else clean_cell(cell) for cell in column.tolist()]


def sort_frame_rows(rows: Sequence[FrameRow]) -> list[FrameRow]:
    """Return rows by problem and, where solutions have names, by solution, so that their order makes no difference.

    Solutions without names stay in the order of their rows, and so do the verdicts of a solution. Where their numbers
    differ, only the first of them may be used, and sorting them by content would bias that choice.
    """
    return sorted(
        rows, key=lambda row: (read_cell_text(row["problem"]) or "", read_cell_text(row.get("solution")) or "")
    )


def build_import_rows(rows: Sequence[FrameRow]) -> Iterator[ImportedProblem | ImportedSolution | ImportedVerification]:
    """Yield the problems, solutions and verifications of a frame's rows.

    Raises:
        DataError: a cell does not hold what it should, or rows of one problem or solution contradict each other.
    """
    problems: dict[str, ImportedProblem] = {}
    solutions: dict[tuple[str, object], tuple[int, ImportedSolution]] = {}
    counts: dict[str, int] = {}
    for position, row in enumerate(rows):
        where = row["where"]
        problem_id = read_cell_text(row["problem"])
        if problem_id is None:
            raise DataError(f"{where}: the problem has no name.")
        read_level = read_count_field(row, "level", where)
        problem = ImportedProblem(
            problem_id,
            "",
            gold=normalise_answer_cell(row.get("gold")),
            level=read_level,
            cluster=read_cell_text(row.get("cluster")),
        )
        if problems.setdefault(problem_id, problem) != problem:
            raise DataError(f"{where}: the problem '{problem_id}' has another gold, level or cluster than before.")
        if problem_id not in counts:
            counts[problem_id] = 0
            yield problem
        label = read_cell_text(row["solution"]) if "solution" in row else position
        if label is None:
            raise DataError(f"{where}: the solution of '{problem_id}' has no name.")
        solution = build_solution_row(row, problem, where)
        if (problem_id, label) not in solutions:
            solutions[problem_id, label] = counts[problem_id], solution
            counts[problem_id] += 1
            yield solution
        elif solutions[problem_id, label][1] != solution:
            raise DataError(f"{where}: the solution '{label}' of '{problem_id}' differs from an earlier row of it.")
        elif "verdict" not in row and "p_yes" not in row:
            raise DataError(f"{where}: the solution '{label}' of '{problem_id}' appears twice, without verdicts.")
        yield from build_verification_rows(row, problem_id, solutions[problem_id, label][0], where)


def build_solution_row(row: FrameRow, problem: ImportedProblem, where: str) -> ImportedSolution:
    """Return the solution of a row.

    Raises:
        DataError: nothing says whether it is right, or its score is not in 0 … 1.
    """
    answer = normalise_answer_cell(row.get("answer"))
    correct = read_flag_field(row, "correct", where)
    if correct is None:
        if problem.gold is None:
            raise DataError(f"{where}: neither 'correct' nor 'gold' says whether the solution is right.")
        correct = answer == problem.gold
    score = read_probability_field(row, "score", where)
    return ImportedSolution(
        problem.problem_id,
        "",
        answer=answer,
        correct=correct,
        completion_tokens=read_count_field(row, "tokens", where),
        step_scores=None if score is None else [score],
    )


def build_verification_rows(
    row: FrameRow, problem_id: str, solution_id: int, where: str
) -> Iterator[ImportedVerification]:
    """Yield the verifications of a row: one of a cell with a verdict, one for each entry of a list.

    Raises:
        DataError: a verdict is not yes, no or in 0 … 1, or the list of tokens has another length.
    """
    if "verdict" not in row and "p_yes" not in row:
        return
    role = "verdict" if "verdict" in row else "p_yes"
    verdicts, tokens_list = read_list_cell(row[role]), read_list_cell(row.get("verification_tokens"))
    values = [row[role]] if verdicts is None else verdicts
    costs = [row.get("verification_tokens")] * len(values) if tokens_list is None else tokens_list
    if len(costs) != len(values):
        raise DataError(f"{where}: there are {len(values)} verdicts and {len(costs)} numbers of verification tokens.")
    for value, cost in zip(values, costs, strict=True):
        cells = {role: value, "verification_tokens": cost}
        verdict = read_probability_field(cells, role, where)
        tokens = read_count_field(cells, "verification_tokens", where)
        yield ImportedVerification(problem_id, solution_id, "", verdict=verdict, completion_tokens=tokens)
