"""Answers to questions within a budget: a plan's fixed allocation or a policy, carried out into a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from isocompute.errors import ConfigError, DataError, RunError
from isocompute.fits.policies.policy import Policy
from isocompute.planner.strategies.registry import is_search
from isocompute.runners import engines, scorers
from isocompute.runners.cluster import ModelLoading, open_model_loading
from isocompute.runners.config.sweep import POLICY_KEY
from isocompute.runners.config.sweep_reading import extract_sweep
from isocompute.runners.display import Display, SilentDisplay
from isocompute.runners.engines import Engine
from isocompute.runners.grading import AnswerClasses
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.sampling.preparing import PreparedSweep, prepare_task
from isocompute.runners.sampling.sampler import Sampler
from isocompute.runners.sampling.sweep import lock_sampled_run
from isocompute.runners.scorers import Scorer
from isocompute.runners.storage.files import check_output_path, write_output
from isocompute.runners.storage.run import Run
from isocompute.serving.answers import AnsweredQuestion, check_answers_path, encode_answers, find_answer_texts
from isocompute.serving.approach import Approach, SolveRequest, choose_approach
from isocompute.serving.fixed_allocation import (
    SPENT,
    ChosenAnswer,
    FixedStrategy,
    choose_fixed_answers,
)
from isocompute.serving.policy_choice import describe_policy
from isocompute.serving.policy_sampler import PolicySampler
from isocompute.serving.questions import read_questions
from isocompute.serving.sampling_settings import read_sampling_settings
from isocompute.serving.search_answers import build_selected_texts, choose_searched_answers, read_searches
from isocompute.serving.spending import measure_spending, price_tokens

ANSWERS_FILE = "answers.csv"
"""The name of the table of answers in a run's folder, if no other place is given."""


@dataclass(frozen=True)
class SolvedQuestions:
    """Answers, and how they came about.

    Args:
        run: path of the run.
        table: path of the table of answers.
        profile: name of the profile.
        budget: the compute of a question that was asked for, in x; None of a policy file, which has its own.
        strategy: the strategy or the rule.
        settings: its numbers, in words.
        expected_accuracy: what was expected on new problems; None for a policy that was not measured.
        expected_compute: mean compute of a question that was expected, in x; None likewise.
        answers: the answers in the order of the questions.
        sampled: number of rows that were sampled now.
        failed: number of failures now, by status.
        notes: sentences for the reader.
    """

    run: str
    table: str
    profile: str
    budget: float | None
    strategy: str
    settings: str
    expected_accuracy: float | None
    expected_compute: float | None
    answers: list[AnsweredQuestion]
    sampled: int
    failed: dict[str, int]
    notes: list[str]

    @property
    def mean_compute(self) -> float | None:
        """Mean compute of a question, in x; None where that of any is unknown."""
        known = [each.compute for each in self.answers if each.compute is not None]
        return fmean(known) if known and len(known) == len(self.answers) else None

    @property
    def accuracy(self) -> float | None:
        """Share of the answers that are right, among the questions with a right answer; None without any."""
        graded = [each.correct for each in self.answers if each.correct is not None]
        return fmean(graded) if graded else None


@contextmanager
def open_solving_models(on: str | None, display: Display, request: SolveRequest) -> Iterator[ModelLoading]:
    """Load the models for questions in this process, or on a cluster, with the replicas that their sweep file names.

    Args:
        on: the cluster, ``ray://HOST:PORT``, ``local`` or ``local:N``; None for this process.
        display: where progress is shown.
        request: what is asked for.

    Raises:
        ConfigError, DataError, EngineError, RunError: as `read_sampling_settings` and `open_model_loading`.
    """
    sweep = None
    if on is not None:
        sweep = read_sampling_settings(request.config, request.profile, request.engine, request.urls).sweep
    with open_model_loading(on, display, sweep) as models:
        yield models


def solve_questions(
    request: SolveRequest,
    display: Display | None = None,
    load: Callable[..., Engine] = engines.load_engine,
    load_scorer: Callable[..., Scorer] = scorers.load_scorer,
) -> SolvedQuestions:
    """Answer questions within a budget. Run again with the same run, only missing rows are sampled.

    Args:
        request: what is asked for.
        display: where progress is shown; not shown if None.
        load: returns the engine for an engine's name, a model and its options.
        load_scorer: returns the scorer for a scorer's kind, a model and its options.

    Raises:
        ConfigError, DataError: the questions, the settings or the policy are wrong.
        BudgetError: the budget does not pay for one solution.
        EngineError: a model cannot be loaded, or none of its first answers can be read.
        RunError: the run was made for something else, or another process is writing it.
    """
    display = display or SilentDisplay()
    if isinstance(request.width, bool) or not isinstance(request.width, int) or request.width < 1:
        raise ConfigError(
            f"--width (width=) must be a whole number, 1 or more; it is {format_error_value(request.width)}."
        )
    table = request.answers or f"{request.run.rstrip('/')}/{ANSWERS_FILE}"
    check_answers_path(table)
    if request.answers is not None:
        check_output_path(table)
        if isinstance(request.questions, str | os.PathLike) and os.path.realpath(table) == os.path.realpath(
            request.questions
        ):
            raise DataError(f"'{table}' holds the questions; write the answers to another file.")
    settings = read_sampling_settings(request.config, request.profile, request.engine, request.urls)
    grader = settings.grader if settings.grader is not None else (request.profile.sampling or {}).get("grader")
    questions = read_questions(request.questions, grader, settings.columns, request.columns)
    carried = choose_approach(request, settings)
    refuse_other_policy(Run(request.run), carried.policy)
    ready = prepare_task(carried.build_sweep(settings, request, questions.block), questions.task)
    ready.manifest["solve"] = describe_request(request, carried)
    if carried.policy is not None:
        ready.manifest[POLICY_KEY] = describe_policy(carried.policy)
    for note in carried.notes:
        display.note(note)
    with lock_sampled_run(ready, display):
        if carried.policy is not None:
            answers, sampled, failed = follow_policy(ready, carried.policy, request, display, load)
        else:
            assert carried.fixed is not None, "either a policy or a fixed allocation is carried out"
            answers, sampled, failed = sample_allocation(ready, carried.fixed, request, display, load, load_scorer)
        write_output(table, encode_answers(answers, table))
    return build_solved(request, carried, table, answers, sampled, failed)


def refuse_other_policy(run: Run, policy: Policy | None) -> None:
    """Raise if a run was sampled by another policy, or by one where none is asked for now, or the reverse.

    Raises:
        RunError: it was.
    """
    if not run.exists or "imported" in (manifest := run.read_manifest()):
        return
    before, now = extract_sweep(manifest, run.path).policy, None if policy is None else describe_policy(policy)
    if before != now:
        was, asks = (f"the policy {each}" if each else "a fixed allocation" for each in (before, now))
        raise RunError(f"The run at '{run.path}' was sampled by {was}, but {asks} is asked for; name another run.")


def follow_policy(
    ready: PreparedSweep, policy: Policy, request: SolveRequest, display: Display, load: Callable[..., Engine]
) -> tuple[list[AnsweredQuestion], int, dict[str, int]]:
    """Sample under a policy; return the answers, the number of rows sampled now, and failures by status."""
    sampler = PolicySampler(ready, policy, request.width, display, load, request.keep_going)
    progress = sampler.sample_questions()
    chosen, p_right, stopped = {}, {}, {}
    for name, each in progress.items():
        answer, choice = each.choose_answer()
        chosen[name] = ChosenAnswer(answer, choice.agreement)
        p_right[name], stopped[name] = choice.p_right, each.stopped or ""
    answers = build_answers(ready, request, chosen, stopped, p_right)
    return answers, sampler.sampled, dict(sampler.failed)


def sample_allocation(
    ready: PreparedSweep,
    fixed: FixedStrategy,
    request: SolveRequest,
    display: Display,
    load: Callable[..., Engine],
    load_scorer: Callable[..., Scorer],
) -> tuple[list[AnsweredQuestion], int, dict[str, int]]:
    """Sample a fixed allocation; return the answers, the number of rows sampled now, and failures by status."""
    summary = Sampler(
        ready.config, ready.run, ready.problems, ready.prompts, ready.grader, display, load, load_scorer,
        keep_going=request.keep_going,
    ).sample_missing_rows()  # fmt: skip
    names = [problem.problem_id for problem in ready.problems]
    texts: dict[str, str] = {}
    if is_search(fixed.name):
        searches = read_searches(ready.run)
        chosen = choose_searched_answers(searches, names)
        texts = build_selected_texts(searches, ready.config)
    else:
        chosen = choose_fixed_answers(ready.run, ready.config, fixed, names)
    answers = build_answers(ready, request, chosen, dict.fromkeys(names, SPENT), {}, texts)
    return answers, summary.sampled, summary.failed


def build_answers(
    ready: PreparedSweep,
    request: SolveRequest,
    chosen: dict[str, ChosenAnswer],
    stopped: dict[str, str],
    p_right: dict[str, float | None],
    texts: Mapping[str, str] | None = None,
) -> list[AnsweredQuestion]:
    """Return the rows of the table of answers.

    Args:
        ready: the sampled sweep.
        request: what was asked for.
        chosen: the answers by question.
        stopped: why no more was sampled, by question.
        p_right: the probability that the answer is right, by question.
        texts: the text that the answer stands in, of searches.
    """
    grader = ready.grader
    if texts:
        written = {name: grader.extract_text(text) or chosen[name].answer for name, text in texts.items()}
    else:
        canonical = {name: each.answer for name, each in chosen.items() if each.answer is not None}
        written = dict(find_answer_texts(ready.run, grader, ready.config.solutions_thinking_end, canonical))
    names = [problem.problem_id for problem in ready.problems]
    scorer = ready.config.scorer
    writes = scorer is not None and scorer.uses_verifier
    spending = measure_spending(ready.run, names, price_tokens(request.profile), writes)
    golds = {p.problem_id: p.gold for p in ready.problems}
    return [
        AnsweredQuestion(
            id=name,
            answer=written.get(name) if chosen[name].answer is not None else None,
            agreement=chosen[name].agreement,
            p_right=p_right.get(name),
            stopped=stopped[name],
            correct=None if (gold := golds[name]) is None else is_right_answer(ready, gold, chosen[name].answer),
            **vars(spending[name]),
        )
        for name in names
    ]


def is_right_answer(ready: PreparedSweep, gold: str, answer: str | None) -> bool:
    """Return whether a chosen answer is the representative of the right answer's class."""
    return answer is not None and answer == AnswerClasses(ready.grader, gold).gold


def describe_request(request: SolveRequest, carried: Approach) -> dict[str, Any]:
    """Return what a manifest says of the request."""
    fixed = carried.fixed
    strategy = {"strategy": fixed.name, "numbers": dict(fixed.numbers)} if fixed is not None else {}
    return {"profile": request.profile.name, "budget": carried.budget, "width": request.width, **strategy}


def build_solved(
    request: SolveRequest,
    carried: Approach,
    table: str,
    answers: list[AnsweredQuestion],
    sampled: int,
    failed: dict[str, int],
) -> SolvedQuestions:
    """Return the answers with what led to them."""
    return SolvedQuestions(
        run=request.run,
        table=table,
        profile=request.profile.name,
        budget=carried.budget,
        strategy=carried.name,
        settings=carried.settings,
        expected_accuracy=carried.expected_accuracy,
        expected_compute=carried.expected_compute,
        answers=answers,
        sampled=sampled,
        failed=failed,
        notes=list(carried.notes),
    )
