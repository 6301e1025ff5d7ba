"""The problems of a sweep that are finished, so that an unfinished run can be read."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pandas as pd
import pyarrow.compute as pc

from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.provenance import extract_origin
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.run_folder import retry_gone_parts
from isocompute.runners.storage.scan import scan_table
from isocompute.runners.storage.schema import (
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)


def find_finished_problems(run: Run) -> list[str]:
    """Return the ids of the problems of which no requested row is missing or failed, in the order of the run.

    All problems of an import are finished, and all that a policy stopped.

    Raises:
        RunError, DataError: there is no run, or it cannot be read.
    """
    origin = extract_origin(run.read_manifest(), run.path)
    ids: list[str] = run.read_frame(PROBLEMS_TABLE, ["problem_id"])["problem_id"].tolist()
    if not isinstance(origin, Sweep) or not ids or origin.policy is not None:
        return ids
    expected, one = ExpectedRows(origin, ids), ExpectedRows(origin, ids[:1])
    finished = pd.Series(True, index=ids)
    for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE, SCORES_TABLE, SEARCHES_TABLE):
        if needed := one.count_rows(table):
            counts = retry_gone_parts(partial(count_finished_rows, run, table, expected))
            finished &= counts.reindex(ids, fill_value=0) >= needed
    return [name for name in ids if finished[name]]


def count_finished_rows(run: Run, table: RunTable, expected: ExpectedRows) -> pd.Series:
    """Return the number of requested rows of a table whose status is ok, by problem.

    Raises:
        GonePartError: a part was joined with others meanwhile.
    """
    counts = Counter[str]()
    for batch in scan_table(run, table, [*table.key_names, "status"]):
        rows = expected.select_rows(table, batch.filter(pc.equal(batch["status"], "ok")).to_pandas())
        counts.update(rows["problem_id"].tolist())
    return pd.Series(counts, dtype=int)
