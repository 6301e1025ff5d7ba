from __future__ import annotations

from datetime import UTC, datetime

import pytest

from isocompute.errors import RunError
from isocompute.runners.engines import Completion
from isocompute.runners.sampling.sweep import sweep
from isocompute.runners.scorers import Scored
from isocompute.runners.storage.check import check
from isocompute.runners.storage.progress import progress
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SCORES, SOLUTIONS


def test_a_score_says_when_it_was_made_and_one_that_nobody_was_asked_for_does_not(scored):
    def says(request):
        return Completion("" if request.seed % 2 else "one", 1, None, 3, "stop")

    def scores(request):
        return Scored((0.5,) * len(request.steps), 9, 0, 1, started_at=1e9, seconds=0.25)

    run, _, _ = scored(says, scores)
    rows = run.read(SCORES).to_pylist()
    assert {(len(row["step_scores"]), row["started_at"], row["seconds"]) for row in rows} == {
        (1, datetime.fromtimestamp(1e9, UTC), 0.25), (0, None, 0.0),
    }  # fmt: skip


@pytest.fixture
def scored(searching, stepping):
    """Sweeps with solutions of given texts; returns the run and what the scorer was asked."""

    def made(says=lambda request: Completion("one\n\n\\boxed{2}", 1, None, 3, "stop"), scores=None, **changes):
        engine, scorer = stepping(says, *([scores] if scores else []))
        config = searching(**{"searches": [], "solutions": 4, "scored": 3, **changes})
        summary = sweep(config, load=engine, load_scorer=scorer)
        return Run(summary.run), scorer, summary

    return made


def test_the_first_solutions_are_scored_step_by_step(scored):
    run, scorer, summary = scored()
    assert run.keys(SCORES) == {key for key in run.keys(SOLUTIONS) if key[1] < 3}
    for row in run.read(SCORES).to_pylist():
        asked, answer = next(a for a in scorer.asked if a[0].key == (row["problem_id"], row["solution_id"]))
        assert (asked.steps, asked.known) == (("one\n\n", "\\boxed{2}"), 0)
        assert tuple(row["step_scores"]) == answer.scores
        assert (row["scorer_prompt_tokens"], row["scorer_cached_tokens"], row["scorer_calls"]) == (14, 0, 1)
        assert (row["started_at"], row["seconds"]) == (None, None)  # this scorer does not say
    assert summary.failed == {}
    assert scorer.closed == scorer.loaded == 1
    assert (progress(run).scores.done, progress(run).scores.asked) == (12, 12)
    assert progress(run).scores.tokens["prompt"] == 12 * 14


def test_a_solution_that_says_nothing_has_no_scores_and_costs_nothing(scored):
    def says(request):  # where every text was empty the model would be taken for broken
        return Completion("said" if request.key[-1] == 3 else " \n\n", 1, None, 3, "stop")

    run, scorer, _ = scored(says=says)
    assert [row["step_scores"] for row in run.read(SCORES).to_pylist()] == [[]] * 12
    assert {row["scorer_prompt_tokens"] for row in run.read(SCORES).to_pylist()} == {0}
    assert scorer.loaded == 0


def test_what_a_model_thought_is_not_scored(scored):
    solver = {"model": "scripted/solver", "prompt": "lab-solve", "thinking_end": "</think>"}
    _, scorer, _ = scored(says=lambda r: Completion("hm\n\nhm</think>so", 1, None, 3, "stop"), solver=solver)
    assert {request.steps for request, _ in scorer.asked} == {("so",)}


def test_what_failed_has_no_scores_and_is_asked_for_again(scored):
    lost = Scored(None, 7, None, None, "lost")
    run, _, summary = scored(scores=lambda request: lost if request.key[1] == 1 else Scored((0.1,), 1, 0, 1))
    assert summary.failed == {"lost": 4, "the scorer gave 1 scores for 2": 8}
    assert run.keys(SCORES) == set()
    assert check(run).missing["scores"][0].rows == 12
    run, scorer, summary = scored()
    assert len(scorer.asked) == len(run.keys(SCORES)) == 12
    assert check(run).whole


def test_more_solutions_may_be_scored_and_not_fewer(scored):
    scored()
    _, scorer, _ = scored(scored=4)
    assert {request.key[1] for request, _ in scorer.asked} == {3}
    with pytest.raises(RunError, match="has scored = 4; a run can grow, not shrink to 3"):
        scored()
