"""The scores of single steps of a run's solutions, with the truth of each step where the task knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isocompute.fits.arrays import Floats, Ints
from isocompute.planner.estimate.pool_from_run import RunPool, select_used_scores
from isocompute.registry import load_object
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.config.tasks import TASKS
from isocompute.runners.parsing.steps import split_steps
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE

StepGrader = Callable[[str, Sequence[str]], list[bool] | None]
"""Returns whether each step of a solution is right; None if it cannot tell. See `TaskEntry.step_grader`."""


@dataclass(frozen=True, eq=False)
class StepScores:
    """The step scores of n solutions of P problems, with at most T steps.

    Args:
        scores: (n, T) the score after each step; NaN behind the last step.
        right: (n,) whether the solution's answer is right.
        problem: (n,) position of its problem among those of the pool, 0 … P - 1.
        truth: (n, T) 1 for a right step, 0 for a wrong one; NaN behind the last step, and in all steps of a solution
            whose steps cannot be graded.
    """

    scores: Floats
    right: NDArray[np.bool_]
    problem: Ints
    truth: Floats


def read_scored_steps(run: RunPool) -> StepScores | None:
    """Read the step scores of a run's problems; None if nothing was scored.

    A step is right or wrong given the steps before it. Few tasks can tell, see `TaskEntry.step_grader`.

    Args:
        run: the run as a pool.
    """
    used = select_used_scores(run.select_rows(run.rows.scores), run.origin)
    used = used[[len(steps) > 0 for steps in used]]
    if used.empty:
        return None
    solutions = run.rows.solutions.set_index(SOLUTIONS_TABLE.key_names)
    keys = used.index.intersection(solutions.index)
    scores = stack_rows([np.asarray(used[key], dtype=float) for key in keys])
    return StepScores(
        scores=scores,
        right=solutions.loc[keys, "correct"].eq(True).to_numpy(bool),
        problem=np.asarray(pd.Index(run.problem_ids).get_indexer(keys.get_level_values("problem_id"))),
        truth=grade_steps(run, keys, scores),
    )


def stack_rows(rows: Sequence[Floats]) -> Floats:
    """Return rows of different lengths as one array, filled up with NaN.

    >>> stack_rows([np.array([1.0]), np.array([0.5, 0.25])])
    array([[1.  ,  nan],
           [0.5 , 0.25]])
    """
    table: Floats = np.full((len(rows), max(map(len, rows))), np.nan)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    return table


def grade_steps(run: RunPool, keys: pd.Index, scores: Floats) -> Floats:
    """Return whether each step is right, in the shape of the scores; NaN where it is unknown.

    Args:
        run: the run as a pool.
        keys: problem and number of each solution.
        scores: (n, T) their step scores; a solution that has another number of steps than scores is left out.
    """
    truth: Floats = np.full(scores.shape, np.nan)
    graders = find_step_graders(run)
    if not isinstance(run.origin, Sweep) or not graders:
        return truth
    log = Run(run.path)
    questions = log.read_frame(PROBLEMS_TABLE, ["problem_id", "question"]).set_index("problem_id")["question"]
    texts = log.read_frame(SOLUTIONS_TABLE, [*SOLUTIONS_TABLE.key_names, "text"])
    text = texts.drop_duplicates(SOLUTIONS_TABLE.key_names, keep="last").set_index(SOLUTIONS_TABLE.key_names)["text"]
    for row, (key, written) in enumerate(zip(keys, text.loc[keys], strict=True)):
        grade = graders.get(key[0])
        steps = split_steps(written, run.origin.step)
        graded = None if grade is None else grade(questions[key[0]], steps)
        if graded is not None and len(graded) == np.isfinite(scores[row]).sum():
            truth[row, : len(graded)] = graded
    return truth


def find_step_graders(run: RunPool) -> dict[str, StepGrader]:
    """Return the function that grades steps of each problem whose task has one."""
    tasks = Run(run.path).read_frame(PROBLEMS_TABLE, ["problem_id", "task"]).set_index("problem_id")["task"]
    graders: dict[str, StepGrader] = {
        name: load_object(TASKS[name].step_grader)
        for name in set(tasks)
        if name in TASKS and TASKS[name].step_grader
    }  # fmt: skip
    return {str(problem): graders[task] for problem, task in tasks.items() if task in graders}
