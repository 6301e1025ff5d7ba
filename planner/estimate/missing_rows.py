"""Failed and cut rows: their shares, and bounds of the accuracies where rows do not fail at random.

A fit replaces failed solutions by others of the same problem, which is right if rows fail at random within a problem.
Long solutions fail more often, and they are wrong more often. The bounds hold without any assumption: all failed
solutions are wrong, and all for the wrong answer that most others have, or all are right.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocompute.fits import Pool, estimate_self_consistency
from isocompute.planner.estimate.caps import get_token_limit
from isocompute.planner.estimate.pool_from_run import RunPool, code_answers
from isocompute.planner.profile import ACCURACY_DIGITS, Curve, MissingRows

Bounds = tuple[float, float]

MENTIONED_CUT = 0.01
"""A smaller share of cut rows is not worth a sentence."""

LEAST_BOUNDS = 0.001
"""Bounds that are closer together are not printed."""


def measure_missing_rows(run: RunPool, self_consistency: Curve) -> MissingRows:
    """Measure the shares of failed and cut rows, and the bounds.

    Args:
        run: the pool.
        self_consistency: its accuracies, of which those of problems without failed solutions are used.
    """
    rows, failed = run.rows, run.failed
    judged = rows.verifications
    has_verifications = judged.rows + len(failed.verifications) > 0
    single = voted = None
    S = self_consistency.solutions[-1]
    if len(failed.solutions) or run.excluded_problems:
        single = compute_accuracy_bounds(run, self_consistency.array[:, 0], 1)
        voted = compute_accuracy_bounds(run, self_consistency.array[:, -1], S) if S > 1 else None
    return MissingRows(
        failed_solutions=compute_share(len(failed.solutions), len(rows.solutions) + len(failed.solutions)),
        failed_verifications=compute_share(len(failed.verifications), judged.rows + len(failed.verifications))
        if has_verifications
        else None,
        cut_solutions=compute_cut_share(rows.solutions),
        cut_verifications=compute_share(judged.cut, judged.rows) if has_verifications else None,
        problems=run.pool.problems + len(run.excluded_problems),
        single=single,
        voted=voted,
        voted_solutions=None if voted is None else S,
    )


def compute_share(part: int, whole: int) -> float:
    """Return a share, rounded; 0 of nothing."""
    return round(part / whole, ACCURACY_DIGITS) if whole else 0.0


def compute_cut_share(frame: pd.DataFrame) -> float:
    """Return the share of rows that ended at the token limit."""
    return compute_share(int(frame["finish_reason"].eq("length").sum()), len(frame))


def compute_accuracy_bounds(run: RunPool, accuracy: NDArray[np.float64], S: int) -> Bounds:
    """Return the bounds of the accuracy of a vote over S solutions, over the problems kept and those left out.

    Args:
        run: the pool.
        accuracy: (P,) accuracies of its problems.
        S: number of solutions; of a problem with fewer, failed ones included, all are used.
    """
    low, high = accuracy.copy(), accuracy.copy()
    failures = run.failed.solutions["problem_id"].astype(str).value_counts()
    rows = {str(name): part for name, part in run.rows.solutions.groupby("problem_id", observed=True)}
    for i, name in enumerate(run.problem_ids):
        failed = int(failures.get(name, 0))
        if failed or len(rows[name]) != run.pool.solutions:  # else the pool holds all rows of the problem
            low[i], high[i] = compute_problem_bounds(rows[name], failed, run.has_answers, S)
    left_out = len(run.excluded_problems)
    total = len(accuracy) + left_out
    return round(float(low.sum()) / total, ACCURACY_DIGITS), round(
        float(high.sum() + left_out) / total, ACCURACY_DIGITS
    )


def compute_problem_bounds(rows: pd.DataFrame, failed: int, has_answers: bool, S: int) -> Bounds:
    """Return the accuracy of a vote over S solutions of a problem if the failed ones are wrong, and if they are right.

    Args:
        rows: its solutions that did not fail, with answer and correct.
        failed: the number of those that failed.
        has_answers: whether answers are known.
        S: number of solutions of the vote.

    >>> rows = pd.DataFrame({"answer": ["7", "7", "8"], "correct": [True, True, False]})
    >>> compute_problem_bounds(rows, 1, True, 4), compute_problem_bounds(rows, 1, True, 1)
    ((0.5, 1.0), (0.5, 0.75))
    """
    answers, correct = rows["answer"].to_numpy(object)[None], rows["correct"].eq(True).to_numpy()[None]
    codes, right = code_answers(answers, correct, has_answers)
    is_right = np.isin(codes[0], right)
    wrong_codes = codes[0][~is_right & (codes[0] >= 0)]
    likeliest_right = np.bincount(codes[0][is_right]).argmax() if is_right.any() else np.ravel(right)[0]
    likeliest_wrong = np.bincount(wrong_codes).argmax() if wrong_codes.size else codes.max() + 1 + right.max()
    ends = []
    for code in (likeliest_wrong, likeliest_right):
        filled = np.concatenate([codes, np.full((1, failed), code)], axis=1)
        ends.append(float(estimate_self_consistency(Pool(filled, right), [min(S, filled.shape[1])])[0, 0]))
    return ends[0], ends[1]


def describe_missing_rows(run: RunPool, missing: MissingRows) -> list[str]:
    """Return sentences on failed rows and what they could change, and on cut rows.

    Args:
        run: the pool.
        missing: what is missing of it.
    """
    rows, failed = run.rows, run.failed
    shares = [
        f"{len(lost):,} of {len(lost) + ok:,} {what} ({100 * len(lost) / (len(lost) + ok):.3g} %)"
        for lost, ok, what in (
            (failed.solutions, len(rows.solutions), "solutions"),
            (failed.verifications, rows.verifications.rows, "verifications"),
        )
        if len(lost)
    ]
    sentences = [f"{' and '.join(shares)} failed."] if shares else []
    bounds = [
        f"{what} {100 * ends[0]:.1f} to {100 * ends[1]:.1f} %"
        for what, ends in (
            ("one solution", missing.single),
            (f"SC with {missing.voted_solutions} solutions", missing.voted),
        )
        if ends is not None and ends[1] - ends[0] >= LEAST_BOUNDS
    ]
    if bounds:
        sentences.append(
            f"Over all {missing.problems:,} problems, if all that failed or is left out were wrong or right: "
            f"{', '.join(bounds)}."
        )
    return sentences + describe_cut_rows(run, missing)


def describe_cut_rows(run: RunPool, missing: MissingRows) -> list[str]:
    """Return a sentence on the solutions and one on the verifications that the token limit cut, if they are many."""
    sentences = []
    solutions = run.rows.solutions
    ended = solutions[solutions["finish_reason"].eq("length")]
    for role, rows, cut in (
        ("solver", len(ended), missing.cut_solutions),
        ("verifier", run.rows.verifications.cut, missing.cut_verifications),
    ):
        if cut is None or cut <= MENTIONED_CUT:
            continue
        limit = get_token_limit(run.origin, role)
        at = "" if limit is None else f" of {limit:,}"
        what = f"{100 * cut:.3g} % of the {'solutions' if role == 'solver' else 'verifications'} ({rows:,})"
        text = f"{what} were cut at the token limit{at}"
        if role == "solver":
            text += f", and {100 * ended['correct'].eq(True).mean():.3g} % of these are right"
        advice = "a higher limit" if limit is None else f"a higher {role}.max_tokens"
        sentences.append(f"{text}; {advice} may give other accuracies.")
    return sentences
