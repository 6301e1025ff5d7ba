"""Caps within a budget: as many solutions as it pays for, compared on the same problems, and chosen on others."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.planner.caps import compare_caps, score_chosen_limits
from isocompute.planner.profile import Curve, LengthCaps, ProblemRecord, Profile, round_accuracies


def build_profile(accuracy, tokens=(50.0, 80.0, 100.0), S=(1, 2, 4, 8, 16), named=True):
    """A profile whose limits have the accuracies (P, limits, S)."""
    accuracy = np.asarray(accuracy)
    caps = LengthCaps(
        limits=[60 * (i + 1) for i in range(len(tokens))],
        cut=np.linspace(0.5, 0, len(tokens)).tolist(),
        tokens=list(tokens),
        own_limit=500,
        solutions=list(S),
        accuracy=round_accuracies(accuracy),
    )
    return Profile(
        name="made",
        description="",
        problems=len(accuracy) if named else 40,
        strategies={"sc": Curve(solutions=list(S), accuracy=round_accuracies(accuracy[:, -1]))},
        caps=caps,
        per_problem=[ProblemRecord(id=str(i)) for i in range(len(accuracy))] if named else [],
    )


def draw_accuracies(seed, gains, P=60, noise=0.1, S=5):
    """Draw accuracies (P, limits, S) around each problem's own, with a gain of each limit."""
    rng = np.random.default_rng(seed)
    own = rng.uniform(0.25, 0.75, (P, 1, 1))
    return np.clip(own + np.array(gains)[None, :, None] + rng.normal(0, noise, (P, len(gains), 1)) + np.zeros(S), 0, 1)


@pytest.mark.parametrize("budget", [1, 3.7, 5, 8])
def test_the_budget_is_spent_on_solutions_of_the_limit(budget):
    accuracy = draw_accuracies(0, [0, 0, 0])
    accuracy[:, 0] += np.linspace(0, 0.1, 5)
    compared = compare_caps(build_profile(accuracy), budget)
    for i, (option, tokens) in enumerate(zip(compared.options, (50, 80, 100), strict=True)):
        S = math.floor(budget * 100 / tokens)
        assert (option.solutions, option.cost, option.at_limit) == (S, tokens / 100, False)
        assert option.solutions * option.cost <= budget < (option.solutions + 1) * option.cost
        by_hand = np.interp(np.log(S), np.log([1, 2, 4, 8, 16]), accuracy[:, i].mean(axis=0))
        assert option.accuracy == pytest.approx(by_hand, abs=1e-5)
        assert option.interval[0] < option.accuracy < option.interval[1]


def test_gains_are_those_of_the_same_problems():
    compared = compare_caps(build_profile(draw_accuracies(1, [-0.2, 0.1, 0], noise=0.02)), 8)
    low, middle, own = compared.options
    assert middle.gain == pytest.approx(middle.accuracy - own.accuracy)
    assert (own.gain, own.gain_interval, own.joint_interval) == (None, None, None)
    width = lambda ends: ends[1] - ends[0]  # noqa: E731
    assert width(middle.gain_interval) < width(middle.interval) / 2  # paired
    assert width(middle.joint_interval) > width(middle.gain_interval)
    assert low.joint_interval[1] < 0


def test_a_clear_gain_is_settled_and_chance_is_not():
    clear = compare_caps(build_profile(draw_accuracies(2, [-0.2, 0.1, 0])), 8)
    assert (clear.best.limit, clear.is_settled) == (120, True)
    assert clear.held_out_gain == pytest.approx(clear.best.gain)  # every choice is the same
    assert clear.describe_best().endswith("so that is settled.")
    assert "a limit of 120 tokens gives SC the highest accuracy" in clear.describe_best()
    close = compare_caps(build_profile(draw_accuracies(2, [0, 0.005, 0], noise=0.2)), 8)
    assert close.is_settled is False
    assert "not settled" in close.describe_best()


def test_lower_limits_that_are_clearly_worse_are_settled():
    worse = compare_caps(build_profile(draw_accuracies(3, [-0.3, -0.2, 0])), 8)
    assert worse.best is worse.options[-1]
    assert worse.is_settled
    assert worse.describe_best().endswith("that is settled: each of them is worse beyond chance.")
    half = compare_caps(build_profile(draw_accuracies(3, [-0.3, -0.002, 0], noise=0.01)), 8)
    assert half.best is half.options[-1]
    assert "not settled: with 120 tokens the difference may be chance" in half.describe_best()


def test_of_equal_limits_the_highest_is_the_best():
    accuracy = draw_accuracies(4, [0, 0, 0])
    accuracy[:] = accuracy[:, :1]
    compared = compare_caps(build_profile(accuracy), 8)
    assert compared.best is compared.options[-1]


def test_where_all_limits_are_the_same_none_gains_on_other_problems():
    """The best of six limits looks better than it is; on other problems it gains nothing."""
    optimistic, honest, settled, worlds = [], [], 0, 150
    for seed in range(worlds):
        accuracy = draw_accuracies(seed, [0] * 6, P=40, S=1)
        compared = compare_caps(build_profile(accuracy, (50, 60, 70, 80, 90, 100), S=(1,)), 1)
        optimistic.append(compared.best.gain or 0.0)
        honest.append(compared.held_out_gain)
        settled += bool(compared.is_settled)
    error = np.std(honest) / np.sqrt(worlds)
    assert abs(np.mean(honest)) < 3 * error
    assert np.mean(optimistic) > 5 * error
    assert settled <= 0.06 * worlds


def test_problems_of_a_cluster_do_not_choose_the_limit_for_each_other():
    values = np.array([[0.9, 0.5]] * 3 + [[0.2, 0.5]] * 2)
    assert score_chosen_limits(values) == pytest.approx([0.4] * 3 + [-0.3] * 2)
    assert score_chosen_limits(values, [0, 0, 0, 1, 2]) == pytest.approx([0] * 3 + [-0.3] * 2)
    profile = build_profile(np.repeat(values[:, :, None], 5, axis=2), tokens=(50.0, 100.0))
    records = [ProblemRecord(id=str(i), cluster=name) for i, name in enumerate("aaabc")]
    compared = compare_caps(profile.model_copy(update={"per_problem": records}), 1)
    assert compared.held_out_gain == pytest.approx(-0.12)


def test_what_was_not_measured_is_said():
    compared = compare_caps(build_profile(draw_accuracies(5, [0, 0, 0])), 12)
    assert [option.at_limit for option in compared.options] == [True, False, False]
    assert compared.describe_limits().startswith("Only 16 solutions of a problem were measured")
    assert "(limits 60)" in compared.describe_limits()
    assert compare_caps(build_profile(draw_accuracies(5, [0, 0, 0])), 8).describe_limits() is None


def test_means_allow_no_intervals():
    for shift in (0.1, -0.1):
        means = draw_accuracies(6, [0, shift, 0], noise=0).mean(axis=0, keepdims=True)
        compared = compare_caps(build_profile(means, named=False), 8)
        assert compared.is_settled is compared.held_out_gain is compared.options[0].interval is None
        assert compared.describe_best().endswith("a profile of means does not tell whether that is chance.")


def test_a_profile_without_caps_says_what_to_do():
    profile = build_profile(draw_accuracies(7, [0, 0, 0])).model_copy(update={"caps": None})
    with pytest.raises(DataError, match="The profile 'made' holds no caps on length: fit its run again"):
        compare_caps(profile, 8)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cut": [0.5]}, "'cut' has 1 entries; there are 3 limits"),
        ({"limits": [60, 60, 180]}, "'limits' and 'solutions' must increase"),
        ({"accuracy": [[[0.5] * 5] * 2] * 60}, "it must be \\(problems, 3, 5\\)"),
    ],
)
def test_bad_caps_are_refused(change, said):
    caps = build_profile(draw_accuracies(8, [0, 0, 0])).caps
    with pytest.raises(ValueError, match=said):
        LengthCaps.model_validate(caps.model_dump() | change)


def test_caps_of_other_problems_are_refused():
    profile = build_profile(draw_accuracies(8, [0, 0, 0]))
    fewer = profile.caps.model_copy(update={"accuracy": profile.caps.accuracy[1:]})
    with pytest.raises(ValueError, match="caps has 59 rows of accuracies; it must have 60"):
        Profile.model_validate(profile.model_dump(by_alias=True) | {"caps": fewer.model_dump()})
