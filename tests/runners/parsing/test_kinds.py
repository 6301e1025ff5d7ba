"""Every sampled row is of one kind, and what could not be read is said."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from isocompute.runners.parsing.kinds import count_solution_kinds, count_verification_kinds, describe_unread_rows
from isocompute.runners.parsing.verdicts import SKIPPED_FINISH_REASON
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import VERIFICATIONS_TABLE

ROWS = st.fixed_dictionaries(
    {
        "verdict": st.sampled_from([0.0, 1.0, None]),
        "finish_reason": st.sampled_from(["stop", "length", SKIPPED_FINISH_REASON, None]),
        "status": st.sampled_from(["ok", "the prompt is too long"]),
    }
)


@given(st.lists(ROWS))
def test_every_verification_is_of_one_kind(rows):
    def kind(row):
        if row["status"] != "ok":
            return "failed"
        if row["verdict"] is not None:
            return "yes" if row["verdict"] else "no"
        return {"length": "truncated", SKIPPED_FINISH_REASON: "skipped"}.get(row["finish_reason"], "unread")

    frame = pd.DataFrame(rows, columns=["verdict", "finish_reason", "status"])
    counts = count_verification_kinds(frame)
    assert counts == {name: sum(kind(row) == name for row in rows) for name in counts}
    assert list(counts) == ["failed", "yes", "no", "truncated", "skipped", "unread"]
    assert sum(counts.values()) == len(rows)


SOLUTIONS = st.fixed_dictionaries(
    {
        "answer": st.sampled_from(["7", None]),
        "correct": st.sampled_from([True, False, None]),
        "finish_reason": st.sampled_from(["stop", "length", None]),
        "status": st.sampled_from(["ok", "the prompt is too long"]),
    }
)


@given(st.lists(SOLUTIONS), st.booleans())
def test_every_solution_is_of_one_kind(rows, has_answers):
    def kind(row):
        if row["status"] != "ok":
            return "failed"
        if row["correct"]:
            return "right"
        if row["answer"] is not None or not has_answers:
            return "ungraded" if row["correct"] is None else "wrong"
        return "truncated" if row["finish_reason"] == "length" else "unread"

    frame = pd.DataFrame(rows, columns=["answer", "correct", "finish_reason", "status"])
    counts = count_solution_kinds(frame, has_answers)
    assert ("ungraded" in counts) == any(row["correct"] is None and row["status"] == "ok" for row in rows)
    assert counts == {name: sum(kind(row) == name for row in rows) for name in counts}
    assert sum(counts.values()) == len(rows)


def test_few_unread_rows_are_not_worth_a_sentence():
    kinds = {"failed": 5, "right": 900, "wrong": 96, "truncated": 0, "unread": 4}
    verdicts = {"failed": 0, "yes": 0, "no": 0, "truncated": 0, "skipped": 0, "unread": 0}
    assert describe_unread_rows(kinds, verdicts) == []
    assert describe_unread_rows(kinds, verdicts, least=0.0) == [
        "4 of 1,000 solutions (0.4 %) have no answer that can be read; they count as wrong."
    ]
    [sentence] = describe_unread_rows(kinds | {"truncated": 2}, verdicts)
    assert sentence.startswith("6 of 1,002 solutions (0.6 %)")
    assert "2 of them cut at the token limit" in sentence


def test_a_written_run_is_counted(written_run):
    frame = Run(written_run).read_frame(VERIFICATIONS_TABLE)
    counts = count_verification_kinds(frame)
    assert counts["yes"] == (frame["verdict"] == 1).sum() > 0
    assert counts["unread"] == frame["verdict"].isna().sum() > 0
    assert counts["failed"] == counts["truncated"] == counts["skipped"] == 0
