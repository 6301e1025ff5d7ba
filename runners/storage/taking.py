"""Problems and solutions of another run, as a sweep with `solutions_from` takes them: which, and whether they changed.

What is taken is copied, row by row. So the other run is looked at when a sweep starts and never afterwards, and rows
that were taken are compared with those that are there now by what they hold.
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
from isocompute.runners.config.taken import Taken
from isocompute.runners.storage.check import require_whole
from isocompute.runners.storage.digests import BYTES
from isocompute.runners.storage.provenance import origin_of, sizes_of, taken_of
from isocompute.runners.storage.regrade import grader_of
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import GRADES, OVERLAYS, PROBLEMS, SOLUTIONS, Table
from isocompute.runners.tasks import Problem
from isocompute.runners.urls import public_path

Row = dict[str, Any]
Key = tuple[Any, ...]

GRADED = ("answer", "correct")
"""What a grader says of a solution; the rest of its row is what was sampled."""


@dataclass(frozen=True)
class Source:
    """The problems and solutions that a sweep takes.

    Args:
        taken: what they are and where they are from, for the manifest.
        problems: in the order in which the other run's sweep or import wrote them.
        solutions: by their keys, those that failed among them; None if the other run is not there any more, and the
            run holds all that it was asked to take.
        failed: keys of the solutions that failed.
        grader: name and version of what the answers are graded by.
        gold: how the other run says that it holds its right answers.
        origin: where its problems came from, as its manifest says.
    """

    taken: Taken
    problems: list[Problem]
    solutions: dict[Key, Row] | None
    failed: frozenset[Key]
    grader: str
    gold: Any
    origin: Any

    def missing(self, run: Run) -> list[Row]:
        """Return the solutions that a run does not hold yet; one that failed and has come there since is among them.

        Raises:
            RunError: the run was graded again by itself, so that further answers would not fit its own.
        """
        there = rows_of(run, SOLUTIONS, columns=[*SOLUTIONS.key_names, "status"])
        rows = [
            row
            for key, row in (self.solutions or {}).items()
            if key not in there or (there[key]["status"] != "ok" and row["status"] == "ok")
        ]
        if rows and run.parts(GRADES):
            raise RunError(
                f"The run at '{run.path}' was graded again since it took solutions, so that further ones of "
                f"'{self.taken.run}' would be graded in another way; take them into another run."
            )
        return rows

    def refuse_changed(self, run: Run) -> None:
        """Raise unless every solution that a run took is still what the other run holds.

        Answers are compared too, unless the run was graded again by itself.

        Raises:
            RunError: names the first that changed, and what differs.
        """
        if self.solutions is None or not run.exists:
            return
        own = bool(run.parts(GRADES))
        names = [name for name in SOLUTIONS.schema.names if not (own and name in GRADED)]
        for key, row in sorted(rows_of(run, SOLUTIONS, overlaid=False).items()):
            if row["status"] != "ok":
                continue
            now = self.solutions.get(key)
            if now is None:
                what = "it is not there any more"
            elif differing := [name for name in names if row[name] != now[name]]:
                what = f"its '{differing[0]}' is another"
            else:
                continue
            raise RunError(
                f"The solution {key} of '{self.taken.run}' has changed since the run at '{run.path}' took it: {what}; "
                "name another run, which takes the solutions as they are now."
            )


def read_source(config: Sweep, run: Run) -> Source:
    """Read what a sweep takes from the run that it names.

    Args:
        config: names the other run, and how much of it is taken.
        run: the sweep's own; what it took before is the default of how much.

    Raises:
        RunError: the other run is the same, is not there, or lacks problems, solutions or texts; or the run at hand
            has solutions of its own.
        DataError: the other run is damaged.
        ConfigError: more solutions are to be verified than are taken.
    """
    assert config.solutions_from is not None, "it names another run"
    other = Run(config.solutions_from)
    name = public_path(config.solutions_from)
    if same_folder(run, other):
        raise RunError(f"The sweep of '{run.path}' takes its solutions from itself; name another run.")
    before = None
    if run.exists:
        before = taken_of(run.manifest(), run.path)
        if before is None:
            raise RunError(
                f"The run at '{run.path}' has solutions of its own, and this sweep takes those of '{name}'; "
                "name another run."
            )
    if before is not None and not other.exists:
        return held(config, run, before)
    manifest = other.manifest()
    origin = origin_of(manifest, other.path)
    require_whole(other)
    problems = other.read(PROBLEMS).to_pylist()
    chosen = problems[: problems_wanted(config, before, len(problems), name)]
    every = rows_of(other, SOLUTIONS)
    count = solutions_wanted(config, before, chosen, every, name)
    names = [row["problem_id"] for row in chosen]
    rows = {(problem, i): every[problem, i] for problem in names for i in range(count)}
    refuse_unverifiable(chosen, rows, name)
    failed = failures(rows)
    try:
        taken = Taken(
            run=name,
            config=manifest.get("config"),
            imported=manifest.get("imported"),
            solutions_from=taken_of(manifest, other.path),
            task=origin.task_name,
            solver=origin.models.get("solver"),
            thinking_end=origin.solutions_thinking_end,
            grader=grader_of(other),
            models=manifest.get("models", {}),
            parameters=sizes_of(manifest, other.path),
            prompts=manifest.get("prompts", {}),
            problems=len(chosen),
            solutions=count,
            failed=len(failed),
            digest=digest_rows([*chosen, *(rows[key] for key in sorted(rows))]),
        )
    except ValidationError:
        raise DataError(f"The manifest of '{name}' has 'models' or 'prompts' that are not by role.") from None
    grader = grader_of(run) if run.exists and run.parts(GRADES) else taken.grader
    asked = [Problem(**row) for row in chosen]
    return Source(taken, asked, rows, failed, grader, manifest.get("gold"), manifest.get("problems", {}))


def held(config: Sweep, run: Run, before: Taken) -> Source:
    """Return what a run took from another one that is not there any more, if that is all that is asked for.

    Raises:
        RunError: more is asked for, or not all of it was taken.
    """
    problems = run.read(PROBLEMS).to_pylist()
    there = rows_of(run, SOLUTIONS)
    complete = (len(problems), len(there)) == (before.problems, before.problems * before.solutions)
    asked = config.problems or before.problems, config.solutions or before.solutions
    if not complete or asked[0] > before.problems or asked[1] > before.solutions:
        raise RunError(
            f"There is no run at '{before.run}' any more, and the run at '{run.path}' has not taken all that is asked "
            f"for: it has {len(there):,} solutions to {len(problems):,} problems; bring the other run back, or ask for "
            "no more."
        )
    for what, less, taken in (("problems", asked[0], before.problems), ("solutions", asked[1], before.solutions)):
        if less < taken:
            raise RunError(f"The run at '{run.path}' has {what} = {taken}; a run can grow, not shrink to {less}.")
    manifest = run.manifest()
    rows = [Problem(**row) for row in problems]
    grader = grader_of(run)
    return Source(before, rows, None, failures(there), grader, manifest.get("gold"), manifest.get("problems", {}))


def failures(solutions: dict[Key, Row]) -> frozenset[Key]:
    """Return the keys of the solutions that failed."""
    return frozenset(key for key, row in solutions.items() if row["status"] != "ok")


def same_folder(one: Run, other: Run) -> bool:
    """Return whether two runs are the same folder; links on a local disk are followed."""
    if one.local != other.local or one.fs.protocol != other.fs.protocol:
        return False
    roots = [os.path.realpath(run.root) if run.local else run.root.rstrip("/") for run in (one, other)]
    return roots[0] == roots[1]


def rows_of(run: Run, table: Table, overlaid: bool = True, columns: list[str] | None = None) -> dict[Key, Row]:
    """Return a table's rows by key, as they were written; a failure gives way to its retry.

    Args:
        run: a run.
        table: one with a status.
        overlaid: whether what lies over the table counts, such as answers that were graded again.
        columns: that are read, key and status among them; all if not given.
    """
    found: dict[Key, Row] = {}
    for row in run.read(table, columns).to_pylist():
        key = tuple(row[name] for name in table.key_names)
        if key not in found or found[key]["status"] != "ok":
            found[key] = row
    overlay = OVERLAYS.get(table.name) if overlaid and columns is None else None
    if overlay is not None:
        names = [column.name for column in overlay.columns[overlay.key :] if column.name in table.schema.names]
        for row in run.read(overlay).to_pylist():
            if (below := found.get(tuple(row[name] for name in table.key_names))) is not None:
                below |= {name: row[name] for name in names}
    return found


def problems_wanted(config: Sweep, before: Taken | None, there: int, name: str) -> int:
    """Return how many problems are taken: as asked for, else as many as before, else all.

    Raises:
        RunError: there are none, or not so many.
    """
    if not there:
        raise RunError(f"The run at '{name}' holds no problems to take.")
    count = config.problems or (there if before is None else before.problems)
    if count > there:
        raise RunError(f"This sweep takes {count:,} problems, and the run at '{name}' has {there:,}; ask for no more.")
    return count


def solutions_wanted(config: Sweep, before: Taken | None, problems: Sequence[Row], every: dict[Key, Row],
                     name: str) -> int:  # fmt: skip
    """Return how many solutions of each problem are taken: those numbered from 0 on without a gap.

    Raises:
        RunError: a problem has none, or not so many.
    """
    if not every:
        raise RunError(f"The run at '{name}' holds no solutions to take.")
    there = {}
    for row in problems:
        count = 0
        while (row["problem_id"], count) in every:
            count += 1
        there[row["problem_id"]] = count
    fewest = min(there, key=lambda problem: there[problem])
    count = config.solutions or (max(there[fewest], 1) if before is None else before.solutions)
    if count > there[fewest]:
        raise RunError(
            f"This sweep takes the first {count:,} of each problem's solutions, and the run at '{name}' has "
            f"{there[fewest]:,} of '{fewest}'; ask for no more, complete that run, or take its first problems only."
        )
    return count


def refuse_unverifiable(problems: Iterable[Row], solutions: dict[Key, Row], name: str) -> None:
    """Raise unless there are texts to verify.

    Raises:
        RunError: questions or texts are missing; says of how many.
    """
    asked = [row["problem_id"] for row in problems if row["question"] is None]
    if asked:
        raise RunError(
            f"The run at '{name}' does not say what was asked in {len(asked):,} of its problems, '{asked[0]}' first, "
            "so that their solutions cannot be verified."
        )
    solved = [row for row in solutions.values() if row["status"] == "ok"]
    if lacking := sum(row["text"] is None for row in solved):
        raise RunError(
            f"The run at '{name}' lacks the texts of {lacking:,} of the {len(solved):,} solutions that would be taken, "
            "and without its text a solution cannot be verified."
        )


def digest_row(row: Row) -> str:
    """Return the BLAKE2b digest of a row; a column that is null counts as if not there.

    >>> digest_row({"a": 1, "b": None}) == digest_row({"a": 1}) != digest_row({"a": 2})
    True
    """
    said = {name: value for name, value in row.items() if value is not None}
    content = json.dumps(said, sort_keys=True, default=str).encode()
    return blake2b(content, digest_size=BYTES).hexdigest()


def digest_rows(rows: Iterable[Row]) -> str:
    """Return the BLAKE2b digest of rows in their order: that of the digests of each."""
    return blake2b("".join(map(digest_row, rows)).encode(), digest_size=BYTES).hexdigest()
