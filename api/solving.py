"""Answers to questions as Python objects."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from isocompute.api.plans import read_budget_number
from isocompute.api.profiles import ProfileSource, load_profile
from isocompute.api.results import Result
from isocompute.api.runs import require_path
from isocompute.errors import ConfigError
from isocompute.planner.budget import Budget, format_compute
from isocompute.runners.display import SilentDisplay
from isocompute.runners.parsing.printable import format_count, format_error_value
from isocompute.serving.answers import build_answers_frame
from isocompute.serving.approach import SolveRequest
from isocompute.serving.solving import SolvedQuestions, open_solving_models, solve_questions

if TYPE_CHECKING:
    import pandas as pd


class SolveResult(Result):
    """Answers to questions, what each of them took, and why it stopped.

    Args:
        solved: the answers.
    """

    def __init__(self, solved: SolvedQuestions) -> None:
        self._solved = solved

    @property
    def answers(self) -> dict[str, str | None]:
        """The answer of each question by its id; None where none could be read."""
        return {each.id: each.answer for each in self._solved.answers}

    @property
    def run(self) -> str:
        """The path of the run that holds the rows."""
        return self._solved.run

    @property
    def table(self) -> str:
        """The path of the table of answers."""
        return self._solved.table

    @property
    def notes(self) -> list[str]:
        """Remarks on the answers, in sentences."""
        return list(self._solved.notes)

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each question.

        Columns: id, answer, agreement, p_right, solutions, verifications, compute, prompt_tokens, completion_tokens,
        stopped, correct.
        """
        return build_answers_frame(self._solved.answers)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``solve --json`` prints."""
        from isocompute.api.json_schema.solves import build_solve_json

        return build_solve_json(self._solved).to_dict()

    def _describe(self) -> list[str]:
        solved = self._solved
        spent = "" if solved.mean_compute is None else f", {format_compute(solved.mean_compute)} a question"
        right = "" if solved.accuracy is None else f"; {100 * solved.accuracy:.1f} % of the graded ones are right"
        return [
            f"{format_count(len(solved.answers), 'answer')} by {solved.strategy} {solved.settings}{spent}{right}",
            f"rows: {solved.run}; answers: {solved.table}",
            *(f"note: {note}" for note in solved.notes),
        ]


def read_budget(budget: object) -> Budget:
    """Return a budget that is given as text or as a number of solutions' worth."""
    return Budget.parse(budget) if isinstance(budget, str) else read_budget_number(budget)


def solve(
    questions: str | os.PathLike[str] | Sequence[str],
    out: str | os.PathLike[str],
    *,
    profile: ProfileSource,
    budget: str | float | None = None,
    policy: str | None = None,
    threshold: float | None = None,
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    engine: str | None = None,
    urls: str | Sequence[str] = (),
    prices: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    columns: Mapping[str, str] | None = None,
    answers: str | os.PathLike[str] | None = None,
    width: int = 1,
    seed: int = 0,
    keep_going: bool = False,
    on: str | None = None,
) -> SolveResult:
    """Answer questions within a budget, as ``isocompute solve`` does.

    Without a policy, the allocation that a plan recommends at the budget is sampled for every question, and its
    strategy chooses the answers. Run again with the same run, only missing rows are sampled.

    Args:
        questions: a CSV, JSON-lines or Parquet file with the column ``question`` and perhaps ``id`` and ``answer``; the
            text of one question; or several texts.
        out: the run that the rows go into.
        profile: from `fit` or `load_profile`, a bundled profile's name, or a file.
        budget: compute of a question, in any unit of `plan`: of an allocation, of a policy on average, and at most of
            a policy whose threshold is given. Only a policy file needs none.
        policy: a rule that decides while it samples, certain, beta, window, doubling or weighted-beta, or a policy
            file.
        threshold: the value of the rule's parameter at which it stops; the profile's for the budget if not given.
        config: a sweep file, a run or a mapping with the models, prompts and settings to use; those of the profile if
            not given.
        engine: the engine to use instead.
        urls: addresses of OpenAI-compatible servers, of all roles or as ``"solver=http://…/v1"``.
        prices: prices by model, for a budget in dollars.
        columns: a file's column → ``question``, ``answer`` or ``id``.
        answers: file of the table of answers, in .csv, .jsonl or .parquet; ``answers.csv`` in the run if not given.
        width: solutions of a question that a policy samples side by side.
        seed: of all draws.
        keep_going: whether to go on even if none of the first 40 answers can be read.
        on: where the models run, ``ray://HOST:PORT``, ``local`` or ``local:N`` with Ray; in this process if not given.

    Raises:
        BudgetError: the budget cannot be read, or does not pay for one solution.
        ConfigError, DataError: the questions, the settings or the policy are wrong.
        EngineError: a model cannot be loaded, or none of its first answers can be read.
        RunError: the run was made for something else, or another process is writing it.
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ConfigError(f"seed must be a whole number; it is {format_error_value(seed)}.")
    request = SolveRequest(
        questions=questions,
        run=require_path(out, "out"),
        profile=load_profile(profile)._profile,
        budget=None if budget is None else read_budget(budget),
        policy=policy,
        threshold=threshold,
        config=config,
        engine=engine,
        urls=[urls] if isinstance(urls, str) else list(urls),
        prices=os.fspath(prices) if isinstance(prices, os.PathLike) else prices,
        columns=columns,
        answers=None if answers is None else require_path(answers, "answers"),
        width=width,
        seed=seed,
        keep_going=keep_going,
    )
    with open_solving_models(on, SilentDisplay(), request) as models:
        return SolveResult(solve_questions(request, models.display, **models.functions))
