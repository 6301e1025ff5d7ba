"""The requests of a sweep with their tokens: lengths are drawn from rows that a real model wrote."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE

LOGS = Path(__file__).resolve().parents[2] / "data" / "runs" / "qwen-gsm-symbolic-reverified"
"""The run whose lengths are drawn: Qwen2.5-Coder-1.5B that solves and verifies problems of GSM-Symbolic."""


@dataclass(frozen=True, eq=False)
class Workload:
    """The tokens of P problems × S solutions × V verifications.

    A request has a number: solution s of problem p is pS + s, and verification v of solution i is PS + iV + v.

    Args:
        questions: (P,) tokens of each problem's prompt.
        solutions: (P·S,) tokens of each solution.
        verifications: (P·S·V,) tokens of each verification.
        judged: (P·S,) tokens of the prompt that the verifications of a solution share.
    """

    questions: NDArray[np.int32]
    solutions: NDArray[np.int32]
    verifications: NDArray[np.int32]
    judged: NDArray[np.int32]

    @property
    def requests(self) -> int:
        """The number of requests."""
        return len(self.solutions) + len(self.verifications)

    @property
    def tokens(self) -> int:
        """The tokens of all completions."""
        return int(self.solutions.sum(dtype=np.int64) + self.verifications.sum(dtype=np.int64))


@cache
def read_lengths() -> list[tuple[int, NDArray[np.int32], NDArray[np.int32]]]:
    """Return for each problem of the logs the tokens of its prompt, of its solutions and of its verifications."""
    run = Run(str(LOGS))
    columns = ["problem_id", "prompt_tokens", "completion_tokens"]
    solutions, verifications = (
        dict(iter(run.read_frame(table, columns).dropna().groupby("problem_id")))
        for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE)
    )

    def get_tokens(rows: pd.DataFrame) -> NDArray[np.int32]:
        return rows["completion_tokens"].to_numpy(dtype=np.int32)

    return [
        (int(rows["prompt_tokens"].iloc[0]), get_tokens(rows), get_tokens(verifications[problem]))
        for problem, rows in solutions.items()
    ]


def draw_workload(
    problems: int, solutions: int, verifications: int, seed: int, tokens_per_request: float | None = None
) -> Workload:
    """Draw a sweep's lengths: problems of the logs with replacement, and for each of them rows of that problem.

    Args:
        problems: P.
        solutions: S.
        verifications: V, of each solution.
        seed: determines the draw.
        tokens_per_request: mean tokens of a completion, to which all lengths are stretched; as in the logs if None.
    """
    rng, logs = np.random.default_rng(seed), read_lengths()
    drawn = [logs[i] for i in rng.integers(0, len(logs), problems)]
    questions = np.array([prompt for prompt, _, _ in drawn], dtype=np.int32)
    solved = np.concatenate([rng.choice(lengths, solutions) for _, lengths, _ in drawn])
    verified = np.concatenate([rng.choice(lengths, solutions * verifications) for _, _, lengths in drawn])
    if tokens_per_request is not None:
        stretch = tokens_per_request * (len(solved) + len(verified)) / (solved.sum() + verified.sum(dtype=np.int64))
        solved, verified = (np.maximum(1, np.rint(each * stretch)) for each in (solved, verified))
    judged = np.repeat(questions, solutions) + solved
    return Workload(questions, *(each.astype(np.int32) for each in (solved, verified, judged)))


def build_workload(solutions: NDArray[np.int32], verifications: int, tokens: int, question: int = 0) -> Workload:
    """Return a workload of given solutions, (P, S) tokens, with verifications of equal length."""
    solved = np.asarray(solutions, dtype=np.int32)
    questions = np.full(len(solved), question, dtype=np.int32)
    verified = np.full(solved.size * verifications, tokens, dtype=np.int32)
    return Workload(questions, solved.ravel(), verified, solved.ravel() + question)
