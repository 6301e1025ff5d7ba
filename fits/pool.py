"""A pool of sampled solutions: their answers, the gold answers, and the verdicts and scores of the solutions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.pool_checks import (
    check_finished,
    check_integers,
    check_keys,
    check_minimum,
    check_scores,
    check_tallies,
    check_verdict_counts,
    check_verdicts,
    copy_read_only,
)
from isocompute.fits.verdict_codes import (
    VerdictCodes,
    VerdictTallies,
    count_yes_and_no,
    decode_verdicts,
    has_probabilities,
)


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
            could not be parsed, or -1 in an array of integers. Or only the numbers of those that are yes and no, which
            take no more memory however many they are. None if nothing was verified.
        judged: (P, K) integers 0..M: the number of verdicts of each solution, if solutions differ in it. These come
            first among its M entries (NaN for an unparsed one); the entries behind them must be NaN. Drawing V of a
            solution's verdicts draws min(V, judged); without verdicts its score is 0. None means M for all.
        scores: (P, L) finite numbers, L ≤ N: the reward score of each of the first L solutions; NaN for a solution
            without steps. None if nothing was scored.
        finished: (P, L) booleans: whether a scored solution is complete or was cut at the token limit. None means that
            all are complete.
        keys: (P,) integers 0 … 2⁶⁴-1 that identify the problems, see `compute_problem_keys`. The random draws of a
            problem depend on its key, not on its position. None means its position.

    Attributes:
        held_verdicts: the verdicts as they are kept: `verdict_codes`, or their numbers alone.

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
    held_verdicts: VerdictCodes | VerdictTallies | None
    judged: NDArray[np.int64] | None
    scores: NDArray[np.float64] | None
    finished: NDArray[np.bool_] | None
    keys: NDArray[np.uint64]

    def __init__(
        self,
        answers: ArrayLike,
        gold: ArrayLike,
        verdicts: ArrayLike | VerdictTallies | None = None,
        judged: ArrayLike | None = None,
        scores: ArrayLike | None = None,
        finished: ArrayLike | None = None,
        keys: ArrayLike | None = None,
    ) -> None:
        codes = check_integers(answers, "answers")
        if codes.ndim != 2 or codes.size == 0:
            raise DataError(
                f"answers must have the shape (problems, solutions) with at least one of each; got {codes.shape}."
            )
        check_minimum(codes, -1, "answers", "a code ≥ 0, or -1 where no answer was parsed")
        right = check_integers(gold, "gold")
        if right.ndim not in (1, 2) or len(right) != len(codes) or right.size == 0:
            raise DataError(f"gold must hold one code per problem, shape ({codes.shape[0]},); got {right.shape}.")
        check_minimum(right, 0, "gold", "a code ≥ 0")
        object.__setattr__(self, "answers", copy_read_only(codes))
        object.__setattr__(self, "gold", copy_read_only(right))
        held: VerdictCodes | VerdictTallies | None = None
        if isinstance(verdicts, VerdictTallies):
            held = check_tallies(verdicts, codes.shape)
        elif verdicts is not None:
            held = check_verdicts(verdicts, codes.shape)
        object.__setattr__(self, "held_verdicts", held)
        object.__setattr__(self, "judged", check_verdict_counts(judged, held))
        object.__setattr__(self, "scores", None if scores is None else check_scores(scores, codes.shape))
        object.__setattr__(self, "finished", check_finished(finished, self.scores))
        object.__setattr__(self, "keys", check_keys(np.arange(len(codes)) if keys is None else keys, len(codes)))

    @property
    def verdicts(self) -> Floats | None:
        """(P, K, M) the verdicts as numbers in [0, 1], NaN if unparsed; None if nothing was verified."""
        codes = self.verdict_codes
        return None if codes is None else decode_verdicts(codes)

    @property
    def verdict_codes(self) -> VerdictCodes | None:
        """(P, K, M) the verdicts as codes; None if nothing was verified.

        They are a byte each if all are yes (1), no (0) or unparsed (-1), else p(yes) and NaN. Of a pool that holds
        their numbers alone they are made anew: first no, then yes, then unparsed.
        """
        return self.held_verdicts.list_codes() if isinstance(self.held_verdicts, VerdictTallies) else self.held_verdicts

    @cached_property
    def tallies(self) -> VerdictTallies | None:
        """The numbers of verdicts of each verified solution that are yes and no; None if nothing was verified."""
        if self.held_verdicts is None or isinstance(self.held_verdicts, VerdictTallies):
            return self.held_verdicts
        return count_yes_and_no(self.held_verdicts)

    @property
    def has_probabilities(self) -> bool:
        """True if some verdicts lie between no and yes."""
        held = self.held_verdicts
        return held is not None and not isinstance(held, VerdictTallies) and has_probabilities(held)

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
        return 0 if self.judged is None else int(self.judged.shape[1])

    @property
    def verifications(self) -> int:
        """M, the largest number of verifications of a solution; 0 without verdicts."""
        held = self.held_verdicts
        return 0 if held is None else held.verifications if isinstance(held, VerdictTallies) else int(held.shape[2])

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

    def select_problems(self, positions: ArrayLike) -> Pool:
        """Return the pool of the problems at the given positions, in their order; repeats are allowed."""
        at = np.asarray(positions)
        judged, scores, finished = (
            None if column is None else column[at] for column in (self.judged, self.scores, self.finished)
        )
        verdicts = None if self.held_verdicts is None else self.held_verdicts[at]
        if isinstance(verdicts, np.ndarray):
            verdicts.setflags(write=False)  # the largest array is not copied again
        return Pool(self.answers[at], self.gold[at], verdicts, judged, scores, finished, self.keys[at])

    def split_right_answers(self) -> tuple[Pool, NDArray[np.int64]]:
        """Return a pool with a row for each right answer of each problem, and the problem of each row.

        A vote that ends with any of several right answers is right, and the answers do not share their votes. So the
        probability that a vote is right is the sum over the rows of a problem.
        """
        if self.gold.ndim == 1:
            return self, np.arange(self.problems)
        codes = [np.unique(row) for row in self.gold]
        rows = np.repeat(np.arange(self.problems), [len(each) for each in codes])
        pool = self.select_problems(rows)
        gold = np.concatenate(codes)
        return Pool(pool.answers, gold, pool.held_verdicts, pool.judged, pool.scores, pool.finished, pool.keys), rows


def compute_problem_keys(ids: Sequence[str]) -> NDArray[np.uint64]:
    """Return a key for each problem from its id: the first 8 bytes of its BLAKE2b hash.

    >>> compute_problem_keys(["a", "b"])[0] == compute_problem_keys(["b", "a"])[1]
    np.True_
    """
    hashes = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in ids)
    return np.frombuffer(hashes, dtype="<u8").astype(np.uint64)
