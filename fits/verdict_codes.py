"""Verdicts as they are kept: their numbers, or a byte each if all are yes, no or unparsed, else p(yes) as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isocompute.fits.arrays import Floats, Ints

VerdictCodes = NDArray[Any]
"""Yes (1), no (0) or unparsed (-1) in bytes; or p(yes), NaN where unparsed. What is at least 0 was parsed."""


@dataclass(frozen=True, eq=False)
class VerdictTallies:
    """The numbers of yes and of no among the verdicts of each solution; their memory does not grow with the verdicts.

    A solution's verdicts in a random order, or a random subset of them, are told by these numbers and by how many
    verdicts there are, where none of them is a probability.

    Args:
        yes: (P, K) verdicts that are yes; p(yes) ≥ 1/2 counts as yes.
        no: (P, K) other verdicts that were parsed.
        verifications: M, the largest number of verdicts of a solution.
    """

    yes: Ints
    no: Ints
    verifications: int

    def __getitem__(self, at: Any) -> VerdictTallies:
        """Return the tallies of some problems, or of some solutions of problems."""
        return VerdictTallies(self.yes[at], self.no[at], self.verifications)

    def list_codes(self) -> NDArray[np.int8]:
        """Return (P, K, M) codes of as many verdicts: first no, then yes, then unparsed ones.

        >>> VerdictTallies(np.array([[2]]), np.array([[1]]), 4).list_codes()
        array([[[ 0,  1,  1, -1]]], dtype=int8)
        """
        return self.read_codes(np.broadcast_to(np.arange(self.verifications), (*self.yes.shape, self.verifications)))

    def read_codes(self, places: NDArray[np.integer]) -> NDArray[np.int8]:
        """Return the codes at places (P, K, n) in the order of `list_codes`."""
        no, parsed = self.no[..., None], (self.no + self.yes)[..., None]
        return np.where(places < parsed, places >= no, -1).astype(np.int8)


def encode_verdicts(verdicts: NDArray[np.generic]) -> VerdictCodes:
    """Return the codes of verdicts.

    Args:
        verdicts: numbers in [0, 1], NaN where unparsed; or integers, -1 where unparsed.

    Example:
        >>> encode_verdicts(np.array([1, 0, np.nan])), encode_verdicts(np.array([0.5, 0, np.nan]))
        (array([ 1,  0, -1], dtype=int8), array([0.5, 0. , nan]))
    """
    if verdicts.dtype.kind != "f":
        return verdicts.astype(np.int8, copy=False)
    codes = np.full(verdicts.shape, -1, dtype=np.int8)
    for code in (0, 1):
        codes[verdicts == code] = code
    is_between = (codes < 0) & ~np.isnan(verdicts)
    return verdicts.astype(np.float64, copy=False) if is_between.any() else codes


def decode_verdicts(codes: VerdictCodes) -> Floats:
    """Return read-only verdicts in [0, 1], NaN where unparsed."""
    if codes.dtype.kind == "f":
        return np.asarray(codes, dtype=np.float64)
    verdicts: Floats = codes.astype(np.float64)
    verdicts[codes < 0] = np.nan
    verdicts.setflags(write=False)
    return verdicts


def has_probabilities(codes: VerdictCodes) -> bool:
    """Return whether some of the verdicts lie between no and yes."""
    return codes.dtype.kind == "f"


def has_parsed_verdicts(verdicts: VerdictCodes | VerdictTallies) -> bool:
    """Return whether any of the verdicts was parsed."""
    if isinstance(verdicts, VerdictTallies):
        return bool(verdicts.yes.any() or verdicts.no.any())
    return any((codes >= 0).any() for codes in verdicts)  # one problem at a time, as they may be many


def count_yes_and_no(codes: VerdictCodes) -> VerdictTallies:
    """Count the verdicts of each solution that are yes, p(yes) ≥ 1/2, and those that are no.

    One problem is counted at a time, so that memory does not grow with the number of problems.

    Example:
        >>> tallies = count_yes_and_no(np.array([[[1, 0, -1], [1, 1, 0]]], dtype=np.int8))
        >>> tallies.yes, tallies.no
        (array([[1, 2]]), array([[1, 1]]))
    """
    yes, no = (np.empty(codes.shape[:2], dtype=np.int64) for _ in range(2))
    for p, each in enumerate(codes):
        yes[p] = np.count_nonzero(each >= 0.5, axis=1)
        no[p] = np.count_nonzero((each >= 0) & (each < 0.5), axis=1)
    return VerdictTallies(yes, no, codes.shape[2])
