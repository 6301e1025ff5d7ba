"""The wall times of a run's rows: their spread around the mean of their problem, and how many rows ran at once."""

from __future__ import annotations

import numpy as np
import pandas as pd

from isocompute.planner.estimate.pool_from_run import RunPool
from isocompute.planner.profile import TIME_LEVELS, TimeSpread

TIME_DIGITS = 5


def measure_timings(pool: RunPool) -> dict[str, TimeSpread]:
    """Return the spread of the wall times of each role's rows; a role whose rows lack times is left out."""
    rows = pool.rows
    spreads = {
        role: measure_time_spread(pool.select_rows(frame))
        for role, frame in (("solver", rows.solutions), ("verifier", rows.verifications), ("scorer", rows.scores))
    }
    return {role: spread for role, spread in spreads.items() if spread is not None}


def measure_time_spread(frame: pd.DataFrame) -> TimeSpread | None:
    """Return the spread of the wall times of rows, see `TimeSpread`; None if a row lacks its time, or all are zero."""
    ok = frame[frame["status"] == "ok"]
    seconds = ok["seconds"].to_numpy(float)
    if not len(ok) or np.isnan(seconds).any() or not seconds.any():
        return None
    means = ok["seconds"].astype(float).groupby(ok["problem_id"].astype(str)).transform("mean").to_numpy(float)
    ratios = np.divide(seconds, means, out=np.ones_like(seconds), where=means > 0)
    busy = measure_busy_seconds(ok["started_at"], seconds)
    return TimeSpread(
        ratios=np.round(np.quantile(ratios, TIME_LEVELS), TIME_DIGITS).tolist(),
        rows=len(ok),
        busy=None if busy is None else round(busy, TIME_DIGITS),
        concurrency=None if busy is None else round(float(seconds.sum()) / busy, TIME_DIGITS),
    )


def measure_busy_seconds(started_at: pd.Series, seconds: np.ndarray) -> float | None:
    """Return the seconds during which at least one row was under way; None if the start of one is unknown."""
    if started_at.isna().any():
        return None
    begin = pd.to_datetime(started_at, utc=True).astype("datetime64[us, UTC]").astype("int64").to_numpy() / 1e6
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], (begin + seconds)[order]
    covered = np.concatenate([[-np.inf], np.maximum.accumulate(end)[:-1]])
    busy = float(np.maximum(0.0, end - np.maximum(begin, covered)).sum())
    return busy or None
