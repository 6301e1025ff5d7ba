"""Verdicts as they are kept: a byte each if all are yes, no or unparsed, else p(yes) as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isocompute.fits.arrays import Floats, Ints

VerdictCodes = NDArray[Any]
"""Yes (1), no (0) or unparsed (-1) in bytes; or p(yes), NaN where unparsed. What is at least 0 was parsed."""


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


def count_yes_and_no(codes: VerdictCodes) -> tuple[Ints, Ints]:
    """Count (P, K) the verdicts of each solution that are yes, p(yes) ≥ 1/2, and those that are no.

    One problem is counted at a time, so that memory does not grow with the number of problems.

    Example:
        >>> count_yes_and_no(np.array([[[1, 0, -1], [1, 1, 0]]], dtype=np.int8))
        (array([[1, 2]]), array([[1, 1]]))
    """
    yes, no = (np.empty(codes.shape[:2], dtype=np.int64) for _ in range(2))
    for p, each in enumerate(codes):
        yes[p] = np.count_nonzero(each >= 0.5, axis=1)
        no[p] = np.count_nonzero((each >= 0) & (each < 0.5), axis=1)
    return yes, no
