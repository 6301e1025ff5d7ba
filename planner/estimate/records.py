"""The records of a profile's problems: id, digest of the question, level, and mean tokens by role."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from isocompute.planner.estimate.judged_rows import JudgedRows
from isocompute.planner.estimate.pool_from_run import RunPool
from isocompute.planner.profile import ProblemRecord, TokenMeans
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SOLUTIONS_TABLE,
    RunTable,
)

TOKEN_FIELDS = ("prompt", "cached", "completion", "seconds", "completion_sd")
"""The fields of `TokenMeans`, in the order of `RunTable.tokens`, then seconds, then the spread of completion tokens."""

TOKEN_ROLES = ("solver", "verifier", "scorer")


def describe_problems(run: Run, pool: RunPool) -> list[ProblemRecord]:
    """Return what is known of each problem of a pool, in its order."""
    questions = run.read_frame(PROBLEMS_TABLE, ["problem_id", "question"]).set_index("problem_id")["question"].to_dict()
    rows = pool.rows
    means = {
        role: average_problem_tokens(frame, table)
        for role, frame, table in (
            ("solver", rows.solutions, SOLUTIONS_TABLE),
            ("scorer", rows.scores, SCORES_TABLE),
        )
        if len(frame)
    }
    if rows.verifications.rows:
        means["verifier"] = average_problem_verifications(rows.verifications)
    records = []
    for name, level, cluster in zip(pool.problem_ids, pool.levels, pool.clusters, strict=True):
        question = questions[name]
        records.append(
            ProblemRecord(
                id=name,
                digest=digest_text(question) if isinstance(question, str) else None,
                level=level,
                cluster=cluster,
                tokens={role: means[role][name] for role in TOKEN_ROLES if role in means and name in means[role]},
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
    return {str(name): build_token_means(row) for name, row in zip(means.index, means.to_numpy(), strict=True)}


def average_problem_verifications(rows: JudgedRows) -> dict[str, TokenMeans]:
    """Return the mean tokens and seconds of each problem's verifications, as `average_problem_tokens` does."""
    means, seconds = {}, rows.average_seconds()
    for at in np.flatnonzero(rows.counts):
        count = int(rows.counts[at])
        sums = [int(each[at]) for each in rows.sums.values()]
        # In whole numbers, so that no digit of the variance is lost.
        spread = math.sqrt(count * int(rows.squares[at]) - sums[2] ** 2) / count
        values = [*(total / count for total in sums), float(seconds[at])]
        known = [int(each[at]) == count for each in rows.known.values()]
        cells = [value if is_known else math.nan for value, is_known in zip(values, known, strict=True)]
        means[rows.problems[at]] = build_token_means([*cells, spread if known[2] else math.nan])
    return means


def build_token_means(values: Iterable[float]) -> TokenMeans:
    """Return the means of `TOKEN_FIELDS`, rounded; None for those that are NaN."""
    known = [None if math.isnan(value) else round(float(value), 3) for value in values]
    return TokenMeans(**dict(zip(TOKEN_FIELDS, known, strict=True)))
