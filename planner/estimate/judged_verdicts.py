"""The verdicts of a run as they are read: each in its place, or only how many of a solution say what."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.verdict_codes import VerdictCodes, VerdictTallies, encode_verdicts

YES, NO, UNREAD = range(3)


class TalliedVerdicts:
    """The numbers of verdicts that say yes, that say no and that could not be read, of P problems with S solutions.

    Memory does not grow with the verdicts. None of them may be a probability, and their order is lost.

    Attributes:
        counts: (P, S, 3) in the order `YES`, `NO`, `UNREAD`.
    """

    def __init__(self, problems: int, sizes: tuple[int, int]) -> None:
        self.counts: NDArray[np.int64] = np.zeros((problems, sizes[0], 3), dtype=np.int64)

    def add(self, problem: Ints, solution: Ints, number: Ints, verdicts: Floats) -> None:
        """Add verdicts, each once; ``number`` is passed over."""
        said = np.where(np.isnan(verdicts), UNREAD, np.where(verdicts == 1, YES, NO))
        place = (problem.astype(np.int64) * self.counts.shape[1] + solution) * 3 + said
        np.add.at(self.counts.reshape(-1), place, 1)

    def count(self, at: Ints) -> Ints:
        """Return (P, S) the number of verdicts of each solution of some problems."""
        return np.asarray(self.counts[at].sum(axis=2))

    def take(self, at: Ints, places: Ints) -> VerdictTallies:
        """Return the numbers of verdicts of the solutions at ``places``, (P, K), of some problems."""
        counts = self.counts[at[:, None], places]
        return VerdictTallies(counts[..., YES], counts[..., NO], int(counts.sum(axis=2).max(initial=0)))


class ListedVerdicts:
    """The verdicts of P problems, each with at most S solutions that have at most V, in the order of their numbers.

    Memory grows with P × S × V, a byte each where there are few distinct verdicts.

    Attributes:
        values: distinct verdicts, NaN where unread. The first one is NaN and stands for no row.
        cells: (P, S, V) positions in ``values``.
    """

    def __init__(self, problems: int, sizes: tuple[int, int]) -> None:
        self.values = [np.nan]
        self.cells: NDArray[np.unsignedinteger] = np.zeros((problems, *sizes), dtype=np.uint8)

    def add(self, problem: Ints, solution: Ints, number: Ints, verdicts: Floats) -> None:
        """Add verdicts by their places."""
        codes = self._code_verdicts(verdicts)
        self.cells[problem, solution, number] = codes

    def _code_verdicts(self, verdicts: Floats) -> Ints:
        """Return the positions of verdicts among the distinct ones; those that are new are added to them."""
        distinct, inverse = np.unique(verdicts, return_inverse=True)  # all NaN are one
        known = {value: at for at, value in enumerate(self.values[1:], 1) if not np.isnan(value)}
        unread = next((at for at, value in enumerate(self.values[1:], 1) if np.isnan(value)), None)
        codes = []
        for value in distinct.tolist():
            code = unread if np.isnan(value) else known.get(value)
            if code is None:
                code = len(self.values)
                self.values.append(value)
            codes.append(code)
        if len(self.values) > np.iinfo(self.cells.dtype).max + 1:
            self.cells = self.cells.astype(np.min_scalar_type(256 * len(self.values)))
        return np.asarray(codes)[inverse]

    def count(self, at: Ints) -> Ints:
        """Return (P, S) the number of verdicts of each solution of some problems."""
        counts = [np.count_nonzero(self.cells[problem], axis=1) for problem in at]
        return np.reshape(counts, (len(at), self.cells.shape[1])).astype(np.int64)

    def take(self, at: Ints, places: Ints) -> VerdictCodes:
        """Return (P, K, M) the codes of the verdicts of solutions: those that there are first, then unparsed ones.

        Args:
            at: (P,) positions of problems.
            places: (P, K) the solutions.
        """
        M = int(np.take_along_axis(self.count(at), places, axis=1).max(initial=0))
        values = encode_verdicts(np.array(self.values))
        verdicts = np.empty((*places.shape, M), dtype=values.dtype)
        for i, own, row in zip(at, places, verdicts, strict=True):  # one problem at a time, as they may be many
            codes = self.cells[i][own]
            if (is_absent := codes == 0)[:, :M].any():
                codes = np.take_along_axis(codes, np.argsort(is_absent, axis=1, kind="stable"), axis=1)
            row[:] = values[codes[:, :M]]
        verdicts.setflags(write=False)  # a pool copies what could change
        return verdicts
