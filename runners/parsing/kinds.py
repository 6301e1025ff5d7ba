"""Kinds of sampled rows: how many solutions and verifications were read, and how many were not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from isocompute.runners.parsing.verdicts import SKIPPED_FINISH_REASON

if TYPE_CHECKING:
    import pandas as pd

MENTIONED_SHARE = 0.005
"""A smaller share of unread rows is not worth a sentence in a fit or a plan."""


def count_solution_kinds(solutions: pd.DataFrame, has_answers: bool = True) -> dict[str, int]:
    """Return the number of solutions of each kind; each row is of one kind.

    ``right`` and ``wrong`` have an answer, or are known without one. Without an answer, which counts as wrong,
    ``truncated`` reached the token limit and ``unread`` ended by itself. ``failed`` has a status that is not ok. Where
    right answers are unknown, answers that were read are ``ungraded``; other runs do not have this kind.

    Args:
        solutions: the columns answer, correct, finish_reason and status of the table.
        has_answers: whether answers are recorded at all; if not, a missing one is not unread.
    """
    correct = solutions["correct"].eq(True).to_numpy(bool)
    unread = solutions["answer"].isna().to_numpy() & has_answers
    failed = solutions["status"].to_numpy(object) != "ok"
    ungraded = solutions["correct"].isna().to_numpy() & ~failed
    conditions = {
        "failed": failed,
        "right": correct,
        **({"ungraded": ungraded & ~unread} if ungraded.any() else {}),
        "wrong": ~unread,
        "truncated": solutions["finish_reason"].to_numpy(object) == "length",
        "unread": unread,
    }
    return count_first_conditions(conditions)


def count_verification_kinds(verifications: pd.DataFrame) -> dict[str, int]:
    """Return the number of verifications of each kind, see `classify_verifications`.

    Args:
        verifications: the columns verdict, finish_reason and status of the table.
    """
    kinds, kind_of_row = classify_verifications(verifications)
    return dict(zip(kinds, np.bincount(kind_of_row, minlength=len(kinds)).tolist(), strict=True))


def classify_verifications(verifications: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """Return the kinds of verifications, and the position among them of the kind of each row.

    ``yes`` and ``no`` have a verdict. Without one, ``truncated`` reached the token limit, ``unread`` ended by itself,
    ``skipped`` had nothing to verify, and ``failed`` has a status that is not ok.

    Args:
        verifications: the columns verdict, finish_reason and status of the table.
    """
    verdict = verifications["verdict"].to_numpy(float)
    ended = verifications["finish_reason"]
    conditions = {
        "failed": verifications["status"].ne("ok").to_numpy(bool),
        "yes": verdict >= 0.5,
        "no": verdict < 0.5,
        "truncated": ended.eq("length").to_numpy(bool),
        "skipped": ended.eq(SKIPPED_FINISH_REASON).to_numpy(bool),
        "unread": np.isnan(verdict),
    }
    return list(conditions), np.argmax(list(conditions.values()), axis=0)


def count_first_conditions(conditions: dict[str, np.ndarray]) -> dict[str, int]:
    """Return for each condition the number of rows of which it is the first true one; one is true in every row."""
    first = np.argmax(list(conditions.values()), axis=0)
    return dict(zip(conditions, np.bincount(first, minlength=len(conditions)).tolist(), strict=True))


def describe_unread_rows(
    solution_kinds: dict[str, int], verification_kinds: dict[str, int], least: float = MENTIONED_SHARE
) -> list[str]:
    """Return sentences on the solutions and verdicts that could not be read, and how they count.

    Args:
        solution_kinds: the result of `count_solution_kinds`.
        verification_kinds: the result of `count_verification_kinds`.
        least: the smallest share of rows that is mentioned.

    >>> kinds = {"failed": 0, "right": 60, "wrong": 30, "truncated": 9, "unread": 1}
    >>> describe_unread_rows(kinds, {"failed": 0, "yes": 5, "no": 5, "truncated": 0, "skipped": 3, "unread": 10})
    ... # doctest: +NORMALIZE_WHITESPACE
    ['10 of 100 solutions (10.0 %) have no answer that can be read, 9 of them cut at the token limit; they count as
    wrong.', '10 of 20 verdicts (50.0 %) cannot be read; they count as neither yes nor no.']
    """
    sentences = []
    for kinds, rows, what, counted in (
        (solution_kinds, "solutions", "have no answer that can be read", "wrong"),
        (verification_kinds, "verdicts", "cannot be read", "neither yes nor no"),
    ):
        unread, total = count_unread(kinds)
        if unread and unread >= least * total:
            cut = f", {kinds['truncated']:,} of them cut at the token limit" if kinds["truncated"] else ""
            share = f"{100 * unread / total:.1f} %"
            sentences.append(f"{unread:,} of {total:,} {rows} ({share}) {what}{cut}; they count as {counted}.")
    return sentences


def count_unread(kinds: dict[str, int]) -> tuple[int, int]:
    """Return the number of unread rows, truncated ones included, and the number of rows that there was a text of."""
    read = sum(count for kind, count in kinds.items() if kind not in ("failed", "skipped"))
    return kinds.get("truncated", 0) + kinds.get("unread", 0), read
