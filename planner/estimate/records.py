"""The records of a profile's problems: id, digest of the question, level, and mean tokens by role."""

from __future__ import annotations

import math

import pandas as pd

from isocompute.planner.estimate.pool_from_run import RunPool
from isocompute.planner.profile import ProblemRecord, TokenMeans
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)

TOKEN_FIELDS = ("prompt", "cached", "completion", "seconds", "completion_sd")
"""The fields of `TokenMeans`, in the order of `RunTable.tokens`, then seconds, then the spread of completion tokens."""


def describe_problems(run: Run, pool: RunPool) -> list[ProblemRecord]:
    """Return what is known of each problem of a pool, in its order."""
    questions = run.read_frame(PROBLEMS_TABLE, ["problem_id", "question"]).set_index("problem_id")["question"].to_dict()
    rows = pool.rows
    means = {
        role: average_problem_tokens(frame, table)
        for role, frame, table in (
            ("solver", rows.solutions, SOLUTIONS_TABLE),
            ("verifier", rows.verifications, VERIFICATIONS_TABLE),
            ("scorer", rows.scores, SCORES_TABLE),
        )
        if len(frame)
    }
    records = []
    for name, level, cluster in zip(pool.problem_ids, pool.levels, pool.clusters, strict=True):
        question = questions[name]
        records.append(
            ProblemRecord(
                id=name,
                digest=digest_text(question) if isinstance(question, str) else None,
                level=level,
                cluster=cluster,
                tokens={role: table[name] for role, table in means.items() if name in table},
            )
        )
    return records


def average_problem_tokens(frame: pd.DataFrame, table: RunTable) -> dict[str, TokenMeans]:
    """Return the mean tokens and seconds of each problem's rows that are ok.

    A mean is None if any of the rows does not report its value.
    """
    ok = frame[frame["status"] == "ok"]
    grouped = ok[[*table.tokens, "seconds"]].astype(float).groupby(ok["problem_id"].astype(str))
    is_known = grouped.count().to_numpy() == grouped.size().to_numpy()[:, None]
    means = grouped.mean().where(is_known)
    means["spread"] = grouped[table.tokens[2]].std(ddof=0).where(is_known[:, 2])
    tokens = {}
    for name, row in zip(means.index, means.to_numpy(), strict=True):
        known = [None if math.isnan(value) else round(float(value), 3) for value in row]
        tokens[str(name)] = TokenMeans(**dict(zip(TOKEN_FIELDS, known, strict=True)))
    return tokens
