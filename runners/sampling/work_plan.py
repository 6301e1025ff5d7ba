"""The work that a sweep requests, counted before it is built: its rows, and the memory that they take while they wait.

Every missing solution is requested at once, and each solution's verifications when it is finished; every missing search
is open at once, with a request for each of its slots.
"""

from __future__ import annotations

from collections.abc import Mapping

from isocompute.errors import RunError
from isocompute.limits import fits_memory, require_memory
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.config.tasks import GymTask, LabTask
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)

ROW_BYTES = 1000
"""Bytes of a request that waits, with its key, its seed and its prompt."""

SLOT_BYTES = 3000
"""Bytes of a search's slot: its node, its request and its path."""

PROBLEM_BYTES = 2000
"""Bytes of a generated problem."""

NOUNS = {
    SOLUTIONS_TABLE: "solution",
    VERIFICATIONS_TABLE: "verification",
    SCORES_TABLE: "score",
    SEARCHES_TABLE: "search",
}
"""The tables whose rows are requested, with what a row is."""


def check_generated_problems(config: Sweep) -> None:
    """Raise if the problems that a sweep has generated, with its rows, would take too much memory; nothing is made yet.

    Raises:
        RunError: they would.
    """
    if isinstance(config.task, LabTask | GymTask):
        check_work(config, config.task.problems, Run(config.run))


def check_work(config: Sweep, problems: int, run: Run) -> None:
    """Raise if the rows that a sweep requests would take too much memory. Rows that the run has are not requested.

    Args:
        config: the sweep, bound to its source run if it has one.
        problems: the number of problems.
        run: its run.

    Raises:
        RunError: they would; the message has the numbers.
    """
    expected = ExpectedRows(config, [""])
    rows = {table: problems * count for table in NOUNS if (count := expected.count_rows(table))}
    if fits_memory(needed := estimate_bytes(expected, rows, rows, problems)):
        return
    if run.exists:
        missing = {table: max(0, count - run.count_rows(table)) for table, count in rows.items()}
        needed = estimate_bytes(expected, rows, missing, problems)
    parts = [f"{count:,} {NOUNS[table]}{'es' if table is SEARCHES_TABLE else 's'}" for table, count in rows.items()]
    require_memory(needed, f"The work of this sweep ({problems:,} problems, {', '.join(parts)})", error=RunError)


def estimate_bytes(
    expected: ExpectedRows, rows: Mapping[RunTable, int], missing: Mapping[RunTable, int], problems: int
) -> float:
    """Return the bytes that a sweep's work takes while it waits.

    Args:
        expected: the rows of one problem.
        rows: the number of requested rows by table; the state of each takes a byte.
        missing: the number of those that the run lacks.
        problems: the number of problems.
    """
    numbered = [table for table in rows if table is not SEARCHES_TABLE]
    needed = problems * PROBLEM_BYTES + sum(rows[table] + missing[table] * ROW_BYTES for table in numbered)
    if SEARCHES_TABLE not in rows:
        return needed
    seeds = expected.seeds
    slots = sum(shape.n * count for shape, count in seeds.items()) / sum(seeds.values())
    return needed + missing[SEARCHES_TABLE] * slots * SLOT_BYTES
