"""What a fit says of how many problems it takes to tell the best strategy beside SC from it."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.cli.screens.fit import describe_strategy_power
from isocompute.planner.findings import derive_findings
from isocompute.planner.power import measure_strategy_power
from isocompute.planner.profile import Curve, ProblemRecord, Profile, Surface, round_accuracies

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
            "sc": Curve(solutions=S, accuracy=round_accuracies(votes)),
            "genrm": Surface(solutions=S, verifications=V, accuracy=round_accuracies(verified)),
        },
    )


BUDGETS = [1.0, 2.0, 4.0, 8.0, 16.0]


def test_the_best_strategy_beside_sc_is_told_from_it_at_the_largest_budget_that_was_compared():
    world = profile(0.05)
    found = measure_strategy_power(world, BUDGETS)
    assert (found.budget, found.strategy, found.baseline) == (16.0, "genrm", "sc")
    assert found.paired.gap == pytest.approx(0.05, abs=0.03)
    assert found.paired.standard_deviation == pytest.approx(0.1, abs=0.02)


def test_budgets_above_that_of_the_examples_are_not_asked_about():
    world = profile(0.05)
    assert measure_strategy_power(world, [128.0, 256.0]).budget == 128.0
    assert measure_strategy_power(world, [256.0]) is None


def test_a_budget_that_pays_for_no_other_strategy_gives_way_to_a_larger_one_or_to_nothing():
    world = profile(0.05)
    assert measure_strategy_power(world, [1.0, 2.0]).budget == 2.0
    assert measure_strategy_power(world, [1.0]) is None


def test_where_sc_is_ahead_the_gap_is_below_zero():
    world = profile(-0.05)
    found = measure_strategy_power(world, BUDGETS)
    assert (found.strategy, found.baseline) == ("genrm", "sc")
    assert found.paired.gap < 0


def test_the_gap_holds_no_luck_of_having_been_ahead():
    """Three strategies that are all as good as SC: whichever is ahead, the mean gap over worlds is that of none."""
    names = ("genrm", "genrm+vote", "weighted")
    chosen_anew, luckiest = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        votes = np.tile(rng.uniform(0.3, 0.6, 40)[:, None], len(S))
        gains = (rng.uniform(-0.3, 0.3, (40, 1, 1)) + np.zeros((1, 1, len(V))) for _ in names)
        worlds = {name: votes[:, :, None] + gain for name, gain in zip(names, gains, strict=True)}
        parts = {name: Surface(solutions=S, verifications=V, accuracy=world.tolist()) for name, world in worlds.items()}
        world = profile(0.0, 40).model_copy(
            update={"strategies": {"sc": Curve(solutions=S, accuracy=votes.tolist()), **parts}}
        )
        chosen_anew.append(measure_strategy_power(world, BUDGETS).paired.gap)
        luckiest.append(max((each - votes[:, :, None]).mean() for each in worlds.values()))
    error = np.std(chosen_anew) / np.sqrt(len(chosen_anew))
    assert abs(np.mean(chosen_anew)) < 3 * error < np.mean(luckiest)


def test_a_single_strategy_or_a_single_problem_has_nothing_to_be_told_from():
    world = profile(0.05)
    alone = world.model_copy(update={"strategies": {"sc": world.strategies["sc"]}})
    assert measure_strategy_power(alone, BUDGETS) is None
    one = profile(0.05, problems=1)
    assert measure_strategy_power(one, BUDGETS) is None


def test_a_line_says_how_many_with_an_interval_and_what_the_profile_can_tell():
    world = profile(0.05)
    found = measure_strategy_power(world, BUDGETS)
    test, (few, many) = found.paired, found.paired.needed_interval
    assert describe_strategy_power(found).replace("\\", "") == (
        f"At 16x it takes about {test.needed} problems [{few}, {many}] to tell genrm, the best other than sc, from sc "
        f"with power 0.8; the profile has 60, enough for a gap of {100 * test.smallest_gap:.2g} points."
    )


def test_two_strategies_that_are_the_same_are_told_apart_by_nothing():
    world = profile(0.0)
    votes = world.strategies["sc"].array
    same = Surface(solutions=S, verifications=V, accuracy=np.repeat(votes[:, :, None], len(V), axis=2).tolist())
    found = measure_strategy_power(
        world.model_copy(update={"strategies": {**world.strategies, "genrm": same}}), BUDGETS
    )
    assert describe_strategy_power(found) == (
        "At 16x genrm and sc differ by 0.0 points on every problem, so the number of problems that tells "
        "them apart cannot be estimated."
    )


def test_clusters_count_as_one_problem():
    """Every problem is there three times, in a cluster: the test knows twenty problems, as without the copies."""
    alone, copies = profile(0.05, 20), profile(0.05, 20)
    parts = {
        name: type(part)(**part.model_dump() | {"accuracy": 3 * part.accuracy})
        for name, part in copies.strategies.items()
    }
    records = [ProblemRecord(cluster=f"c{number % 20}") for number in range(60)]
    tripled = Profile(**dict(copies) | {"strategies": parts, "problems": 60, "per_problem": records})
    first, second = (measure_strategy_power(world, BUDGETS) for world in (alone, tripled))
    assert second.paired.problems == first.paired.problems == 20
    assert second.paired.standard_deviation == pytest.approx(first.paired.standard_deviation)
    assert second.paired.needed == pytest.approx(first.paired.needed, rel=0.05)
    assert "clusters of problems" in describe_strategy_power(second)
    crossed, apart = (derive_findings(world, 1.0).genrm_crossover for world in (tripled, alone))
    assert crossed.gain_interval[1] == pytest.approx(apart.gain_interval[1])
