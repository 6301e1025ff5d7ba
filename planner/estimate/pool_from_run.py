"""The first pass of a fit, from a run on disk to a pool: the comparable rows, and the arrays for the estimators."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocompute.errors import RunError
from isocompute.fits import Pool, compute_problem_keys
from isocompute.fits.verdict_codes import has_parsed_verdicts
from isocompute.planner.estimate.arrays import build_pool_arrays
from isocompute.planner.estimate.run_rows import (
    FailedRows,
    RunRows,
    collect_failure_reasons,
    find_lost_searches,
    read_imported_rows,
    read_swept_rows,
)
from isocompute.planner.profile import code_clusters, select_strata
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.parsing.kinds import count_solution_kinds, describe_unread_rows
from isocompute.runners.scorers.aggregate import AGGREGATE_PHRASES, aggregate_scores
from isocompute.runners.storage.check import require_whole_run
from isocompute.runners.storage.doubts import (
    describe_doubts,
    describe_problem_clusters,
    explain_missing_votes,
    find_problem_clusters,
)
from isocompute.runners.storage.files import describe_place
from isocompute.runners.storage.imported_scores import (
    describe_missing_scores,
    has_missing_step,
)
from isocompute.runners.storage.provenance import ImportedRun, extract_model_sizes, extract_origin, read_grader_title
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.run_folder import retry_gone_parts
from isocompute.runners.storage.schema import (
    PROBLEMS_TABLE,
    SEARCHES_TABLE,
)
from isocompute.runners.storage.unequal import describe_short_problems, find_short_problems

IMPORTED_AGGREGATE = "last"
"""The rule that makes one score of imported step scores, if the source does not say: search-and-learn's default."""


@dataclass(frozen=True, eq=False)
class RunPool:
    """A run as a pool of the problems in `problem_ids`.

    Args:
        origin: the sweep or import that made the run.
        path: the run's folder.
        parameters: sizes of its models by role, as far as the run holds them.
        pool: answers, verdicts and scores.
        places: (P, N) position of each solution of the pool among those of `rows`.
        missing_votes: the reason why votes cannot be counted, in a sentence; then every wrong answer is coded 1. None
            if they can.
        problem_ids: ids of the problems in the pool, in order.
        levels: level of each of them; None where it is unknown.
        clusters: cluster of each of them, given or of a repeated question, see `find_problem_clusters`; None without.
        rows: the rows from which the arrays were made, without failed ones. Scores of an import keep theirs.
        failed: the rows that failed.
        excluded_problems: problems left out because too few of their rows did not fail, or were sampled, each with what
            it has; not those that `problems_with` leaves out.
        notes: sentences on unequal counts, and on imported rows that are not used.
    """

    origin: Sweep | ImportedRun
    path: str
    parameters: dict[str, float]
    pool: Pool
    places: NDArray[np.int64]
    missing_votes: str | None
    problem_ids: list[str]
    levels: list[int | None]
    clusters: list[str | None]
    rows: RunRows
    failed: FailedRows
    excluded_problems: dict[str, str]
    notes: list[str]

    @property
    def groups(self) -> tuple[list[int] | None, list[int] | None]:
        """The strata and the clusters of the problems, for intervals."""
        return select_strata(self.levels), code_clusters(self.clusters)

    @property
    def has_answers(self) -> bool:
        """True if the answers are known, so that votes can be counted."""
        return self.missing_votes is None

    def select_rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that belong to the problems in the pool."""
        return frame[frame["problem_id"].isin(self.problem_ids)]


def refuse_unmeasured_run(run: Run, origin: Sweep | ImportedRun, problems: pd.DataFrame) -> None:
    """Raise unless accuracies can be estimated from a run.

    Args:
        run: the run.
        origin: what made it.
        problems: rows with problem_id and gold.

    Raises:
        RunError: a policy decided which rows were sampled, or right answers are unknown.
    """
    if not isinstance(origin, Sweep):
        return
    where = f"The run {describe_place(run.path)}"
    if origin.policy is not None:
        raise RunError(
            f"{where} was sampled by the policy {origin.policy}, whose number of solutions depends on the answers, so "
            "accuracies over them would be biased; fit the run of a sweep."
        )
    if origin.is_unanswered and (unknown := problems["gold"].isna()).any():
        raise RunError(
            f"{where} lacks the right answers to {int(unknown.sum()):,} of {len(problems):,} problems, so it is "
            "unknown which solutions are right; give them in the file of questions, for a new run."
        )


def read_pool(
    run: Run, problems_with: int | None = None, only: Collection[str] | None = None, is_tallied: bool = False
) -> RunPool:
    """Read a run as a pool.

    Failed rows are left out, and other rows of the same problem take their places; a problem with fewer than half of
    the rows is left out whole, see `planner.estimate.places`. All strategies are compared on the same problems.

    Args:
        run: the run.
        problems_with: leave out problems with fewer solutions, and use as many of each as the one with the fewest.
        only: ids of the problems to read, see `find_finished_problems`; all if not given.
        is_tallied: whether a sweep's verdicts are only counted, which takes no more memory however many there are. The
            pool then does not tell their order; those that are probabilities keep it.

    Raises:
        RunError: there is no run, rows are missing, every problem is left out, or there are no independent solutions.
        DataError: a part is damaged, or its content is invalid.
    """
    return retry_gone_parts(lambda: read_listed_pool(run, problems_with, only, is_tallied))


def read_listed_pool(run: Run, problems_with: int | None, only: Collection[str] | None, is_tallied: bool) -> RunPool:
    """Return what `read_pool` does.

    Raises:
        GonePartError: a part was joined with others meanwhile.
    """
    manifest = run.read_manifest()
    origin = extract_origin(manifest, run.path)
    require_whole_run(run)
    problems = run.read_frame(PROBLEMS_TABLE, ["problem_id", "question", "gold", "level", "cluster"])
    refuse_unmeasured_run(run, origin, problems)
    ids = [name for name in problems["problem_id"].tolist() if only is None or name in only]
    if not ids:
        raise RunError(f"The run {describe_place(run.path)} holds no problems yet; run its sweep again to complete it.")
    if isinstance(origin, Sweep):
        rows, failed = read_swept_rows(run, origin, ids, is_tallied)
    else:
        rows, failed = read_imported_rows(run, origin)
    counts = rows.solutions["problem_id"].value_counts().reindex(ids, fill_value=0)
    left_out = dict.fromkeys(counts.index[counts == 0], "no solutions") | find_lost_searches(rows, failed, ids)
    reasons = collect_failure_reasons(failed)
    kept = [name for name in ids if name not in left_out]
    if not kept:
        raise RunError(
            f"Every problem of '{run.path}' has a row that failed; the first: {next(iter(reasons.values()), 'none')}."
        )
    cuts: list[str] = []
    if problems_with is not None:
        short = find_short_problems(
            {name: int(counts[name]) for name in kept}, problems_with, f"the run {describe_place(run.path)}"
        )
        cuts = [describe_short_problems(short, len(kept), problems_with)] if short else []
        kept = [name for name in kept if name not in set(short)]
    solutions = rows.solutions
    missing_votes = explain_missing_votes(solutions, origin)
    scored, notes = add_scores(solutions, rows.scores, origin)
    layout = build_pool_arrays(scored, rows.verifications, kept, problems_with is not None)
    kept, left_out = layout.problems, left_out | layout.short
    left_out = {name: text + (f" ({reasons[name]})" if name in reasons else "") for name, text in left_out.items()}
    if layout.verdicts is not None and not has_parsed_verdicts(layout.verdicts):
        unread = "No verdict could be read, so no strategy that verifies is estimated."
        layout = replace(layout, verdicts=None, judged=None, notes=[*layout.notes, unread])
    pool = Pool(
        *code_answers(layout.answers, layout.correct, missing_votes is None),
        layout.verdicts,
        layout.judged,
        layout.scores,
        layout.finished,
        compute_problem_keys(kept),
    )
    judged = solutions[solutions["problem_id"].isin(kept)]
    doubts = describe_doubts(judged, read_grader_title(run), missing_votes is None)
    unread_rows = describe_unread_rows(
        count_solution_kinds(judged, missing_votes is None), rows.verifications.count_kinds(kept)
    )
    in_pool = problems[problems["problem_id"].isin(kept)]
    clusters, repeats = find_problem_clusters(in_pool)
    levels = in_pool.set_index("problem_id")["level"].dropna().astype(int).to_dict()
    doubts += describe_problem_clusters(len(kept), clusters, repeats)
    notes = [*unread_rows, *doubts, *layout.notes, *cuts, *describe_unplaced_searches(origin), *notes]
    return RunPool(
        origin=origin,
        path=run.path,
        parameters=extract_model_sizes(manifest, run.path),
        pool=pool,
        places=layout.rows,
        missing_votes=missing_votes,
        problem_ids=kept,
        levels=[levels.get(name) for name in kept],
        clusters=[clusters.get(name) for name in kept],
        rows=rows,
        failed=failed,
        excluded_problems={name: left_out[name] for name in ids if name in left_out},
        notes=notes,
    )


def add_scores(
    solutions: pd.DataFrame, scores: pd.DataFrame, origin: Sweep | ImportedRun
) -> tuple[pd.DataFrame, list[str]]:
    """Add each solution's aggregated step scores (``score``), and whether it was scored (``scored``).

    An imported row gives a score unless a step's score is missing, also outside 0 … 1.

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


def code_answers(
    answers: NDArray[Any], correct: NDArray[np.bool_], has_answers: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the answers of each problem: the right one is 0, those that are wrong are 1, 2 … in order of appearance.

    Unparsed answers are -1. Further right answers, which are not equal to the first one, have numbers of their own.
    Where only right and wrong are known, every wrong answer is 1.

    Args:
        answers: (P, N) answer texts, None where unparsed.
        correct: (P, N) whether each is right.
        has_answers: whether answers are known.

    Returns:
        The codes (P, N), and those of the right answers: (P,), or (P, R) if a problem has several.
    """
    if not has_answers:
        return np.where(correct, 0, 1), np.zeros(len(correct), dtype=np.int64)
    coded = np.full(answers.shape, -1, dtype=np.int64)
    right_codes: list[list[int]] = []
    for i, (row, right) in enumerate(zip(answers, correct, strict=True)):
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
