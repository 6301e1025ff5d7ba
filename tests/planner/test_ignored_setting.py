"""A reasoning effort that the server ignored is told by its tokens, and one that it followed is not."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.planner.ignored_setting import MeasuredTokens, describe_ignored_setting
from isocompute.planner.profile import ProblemRecord, TokenMeans

LOW = {"temperature": 0.7, "options": {"extra": {"reasoning_effort": "low"}}}
HIGH = {"temperature": 0.7, "options": {"extra": {"reasoning_effort": "high"}}}


def measure(settings, seed, factor=1.0, P=100, noise=0.1, clusters=None):
    """Tokens of problems whose lengths differ tenfold; the noise is that of a mean over solutions."""
    lengths = np.random.default_rng(0).uniform(100, 1000, P)
    tokens = factor * lengths * np.exp(np.random.default_rng(seed).normal(0, noise, P))
    records = [
        ProblemRecord(
            id=f"p{i}",
            digest=f"d{i}",
            cluster=None if clusters is None else f"c{i % clusters}",
            tokens={"solver": TokenMeans(completion=float(each))},
        )
        for i, each in enumerate(tokens)
    ]
    return MeasuredTokens(settings, records)


def test_an_effort_that_changed_nothing_was_ignored():
    said = describe_ignored_setting(measure(LOW, 1), measure(HIGH, 2))
    assert said.startswith("The setting 'options.extra.reasoning_effort' changed no token count: solutions have ")
    assert "with 'low' and " in said
    assert "with 'high', a ratio of " in said
    assert said.endswith(" over 100 problems; the server ignored it.")


def test_it_is_paired_over_problems():
    """Lengths differ tenfold between problems: unpaired, no 100 problems would tell 5 % apart."""
    ratios = [
        describe_ignored_setting(measure(LOW, seed, noise=0.05), measure(HIGH, 100 + seed, noise=0.05))
        for seed in range(20)
    ]
    assert sum(ratio is not None for ratio in ratios) >= 19


@pytest.mark.parametrize("factor", [0.8, 1.06, 2.0])
def test_an_effort_that_was_followed_is_not_ignored(factor):
    for seed in range(10):
        assert describe_ignored_setting(measure(LOW, seed), measure(HIGH, 50 + seed, factor)) is None


def test_what_chance_may_hide_is_not_said():
    assert describe_ignored_setting(measure(LOW, 1, P=6, noise=0.3), measure(HIGH, 2, P=6, noise=0.3)) is None
    assert describe_ignored_setting(measure(LOW, 1, P=1), measure(HIGH, 2, P=1)) is None
    # 100 problems of two clusters are two observations.
    assert describe_ignored_setting(measure(LOW, 1, clusters=2), measure(HIGH, 2, clusters=2)) is None


@pytest.mark.parametrize(
    "other",
    [
        LOW,
        {**HIGH, "temperature": 0.8},
        {**LOW, "temperature": 0.8},
        {**LOW, "max_tokens": 4096},
        {**LOW, "thinking_end": "</think>"},
    ],
)
def test_only_a_setting_of_thinking_that_alone_differs_counts(other):
    assert describe_ignored_setting(measure(LOW, 1), measure(other, 2)) is None


def test_a_setting_that_only_one_run_has_differs():
    said = describe_ignored_setting(measure({}, 1), measure({"extra": {"thinking_budget": 512}}, 2))
    assert "with None and " in said
    assert said.endswith("the server ignored it, or no solution thinks that long.")


def test_other_problems_are_not_compared():
    first, second = measure(LOW, 1), measure(HIGH, 2)
    for change in ({"id": "other"}, {"digest": "other"}, {"tokens": {}}, {"id": None}):
        others = [record.model_copy(update=change) for record in second.problems]
        assert describe_ignored_setting(first, MeasuredTokens(HIGH, others)) is None
    half = [record.model_copy(update={"tokens": {}}) for record in second.problems[:50]]
    said = describe_ignored_setting(first, MeasuredTokens(HIGH, [*half, *second.problems[50:]]))
    assert "over 50 problems" in said
