"""Problems and solutions that a sweep with `solutions_from` takes from another run, and the check for changes.

Rows are copied, so the other run is read only when a sweep starts. On a restart, the copied rows are compared with the
other run's present ones.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from pydantic import ValidationError

from isocompute.errors import DataError, RunError
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.config.taken import SourceRun
from isocompute.runners.storage.check import require_whole_run
from isocompute.runners.storage.digests import DIGEST_BYTES
from isocompute.runners.storage.provenance import (
    extract_model_sizes,
    extract_origin,
    extract_source_run,
    read_grader_title,
)
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import GRADES_TABLE, OVERLAYS, PROBLEMS_TABLE, SOLUTIONS_TABLE, RunTable
from isocompute.runners.tasks import Problem
from isocompute.runners.urls import redact_path

TableRow = dict[str, Any]
SolutionKey = tuple[Any, ...]

GRADE_COLUMNS = ("answer", "correct")
"""The columns of a solution that the grader fills; the other columns come from sampling."""


@dataclass(frozen=True)
class SourceSolutions:
    """The problems and solutions that a sweep takes.

    Args:
        source_run: the source run and what is taken from it, for the manifest.
        problems: in the order in which the source run wrote them.
        solutions: by key, failed ones included; None if the source run is gone and the run already holds everything.
        failed_keys: keys of the failed solutions.
        grader: name and version of the grader of the answers.
        gold: how the source run stores its gold answers, from its manifest.
        origin: where its problems came from, from its manifest.
    """

    source_run: SourceRun
    problems: list[Problem]
    solutions: dict[SolutionKey, TableRow] | None
    failed_keys: frozenset[SolutionKey]
    grader: str
    gold: Any
    origin: Any

    def find_missing_rows(self, run: Run) -> list[TableRow]:
        """Return the solutions that a run lacks, and those that failed in it and are ok in the source run now.

        Raises:
            RunError: rows are missing and the run was regraded, so that their answers would not match its own.
        """
        existing = read_rows_by_key(run, SOLUTIONS_TABLE, columns=[*SOLUTIONS_TABLE.key_names, "status"])
        rows = [
            row
            for key, row in (self.solutions or {}).items()
            if key not in existing or (existing[key]["status"] != "ok" and row["status"] == "ok")
        ]
        if rows and run.list_parts(GRADES_TABLE):
            raise RunError(
                f"The run at '{run.path}' was graded again after it took its solutions, so further solutions of "
                f"'{self.source_run.run}' would be graded differently; take them into another run."
            )
        return rows

    def refuse_changed_rows(self, run: Run) -> None:
        """Raise unless every solution that a run took is unchanged in the source run.

        Answers are compared too, unless the run itself was regraded.

        Raises:
            RunError: the message names the first changed solution and the difference.
        """
        if self.solutions is None or not run.exists:
            return
        own = bool(run.list_parts(GRADES_TABLE))
        names = [name for name in SOLUTIONS_TABLE.schema.names if not (own and name in GRADE_COLUMNS)]
        for key, row in sorted(read_rows_by_key(run, SOLUTIONS_TABLE, overlaid=False).items()):
            if row["status"] != "ok":
                continue
            current = self.solutions.get(key)
            if current is None:
                what = "it no longer exists"
            elif differing := [name for name in names if row[name] != current[name]]:
                what = f"its '{differing[0]}' differs"
            else:
                continue
            raise RunError(
                f"The solution {key} of '{self.source_run.run}' has changed since the run at '{run.path}' took it: "
                f"{what}; name another run to take the solutions as they are now."
            )


def read_source_solutions(config: Sweep, run: Run) -> SourceSolutions:
    """Read the problems and solutions that a sweep takes from its source run.

    Args:
        config: the sweep.
        run: the sweep's own run; the default amounts are those it took before.

    Raises:
        RunError: the source run is the same run, is missing, or lacks problems, solutions or texts; or the sweep's run
            has solutions of its own.
        DataError: the source run is damaged.
        ConfigError: more solutions are to be verified than are taken.
    """
    assert config.solutions_from is not None, "it names another run"
    other = Run(config.solutions_from)
    name = redact_path(config.solutions_from)
    if is_same_folder(run, other):
        raise RunError(f"The sweep of '{run.path}' takes its solutions from itself; name another run.")
    before = None
    if run.exists:
        before = extract_source_run(run.read_manifest(), run.path)
        if before is None:
            raise RunError(
                f"The run at '{run.path}' has its own solutions, but this sweep takes those of '{name}'; name "
                "another run."
            )
    if before is not None and not other.exists:
        return read_held_solutions(config, run, before)
    manifest = other.read_manifest()
    origin = extract_origin(manifest, other.path)
    require_whole_run(other)
    problems = other.read_table(PROBLEMS_TABLE).to_pylist()
    chosen = problems[: decide_problem_count(config, before, len(problems), name)]
    every = read_rows_by_key(other, SOLUTIONS_TABLE)
    count = decide_solution_count(config, before, chosen, every, name)
    names = [row["problem_id"] for row in chosen]
    rows = {(problem, i): every[problem, i] for problem in names for i in range(count)}
    refuse_missing_texts(chosen, rows, name)
    failed = list_failed_keys(rows)
    try:
        taken = SourceRun(
            run=name,
            config=manifest.get("config"),
            imported=manifest.get("imported"),
            solutions_from=extract_source_run(manifest, other.path),
            task=origin.task_name,
            solver=origin.models.get("solver"),
            thinking_end=origin.solutions_thinking_end,
            grader=read_grader_title(other),
            models=manifest.get("models", {}),
            parameters=extract_model_sizes(manifest, other.path),
            prompts=manifest.get("prompts", {}),
            problems=len(chosen),
            solutions=count,
            failed=len(failed),
            digest=digest_rows([*chosen, *(rows[key] for key in sorted(rows))]),
        )
    except ValidationError:
        raise DataError(f"The manifest of '{name}' has 'models' or 'prompts' that are not listed by role.") from None
    grader = read_grader_title(run) if run.exists and run.list_parts(GRADES_TABLE) else taken.grader
    taken_problems = [Problem(**row) for row in chosen]
    return SourceSolutions(
        taken, taken_problems, rows, failed, grader, manifest.get("gold"), manifest.get("problems", {})
    )


def read_held_solutions(config: Sweep, run: Run, before: SourceRun) -> SourceSolutions:
    """Return the solutions that a run took from a source run that is gone, if the sweep requests no more.

    Raises:
        RunError: the sweep requests more or less than was taken, or the copy is not complete.
    """
    problems = run.read_table(PROBLEMS_TABLE).to_pylist()
    solutions = read_rows_by_key(run, SOLUTIONS_TABLE)
    complete = (len(problems), len(solutions)) == (before.problems, before.problems * before.solutions)
    requested = config.problems or before.problems, config.solutions or before.solutions
    if not complete or requested[0] > before.problems or requested[1] > before.solutions:
        raise RunError(
            f"The run at '{before.run}' no longer exists, and the run at '{run.path}' did not take everything that "
            f"this sweep requests: it has {len(solutions):,} solutions to {len(problems):,} problems; restore the "
            "other run, or request no more than that."
        )
    for what, less, taken in (
        ("problems", requested[0], before.problems),
        ("solutions", requested[1], before.solutions),
    ):
        if less < taken:
            raise RunError(f"The run at '{run.path}' has {what} = {taken}; a run can grow, not shrink to {less}.")
    manifest = run.read_manifest()
    rows = [Problem(**row) for row in problems]
    grader = read_grader_title(run)
    return SourceSolutions(
        before, rows, None, list_failed_keys(solutions), grader, manifest.get("gold"), manifest.get("problems", {})
    )


def list_failed_keys(solutions: dict[SolutionKey, TableRow]) -> frozenset[SolutionKey]:
    """Return the keys of the failed solutions."""
    return frozenset(key for key, row in solutions.items() if row["status"] != "ok")


def is_same_folder(one: Run, other: Run) -> bool:
    """Return whether two runs are in the same folder; local links are followed."""
    if one.local != other.local or one.fs.protocol != other.fs.protocol:
        return False
    roots = [os.path.realpath(run.root) if run.local else run.root.rstrip("/") for run in (one, other)]
    return roots[0] == roots[1]


def read_rows_by_key(
    run: Run, table: RunTable, overlaid: bool = True, columns: list[str] | None = None
) -> dict[SolutionKey, TableRow]:
    """Return a table's rows by key, in the order of writing; a failed row is replaced by its retry.

    Args:
        run: a run.
        table: a table with a status.
        overlaid: whether regraded answers replace the original ones; only if all columns are read.
        columns: the columns to read, which must include key and status; all if None.
    """
    rows: dict[SolutionKey, TableRow] = {}
    for row in run.read_table(table, columns).to_pylist():
        key = tuple(row[name] for name in table.key_names)
        if key not in rows or rows[key]["status"] != "ok":
            rows[key] = row
    overlay = OVERLAYS.get(table.name) if overlaid and columns is None else None
    if overlay is not None:
        names = [column.name for column in overlay.columns[overlay.key :] if column.name in table.schema.names]
        for row in run.read_table(overlay).to_pylist():
            if (original := rows.get(tuple(row[name] for name in table.key_names))) is not None:
                original |= {name: row[name] for name in names}
    return rows


def decide_problem_count(config: Sweep, before: SourceRun | None, available: int, name: str) -> int:
    """Return the number of problems to take: the requested number, else as many as before, else all.

    Raises:
        RunError: there are no problems, or too few.
    """
    if not available:
        raise RunError(f"The run at '{name}' holds no problems to take.")
    count = config.problems or (available if before is None else before.problems)
    if count > available:
        raise RunError(
            f"This sweep takes {count:,} problems, but the run at '{name}' has only {available:,}; request no more "
            "than that."
        )
    return count


def decide_solution_count(
    config: Sweep, before: SourceRun | None, problems: Sequence[TableRow], every: dict[SolutionKey, TableRow], name: str
) -> int:
    """Return the number of solutions to take of each problem, counted from number 0 up to the first gap.

    The default is the number taken before, or else the number that every problem has.

    Raises:
        RunError: there are no solutions, or a problem has too few.
    """
    if not every:
        raise RunError(f"The run at '{name}' holds no solutions to take.")
    available = {}
    for row in problems:
        count = 0
        while (row["problem_id"], count) in every:
            count += 1
        available[row["problem_id"]] = count
    fewest = min(available, key=lambda problem: available[problem])
    count = config.solutions or (max(available[fewest], 1) if before is None else before.solutions)
    if count > available[fewest]:
        raise RunError(
            f"This sweep takes the first {count:,} of each problem's solutions, but the run at '{name}' has only "
            f"{available[fewest]:,} of '{fewest}'; request fewer, complete that run, or take only its first problems."
        )
    return count


def refuse_missing_texts(problems: Iterable[TableRow], solutions: dict[SolutionKey, TableRow], name: str) -> None:
    """Raise if a question or the text of a solution is missing, because it could not be verified.

    Raises:
        RunError: the message gives the number of missing ones.
    """
    missing_questions = [row["problem_id"] for row in problems if row["question"] is None]
    if missing_questions:
        raise RunError(
            f"The run at '{name}' lacks the questions of {len(missing_questions):,} of its problems, "
            f"'{missing_questions[0]}' first, so their solutions cannot be verified."
        )
    solved = [row for row in solutions.values() if row["status"] == "ok"]
    if lacking := sum(row["text"] is None for row in solved):
        raise RunError(
            f"The run at '{name}' lacks the texts of {lacking:,} of the {len(solved):,} solutions that would be "
            "taken, and a solution without a text cannot be verified."
        )


def digest_row(row: TableRow) -> str:
    """Return the BLAKE2b digest of a row; null columns are ignored.

    >>> digest_row({"a": 1, "b": None}) == digest_row({"a": 1}) != digest_row({"a": 2})
    True
    """
    values = {name: value for name, value in row.items() if value is not None}
    content = json.dumps(values, sort_keys=True, default=str).encode()
    return blake2b(content, digest_size=DIGEST_BYTES).hexdigest()


def digest_rows(rows: Iterable[TableRow]) -> str:
    """Return the BLAKE2b digest of the rows' digests in order."""
    return blake2b("".join(map(digest_row, rows)).encode(), digest_size=DIGEST_BYTES).hexdigest()
