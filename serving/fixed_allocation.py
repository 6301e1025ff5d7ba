"""A plan's fixed allocation: the sweep that samples it, and the answers that its strategy chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.choice.answer import RULES, describe_samples, draw_answer, weigh_answers
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.registry import STRATEGIES, is_search
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.config.sweep_reading import build_sweep
from isocompute.runners.config.tasks import FileTask
from isocompute.runners.scorers.aggregate import aggregate_scores
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SCORES_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE
from isocompute.serving.sampling_settings import SamplingSettings

SPENT = "allocation spent"
"""The reason for which a fixed allocation stops."""


@dataclass(frozen=True)
class FixedStrategy:
    """A strategy with its numbers, as a plan recommends it.

    Args:
        name: the strategy, or a search with its rule of selection.
        numbers: S and V, or N, M and k of a search.
        trust: κ of the fused vote.
    """

    name: str
    numbers: Mapping[str, int]
    trust: float = 1.0

    @property
    def settings(self) -> str:
        """The numbers in words, such as ``S=16 V=8``."""
        return " ".join(f"{name}={number}" for name, number in self.numbers.items())


@dataclass(frozen=True)
class ChosenAnswer:
    """The answer of a question.

    Args:
        answer: as the grader makes it canonical; None if none could be read.
        agreement: the share of the solutions, or of a search's candidates, that have it.
    """

    answer: str | None
    agreement: float


def list_carried_strategies(profile: Profile, settings: SamplingSettings) -> list[str]:
    """Return the strategies of a profile that can be carried out with these models."""
    sweep = settings.sweep
    has = {"solutions": True, "verifications": sweep.verifier is not None, "scores": sweep.scorer is not None}
    return [
        name
        for name in profile.strategies
        if (has["scores"] if is_search(name) else name in RULES and has[STRATEGIES[name].needs])
    ]


def build_fixed_sweep(
    settings: SamplingSettings, fixed: FixedStrategy, run: str, task: FileTask, seed: int
) -> dict[str, Any]:
    """Return the keys of the sweep that samples an allocation; models that it does not need are left out.

    Args:
        settings: models and prompts.
        fixed: the allocation.
        run: the run.
        task: the block of the questions.
        seed: the sweep's seed.
    """
    numbers, content = fixed.numbers, dict(settings.content)
    content |= {"run": run, "task": task.model_dump(mode="json", exclude_defaults=True), "seed": seed}
    if is_search(fixed.name):
        strategy, _, select = fixed.name.partition("+")
        shape = {"strategy": strategy, "n": numbers["N"], "width": numbers.get("M"), "lookahead": numbers.get("k", 0)}
        search = {**shape, "select": select, **settings.find_search_rules(strategy)}
        content |= {"solutions": 0, "searches": [{key: value for key, value in search.items() if value is not None}]}
    else:
        content |= {"solutions": numbers["S"], "verifications": numbers.get("V", 0)}
        content |= {"scored": numbers["S"]} if STRATEGIES[fixed.name].needs == "scores" else {}
    is_scored = is_search(fixed.name) or bool(content.get("scored"))
    judges = settings.sweep.scorer is not None and settings.sweep.scorer.uses_verifier
    if not is_scored:
        content.pop("scorer", None)
    if not content.get("verifications") and not (is_scored and judges):
        content.pop("verifier", None)
    build_sweep(content)  # raises if the settings do not go together
    return content


def choose_fixed_answers(run: Run, sweep: Sweep, fixed: FixedStrategy, names: list[str]) -> dict[str, ChosenAnswer]:
    """Return the answer of each question by the rule of a strategy over independent solutions.

    It is the rule whose expected accuracy the estimators give; ties are drawn as in `select`.

    Args:
        run: the run with its rows.
        sweep: the sweep that sampled it.
        fixed: the strategy.
        names: the ids of the questions.
    """
    columns = ["problem_id", "solution_id", "answer", "finish_reason", "status"]
    solutions = run.read_frame(SOLUTIONS_TABLE, columns)
    solutions = solutions[solutions["status"] == "ok"]
    needs = STRATEGIES[fixed.name].needs
    verdicts = read_verdict_lists(run) if needs == "verifications" else {}
    scores = read_scores(run, sweep) if needs == "scores" else {}
    groups = dict(tuple(solutions.groupby("problem_id")))
    chosen = {}
    for name in names:
        rows = groups.get(name, solutions[:0])
        keys = [(name, int(number)) for number in rows["solution_id"]]
        answers = [answer if isinstance(answer, str) else None for answer in rows["answer"]]
        judged = pad_rows([verdicts.get(key, []) for key in keys]) if needs == "verifications" else None
        scored = np.array([scores.get(key, np.nan) for key in keys]) if needs == "scores" else None
        finished = (rows["finish_reason"] != "length").to_numpy(bool)
        chosen[name] = choose_by_rule(fixed, answers, judged, scored, finished, sweep.seed)
    return chosen


def choose_by_rule(
    fixed: FixedStrategy,
    answers: list[str | None],
    verdicts: Floats | None,
    scores: Floats | None,
    finished: Any,
    seed: int,
) -> ChosenAnswer:
    """Return the answer of one question.

    Args:
        fixed: the strategy.
        answers: (N,) of the solutions.
        verdicts: (N, M), NaN where there is none.
        scores: (N,), NaN where there is none.
        finished: (N,) whether a solution is complete.
        seed: of the draw among tied answers.
    """
    names = sorted({answer for answer in answers if answer is not None})
    if not names:
        return ChosenAnswer(None, 0.0)
    codes: Ints = np.array([-1 if answer is None else names.index(answer) for answer in answers], dtype=np.int64)
    support = weigh_answers(fixed.name, codes, verdicts, scores, fixed.trust, finished)
    place = draw_answer(support.probability, describe_samples(answers, verdicts, scores), seed)
    if place is None:  # a solution without an answer is the best
        return ChosenAnswer(None, 0.0)
    return ChosenAnswer(names[place], answers.count(names[place]) / len(answers))


def read_verdict_lists(run: Run) -> dict[tuple[str, int], list[float]]:
    """Return the verdicts of each solution, NaN where one could not be read; failed verifications are left out."""
    frame = run.read_frame(VERIFICATIONS_TABLE, [*VERIFICATIONS_TABLE.key_names, "verdict", "status"])
    frame = frame[frame["status"] == "ok"]
    lists: dict[tuple[str, int], list[float]] = {}
    for name, number, verdict in zip(frame["problem_id"], frame["solution_id"], frame["verdict"], strict=True):
        lists.setdefault((name, int(number)), []).append(float(verdict))
    return lists


def read_scores(run: Run, sweep: Sweep) -> dict[tuple[str, int], float]:
    """Return the score of each solution that was scored."""
    assert sweep.scorer is not None, "only scored solutions are chosen by scores"
    frame = run.read_frame(SCORES_TABLE, ["problem_id", "solution_id", "step_scores", "status"])
    frame = frame[(frame["status"] == "ok") & frame["step_scores"].notna()]
    rows = zip(frame["problem_id"], frame["solution_id"], frame["step_scores"], strict=True)
    return {(name, int(number)): aggregate_scores(steps, sweep.scorer.aggregate) for name, number, steps in rows}


def pad_rows(rows: list[list[float]]) -> Floats:
    """Return lists as (N, M), M at least 1, with NaN behind the end of each.

    >>> pad_rows([[1.0], []]).tolist()
    [[1.0], [nan]]
    """
    width = max([1, *map(len, rows)])
    return np.array([[*row, *[np.nan] * (width - len(row))] for row in rows], dtype=float).reshape(len(rows), width)
