"""What a fit says of how many problems it takes to tell the strategy ahead from SC."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.cli.screens.fit import telling
from isocompute.planner.compare import frontier
from isocompute.planner.power import measure_power
from isocompute.planner.profile import Curve, ProblemRecord, Profile, Surface, rounded

S, V = [1, 2, 4, 8], [1, 2]


def profile(gain: float, problems: int = 60) -> Profile:
    """A world in which what verification adds to votes differs from problem to problem."""
    rng = np.random.default_rng(7)
    votes = np.tile(rng.uniform(0.3, 0.6, problems)[:, None], len(S))
    verified = votes[:, :, None] + rng.normal(gain, 0.1, (problems, 1, 1)) + np.zeros((1, 1, len(V)))
    return Profile(
        name="world",
        description="a known world",
        problems=problems,
        per_problem=[ProblemRecord()] * problems,
        lam=1.0,
        lambda_source="set",
        strategies={
            "sc": Curve(solutions=S, accuracy=rounded(votes)),
            "genrm": Surface(solutions=S, verifications=V, accuracy=rounded(verified)),
        },
    )


def test_the_strategy_ahead_is_told_from_sc_at_the_largest_budget_that_was_compared():
    world = profile(0.05)
    found = measure_power(world, frontier(world))
    assert (found.budget, found.strategy, found.against) == (16.0, "genrm", "sc")
    assert found.paired.gap == pytest.approx(0.05, abs=0.03)
    assert found.paired.standard_deviation == pytest.approx(0.1, abs=0.02)


def test_budgets_above_that_of_the_examples_are_not_asked_about():
    world = profile(0.05)
    (_, last) = frontier(world)[-1]
    assert measure_power(world, [(128.0, last), (256.0, last)]).budget == 128.0
    assert measure_power(world, [(256.0, last)]) is None


def test_where_sc_is_ahead_it_is_told_from_the_next():
    world = profile(-0.05)
    found = measure_power(world, frontier(world))
    assert (found.strategy, found.against) == ("sc", "genrm")
    assert found.paired.gap > 0


def test_a_single_strategy_or_a_single_problem_has_nothing_to_be_told_from():
    world = profile(0.05)
    alone = world.model_copy(update={"strategies": {"sc": world.strategies["sc"]}})
    assert measure_power(alone, frontier(alone)) is None
    one = profile(0.05, problems=1)
    assert measure_power(one, frontier(one)) is None


def test_a_line_says_how_many_with_an_interval_and_what_the_profile_can_tell():
    world = profile(0.05)
    found = measure_power(world, frontier(world))
    test, (few, many) = found.paired, found.paired.needed_interval
    assert telling(found).replace("\\", "") == (
        f"To tell genrm from sc at 16x with power 0.8 takes about {test.needed} problems [{few}, {many}]; "
        f"the profile has 60, which tell a gap of {100 * test.smallest_gap:.1f} points."
    )
