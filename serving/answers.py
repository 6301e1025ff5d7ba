"""The table of answers: a row for each question, written as CSV, JSON lines or Parquet."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from isocompute.errors import DataError
from isocompute.runners.grading import Grader
from isocompute.runners.parsing.thinking import cut_thinking
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE

if TYPE_CHECKING:
    import pandas as pd

ANSWERS_ENDINGS = (".csv", ".jsonl", ".parquet")
"""Endings of a table of answers."""


@dataclass(frozen=True)
class AnsweredQuestion:
    """The answer of one question, and what it took. The fields are the columns of the table.

    Args:
        id: the question's id.
        answer: the chosen answer as a solution writes it; None if none could be read.
        agreement: share of the solutions that have it, 0 … 1.
        p_right: probability that it is right, 0 … 1; None if the policy has no model of it.
        solutions: number of solutions, or of the candidates of a search.
        verifications: number of verifications.
        compute: in x, the compute of one solution of the profile; None if unknown.
        prompt_tokens: prompt tokens of all models; None if unknown.
        completion_tokens: sampled tokens of all models; None if unknown.
        stopped: why no more was sampled.
        correct: whether the answer is right; None if the right answer is unknown.
    """

    id: str
    answer: str | None
    agreement: float
    p_right: float | None
    solutions: int
    verifications: int
    compute: float | None
    prompt_tokens: int | None
    completion_tokens: int | None
    stopped: str
    correct: bool | None


def find_answer_texts(
    run: Run, grader: Grader, thinking_end: str | None, chosen: Mapping[str, str | None]
) -> dict[str, str]:
    """Return the chosen answers as the first solution that has each of them writes it.

    Args:
        run: the run.
        grader: the grader that read the answers.
        thinking_end: the text that ends the thinking in a solution.
        chosen: id → the chosen answer in its canonical form.
    """
    frame = run.read_frame(SOLUTIONS_TABLE, ["problem_id", "solution_id", "answer", "text", "finish_reason", "status"])
    frame = frame[(frame["status"] == "ok") & (frame["answer"] == frame["problem_id"].map(chosen))]
    first = frame.drop_duplicates("problem_id")
    texts = {}
    for name, text, reason, answer in zip(
        first["problem_id"], first["text"], first["finish_reason"], first["answer"], strict=True
    ):
        visible = cut_thinking(text, thinking_end, reason != "length")
        texts[name] = grader.extract_text(visible) or answer
    return texts


def build_answers_frame(answers: list[AnsweredQuestion]) -> pd.DataFrame:
    """Return the table of answers."""
    import pandas as pd

    names = [field.name for field in fields(AnsweredQuestion)]
    frame = pd.DataFrame([vars(answer) for answer in answers], columns=names)
    types = dict.fromkeys(("prompt_tokens", "completion_tokens"), "Int64")
    types |= dict.fromkeys(("agreement", "p_right", "compute"), "float64") | {"correct": "boolean"}
    return frame.astype(types)


def check_answers_path(path: str) -> None:
    """Raise unless answers may be written to a path: its ending names a format.

    Raises:
        DataError: it does not.
    """
    if PurePosixPath(path).suffix.lower() not in ANSWERS_ENDINGS:
        raise DataError(f"'{path}' must end in {', '.join(ANSWERS_ENDINGS[:-1])} or {ANSWERS_ENDINGS[-1]}.")


def encode_answers(answers: list[AnsweredQuestion], path: str) -> bytes:
    """Return the table in the format of a path's ending. What is unknown is empty in CSV, null in the others."""
    ending = PurePosixPath(path).suffix.lower()
    if ending == ".jsonl":
        lines = (json.dumps(clean_row(answer), ensure_ascii=False, allow_nan=False) for answer in answers)
        return "".join(f"{line}\n" for line in lines).encode()
    frame = build_answers_frame(answers)
    if ending == ".csv":
        return bytes(frame.to_csv(index=False, lineterminator="\n").encode())
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def clean_row(answer: AnsweredQuestion) -> dict[str, object]:
    """Return a row as a dictionary, in which NaN is None."""
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value for name, value in vars(answer).items()
    }
