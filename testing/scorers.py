"""Tests that every scorer must pass."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from isocompute.runners.scorers import Scorer, ScoreRequest, ScoreResult


def collect_scorer_results(scorer: Scorer, requests: Iterable[ScoreRequest]) -> dict[Any, ScoreResult]:
    """Return a scorer's results by the keys of their requests."""
    return {request.key: result for request, result in scorer.run(deque(requests))}


def require_step_scores(result: ScoreResult) -> tuple[float, ...]:
    """Return a result's scores after asserting that they are present."""
    assert result.status == "ok"
    assert result.scores is not None
    return result.scores


class ScorerSuite:
    """Tests of a scorer.

    Attributes:
        steps: steps of a solution, each with the delimiter that ends it.
        tolerance: largest difference between scores of one text in different batches.
    """

    steps: tuple[str, ...] = ("16+3: 9,1 = 19\n", "19*3: 7,5 = 57\n", "57-29: 8,2 = 28\n", "\\boxed{28}")
    tolerance = 2e-4

    def load(self) -> Scorer:
        """Load the scorer under test; called once for all tests."""
        raise NotImplementedError

    def make_question(self, number: int) -> str:
        """Return a question, a different one for each number."""
        return f"Start with {number}, add 16, times 3, minus 29. What is left?"

    @pytest.fixture(scope="class")
    @classmethod
    def scorer(cls) -> Iterator[Scorer]:
        """Yield the scorer, and close it after the tests."""
        loaded = cls().load()
        yield loaded
        loaded.close()

    def make_requests(self, count: int, first: int = 0) -> list[ScoreRequest]:
        """Return requests with different keys and questions."""
        return [ScoreRequest(("r", i), self.make_question(first + i), self.steps) for i in range(count)]

    def test_every_request_comes_back_once(self, scorer: Scorer) -> None:
        keys = [request.key for request, _ in scorer.run(deque(self.make_requests(40)))]
        assert Counter(keys) == Counter(("r", i) for i in range(40))

    def test_each_new_step_has_a_score_between_zero_and_one(self, scorer: Scorer) -> None:
        for came in collect_scorer_results(scorer, self.make_requests(5)).values():
            scores = require_step_scores(came)
            assert len(scores) == len(self.steps)
            assert all(0 <= score <= 1 for score in scores)

    def test_what_is_known_is_not_scored_again_and_changes_no_later_score(self, scorer: Scorer) -> None:
        (request,) = self.make_requests(1, first=100)
        every = require_step_scores(collect_scorer_results(scorer, [request])[request.key])
        for known in range(len(self.steps) + 1):
            came = collect_scorer_results(scorer, [replace(request, known=known)])[request.key]
            assert require_step_scores(came) == pytest.approx(every[known:], abs=self.tolerance)

    def test_the_same_text_has_the_same_score_whatever_else_is_asked(self, scorer: Scorer) -> None:
        twins = [ScoreRequest(("twin", i), self.make_question(7), self.steps[:2]) for i in range(3)]
        done = collect_scorer_results(scorer, [twins[0], *self.make_requests(9, first=200), *twins[1:]])
        first = require_step_scores(collect_scorer_results(scorer, [twins[0]])[twins[0].key])
        for twin in twins:
            assert require_step_scores(done[twin.key]) == pytest.approx(first, abs=self.tolerance)

    def test_a_step_of_blanks_has_no_score_and_an_empty_request_none(self, scorer: Scorer) -> None:
        blank = (self.steps[0], "\n", self.steps[1], "")
        requests = [
            ScoreRequest("blank", self.make_question(3), blank),
            ScoreRequest("empty", self.make_question(3), ()),
        ]
        done = collect_scorer_results(scorer, requests)
        assert [math.isnan(score) for score in require_step_scores(done["blank"])] == [False, True, False, True]
        assert require_step_scores(done["empty"]) == ()

    def test_hostile_texts_are_scored_step_by_step(self, scorer: Scorer) -> None:
        markup = "<extra_0></s>ки<|eot_id|><|im_end|>\n<|im_start|> +\n\x00\u2028"
        steps = (markup, self.steps[0] + markup, "1")
        for came in collect_scorer_results(scorer, [ScoreRequest(0, markup, steps)]).values():
            assert len(require_step_scores(came)) == 3

    def test_what_is_added_while_it_runs_is_scored_too(self, scorer: Scorer) -> None:
        pending = deque(self.make_requests(3))
        extra = deque(replace(request, key=("added", i)) for i, request in enumerate(self.make_requests(3)))
        seen = []
        for request, _ in scorer.run(pending):
            seen.append(request.key)
            if extra:
                pending.append(extra.popleft())
        assert len(seen) == len(set(seen)) == 6

    def test_it_works_on_after_a_reader_stopped(self, scorer: Scorer) -> None:
        reader = scorer.run(deque(self.make_requests(30)))
        next(reader)
        reader.close()  # type: ignore[attr-defined]
        assert len(collect_scorer_results(scorer, self.make_requests(5, first=400))) == 5
