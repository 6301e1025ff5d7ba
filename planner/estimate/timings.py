"""The wall times of a run's rows: their spread around the mean of their problem, and how many rows ran at once.

The number of rows at once follows from their starts and ends. Where it varied, because a run was continued with another
setting or on another machine's load, the seconds of a token are given for each doubling of it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from isocompute.fits.arrays import Floats
from isocompute.planner.estimate.pool_from_run import RunPool
from isocompute.planner.profile import TIME_LEVELS, LoadPoint, TimeSpread

TIME_DIGITS = 5
FEWEST_ROWS = 20
"""Rows that a point of load needs."""
FEWEST_POINTS = 3
"""Points of load, each of another number of rows at once, that a fit of throughput needs."""
LEAST_RANGE = 3.0
"""The factor that these numbers of rows at once must span; a sweep's last rows run beside fewer than it allows."""


def measure_timings(pool: RunPool) -> dict[str, TimeSpread]:
    """Return the spread of the wall times of each role's rows; a role whose rows lack times is left out."""
    rows, judged = pool.rows, pool.rows.verifications
    at = judged.locate_problems(pool.problem_ids)
    lack = judged.known["seconds"][at].sum() < judged.counts[at].sum()
    frames = {
        "solver": pool.select_rows(rows.solutions),
        "verifier": judged.read_times([] if lack else pool.problem_ids),
        "scorer": pool.select_rows(rows.scores),
    }
    spreads = {role: measure_time_spread(frame) for role, frame in frames.items()}
    return {role: spread for role, spread in spreads.items() if spread is not None}


def measure_time_spread(frame: pd.DataFrame) -> TimeSpread | None:
    """Return the spread of the wall times of rows, see `TimeSpread`; None if a row lacks its time, or all are zero."""
    ok = frame[frame["status"] == "ok"]
    seconds = ok["seconds"].to_numpy(float)
    if not len(ok) or np.isnan(seconds).any() or not seconds.any():
        return None
    busy = measure_busy_seconds(ok["started_at"], seconds)
    loads = measure_loads(ok, seconds)
    return TimeSpread(
        ratios=_measure_quantiles(ok, "seconds"),
        rows=len(ok),
        busy=None if busy is None else round(busy, TIME_DIGITS),
        concurrency=None if busy is None else round(float(seconds.sum()) / busy, TIME_DIGITS),
        lengths=_measure_quantiles(ok, "completion_tokens") if loads else None,
        loads=loads,
    )


def _measure_quantiles(ok: pd.DataFrame, column: str) -> list[float]:
    """Return the quantiles of a column's values over the mean of their problem."""
    values = ok[column].astype(float)
    means = values.groupby(ok["problem_id"], observed=True).transform("mean").to_numpy(float)
    ratios = np.divide(values.to_numpy(float), means, out=np.ones(len(ok)), where=means > 0)
    return [round(float(value), TIME_DIGITS) for value in np.quantile(ratios, TIME_LEVELS)]


def measure_loads(ok: pd.DataFrame, seconds: Floats) -> list[LoadPoint]:
    """Return the seconds of a token at each doubling of the number of rows at once.

    A row counts with the mean number of rows at once over its own time, itself included.

    Args:
        ok: the rows of a role.
        seconds: (n,) their wall times.

    Returns:
        Nothing if starts or completion tokens are unknown, or if fewer than three numbers of rows at once, over a
        factor of three, have enough rows.
    """
    tokens = ok["completion_tokens"].to_numpy(float) if "completion_tokens" in ok else np.zeros(len(ok))
    if ok["started_at"].isna().any() or np.isnan(tokens).any() or not tokens.any():
        return []
    begin = _read_moments(ok["started_at"])
    concurrency = measure_concurrency(begin, seconds)
    points = []
    doubling = np.floor(np.log2(np.maximum(concurrency, 1)) + 0.5).astype(int)
    for power in np.unique(doubling):
        at = (doubling == power) & (seconds > 0)
        if at.sum() >= FEWEST_ROWS and tokens[at].any():
            points.append(
                LoadPoint(
                    concurrency=round(float(np.average(concurrency[at], weights=seconds[at])), TIME_DIGITS),
                    token_seconds=float(f"{seconds[at].sum() / tokens[at].sum():.6g}"),
                    rows=int(at.sum()),
                )
            )
    is_enough = len(points) >= FEWEST_POINTS and points[-1].concurrency >= LEAST_RANGE * points[0].concurrency
    return points if is_enough else []


def measure_concurrency(begin: Floats, seconds: Floats) -> Floats:
    """Measure the mean number of rows under way over the time of each row, itself included.

    Args:
        begin: (n,) moments at which rows started, in seconds.
        seconds: (n,) their lengths; a row of no length counts 1.

    Example:
        >>> measure_concurrency(np.array([0.0, 0.0, 2.0]), np.array([4.0, 2.0, 1.0])).tolist()
        [1.75, 2.0, 2.0]
    """
    moments = np.concatenate([begin, begin + seconds])
    order = np.argsort(moments, kind="stable")
    under_way = np.cumsum(np.repeat([1.0, -1.0], len(begin))[order])
    moments = moments[order]
    area = np.concatenate([[0.0], np.cumsum(under_way[:-1] * np.diff(moments))])  # the integral of rows at once
    spent = np.interp(begin + seconds, moments, area) - np.interp(begin, moments, area)
    return np.asarray(np.divide(spent, seconds, out=np.ones_like(seconds), where=seconds > 0))


def _read_moments(started_at: pd.Series) -> Floats:
    """Return moments in seconds since 1970."""
    moments = pd.to_datetime(started_at, utc=True).astype("datetime64[us, UTC]").astype("int64")
    return np.asarray(moments.to_numpy() / 1e6, dtype=float)


def measure_busy_seconds(started_at: pd.Series, seconds: np.ndarray) -> float | None:
    """Return the seconds during which at least one row was under way; None if the start of one is unknown."""
    if started_at.isna().any():
        return None
    begin = _read_moments(started_at)
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], (begin + seconds)[order]
    covered = np.concatenate([[-np.inf], np.maximum.accumulate(end)[:-1]])
    busy = float(np.maximum(0.0, end - np.maximum(begin, covered)).sum())
    return busy or None
