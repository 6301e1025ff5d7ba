"""Tests that every engine must pass."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from isocompute.runners.engines import Completion, Engine, Request, Sampling


def collect_engine_completions(engine: Engine, requests: Iterable[Request]) -> dict[Any, Completion]:
    """Return an engine's completions by the keys of their requests."""
    return {request.key: completion for request, completion in engine.run(deque(requests))}


class EngineSuite:
    """Tests of an engine.

    Attributes:
        hot: sampling for which different seeds must give different texts.
        limit: a token limit below the length of the engine's usual texts.
        many: number of requests submitted together; more than the engine runs at once.
        step: delimiter that ends a step in a greedy text; None if the engine cannot continue a given text, and
            therefore cannot search.
    """

    hot = Sampling(temperature=2.0, max_tokens=16)
    limit = 5
    many = 80
    step: str | None = None

    def load(self) -> Engine:
        """Load the engine under test; called once for all tests."""
        raise NotImplementedError

    def make_prompt(self, number: int) -> str:
        """Return a prompt with a long answer, a different one for each number."""
        return f"Problem: Start with {10 + number}, add 38, times 3, minus 29.\nSolution:\n"

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Iterator[Engine]:
        """Yield the engine, and close it after the tests."""
        loaded = cls().load()
        yield loaded
        loaded.close()

    def make_requests(self, count: int, sampling: Sampling | None = None, seed: int = 0) -> list[Request]:
        """Return requests with different keys, prompts and seeds."""
        sampling = sampling or replace(self.hot, temperature=1.0)
        return [Request(("r", i), self.make_prompt(i), 10**15 * (seed + i), sampling) for i in range(count)]

    def test_every_request_comes_back_once(self, engine: Engine) -> None:
        keys = [request.key for request, _ in engine.run(deque(self.make_requests(self.many)))]
        assert Counter(keys) == Counter(("r", i) for i in range(self.many))

    def test_the_same_seed_gives_the_same_text_and_another_seed_another(self, engine: Engine) -> None:
        texts = []
        for seed in (3, 3, 1000):
            one_by_one = (
                collect_engine_completions(engine, [request]) for request in self.make_requests(4, self.hot, seed)
            )
            texts.append([completion.text for done in one_by_one for completion in done.values()])
        first, again, other = texts
        assert first == again
        assert first != other

    def test_a_token_limit_cuts_and_says_so(self, engine: Engine) -> None:
        sampling = Sampling(temperature=1.0, max_tokens=self.limit)
        for completion in collect_engine_completions(engine, self.make_requests(8, sampling)).values():
            assert (completion.finish_reason, completion.completion_tokens) == ("length", self.limit)

    def test_a_stop_string_ends_the_text_before_it(self, engine: Engine) -> None:
        greedy = Sampling(temperature=0.0, max_tokens=24)
        whole = collect_engine_completions(engine, self.make_requests(1, greedy))["r", 0].text or ""
        stop = whole[len(whole) // 2 :][:3]
        cut = collect_engine_completions(engine, self.make_requests(1, replace(greedy, stop=("§", stop))))["r", 0]
        assert (cut.text, cut.finish_reason) == (whole[: whole.index(stop)], "stop")

    def test_what_comes_back_has_a_text_and_tokens_or_says_why_not(self, engine: Engine) -> None:
        for completion in collect_engine_completions(engine, self.make_requests(8)).values():
            if completion.status != "ok":
                assert completion.text is None
                continue
            assert completion.text is not None
            assert completion.finish_reason in ("stop", "length")
            assert completion.completion_tokens is None or completion.completion_tokens > 0
            prompt, cached = completion.prompt_tokens, completion.cached_tokens
            assert prompt is None or prompt > 0
            assert cached is None or (prompt is not None and 0 <= cached <= prompt)

    def test_a_step_ends_before_its_delimiter_and_the_next_one_goes_on_from_it(self, engine: Engine) -> None:
        if self.step is None:
            pytest.skip("the engine does not say that it can search")
        greedy = Sampling(temperature=0.0, max_tokens=64)
        (request,) = self.make_requests(1, greedy)
        whole = collect_engine_completions(engine, [request])[request.key].text or ""
        first = collect_engine_completions(engine, [replace(request, sampling=replace(greedy, step=self.step))])[
            request.key
        ]
        assert first.finish_reason == "step"
        assert first.text == whole[: whole.index(self.step)]
        written = f"{first.text}{self.step}"
        rest = collect_engine_completions(engine, [replace(request, written=written, written_ids=first.token_ids)])[
            request.key
        ]
        assert written + (rest.text or "") == whole

    def test_times_are_in_seconds_and_lie_within_the_run(self, engine: Engine) -> None:
        began, watch = time.time(), time.perf_counter()
        done = collect_engine_completions(engine, self.make_requests(8)).values()
        took = time.perf_counter() - watch
        for completion in done:
            assert completion.started_at is None or began - 1 <= completion.started_at <= began + took + 1
            assert completion.seconds is None or 0 <= completion.seconds <= took + 1

    def test_what_is_added_while_it_runs_is_answered_too(self, engine: Engine) -> None:
        pending = deque(self.make_requests(3))
        extra = deque(replace(request, key=("added", i)) for i, request in enumerate(self.make_requests(3)))
        seen = []
        for request, _ in engine.run(pending):
            seen.append(request.key)
            if extra:
                pending.append(extra.popleft())
        assert len(seen) == len(set(seen)) == 6

    def test_it_works_on_after_a_reader_stopped(self, engine: Engine) -> None:
        reader = engine.run(deque(self.make_requests(self.many // 2)))
        next(reader)
        reader.close()  # type: ignore[attr-defined]
        assert len(collect_engine_completions(engine, self.make_requests(5, seed=99))) == 5

    def test_log_probabilities_come_only_if_asked_for(self, engine: Engine) -> None:
        assert all(
            completion.tokens is None
            for completion in collect_engine_completions(engine, self.make_requests(2)).values()
        )

    def test_reported_log_probabilities_are_at_most_zero_and_hold_the_token_itself(self, engine: Engine) -> None:
        sampling = Sampling(temperature=1.0, max_tokens=12, logprobs=4)
        for completion in collect_engine_completions(engine, self.make_requests(4, sampling)).values():
            for token in completion.tokens or ():
                assert token.text in token.logprobs
                assert all(logprob <= 1e-5 for logprob in token.logprobs.values())
