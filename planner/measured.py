"""From a run on disk to the arrays that fits work on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from isocompute.errors import DataError, RunError
from isocompute.fits import Pool, counted, verification_ratios
from isocompute.runners.config import sweep_of
from isocompute.runners.log import Run
from isocompute.runners.tables import PROBLEMS, SOLUTIONS, VERIFICATIONS, Table


@dataclass(frozen=True)
class Measured:
    """A run as arrays; the rows of the pool are `problem_ids`.

    Args:
        solution_tokens: mean completion tokens of a solution.
        verification_tokens: mean completion tokens of a verification; None without verifications.
        lambdas: λ by way of counting tokens, see `fits.cost.counted`; NaN if unknown, empty without verifications.
        left_out: problems without a place in the pool because a row of theirs failed, each with the reason.
    """

    pool: Pool
    problem_ids: list[str]
    solution_tokens: float
    verification_tokens: float | None
    lambdas: dict[str, float]
    left_out: dict[str, str]
    manifest: dict[str, Any]


def measured(run: Run) -> Measured:
    """Read a run.

    Raises:
        RunError: there is none, or rows are missing.
        DataError: a part is damaged, or what it holds makes no sense.
    """
    manifest = run.manifest()
    problems = run.frame(PROBLEMS, ["problem_id", "gold"])
    if problems.empty:
        raise RunError(f"The run at '{run.path}' holds no problems yet; run its sweep again to complete it.")
    ids = problems["problem_id"].tolist()
    config = sweep_of(manifest, run.path)
    N, K, M = config.solutions, config.to_verify, config.verifications

    tokens = ["prompt_tokens", "cached_tokens", "completion_tokens"]
    columns = ["problem_id", "solution_id", "answer", *tokens, "status"]
    solutions = placed(run, SOLUTIONS, columns, ids, (N,))
    left_out = failures(solutions, ids)
    solved = [name for name in ids if name not in left_out]  # a solution that failed has no verifications
    columns = ["problem_id", "solution_id", "verification_id", "verdict", *tokens, "status"]
    verifications = placed(run, VERIFICATIONS, columns, solved, (K, M))
    left_out |= failures(verifications, solved)
    kept = [name for name in ids if name not in left_out]
    if not kept:
        raise RunError(
            f"Every problem of '{run.path}' has a row that failed; the first: {next(iter(left_out.values()))}."
        )
    answers = codes(solutions, problems["gold"].tolist(), len(ids), N)[np.isin(ids, kept)]
    verdicts = None
    if M:
        wrong = verifications["verdict"].notna() & ~verifications["verdict"].between(0, 1)
        if wrong.any():
            rows = verifications.loc[wrong, [*VERIFICATIONS.key_names, "verdict"]]
            *key, verdict = next(rows.itertuples(index=False, name=None))
            raise DataError(
                f"{run.path}/verifications: the verdict of {tuple(key)} is {verdict:g}; "
                "a verdict is 0, 1, or between, or null when unparsed."
            )
        verdicts = verifications["verdict"].to_numpy(float).reshape(len(solved), K, M)[np.isin(solved, kept)]
    return Measured(
        pool=Pool(answers, np.zeros(len(kept), dtype=np.int64), verdicts),
        problem_ids=kept,
        solution_tokens=mean_tokens(run, solutions),
        verification_tokens=mean_tokens(run, verifications) if M else None,
        lambdas=ratios(run, solutions, verifications) if M else {},
        left_out=left_out,
        manifest=manifest,
    )


def placed(run: Run, table: Table, columns: list[str], ids: list[str], shape: tuple[int, ...]) -> pd.DataFrame:
    """Return a table's rows in the order problem, solution, verification; every one must be there.

    Raises:
        RunError: rows are missing.
    """
    frame = run.frame(table, columns)
    numbers = table.key_names[1:]
    inside = frame["problem_id"].isin(ids)
    for name, size in zip(numbers, shape, strict=True):
        inside &= frame[name] < size
    frame = frame[inside]
    expected = len(ids) * int(np.prod(shape))
    if len(frame) < expected:
        raise RunError(
            f"The run at '{run.path}' is not complete: it has {len(frame):,} of {expected:,} {table.name}; "
            "run its sweep again to complete it."
        )
    order = pd.Categorical(frame["problem_id"], categories=ids, ordered=True)
    return frame.assign(problem_id=order).sort_values(["problem_id", *numbers], kind="stable", ignore_index=True)


def failures(frame: pd.DataFrame, ids: list[str]) -> dict[str, str]:
    """Return the problems with a row that failed, each with the first reason."""
    failed = frame[frame["status"] != "ok"].drop_duplicates("problem_id")
    reasons = dict(zip(failed["problem_id"], failed["status"], strict=True))
    return {name: reasons[name] for name in ids if name in reasons}


def codes(solutions: pd.DataFrame, gold: list[str], P: int, N: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Number the answers of each problem: 0 is the gold one, -1 unparsed, the others as they first appear."""
    answers = solutions["answer"].to_numpy(object).reshape(P, N)
    coded = np.empty((P, N), dtype=np.int64)
    for i, row in enumerate(answers):
        number = {gold[i]: 0}
        coded[i] = [-1 if pd.isna(answer) else number.setdefault(answer, len(number)) for answer in row]
    return coded


def mean_tokens(run: Run, frame: pd.DataFrame) -> float:
    """Return the mean completion tokens of the rows that are ok.

    Raises:
        DataError: the tokens were not logged, or are no counts.
    """
    counted = frame.loc[frame["status"] == "ok", "completion_tokens"]
    if counted.isna().any():
        raise DataError(f"The run at '{run.path}' has rows without completion_tokens; λ cannot be measured from it.")
    if (counted < 0).any() or not counted.any():
        raise DataError(f"The run at '{run.path}' has completion_tokens that are negative, or all zero.")
    return float(counted.mean())


def ratios(run: Run, solutions: pd.DataFrame, verifications: pd.DataFrame) -> dict[str, float]:
    """Return λ by way of counting tokens, over the rows that are ok; NaN where one does not say its tokens.

    Raises:
        DataError: more tokens were read from the cache than there are in the prompt, or fewer than none.
    """
    ways = []
    for frame in (solutions, verifications):
        sampled = frame[frame["status"] == "ok"]
        prompt, cached = sampled["prompt_tokens"], sampled["cached_tokens"]
        if (prompt < 0).any() or (cached < 0).any() or (cached > prompt).any():
            raise DataError(
                f"The run at '{run.path}' has prompt_tokens or cached_tokens that cannot be; "
                f"`isocompute check {run.path}` says which."
            )
        ways.append(
            counted(*(sampled[name].to_numpy(float) for name in ("completion_tokens", prompt.name, cached.name)))
        )
    return verification_ratios(*ways)
