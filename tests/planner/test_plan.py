"""Plans on worlds whose truth is known: what is recommended, what is promised, and how sure it is."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console

from isocompute.cli.screens.plan import CHEAPER_NOTE, print_plan
from isocompute.errors import BudgetError
from isocompute.planner.budget import Budget
from isocompute.planner.compare import compare_strategies, compute_frontier
from isocompute.planner.plan import make_plan
from isocompute.planner.profile import Curve, ProblemRecord, Profile, Surface, read_profile, round_accuracies

S, V = [1, 2, 4, 8, 16, 32, 64], [1, 2, 4, 8, 16]


def surfaces(rng: np.random.Generator, problems: int, verifier: float):
    """Per-problem accuracies: votes sharpen a problem's bent, verification finds what is rarely solved."""
    ease, bent = rng.beta(0.8, 1.0, problems), rng.normal(0.0, 0.25, problems)
    s, v = np.array(S, float), np.array(V, float)
    votes = 1 / (1 + np.exp(-((ease + bent - 0.5)[:, None] * 2.5 * np.sqrt(s))))
    found = 1 - (1 - ease[:, None]) ** np.minimum(s, 24)
    trust = verifier * v / (v + 2)
    noise = rng.normal(0, 0.05, (problems, len(S), len(V)))
    verified = ease[:, None, None] + (found - ease[:, None])[:, :, None] * trust + noise
    return np.clip(votes, 0, 1), np.clip(verified, 0, 1)


def profile(votes, verified, lam=1.0) -> Profile:
    return Profile(
        name="world",
        description="a known world",
        problems=len(votes),
        per_problem=[ProblemRecord()] * len(votes),
        lam=lam,
        lambda_source="set",
        strategies={
            "sc": Curve(solutions=S, accuracy=round_accuracies(votes)),
            "genrm": Surface(solutions=S, verifications=V, accuracy=round_accuracies(verified)),
        },
    )


def test_the_better_strategy_is_recommended():
    votes, verified = surfaces(np.random.default_rng(0), 200, verifier=0.9)
    assert make_plan(profile(votes, 0.5 * verified), Budget.parse("128x")).recommendation.strategy == "sc"
    decided = make_plan(profile(0.5 * votes, verified), Budget.parse("128x"))
    assert decided.recommendation.strategy == "genrm"
    assert decided.recommendation.probability_best > 0.99


def test_numbers_are_whole_and_within_the_budget():
    world = profile(*surfaces(np.random.default_rng(1), 50, 0.8), lam=0.73)
    for x in (1, 1.5, 3, 7, 33, 100, 511, 5000):
        decided = make_plan(world, Budget(x))
        for option in (decided.recommendation, *decided.alternatives):
            assert option.compute <= x + 1e-9
            assert option.solutions >= 1
            assert option.compute == pytest.approx(option.solutions * (1 + 0.73 * option.verifications))


def test_the_gap_is_the_difference_of_what_is_printed():
    decided = make_plan(profile(*surfaces(np.random.default_rng(2), 90, 0.7)), Budget(64))
    for other in decided.alternatives:
        assert other.gap == pytest.approx(decided.recommendation.accuracy - other.accuracy, abs=1e-12)
        assert other.gap_interval[0] <= other.gap <= other.gap_interval[1]
    assert sum(o.probability_best for o in (decided.recommendation, *decided.alternatives)) == pytest.approx(1)


def test_none_of_the_others_is_ahead_of_what_is_recommended():
    for seed in range(20):
        first, *others = compare_strategies(profile(*surfaces(np.random.default_rng(seed), 40, 0.6)), 24.0, 1.0).options
        assert all(other.gap >= 0 for other in others)
        assert first.accuracy == max(option.accuracy for option in (first, *others))


def alike(problems: int, cost: float, ahead: float = 0.0) -> Profile:
    """Two strategies that are good at different problems, and on average nearly the same."""
    rng = np.random.default_rng(9)
    luck = rng.normal(0, 0.2, problems)
    votes, verified = 0.5 + luck - luck.mean(), 0.5 - luck + luck.mean() + ahead
    return Profile(
        name="alike",
        description="two of a kind",
        problems=problems,
        per_problem=[ProblemRecord()] * problems,
        lam=cost,
        lambda_source="set",
        strategies={
            "sc": Curve(solutions=[1], accuracy=round_accuracies(np.clip(votes, 0, 1)[:, None])),
            "genrm": Surface(
                solutions=[1], verifications=[1], accuracy=round_accuracies(np.clip(verified, 0, 1)[:, None, None])
            ),
        },
    )


def test_a_close_choice_says_so_and_promises_less():
    decided = make_plan(alike(80, 1.0, 0.001), Budget(2))
    best, (other,) = decided.recommendation, decided.alternatives
    assert decided.expected_accuracy < min(best.accuracy, other.accuracy)
    assert decided.interval[0] < decided.expected_accuracy < best.accuracy < decided.interval[1]
    assert other.gap_interval[0] < 0 < other.gap < other.gap_interval[1]
    assert 0.3 < other.probability_best < best.probability_best < 0.7
    (said,) = (warning for warning in decided.warnings if warning.startswith("The choice of strategy is close"))
    assert f"so the expected accuracy is {100 * decided.expected_accuracy:.1f} %" in said


def test_what_a_choice_is_ahead_by_is_reckoned_where_it_was_not_made():
    compared = compare_strategies(alike(80, 1.0, 0.001), 2.0, 1.0)
    best, other = compared.options
    lead, interval = compared.get_lead(other.strategy)
    assert lead == compared.expected_accuracy - other.accuracy < 0 < other.gap
    assert interval == other.gap_interval
    assert interval[0] <= lead
    assert compared.get_lead(best.strategy) is None
    assert compared.get_lead("bon") is None


def test_a_clear_choice_is_promised_what_it_has():
    decided = make_plan(alike(80, 1.0, 0.3), Budget(2))
    assert decided.expected_accuracy == decided.recommendation.accuracy
    assert not any("close one" in warning for warning in decided.warnings)


@pytest.mark.parametrize(("cost", "ahead", "said"), [(1.0, 0.01, True), (0.5, 0.01, False), (1.0, 0.3, False)])
def test_what_costs_half_and_may_be_as_good_is_named(cost, ahead, said):
    decided = make_plan(alike(80, cost, ahead), Budget(2))
    assert decided.recommendation.strategy == "genrm"
    behind = f"{100 * decided.alternatives[0].gap:.1f}"
    thrifty = f"sc S=1 is {behind} points behind, which may be chance, and costs 1x."
    assert (thrifty in decided.warnings) == said


def test_the_same_profile_gives_the_same_plan():
    world = profile(*surfaces(np.random.default_rng(3), 60, 0.7))
    first, second = (make_plan(world, Budget(100)) for _ in range(2))
    assert first.recommendation == second.recommendation
    assert first.alternatives == second.alternatives


def test_a_dearer_verification_moves_the_choice_to_votes():
    world = profile(*surfaces(np.random.default_rng(4), 120, 0.95))
    cheap, dear = make_plan(world, Budget(64), lam=0.05), make_plan(world, Budget(64), lam=20.0)
    verifications = [o.verifications for p in (cheap, dear) for o in (p.recommendation, *p.alternatives)]
    assert max(verifications[:2]) > max(verifications[2:])
    assert any("λ = 0.05 was given" in warning for warning in cheap.warnings)


def test_outside_the_measured_range_it_says_so():
    world = profile(*surfaces(np.random.default_rng(5), 60, 0.7))
    assert not any("measured up to" in warning for warning in make_plan(world, Budget(64)).warnings)
    said = make_plan(world, Budget(1e5)).warnings
    assert any(warning.startswith("SC was measured up to 64x") for warning in said)
    assert any(warning.startswith("GenRM was measured up to S=64, V=16") for warning in said)


def test_a_budget_in_plateaus_is_that_many_plateaus():
    world = profile(*surfaces(np.random.default_rng(6), 60, 0.7))
    decided = make_plan(world, Budget.parse("3x-plateau"))
    assert decided.budget == 3 * decided.findings.plateau
    assert decided.plateau_multiple == 3
    with pytest.raises(BudgetError, match="does not pay for one solution"):
        make_plan(world, Budget.parse("0.5x"))


def test_means_alone_give_no_interval():
    decided = make_plan(read_profile("llama-3.1-8b-math"), Budget(16384))
    assert decided.recommendation.strategy == "genrm"
    assert (decided.recommendation.interval, decided.recommendation.probability_best) == (None, None)
    assert any("only means over problems" in warning for warning in decided.warnings)


def test_the_frontier_has_every_doubling():
    world = profile(*surfaces(np.random.default_rng(7), 60, 0.7))
    assert [x for x, _ in compute_frontier(world)] == [2.0**k for k in range(11)]


def test_what_is_promised_holds():
    """In 400 worlds the 95 % interval holds the truth of the recommended allocation 92 to 98 % of the time, and
    the promise is not too high on average: the choice is scored on other problems than it is made on."""
    rng = np.random.default_rng(8)
    truth_votes, truth_verified = (t.mean(axis=0) for t in surfaces(rng, 200_000, 0.75))
    truth = profile(truth_votes[None], truth_verified[None])
    held, excess, x = 0, [], 48.0
    for _ in range(400):
        compared = compare_strategies(profile(*surfaces(rng, 80, 0.75)), x, 1.0)
        best = compared.options[0]
        if best.strategy == "sc":
            expected = np.interp(np.log(best.solutions), np.log(S), truth.self_consistency.array[0])
        else:
            across = [np.interp(np.log(best.solutions), np.log(S), column) for column in truth.genrm.array[0].T]
            expected = np.interp(np.log(best.verifications), np.log(V), across)
        held += compared.interval[0] <= expected <= compared.interval[1]
        excess.append(compared.expected_accuracy - expected)
    assert 0.92 <= held / 400 <= 0.98
    assert np.mean(excess) < 3 * np.std(excess) / np.sqrt(400)


@pytest.mark.parametrize(("error", "tied"), [(0.02, True), (0.0, False)])
def test_a_lead_below_zero_is_explained_and_there_is_none_without_drawing(capsys, error, tied):
    """Drawn votes are ahead of SC by less than their error, and SC is cheaper."""
    ease = np.random.default_rng(2).uniform(0.2, 0.6, 60)
    world = profile(np.tile(ease[:, None], len(S)), np.zeros((60, len(S), len(V))))
    votes = Surface(
        solutions=[1], verifications=[1], accuracy=round_accuracies(ease[:, None, None] + 0.01), error=error
    )
    world = world.model_copy(update={"strategies": {"sc": world.strategies["sc"], "weighted": votes}})
    decided = make_plan(world, Budget(2))
    assert decided.recommendation.strategy == ("sc" if tied else "weighted")
    assert (decided.alternatives[0].gap < 0) == tied
    print_plan(Console(width=200), world, decided)
    said = capsys.readouterr().out
    assert ("-1.0 [" in said) == tied
    assert (CHEAPER_NOTE in said) == tied
