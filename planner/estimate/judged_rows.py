"""A run's verifications, added up problem by problem as they are read: all that a fit needs of them.

Memory does not grow with rows of texts, tokens and times. Nor does it with verdicts whose order is not needed; others
take a byte each, see `judged_verdicts`. Sums of tokens are sums of integers, so they do not depend on the order of the
rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.verdict_codes import VerdictCodes, VerdictTallies
from isocompute.planner.estimate.judged_verdicts import ListedVerdicts, TalliedVerdicts
from isocompute.runners.parsing.kinds import classify_verifications
from isocompute.runners.storage.schema import VERIFICATIONS_TABLE

MOST_TIMED = 2**20
"""The most rows whose single times are kept: the first million verifications tell how wall times spread."""
SECOND_PARTS = 2**20
"""Seconds are added as whole numbers of these parts, and as rests, which are small."""
JUDGED_COLUMNS = [
    *VERIFICATIONS_TABLE.key_names,
    "verdict",
    *VERIFICATIONS_TABLE.tokens,
    "finish_reason",
    "status",
    "started_at",
    "seconds",
]
"""The columns that are read."""
FAILED_COLUMNS = [*VERIFICATIONS_TABLE.key_names, "status"]


class JudgedRows:
    """The verifications of P problems, each with at most S solutions that have at most V verifications.

    Args:
        problems: ids of the problems.
        sizes: S and V.
        is_tallied: whether the verdicts are only counted; none of them may then be a probability.

    Attributes:
        counts: (P,) rows whose status is ok; the other sums are over these.
        sums: (P,) tokens that are known, by column.
        known: (P,) rows that report them, by column, and rows that report their ``seconds``.
        squares: (P,) sum of the squares of completion tokens.
        kinds: (P,) rows of each kind, see `classify_verifications`.
        cut: number of rows that ended at the token limit.
        verdicts: what the verifications say.
        failed: keys and status of the rows that failed, sorted by key.
        timed: the place and the times of the first `MOST_TIMED` rows in the order of writing, column by column.
    """

    def __init__(self, problems: Sequence[str], sizes: tuple[int, int], is_tallied: bool = False) -> None:
        self.problems, self.sizes = list(problems), sizes
        count = len(self.problems)
        self._known_ids = pa.array(self.problems, pa.string())
        self.counts, self.squares = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        self.sums = {name: np.zeros(count, dtype=np.int64) for name in VERIFICATIONS_TABLE.tokens}
        self.known = {name: np.zeros(count, dtype=np.int64) for name in (*self.sums, "seconds")}
        self._second_parts, self._second_rests = np.zeros(count, dtype=np.int64), np.zeros(count)
        self.kinds: dict[str, Ints] = {}
        self.cut = 0
        self.verdicts = (TalliedVerdicts if is_tallied else ListedVerdicts)(count, sizes)
        self.failed = VERIFICATIONS_TABLE.select_schema(FAILED_COLUMNS).empty_table().to_pandas()
        self.timed: list[dict[str, NDArray[Any]]] = []

    @property
    def rows(self) -> int:
        """Number of rows whose status is ok."""
        return int(self.counts.sum())

    def add_batches(self, batches: Iterable[pa.Table], lost: NDArray[np.bool_] | None = None) -> int:
        """Add rows, each key once; those of other problems are passed over.

        Args:
            batches: rows with `JUDGED_COLUMNS`.
            lost: (P, S) the solutions that failed, of which no verification counts; none if not given.

        Returns:
            The number of rows that were not passed over, failed ones included.
        """
        used, failed = 0, [self.failed][: len(self.failed)]
        for batch in batches:
            problem = pc.fill_null(pc.index_in(batch["problem_id"], value_set=self._known_ids), -1).to_numpy()
            solution, number = (batch[name].to_numpy() for name in VERIFICATIONS_TABLE.key_names[1:])
            inside = (problem >= 0) & (solution >= 0) & (solution < self.sizes[0])
            inside &= (number >= 0) & (number < self.sizes[1])
            if lost is not None:
                inside[inside] = ~lost[problem[inside], solution[inside]]
            ok = np.asarray(pc.equal(batch["status"], "ok").to_numpy(), dtype=bool)
            used += int(inside.sum())
            if (is_failed := inside & ~ok).any():
                failed.append(batch.select(FAILED_COLUMNS).filter(pa.array(is_failed)).to_pandas())
            at = np.flatnonzero(inside & ok)
            if at.size:
                self._add_rows(batch.take(pa.array(at)), problem[at], solution[at], number[at])
        if failed:
            frame = pd.concat(failed, ignore_index=True)
            self.failed = frame.sort_values(VERIFICATIONS_TABLE.key_names, kind="stable", ignore_index=True)
        return used

    def _add_rows(self, rows: pa.Table, problem: Ints, solution: Ints, number: Ints) -> None:
        """Add rows that are ok."""
        count = len(self.problems)
        self.counts += np.bincount(problem, minlength=count)
        for name, sums in self.sums.items():
            known = pc.is_valid(rows[name]).to_numpy()
            tokens = pc.fill_null(rows[name], 0).to_numpy().astype(np.int64)
            np.add.at(sums, problem, tokens)
            self.known[name] += np.bincount(problem[known], minlength=count)
        np.add.at(self.squares, problem, tokens**2)  # the last column holds completion tokens
        seconds = rows["seconds"].to_numpy()
        known = ~np.isnan(seconds)
        self.known["seconds"] += np.bincount(problem[known], minlength=count)
        whole = np.rint(seconds[known] * SECOND_PARTS).astype(np.int64)
        np.add.at(self._second_parts, problem[known], whole)
        self._second_rests += np.bincount(problem[known], seconds[known] - whole / SECOND_PARTS, count)
        names, kind = classify_verifications(rows.select(["verdict", "finish_reason", "status"]).to_pandas())
        for i, name in enumerate(names):
            self.kinds.setdefault(name, np.zeros(count, dtype=np.int64))
            self.kinds[name] += np.bincount(problem[kind == i], minlength=count)
        self.cut += pc.sum(pc.equal(rows["finish_reason"], "length")).as_py() or 0
        self.verdicts.add(problem, solution, number, rows["verdict"].to_numpy())
        if sum(len(each["place"]) for each in self.timed) < MOST_TIMED:
            self.timed.append(
                {
                    "place": (problem.astype(np.int64) * self.sizes[0] + solution) * self.sizes[1] + number,
                    "started_at": rows["started_at"].to_numpy().astype("datetime64[us]"),
                    "seconds": seconds,
                    "completion_tokens": rows["completion_tokens"].to_numpy().astype(np.float32),
                }
            )

    def locate_problems(self, names: Sequence[str]) -> Ints:
        """Return the positions of problems."""
        return np.asarray(pd.Index(self.problems).get_indexer(pd.Index(names)))

    def count_kinds(self, names: Sequence[str]) -> dict[str, int]:
        """Return the number of rows of each kind, of some problems."""
        at = self.locate_problems(names)
        return {kind: int(counts[at].sum()) for kind, counts in self.kinds.items()}

    def count_verdicts(self, names: Sequence[str], width: int) -> Ints:
        """Return (P, width) the number of rows of each solution of some problems."""
        counts = np.zeros((len(names), width), dtype=np.int64)
        most = min(width, self.sizes[0])
        counts[:, :most] = self.verdicts.count(self.locate_problems(names))[:, :most]
        return counts

    def take_verdicts(self, names: Sequence[str], places: Ints) -> VerdictCodes | VerdictTallies:
        """Return the verdicts of solutions, as a pool holds them.

        Args:
            names: ids of P problems.
            places: (P, K) the solutions.
        """
        return self.verdicts.take(self.locate_problems(names), places)

    def average_tokens(self, read: float) -> dict[str, Floats]:
        """Return the mean tokens of a row by way of counting, as arrays of one; NaN if a row does not report them."""
        from isocompute.fits import count_row_tokens

        prompt, cached, completion = (
            sums.sum() if self.known[name].sum() == self.rows else np.nan for name, sums in self.sums.items()
        )
        totals = count_row_tokens([completion], [prompt], [cached], read=read)
        return {way: total / self.rows for way, total in totals.items()}

    def average_seconds(self) -> Floats:
        """Return (P,) the mean seconds of each problem's rows that report them; NaN without any.

        Of times that are all kept, it is pandas' mean in the order of the keys, as of other tables. Of more it is the
        exact mean, which differs from that one in the last digit.
        """
        if sum(len(each["place"]) for each in self.timed) == self.rows:
            times = self.read_times(self.problems)
            means = times["seconds"].groupby(times["problem_id"], observed=False).mean()  # in the problems' order
            return means.to_numpy(float)
        totals = self._second_parts / SECOND_PARTS + self._second_rests
        known = self.known["seconds"]
        return np.asarray(np.divide(totals, known, out=np.full(len(totals), np.nan), where=known > 0))

    def read_times(self, names: Sequence[str]) -> pd.DataFrame:
        """Return the rows of some problems whose times are kept, sorted by key."""
        if not self.timed:
            return pd.DataFrame(columns=["problem_id", "status", "started_at", "seconds", "completion_tokens"])
        columns = {name: np.concatenate([each[name] for each in self.timed]) for name in self.timed[0]}
        place = columns.pop("place")
        order = np.argsort(place, kind="stable")
        problem = place[order] // int(np.prod(self.sizes))
        is_used = np.isin(problem, self.locate_problems(names))
        frame = pd.DataFrame({name: column[order][is_used] for name, column in columns.items()})
        ids = pd.Categorical.from_codes(problem[is_used], categories=pd.Index(self.problems))
        return frame.assign(problem_id=ids, status="ok", started_at=frame["started_at"].dt.tz_localize("UTC"))
