"""Checks of the arrays of a pool: types, shapes and ranges. An error names the first bad position."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.verdict_codes import VerdictCodes, VerdictTallies, encode_verdicts


def check_integers(values: ArrayLike, name: str) -> NDArray[Any]:
    """Return integers as an array; NaN and other types are refused."""
    array = _to_array(values, name)
    if array.dtype.kind == "f" and np.isnan(array).any():
        place = ", ".join(map(str, np.argwhere(np.isnan(array))[0]))
        why = ": an unparsed answer is coded -1." if name == "answers" else "."
        raise DataError(f"{name} must be integers; got NaN at index ({place}){why}")
    if array.dtype.kind not in "iu" and array.size:
        raise DataError(f"{name} must be integers; got an array of {array.dtype}.")
    return array


def _to_array(values: ArrayLike, name: str) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(f"{name} must be a rectangular array; its rows have different lengths.") from error


def check_minimum(array: NDArray[Any], smallest: int, name: str, right: str) -> None:
    """Refuse an array with a number below the smallest one that is allowed."""
    if array.min() < smallest:
        place = np.argwhere(array < smallest)[0]
        where = f"problem {place[0]}" + (f", solution {place[1]}" if len(place) > 1 else "")
        raise DataError(f"{name} holds {array[tuple(place)]} at {where}: it must be {right}.")


def check_verdicts(values: ArrayLike, shape: tuple[int, ...]) -> VerdictCodes:
    """Return the codes of verdicts (P, K, M) that lie in [0, 1] or are NaN, or integers that are -1, 0 or 1."""
    array = _to_array(values, "verdicts")
    if array.dtype.kind not in "biuf":
        raise DataError(f"verdicts must be numbers in [0, 1] or NaN; got an array of {array.dtype}.")
    if array.ndim != 3 or array.size == 0:
        raise DataError(
            "verdicts must have the shape (problems, verified solutions, verifications) with at least one "
            f"of each; got {array.shape}."
        )
    problems, solutions = shape
    if array.shape[0] != problems:
        raise DataError(f"verdicts must cover the {problems} problems of answers; got {array.shape[0]}.")
    if array.shape[1] > solutions:
        raise DataError(f"verdicts must cover at most the {solutions} solutions of answers; got {array.shape[1]}.")
    least, unread = (-1, "-1") if array.dtype.kind == "i" else (0, "NaN")
    if np.fmin.reduce(array, axis=None) < least or np.fmax.reduce(array, axis=None) > 1:
        p, k, m = np.argwhere((array < least) | (array > 1))[0]
        raise DataError(
            f"verdicts holds {array[p, k, m]} at problem {p}, solution {k}, verification {m}: "
            f"it must lie in [0, 1], or be {unread} where it was not parsed."
        )
    codes = encode_verdicts(array)
    return copy_read_only(codes, codes.dtype)


def check_tallies(tallies: VerdictTallies, shape: tuple[int, ...]) -> VerdictTallies:
    """Return a copy of the numbers (P, K) of verdicts that are yes and no, K ≤ N."""
    yes, no = (check_integers(each, "tallies") for each in (tallies.yes, tallies.no))
    if yes.ndim != 2 or yes.shape != no.shape or len(yes) != shape[0] or not 1 <= yes.shape[1] <= shape[1]:
        raise DataError(
            "tallies must hold two numbers per verified solution, of the shape (problems, verified solutions) within "
            f"{shape}; got {yes.shape} and {no.shape}."
        )
    for each in (yes, no):
        check_minimum(each, 0, "tallies", "a number of verdicts ≥ 0")
    return VerdictTallies(copy_read_only(yes), copy_read_only(no), tallies.verifications)


def check_verdict_counts(
    values: ArrayLike | None, verdicts: VerdictCodes | VerdictTallies | None
) -> NDArray[np.int64] | None:
    """Return a copy of the numbers of verdicts (P, K), M each if not given; those behind them must be unparsed."""
    if verdicts is None:
        if values is None:
            return None
        raise DataError("judged says how many verdicts each solution has; it needs verdicts.")
    if isinstance(verdicts, VerdictTallies):
        shape, many = verdicts.yes.shape, verdicts.verifications
    else:
        shape, many = verdicts.shape[:2], verdicts.shape[2]
    array = np.full(shape, many) if values is None else check_integers(values, "judged")
    if array.shape != shape:
        raise DataError(f"judged must hold one number per verified solution, shape {shape}; got {array.shape}.")
    outside = (array < 0) | (array > many)
    if outside.any():
        p, k = np.argwhere(outside)[0]
        raise DataError(
            f"judged holds {array[p, k]} at problem {p}, solution {k}: it must lie between 0 and {many}, "
            "the verifications of each solution."
        )
    if isinstance(verdicts, VerdictTallies):
        if (verdicts.yes + verdicts.no > array).any():
            p, k = np.argwhere(verdicts.yes + verdicts.no > array)[0]
            raise DataError(
                f"tallies holds {verdicts.yes[p, k] + verdicts.no[p, k]} verdicts at problem {p}, solution {k}, but "
                f"the solution has only {array[p, k]}."
            )
        return copy_read_only(array)
    for p in np.flatnonzero((array < many).any(axis=1)):  # one problem at a time, as they may be many
        beyond = (verdicts[p] >= 0) & (np.arange(many) >= array[p, :, None])
        if not beyond.any():
            continue
        k, m = np.argwhere(beyond)[0]
        raise DataError(
            f"verdicts holds {verdicts[p, k, m]:g} at problem {p}, solution {k}, verification {m}, but "
            f"judged gives the solution only {array[p, k]}: it must be NaN there."
        )
    return copy_read_only(array)


def check_scores(values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return a copy of scores (P, L) that are finite or NaN."""
    array = _to_array(values, "scores")
    problems, solutions = shape
    if array.dtype.kind not in "biuf" or array.ndim != 2 or array.size == 0:
        raise DataError(f"scores must be numbers of shape (problems, scored solutions); got {array.shape}.")
    if array.shape[0] != problems or array.shape[1] > solutions:
        raise DataError(
            f"scores must cover the {problems} problems and at most the {solutions} solutions of answers; "
            f"got {array.shape}."
        )
    wrong = np.isinf(array)
    if wrong.any():
        p, k = np.argwhere(wrong)[0]
        raise DataError(
            f"scores holds {array[p, k]} at problem {p}, solution {k}: it must be finite, or NaN where it is unknown."
        )
    return copy_read_only(array, np.float64)


def check_finished(values: ArrayLike | None, scores: NDArray[np.float64] | None) -> NDArray[np.bool_] | None:
    """Return a copy of booleans of the shape of scores, all True if not given."""
    if scores is None:
        if values is None:
            return None
        raise DataError("finished says which scored solutions are complete; it needs scores.")
    array = np.ones(scores.shape, dtype=bool) if values is None else _to_array(values, "finished")
    if array.dtype.kind != "b" or array.shape != scores.shape:
        raise DataError(f"finished must be booleans of the shape of scores, {scores.shape}; got {array.shape}.")
    return copy_read_only(array, np.bool_)


def check_keys(values: ArrayLike, problems: int) -> NDArray[np.uint64]:
    """Return a copy of one integer ≥ 0 per problem."""
    array = check_integers(values, "keys")
    if array.shape != (problems,):
        raise DataError(f"keys must hold one integer per problem, shape ({problems},); got {array.shape}.")
    if array.min() < 0:
        raise DataError(f"keys must be integers ≥ 0; got {array.min()}.")
    return copy_read_only(array, np.uint64)


def copy_read_only(array: NDArray[Any], dtype: DTypeLike = np.int64) -> NDArray[Any]:
    """Return a read-only copy, or the array itself if it is of the type, read-only and no view of another one."""
    if array.dtype == dtype and not array.flags.writeable and array.flags.owndata and array.flags.c_contiguous:
        return array
    copy: NDArray[Any] = np.array(array, dtype=dtype, order="C")
    copy.setflags(write=False)
    return copy
