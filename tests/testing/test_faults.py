"""The suites find faults: each is given something broken, and the test that should fail does."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from isocompute.fits import estimate_self_consistency
from isocompute.planner.strategies.registry import STRATEGIES, StrategyEstimate
from isocompute.runners.engines import Completion
from isocompute.runners.grading import Grader
from isocompute.runners.imports import ImportedProblem as ImportedProblem
from isocompute.runners.imports import ImportedSolution, ImportedVerification
from isocompute.runners.scorers import ScoreResult
from isocompute.runners.search.registry import SearchStrategy
from isocompute.runners.search.strategies.node import make_root_node
from isocompute.runners.tasks import Problem, Task
from isocompute.testing import (
    EngineSuite,
    FigureSuite,
    GraderSuite,
    ImportSuite,
    ScorerSuite,
    SearchSuite,
    StrategySuite,
    TaskSuite,
)


def answer(request):
    rng = random.Random(request.seed)
    said = " ".join(str(rng.randint(0, 9)) for _ in range(30))[: request.sampling.max_tokens]
    return Completion(said, 5, None, len(said), "length")


class LosesOne:
    def run(self, pending):
        pending.popleft()
        while pending:
            request = pending.popleft()
            yield request, answer(request)


class IgnoresTheSeed:
    def run(self, pending):
        while pending:
            request = pending.popleft()
            yield request, answer(replace(request, seed=0))


class TakesABatch:
    def run(self, pending):
        batch = list(pending)
        pending.clear()
        for request in batch:
            yield request, answer(request)


class TakesNoMore(TakesABatch):
    def run(self, pending):
        return super().run(deque(pending))


@pytest.mark.parametrize(
    ("engine", "test"),
    [
        (LosesOne(), "test_every_request_comes_back_once"),
        (IgnoresTheSeed(), "test_the_same_seed_gives_the_same_text_and_another_seed_another"),
        (TakesABatch(), "test_what_is_added_while_it_runs_is_answered_too"),
        (TakesNoMore(), "test_what_is_added_while_it_runs_is_answered_too"),
        (TakesABatch(), "test_a_stop_string_ends_the_text_before_it"),
    ],
)
def test_a_broken_engine_fails(engine, test):
    with pytest.raises(AssertionError):
        getattr(EngineSuite(), test)(engine)


class ScoresByPlace:
    def run(self, pending):
        number = 0
        while pending:
            request = pending.popleft()
            number += 1
            yield request, ScoreResult(tuple(1 / (number + i) for i in range(len(request.new_steps))), 1, 0, 1)


class ScoresLogits:
    def run(self, pending):
        while pending:
            request = pending.popleft()
            yield request, ScoreResult(tuple(-3.0 for _ in request.new_steps), 1, 0, 1)


@pytest.mark.parametrize(
    ("scorer", "test"),
    [
        (ScoresByPlace(), "test_the_same_text_has_the_same_score_whatever_else_is_asked"),
        (ScoresByPlace(), "test_what_is_known_is_not_scored_again_and_changes_no_later_score"),
        (ScoresByPlace(), "test_a_step_of_blanks_has_no_score_and_an_empty_request_none"),
        (ScoresLogits(), "test_each_new_step_has_a_score_between_zero_and_one"),
    ],
)
def test_a_broken_scorer_fails(scorer, test):
    with pytest.raises(AssertionError):
        getattr(ScorerSuite(), test)(scorer)


def grows_too_much(n, width, rounds, seed):
    nodes = yield [make_root_node()] * (n + 1)
    return nodes


def goes_on_from_the_ended(n, width, rounds, seed):
    nodes = [make_root_node()] * n
    for _ in range(rounds):
        nodes = yield nodes
    return nodes


def draws_at_random(n, width, rounds, seed):
    nodes = yield [make_root_node()] * n
    nodes = yield [random.choice(nodes)] if rounds > 1 else nodes[:1]
    return nodes


@pytest.mark.parametrize(
    ("begin", "test"),
    [
        (grows_too_much, "test_no_round_grows_more_than_its_slots_and_there_are_candidates"),
        (goes_on_from_the_ended, "test_only_nodes_of_the_tree_are_grown_and_none_that_has_ended"),
        (draws_at_random, "test_the_same_world_and_seed_give_the_same_search"),
        (draws_at_random, "test_rounds_are_bounded"),
    ],
)
def test_a_broken_search_fails(begin, test):
    suite = SearchSuite()
    suite.entry = SearchStrategy(begin, "broken", "#000000")
    with pytest.raises(AssertionError):
        getattr(suite, test)()


class Optimistic:
    """Estimators that are too high, that always take the first solution, and whose error hides that they are wrong."""

    @staticmethod
    def estimate(pool, S, V, draws, seed):
        return StrategyEstimate(estimate_self_consistency(pool, S) ** 0.5)

    @staticmethod
    def estimate_first(pool, S, V, draws, seed):
        return StrategyEstimate(pool.correct[:, :1].astype(float).repeat(len(S), axis=1))

    @staticmethod
    def estimate_unsure(pool, S, V, draws, seed):
        return StrategyEstimate(estimate_self_consistency(pool, S) ** 0.5, error=0.05)


@pytest.mark.parametrize(
    ("estimate", "test"),
    [
        ("estimate_unsure", "test_it_equals_the_mean_over_all_subsets"),
        ("estimate", "test_one_solution_is_right_as_often_as_solutions_are"),
        ("estimate", "test_it_equals_the_mean_over_all_subsets"),
        ("estimate_first", "test_the_order_of_solutions_and_of_their_verdicts_does_not_matter"),
    ],
)
def test_a_broken_estimator_fails(estimate, test, monkeypatch):
    class Suite(StrategySuite):
        strategy = STRATEGIES["sc"]

        def estimate(self, pool, S, V=(1,), seed=0):
            return getattr(Optimistic, estimate)(pool, S, V, 1, seed)

        def choose(self, answers, verdicts, scores):
            counts = {a: answers.count(a) for a in answers if a >= 0}
            top = [a for a, count in counts.items() if count == max(counts.values())]
            return {a: 1 / len(top) for a in top}

    with pytest.raises(AssertionError):
        getattr(Suite(), test)()


class Slow:
    """An engine that reports milliseconds as seconds."""

    def run(self, pending):
        while pending:
            yield pending.popleft(), Completion("a", 1, None, 1, "stop", seconds=1500.0)


def test_an_engine_that_reports_milliseconds_fails():
    with pytest.raises(AssertionError):
        EngineSuite().test_times_are_in_seconds_and_lie_within_the_run(Slow())


@pytest.mark.parametrize(
    ("extract", "canonical", "test"),
    [
        (lambda text: text, str.upper, "test_right_answers_are_right_and_wrong_ones_wrong"),
        (lambda text: text or "nothing", str.upper, "test_a_text_that_says_nothing_has_no_answer"),
        (lambda text: text, lambda answer: f"{answer}!", "test_a_canonical_answer_stays_as_it_is"),
    ],
)
def test_a_broken_grader_fails(extract, canonical, test):
    class Suite(GraderSuite):
        right = (("it is 7", "7"),)
        wrong = (("it is 8", "7"),)

    with pytest.raises(AssertionError):
        getattr(Suite(), test)(Grader("broken", "broken/1", extract, canonical))


@pytest.mark.parametrize(
    ("problems", "test"),
    [
        (
            lambda n: [Problem(f"{n}-{i}", "t", "q", "7") for i in range(n)],
            "test_the_first_problems_of_a_longer_list_are",
        ),
        (lambda n: [Problem("p", "t", "q", "7")] * n, "test_every_problem_has_a_name_of_its_own_and_a_question"),
        (lambda n: [Problem(f"{i}", "t", "q", " ") for i in range(n)], "test_its_grader_can_read_every_right_answer"),
    ],
)
def test_a_broken_task_fails(problems, test):
    class Suite(TaskSuite):
        def load(self, count):
            return Task(problems(count), "numeric", {})

    (name,) = (each for each in dir(Suite) if each.startswith(test))
    with pytest.raises(AssertionError):
        getattr(Suite(), name)()


@pytest.mark.parametrize(
    "rows",
    [
        [ImportedSolution("p", "line 1", text="7")],
        [ImportedProblem("p", "line 1", gold="7"), ImportedProblem("p", "line 2", gold="7")],
        [ImportedProblem("p", "line 1", gold="7"), ImportedVerification("p", 0, "line 2")],
    ],
    ids=["a solution before its problem", "a problem twice", "a verification without a solution"],
)
def test_a_broken_adapter_fails(rows):
    class Suite(ImportSuite):
        sample = None

        def read_rows(self, path):
            return rows

    with pytest.raises((AssertionError, KeyError)):
        Suite().test_a_problem_comes_before_what_is_said_of_it()


def test_a_figure_that_changes_its_table_or_draws_elsewhere_fails():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    table = pd.DataFrame({"S": [1.0, 2.0]})

    class Suite(FigureSuite):
        entry = SimpleNamespace(draw_function=lambda table, ax=None: table.insert(0, "more", 1))

    with pytest.raises(AssertionError):
        Suite().test_drawing_changes_nothing_in_the_table(table)
    Suite.entry = SimpleNamespace(draw_function=lambda table, ax=None: pyplot.figure())
    try:
        with pytest.raises(AssertionError):
            Suite().test_it_draws_into_the_axes_that_it_is_given_and_no_others(table, None)
    finally:
        pyplot.close("all")
