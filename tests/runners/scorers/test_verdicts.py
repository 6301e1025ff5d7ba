"""GenRM's mean verdict as a score, on an engine that says what a test lets it say."""

from __future__ import annotations

import math
from collections import Counter, deque
from itertools import count

import pytest

from isocompute.runners.engines import Completion, Sampling
from isocompute.runners.prompts import Prompt
from isocompute.runners.scorers import ScoreRequest
from isocompute.runners.scorers.genrm import VerdictScorer

PROMPT = Prompt("p", "Q: {question}\nA: {solution}\n")
V = 4


def verdicts(engine, **changes):
    return VerdictScorer(engine, PROMPT, Sampling(), **{"verifications": V, **changes})


def ask(scorer, *requests):
    return {request.key: came for request, came in scorer.run(deque(requests))}


def by_number(*texts):
    """Says the texts in turn, prompt by prompt."""
    seen = Counter()

    def says(prompt, _):
        seen[prompt] += 1
        return texts[(seen[prompt] - 1) % len(texts)]

    return says


def test_the_score_is_the_share_of_yes_among_the_verdicts_that_can_be_read(scripted):
    engine = scripted(by_number("Correct? Yes", "Correct? No", "no idea", "Correct? Yes"))
    assert ask(verdicts(engine), ScoreRequest("a", "q", ("s",)))["a"].scores == pytest.approx((2 / 3,))


def test_no_verdict_at_all_scores_zero_as_in_the_estimator(scripted):
    came = ask(verdicts(scripted(lambda *_: "hm")), ScoreRequest("a", "q", ("s",)))["a"]
    assert (came.scores, came.status) == ((0.0,), "ok")


def test_each_new_step_is_judged_by_the_solution_up_to_it(scripted):
    engine = scripted(lambda prompt, _: f"Correct? {'No' if 'wrong' in prompt else 'Yes'}")
    request = ScoreRequest("a", "q", ("one\n", "two\n", "wrong\n", "\n"), known=1)
    came = ask(verdicts(engine), request)["a"]
    assert came.scores[:2] == (1.0, 0.0)
    assert math.isnan(came.scores[2])
    expected = Counter({"Q: q\nA: one\ntwo\n\n": V, "Q: q\nA: one\ntwo\nwrong\n\n": V})
    assert Counter(asked.prompt for asked in engine.asked) == expected


def test_what_was_read_and_written_is_counted(scripted):
    engine = scripted(lambda *_: "Correct? Yes")
    came = ask(verdicts(engine), ScoreRequest("a", "q", ("s", "t")))["a"]
    assert came.calls == len(engine.asked) == 2 * V
    assert came.prompt_tokens == sum(len(asked.prompt) for asked in engine.asked)
    assert came.completion_tokens == 2 * V * len("Correct? Yes")
    assert came.cached_tokens is None  # which the engine does not report


@pytest.mark.parametrize("lost", [None, 2])
def test_it_took_from_the_first_verification_s_begin_to_the_last_one_s_end_if_all_say_theirs(scripted, lost):
    numbers = count()

    def says(*_):
        i = next(numbers)
        made = {} if i == lost else {"started_at": 100.0 + i, "seconds": 5.0}
        return Completion("Correct? Yes", 1, 0, 1, "stop", **made)

    came = ask(verdicts(scripted(says)), ScoreRequest("a", "q", ("s",)))["a"]
    assert came.scores == (1.0,)
    assert (came.started_at, came.seconds) == ((100.0, 5.0 + V - 1) if lost is None else (None, None))


def test_the_same_text_has_the_same_verdicts_wherever_it_stands_and_another_seed_others(scripted):
    def seeds(seed, *requests):
        engine = scripted(lambda *_: "Yes")
        ask(verdicts(engine, seed=seed), *requests)
        return Counter(asked.seed for asked in engine.asked)

    first, again = ScoreRequest("a", "q", ("s",)), ScoreRequest("b", "q", ("s",))
    assert len(seeds(0, first)) == V
    assert seeds(0, first) == seeds(0, again)
    assert not seeds(0, first) & seeds(1, first)
    assert not seeds(0, first) & seeds(0, ScoreRequest("a", "q", ("t",)))


def test_one_verification_that_failed_fails_the_request_and_no_other(scripted):
    failed = Completion(None, None, None, None, None, "the server is gone")
    engine = scripted(lambda prompt, seed: failed if "bad" in prompt and seed % 2 else "Correct? Yes")
    done = ask(verdicts(engine, verifications=16), ScoreRequest("a", "q", ("bad",)), ScoreRequest("b", "q", ("good",)))
    assert (done["a"].scores, done["a"].status) == (None, "the server is gone")
    assert done["b"].scores == (1.0,)


def test_thinking_is_cut_before_a_verdict_is_read(scripted):
    engine = scripted(lambda *_: "Correct? Yes </think> Correct? No")
    assert ask(verdicts(engine, thinking_end="</think>"), ScoreRequest("a", "q", ("s",)))["a"].scores == (0.0,)


def test_what_is_added_while_it_runs_is_judged_too_and_each_comes_back_once(scripted):
    pending = deque(ScoreRequest(i, "q", (f"s{i}",)) for i in range(3))
    scorer, seen = verdicts(scripted(lambda *_: "Correct? Yes")), []
    for request, _ in scorer.run(pending):
        seen.append(request.key)
        if len(seen) <= 3:
            pending.append(ScoreRequest(10 + len(seen), "q", ("more",)))
    assert sorted(seen) == [0, 1, 2, 11, 12, 13]


def test_nothing_new_costs_nothing(scripted):
    engine = scripted(lambda *_: "Correct? Yes")
    done = ask(verdicts(engine), ScoreRequest("a", "q", ("s",), known=1), ScoreRequest("b", "q", ()))
    assert {came.scores for came in done.values()} == {()}
    assert engine.asked == []
    assert all((came.prompt_tokens, came.completion_tokens, came.calls) == (0, 0, 0) for came in done.values())
