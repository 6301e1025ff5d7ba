"""The first pass of a fit, from a run on disk to a pool: the comparable rows, and the arrays for the estimators."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocompute.errors import RunError
from isocompute.fits import Pool
from isocompute.planner.estimate.arrays import PoolArrays, build_pool_arrays
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.parsing.kinds import count_solution_kinds, count_verification_kinds, describe_unread_rows
from isocompute.runners.scorers.aggregate import AGGREGATE_PHRASES, aggregate_scores
from isocompute.runners.storage.check import require_whole_run
from isocompute.runners.storage.doubts import describe_doubts, explain_missing_votes
from isocompute.runners.storage.expected import ExpectedRows
from isocompute.runners.storage.imported_scores import (
    describe_missing_scores,
    extract_solution_scores,
    has_missing_step,
)
from isocompute.runners.storage.provenance import ImportedRun, extract_model_sizes, extract_origin, read_grader_title
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import (
    PROBLEMS_TABLE,
    SCORER_TOKENS,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)
from isocompute.runners.storage.unequal import describe_cut_problems, describe_short_problems, find_short_problems

POOL_COLUMNS = {
    SOLUTIONS_TABLE: [
        *SOLUTIONS_TABLE.key_names,
        "answer",
        "correct",
        *SOLUTIONS_TABLE.tokens,
        "finish_reason",
        "status",
        "seconds",
    ],
    VERIFICATIONS_TABLE: [
        *VERIFICATIONS_TABLE.key_names,
        "verdict",
        *VERIFICATIONS_TABLE.tokens,
        "finish_reason",
        "status",
        "seconds",
    ],
    SCORES_TABLE: [*SCORES_TABLE.key_names, "step_scores", *SCORES_TABLE.tokens, "status", "seconds"],
    SEARCHES_TABLE: [*SEARCHES_TABLE.key_names, "correct", *SEARCHES_TABLE.tokens, *SCORER_TOKENS, "status"],
}
"""The columns that are read from each table."""

IMPORTED_AGGREGATE = "last"
"""The rule that makes one score of imported step scores, if the source does not say: search-and-learn's default."""


@dataclass(frozen=True, eq=False)
class RunRows:
    """The rows of a run that its sweep requests or that were imported, failed ones included.

    Args:
        solutions: one row per solution, sorted by key.
        verifications: one row per verification, sorted by key.
        scores: one row per scored solution; in an import, scores stored with the solutions come last.
        searches: one row per search, with its problem, shape and seed.
    """

    solutions: pd.DataFrame
    verifications: pd.DataFrame
    scores: pd.DataFrame
    searches: pd.DataFrame


@dataclass(frozen=True, eq=False)
class RunPool:
    """A run as a pool of the problems in `problem_ids`.

    Args:
        origin: the sweep or import that made the run.
        path: the run's folder.
        parameters: sizes of its models by role, as far as the run holds them.
        pool: answers, verdicts and scores.
        missing_votes: the reason why votes cannot be counted, in a sentence; then every wrong answer is coded 1. None
            if they can.
        problem_ids: ids of the problems in the pool, in order.
        rows: the rows from which the arrays were made.
        excluded_problems: problems left out, each with the reason: a failed row, or no solutions.
        notes: sentences on unequal counts, and on imported rows that are not used.
    """

    origin: Sweep | ImportedRun
    path: str
    parameters: dict[str, float]
    pool: Pool
    missing_votes: str | None
    problem_ids: list[str]
    rows: RunRows
    excluded_problems: dict[str, str]
    notes: list[str]

    @property
    def has_answers(self) -> bool:
        """True if the answers are known, so that votes can be counted."""
        return self.missing_votes is None

    def select_rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that belong to the problems in the pool."""
        return frame[frame["problem_id"].isin(self.problem_ids)]


def read_pool(run: Run, problems_with: int | None = None, only: Collection[str] | None = None) -> RunPool:
    """Read a run as a pool.

    A problem with a failed row in any table is left out: all strategies are compared on the same problems, and a failed
    row is neither right nor wrong.

    Args:
        run: the run.
        problems_with: problems with fewer solutions are left out too; all are kept if not given.
        only: ids of the problems to read, see `find_finished_problems`; all if not given.

    Raises:
        RunError: there is no run, rows are missing, every problem has a failed row, or there are no independent
            solutions.
        DataError: a part is damaged, or its content is invalid.
    """
    manifest = run.read_manifest()
    origin = extract_origin(manifest, run.path)
    require_whole_run(run)
    ids = run.read_frame(PROBLEMS_TABLE, ["problem_id"])["problem_id"].tolist()
    ids = [name for name in ids if only is None or name in only]
    if not ids:
        raise RunError(f"The run at '{run.path}' holds no problems yet; run its sweep again to complete it.")
    if isinstance(origin, Sweep):
        rows, left_out = read_swept_rows(run, origin, ids)
    else:
        rows, left_out = read_imported_rows(run, origin, ids)
    kept = [name for name in ids if name not in left_out]
    if not kept:
        raise RunError(
            f"Every problem of '{run.path}' has a row that failed; the first: {next(iter(left_out.values()))}."
        )
    solutions = rows.solutions
    counts = solutions["problem_id"].value_counts().reindex(kept, fill_value=0)
    cuts = describe_cut_problems(counts)
    if problems_with is not None:
        short = find_short_problems(dict(zip(kept, counts, strict=True)), problems_with, f"the run at '{run.path}'")
        cuts = [describe_short_problems(short, len(kept), problems_with)] if short else []
        kept = [name for name in kept if name not in set(short)]
    missing_votes = explain_missing_votes(solutions, origin)
    scored, notes = add_scores(solutions, rows.scores, origin)
    layout = build_pool_arrays(scored, rows.verifications, kept)
    if layout.verdicts is not None and np.isnan(layout.verdicts).all():
        unread = "No verdict could be read, so no strategy that verifies is estimated."
        layout = replace(layout, verdicts=None, judged=None, notes=[*layout.notes, unread])
    pool = Pool(
        *code_answers(layout, missing_votes is None),
        layout.verdicts,
        layout.judged,
        layout.scores,
        layout.finished,
    )
    judged = solutions[solutions["status"].eq("ok") & solutions["problem_id"].isin(kept)]
    doubts = describe_doubts(judged, read_grader_title(run), missing_votes is None)
    verifications = rows.verifications[rows.verifications["problem_id"].isin(kept)]
    unread_rows = describe_unread_rows(
        count_solution_kinds(judged, missing_votes is None), count_verification_kinds(verifications)
    )
    notes = [*unread_rows, *doubts, *layout.notes, *cuts, *describe_unplaced_searches(origin), *notes]
    sizes = extract_model_sizes(manifest, run.path)
    return RunPool(origin, run.path, sizes, pool, missing_votes, kept, rows, left_out, notes)


def read_swept_rows(run: Run, sweep: Sweep, ids: list[str]) -> tuple[RunRows, dict[str, str]]:
    """Return the rows that a sweep requests, and the problems with a failed row, each with the reason.

    Raises:
        RunError: rows are missing.
    """
    expected = ExpectedRows(sweep, ids)
    solutions = expected.require_rows(run, SOLUTIONS_TABLE, POOL_COLUMNS[SOLUTIONS_TABLE])
    left_out = collect_failed_problems(solutions, ids)
    solved = ExpectedRows(sweep, [name for name in ids if name not in left_out])  # the others have no verifications
    verifications, scores = (
        solved.require_rows(run, table, POOL_COLUMNS[table]) for table in (VERIFICATIONS_TABLE, SCORES_TABLE)
    )
    searches = expected.require_rows(run, SEARCHES_TABLE, POOL_COLUMNS[SEARCHES_TABLE])
    for frame in (scores, searches, verifications):
        left_out |= collect_failed_problems(frame, ids)
    return RunRows(solutions, verifications, scores, searches), left_out


def read_imported_rows(run: Run, imported: ImportedRun, ids: list[str]) -> tuple[RunRows, dict[str, str]]:
    """Return the imported rows, and the problems to leave out, each with the reason.

    Raises:
        RunError: rows are missing, or there are only searches, whose completions are not independent.
    """
    solutions, verifications, scores = (
        read_imported_table(run, table, imported) for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE, SCORES_TABLE)
    )
    keys = set(scores[SCORES_TABLE.key_names].itertuples(index=False, name=None))
    beside = extract_solution_scores(run, keys).select(POOL_COLUMNS[SCORES_TABLE]).to_pandas()
    scores = pd.concat([scores, beside], ignore_index=True) if len(beside) else scores
    # Problems of an import may differ in their numbers of solutions, so a failed one leaves out itself alone.
    failed = collect_failed_problems(solutions, ids)
    solutions = solutions[solutions["status"] == "ok"].reset_index(drop=True)
    solved = set(solutions["problem_id"])
    left_out = {name: failed.get(name, "it has no solutions") for name in ids if name not in solved}
    left_out |= collect_failed_problems(verifications, ids)
    return RunRows(solutions, verifications, scores, pd.DataFrame(columns=POOL_COLUMNS[SEARCHES_TABLE])), left_out


def read_imported_table(run: Run, table: RunTable, imported: ImportedRun) -> pd.DataFrame:
    """Return the imported rows of a table.

    Raises:
        RunError: their number is not that of the import, or there are no solutions.
    """
    frame = run.read_frame(table, POOL_COLUMNS[table])
    expected = imported.rows.get(table.name, 0)
    if len(frame) != expected:
        raise RunError(
            f"The run at '{run.path}' is incomplete: it has {len(frame):,} of {expected:,} imported "
            f"{table.name}; import its source again."
        )
    if table is SOLUTIONS_TABLE and frame.empty:
        raise RunError(
            f"The run at '{run.path}' holds searches but no independent solutions, so nothing can be "
            "fitted: a search's scorer selects its solutions, so votes over them are not "
            "self-consistency."
        )
    return frame


def add_scores(
    solutions: pd.DataFrame, scores: pd.DataFrame, origin: Sweep | ImportedRun
) -> tuple[pd.DataFrame, list[str]]:
    """Add each solution's aggregated step scores (``score``), and whether it was scored (``scored``).

    A row of a sweep that is not ok gives no score, and its problem is left out. An imported row gives one unless a
    step's score is missing, also outside 0 … 1.

    Returns:
        The solutions, and notes on their scores.
    """
    steps = select_used_scores(scores, origin)
    if steps.empty:
        return solutions.assign(score=np.nan, scored=False), []
    rule = get_aggregate(origin)
    known = {key: aggregate_scores(row, rule) for key, row in steps.items()}
    keys = list(zip(solutions["problem_id"], solutions["solution_id"], strict=True))
    scored = solutions.assign(score=[known.get(key, np.nan) for key in keys], scored=[key in known for key in keys])
    if not isinstance(origin, ImportedRun):
        return scored, []
    notes = describe_missing_scores(len(scored), int(scored["scored"].sum()))
    if (steps.map(len) > 1).any():
        notes.insert(0, f"A solution's score is {AGGREGATE_PHRASES[rule]} ({rule}).")
    if not scored["score"].dropna().between(0, 1).all():
        notes.append("Imported scores outside 0 … 1 rank solutions in bon; prm-weighted cannot weight votes with them.")
    return scored, notes


def select_used_scores(scores: pd.DataFrame, origin: Sweep | ImportedRun) -> pd.Series:
    """Return the step scores that give a solution a score, by problem and solution."""
    steps = scores.set_index(["problem_id", "solution_id"])["step_scores"]
    if isinstance(origin, ImportedRun):
        return steps[[row is not None and not has_missing_step(row) for row in steps]]
    return steps[(scores["status"] == "ok").to_numpy()].dropna()


def get_aggregate(origin: Sweep | ImportedRun) -> str:
    """Return how the step scores of a run become one score."""
    if isinstance(origin, ImportedRun):
        return origin.aggregate or IMPORTED_AGGREGATE
    return origin.scorer.aggregate if origin.scorer is not None else IMPORTED_AGGREGATE


def describe_unplaced_searches(origin: Sweep | ImportedRun) -> list[str]:
    """Return a sentence on imported searches, which cannot be compared because their tokens are unknown."""
    count = origin.rows.get(SEARCHES_TABLE.name, 0) if isinstance(origin, ImportedRun) else 0
    return [f"{count:,} searches are left out: an import does not record their tokens."] if count else []


def collect_failed_problems(frame: pd.DataFrame, ids: list[str]) -> dict[str, str]:
    """Return the problems with a failed row, each with the reason of its first one."""
    failed = frame[frame["status"] != "ok"].drop_duplicates("problem_id")
    reasons = dict(zip(failed["problem_id"], failed["status"], strict=True))
    return {name: reasons[name] for name in ids if name in reasons}


def code_answers(layout: PoolArrays, has_answers: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the answers of each problem: the right one is 0, those that are wrong are 1, 2 … in order of appearance.

    Unparsed answers are -1. Further right answers, which are not equal to the first one, have numbers of their own.
    Where only right and wrong are known, every wrong answer is 1.

    Returns:
        The codes (P, N), and those of the right answers: (P,), or (P, R) if a problem has several.
    """
    if not has_answers:
        return np.where(layout.correct, 0, 1), np.zeros(len(layout.correct), dtype=np.int64)
    coded = np.full(layout.answers.shape, -1, dtype=np.int64)
    right_codes: list[list[int]] = []
    for i, (row, right) in enumerate(zip(layout.answers, layout.correct, strict=True)):
        number: dict[tuple[str, bool], int] = {}
        has_right = False
        codes = [0]
        for j in range(len(row)):
            if pd.isna(row[j]):
                continue
            key = row[j], bool(right[j])
            if key not in number:
                is_first_right = key[1] and not has_right
                number[key] = 0 if is_first_right else len(number) + (not has_right)
                has_right = has_right or key[1]
                if key[1] and not is_first_right:
                    codes.append(number[key])
            coded[i, j] = number[key]
        right_codes.append(codes)
    most = max(map(len, right_codes))
    golds = np.array([codes + [0] * (most - len(codes)) for codes in right_codes], dtype=np.int64)
    return coded, golds[:, 0] if most == 1 else golds
