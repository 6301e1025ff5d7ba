"""Hindsight and the savings that are measured by it."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.fits import Pool, estimate_self_consistency
from isocompute.fits.policies.hindsight import compute_hindsight
from isocompute.fits.policies.orders import draw_orders
from isocompute.fits.policies.replay import estimate_fixed_votes, estimate_stop_rule
from isocompute.fits.policies.rules.beta import BETA
from isocompute.fits.policies.rules.certain import CERTAIN
from isocompute.fits.policies.savings import compute_savings, find_cheapest_as_accurate


@pytest.mark.parametrize("is_weighted", [False, True])
def test_hindsight_is_the_first_solution_from_which_the_final_answers_lead(
    is_weighted, random_pool, enumerate_orders, definitions
):
    pool = random_pool(4, 4, 1, seed=2)
    orders = enumerate_orders(pool)
    found = compute_hindsight(pool, orders, is_weighted=is_weighted, lam=0.5)
    for p in range(pool.problems):
        for r in range(orders.draws):
            walk = orders.solutions[p, r]
            answers = pool.answers[p, walk].tolist()
            weights = np.nan_to_num(pool.verdicts[p, walk, 0]) if is_weighted else np.ones(4)
            leaders = [definitions.find_leaders(answers[:n], weights[:n])[0] for n in range(1, 5)]
            n = min(n for n in range(1, 5) if all(each == leaders[-1] for each in leaders[n - 1 :]))
            assert found.costs[p, r, 0] == pytest.approx(n * (1.5 if is_weighted else 1))
    assert (found.same == 1).all()


def test_hindsight_is_as_accurate_as_the_full_budget_and_never_dearer_than_certain(random_pool):
    pool = random_pool(30, 12, seed=3)
    orders = draw_orders(pool, 16, seed=0)
    found, certain = compute_hindsight(pool, orders), estimate_stop_rule(pool, CERTAIN, [12], orders)
    assert found.accuracy[:, 0] == pytest.approx(estimate_self_consistency(pool, [12])[:, 0])
    assert (found.costs <= certain.costs).all()
    assert found.compute.mean() < certain.compute.mean()


def test_an_answer_that_loses_the_lead_counts_from_when_it_regains_it():
    pool = Pool([[0, 1, 1, 0, 0]], [0])
    walk = draw_orders(pool, 8, seed=0)
    walk.solutions[:] = np.arange(5)
    assert compute_hindsight(pool, walk).compute.item() == 5
    assert compute_hindsight(pool, walk, most=3).compute.item() == 3


@pytest.mark.parametrize(("solutions", "saving"), [(64, 9.1), (128, 14.4)])
def test_hindsight_on_the_gpqa_traces(solutions, saving, shared_data):
    traces = np.load(shared_data / "gpqa64_llama70b_raw.npz")
    pool = Pool(traces["answers"], traces["gold"])
    found = compute_hindsight(pool, draw_orders(pool, 128, seed=0), solutions)
    assert solutions / found.compute.mean() == pytest.approx(saving, rel=0.05)


def test_hindsight_of_a_weighted_vote_needs_the_cost_of_a_verification(random_pool):
    pool = random_pool(2, 4)
    with pytest.raises(DataError, match="needs λ"):
        compute_hindsight(pool, draw_orders(pool, 8, seed=0), is_weighted=True)


def test_savings_are_ratios_of_means_and_differences_of_them():
    fixed, prices = np.tile([0.4, 0.5, 0.6, 0.6], (50, 1)), [1, 4, 16, 64]
    compute = np.tile([4.0, 12.0], 25)
    found = compute_savings(np.full(50, 0.55), compute, fixed, prices, hindsight=np.full(50, 4.0))
    assert found.against_full.value == pytest.approx(8)
    assert found.lead.value == pytest.approx(-0.05)
    assert found.cheapest_fixed.value == pytest.approx(8)  # halfway between 4 and 16 in logarithms
    assert found.against_fixed.value == pytest.approx(1)
    assert found.hindsight_share.value == pytest.approx(56 / 60)
    for each in (found.against_full, found.against_fixed, found.hindsight_share):
        assert each.interval[0] < each.value < each.interval[1]
    assert found.lead.interval == pytest.approx((-0.05, -0.05))


def test_an_accuracy_that_no_allocation_reaches_saves_without_bound():
    found = compute_savings(np.full(9, 0.9), np.full(9, 2.0), np.tile([0.4, 0.5], (9, 1)), [1, 8])
    assert found.cheapest_fixed.value == np.inf
    assert found.against_fixed.interval == (np.inf, np.inf)
    assert found.hindsight_share is None


def test_a_margin_counts_a_slightly_less_accurate_allocation():
    fixed = np.tile([0.4, 0.5, 0.55], (9, 1))
    accuracy, compute = np.full(9, 0.51), np.full(9, 2.0)
    assert compute_savings(accuracy, compute, fixed, [1, 4, 16]).cheapest_fixed.value > 4
    assert compute_savings(accuracy, compute, fixed, [1, 4, 16], margin=0.01).cheapest_fixed.value == pytest.approx(4)


def test_fixed_allocations_whose_cost_differs_by_problem_are_averaged():
    fixed, costs = np.tile([0.4, 0.5], (4, 1)), np.array([[1, 8], [2, 8], [1, 4], [2, 4]])
    assert compute_savings(np.full(4, 0.5), np.full(4, 1.5), fixed, costs).against_full.value == pytest.approx(4)


def test_problems_of_a_cluster_are_resampled_together():
    rng = np.random.default_rng(0)
    compute, clusters = np.repeat(rng.gamma(1, 4, 20), 5), np.repeat(np.arange(20), 5)
    fixed = np.tile([0.4, 0.5], (100, 1))
    alone, grouped = (
        compute_savings(np.full(100, 0.5), compute, fixed, [1, 32], clusters=each).against_full.interval
        for each in (None, clusters)
    )
    assert grouped[1] - grouped[0] > 1.5 * (alone[1] - alone[0])


def test_the_interval_of_a_saving_holds_the_truth():
    """Votes of 9 solutions or fewer; truth from many problems."""

    def measure(problems, seed):
        rng = np.random.default_rng(seed)
        p = rng.beta(2, 1, problems)
        pool = Pool((rng.random((problems, 9)) > p[:, None]).astype(int), [0] * problems)
        found = estimate_stop_rule(pool, BETA, [0.9], draw_orders(pool, 16, seed=seed))
        sizes = np.arange(1, 10, 2)
        return compute_savings(
            found.accuracy[:, 0], found.compute[:, 0], estimate_self_consistency(pool, sizes), sizes, seed=seed
        )

    truth, found = measure(10_000, 1), [measure(100, seed) for seed in range(2, 52)]
    for name in ("against_full", "lead", "against_fixed"):
        value = getattr(truth, name).value
        ends = [getattr(each, name).interval for each in found]
        assert sum(low <= value <= high for low, high in ends) >= 43  # of 50


def test_votes_on_the_same_orders_show_a_rule_that_changes_nothing_as_exactly_as_accurate(random_pool):
    pool = random_pool(30, 20, seed=8)
    orders, sizes = draw_orders(pool, 64, seed=0), [1, 2, 4, 8, 12]
    fixed = estimate_fixed_votes(pool, orders, sizes)
    found = estimate_stop_rule(pool, CERTAIN, [12], orders, most=12)
    saved = compute_savings(found.accuracy[:, 0], found.compute[:, 0], fixed, sizes)
    assert saved.lead.value == pytest.approx(0, abs=1e-12)
    assert saved.cheapest_fixed.value <= 12
    assert np.abs(fixed - estimate_self_consistency(pool, sizes)).mean() < 0.05


@pytest.mark.parametrize("sizes", [[], [0, 2], [1, 21]])
def test_bad_numbers_of_solutions_are_refused(sizes, random_pool):
    pool = random_pool(3, 20)
    with pytest.raises(DataError, match="must"):
        estimate_fixed_votes(pool, draw_orders(pool, 8, seed=0), sizes)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"accuracy": [0.5]}, "of each of 3 problems"),
        ({"fixed_compute": [1, 2, 3]}, "of each of 3 problems"),
        ({"fixed_compute": [4, 1]}, "must rise"),
        ({"compute": [1, 0, 1]}, "must be positive"),
        ({"margin": -0.1}, "margin must be"),
        ({"clusters": [1, 1, 1]}, "at least 2 clusters"),
    ],
)
def test_bad_savings_are_refused(changed, message):
    given = {"accuracy": [0.5] * 3, "compute": [1.0] * 3, "fixed_accuracy": [[0.4, 0.5]] * 3, "fixed_compute": [1, 4]}
    with pytest.raises(DataError, match=message):
        compute_savings(**given | changed)


def test_the_cheapest_allocation_is_the_first_that_reaches_the_target():
    accuracy = np.array([[0.5, 0.4, 0.6], [0.2, 0.2, 0.2], [0.2, 0.4, 0.3]])
    found = find_cheapest_as_accurate(accuracy, np.tile([1.0, 4.0, 16.0], (3, 1)), np.array([0.5, 0.3, 0.35]))
    assert found == pytest.approx([1, np.inf, 4**0.75])
