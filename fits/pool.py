"""A pool of sampled solutions: their answers, the gold answers, and the verdicts and scores of the solutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError


@dataclass(frozen=True, eq=False)
class Pool:
    """P problems with N sampled solutions each, the first K of them verified up to M times.

    The arrays are copied and made read-only.

    Args:
        answers: (P, N) integers ≥ -1: the canonical answer of each solution, as a code that is valid within its own
            problem only; -1 if no answer could be parsed.
        gold: (P,) integers ≥ 0: the code of the gold answer. It need not occur among the answers. Or (P, R): the codes
            of all right answers of a problem, which vote apart; a problem with fewer than R repeats one.
        verdicts: (P, K, M) numbers in [0, 1], K ≤ N: verification m of solution k, as 0/1 or as p(yes); NaN if it
            could not be parsed. None if nothing was verified.
        judged: (P, K) integers 0..M: the number of verdicts of each solution, if solutions differ in it. These come
            first among its M entries (NaN for an unparsed one); the entries behind them must be NaN. Drawing V of a
            solution's verdicts draws min(V, judged); without verdicts its score is 0. None means M for all.
        scores: (P, L) finite numbers, L ≤ N: the reward score of each of the first L solutions; NaN for a solution
            without steps. None if nothing was scored.
        finished: (P, L) booleans: whether a scored solution is complete or was cut at the token limit. None means that
            all are complete.

    Raises:
        DataError: an array of wrong shape, type or range; the message gives the position of the first bad value.

    Example:
        >>> pool = Pool(answers=[[2, 2, 0, -1]], gold=[2], verdicts=[[[1, 1], [0, float("nan")]]])
        >>> pool.problems, pool.solutions, pool.verified_solutions, pool.verifications
        (1, 4, 2, 2)
        >>> Pool([[0, 1]], [0], [[[1, 0], [1, float("nan")]]], judged=[[2, 1]]).judged
        array([[2, 1]])
    """

    answers: NDArray[np.int64]
    gold: NDArray[np.int64]
    verdicts: NDArray[np.float64] | None
    judged: NDArray[np.int64] | None
    scores: NDArray[np.float64] | None
    finished: NDArray[np.bool_] | None

    def __init__(
        self,
        answers: ArrayLike,
        gold: ArrayLike,
        verdicts: ArrayLike | None = None,
        judged: ArrayLike | None = None,
        scores: ArrayLike | None = None,
        finished: ArrayLike | None = None,
    ) -> None:
        codes = _check_integers(answers, "answers")
        if codes.ndim != 2 or codes.size == 0:
            raise DataError(
                f"answers must have the shape (problems, solutions) with at least one of each; got {codes.shape}."
            )
        _check_minimum(codes, -1, "answers", "a code ≥ 0, or -1 where no answer was parsed")
        right = _check_integers(gold, "gold")
        if right.ndim not in (1, 2) or len(right) != len(codes) or right.size == 0:
            raise DataError(f"gold must hold one code per problem, shape ({codes.shape[0]},); got {right.shape}.")
        _check_minimum(right, 0, "gold", "a code ≥ 0")
        object.__setattr__(self, "answers", _copy_read_only(codes))
        object.__setattr__(self, "gold", _copy_read_only(right))
        object.__setattr__(self, "verdicts", None if verdicts is None else _check_verdicts(verdicts, codes.shape))
        object.__setattr__(self, "judged", _check_verdict_counts(judged, self.verdicts))
        object.__setattr__(self, "scores", None if scores is None else _check_scores(scores, codes.shape))
        object.__setattr__(self, "finished", _check_finished(finished, self.scores))

    @property
    def problems(self) -> int:
        """P, the number of problems."""
        return len(self.answers)

    @property
    def solutions(self) -> int:
        """N, the number of solutions of each problem."""
        return int(self.answers.shape[1])

    @property
    def verified_solutions(self) -> int:
        """K, the number of solutions of each problem that were verified; 0 without verdicts."""
        return 0 if self.verdicts is None else self.verdicts.shape[1]

    @property
    def verifications(self) -> int:
        """M, the largest number of verifications of a solution; 0 without verdicts."""
        return 0 if self.verdicts is None else self.verdicts.shape[2]

    @property
    def scored_solutions(self) -> int:
        """L, the number of solutions of each problem that were scored; 0 without scores."""
        return 0 if self.scores is None else self.scores.shape[1]

    @property
    def has_weights(self) -> bool:
        """True if there are scores and all of them lie in [0, 1], so that votes can be weighted with them."""
        return self.scores is not None and not bool(((self.scores < 0) | (self.scores > 1)).any())

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(P, N) booleans: whether each solution's answer is a gold answer; False for an unparsed answer."""
        right = self.gold.reshape(self.problems, -1)
        return np.asarray((self.answers[:, :, None] == right[:, None, :]).any(axis=2))

    def split_right_answers(self) -> tuple[Pool, NDArray[np.int64]]:
        """Return a pool with a row for each right answer of each problem, and the problem of each row.

        A vote that ends with any of several right answers is right, and the answers do not share their votes. So the
        probability that a vote is right is the sum over the rows of a problem.
        """
        if self.gold.ndim == 1:
            return self, np.arange(self.problems)
        codes = [np.unique(row) for row in self.gold]
        rows = np.repeat(np.arange(self.problems), [len(each) for each in codes])
        verdicts, judged, scores, finished = (
            None if column is None else column[rows]
            for column in (self.verdicts, self.judged, self.scores, self.finished)
        )
        return Pool(self.answers[rows], np.concatenate(codes), verdicts, judged, scores, finished), rows


def _check_integers(values: ArrayLike, name: str) -> NDArray[Any]:
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


def _check_minimum(array: NDArray[Any], smallest: int, name: str, right: str) -> None:
    if array.min() < smallest:
        place = np.argwhere(array < smallest)[0]
        where = f"problem {place[0]}" + (f", solution {place[1]}" if len(place) > 1 else "")
        raise DataError(f"{name} holds {array[tuple(place)]} at {where}: it must be {right}.")


def _check_verdicts(values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
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
    wrong = (array < 0) | (array > 1)
    if wrong.any():
        p, k, m = np.argwhere(wrong)[0]
        raise DataError(
            f"verdicts holds {array[p, k, m]} at problem {p}, solution {k}, verification {m}: "
            "it must lie in [0, 1], or be NaN where it was not parsed."
        )
    return _copy_read_only(array, np.float64)


def _check_verdict_counts(values: ArrayLike | None, verdicts: NDArray[np.float64] | None) -> NDArray[np.int64] | None:
    if verdicts is None:
        if values is None:
            return None
        raise DataError("judged says how many verdicts each solution has; it needs verdicts.")
    many = verdicts.shape[2]
    if values is None:
        return _copy_read_only(np.full(verdicts.shape[:2], many))
    array = _check_integers(values, "judged")
    if array.shape != verdicts.shape[:2]:
        raise DataError(
            f"judged must hold one number per verified solution, shape {verdicts.shape[:2]}; got {array.shape}."
        )
    outside = (array < 0) | (array > many)
    if outside.any():
        p, k = np.argwhere(outside)[0]
        raise DataError(
            f"judged holds {array[p, k]} at problem {p}, solution {k}: it must lie between 0 and {many}, "
            "the verifications of each solution."
        )
    beyond = ~np.isnan(verdicts) & (np.arange(many) >= array[..., None])
    if beyond.any():
        p, k, m = np.argwhere(beyond)[0]
        raise DataError(
            f"verdicts holds {verdicts[p, k, m]} at problem {p}, solution {k}, verification {m}, but "
            f"judged gives the solution only {array[p, k]}: it must be NaN there."
        )
    return _copy_read_only(array)


def _check_scores(values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
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
    return _copy_read_only(array, np.float64)


def _check_finished(values: ArrayLike | None, scores: NDArray[np.float64] | None) -> NDArray[np.bool_] | None:
    if scores is None:
        if values is None:
            return None
        raise DataError("finished says which scored solutions are complete; it needs scores.")
    array = np.ones(scores.shape, dtype=bool) if values is None else _to_array(values, "finished")
    if array.dtype.kind != "b" or array.shape != scores.shape:
        raise DataError(f"finished must be booleans of the shape of scores, {scores.shape}; got {array.shape}.")
    return _copy_read_only(array, np.bool_)


def _copy_read_only(array: NDArray[Any], dtype: type = np.int64) -> NDArray[Any]:
    copy: NDArray[Any] = np.array(array, dtype=dtype, order="C")
    copy.setflags(write=False)
    return copy
