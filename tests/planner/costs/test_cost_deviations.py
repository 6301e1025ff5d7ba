"""The error of costs in the intervals of a plan: which cost models and budgets have one, and how large it is."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.fits.choice.options import build_verified_options, build_voting_options
from isocompute.planner.budget import Budget
from isocompute.planner.costs.cost_deviations import measure_cost_deviations, measure_profile_deviations
from isocompute.planner.costs.models import price_profile_requests
from isocompute.planner.costs.request import build_request
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.priced_plan import make_priced_plan
from isocompute.planner.profile import ProblemRecord, TokenMeans

LAMBDA = 0.5 * 13 / 8


def plan(profile, budget, **given):
    return make_priced_plan(profile, build_request(Budget.parse(budget), **given))


def test_the_deviations_of_an_allocation_are_those_of_its_cost_in_the_budget_s_unit(hand_profile):
    costs = price_profile_requests(hand_profile, "tokens", CostSettings())
    votes = build_voting_options([[0.5, 0.6]], [1, 2])
    verified = build_verified_options([[[0.5, 0.6], [0.6, 0.7]]], [1, 2], [1, 2], LAMBDA)
    in_x, in_tokens = (measure_cost_deviations(costs, LAMBDA, None, of_solutions) for of_solutions in (True, False))
    assert in_x.measure_allocation(votes, 1).tolist() == [0] * 40  # S solutions are S solutions' worth
    assert in_tokens.measure_allocation(votes, 1)[:2] == pytest.approx([400 / 500 - 1, 600 / 500 - 1])
    first, V = 3, 2  # S=2 V=2
    own = [(400 + V * LAMBDA * 2 * 200), (600 + V * LAMBDA * 2 * 300)]  # λ is of means of 250 and 500 tokens
    assert in_tokens.measure_allocation(verified, first)[:2] == pytest.approx(np.array(own) / np.mean(own) - 1)
    assert in_x.measure_allocation(verified, first)[:2] == pytest.approx(
        np.array(own) / np.mean(own) - np.array([0.8, 1.2])
    )


def test_a_given_lambda_has_no_error(hand_profile):
    costs = price_profile_requests(hand_profile, "tokens", CostSettings())
    verified = build_verified_options([[[0.5, 0.6], [0.6, 0.7]]], [1, 2], [1, 2], 2.0)
    given = measure_cost_deviations(costs, 2.0, None)
    assert given.measure_allocation(verified, 1) == pytest.approx(np.zeros(40))
    assert measure_profile_deviations(hand_profile.model_copy(update={"per_problem": []}), LAMBDA) is None
    bare = hand_profile.model_copy(update={"per_problem": [ProblemRecord()] * 40})
    assert measure_profile_deviations(bare, LAMBDA) is None


def vary_verifications(profile):
    """The same means, but half of the problems have verifications of a twentieth of the length of the others'."""
    tokens = [
        record.tokens
        | {"verifier": record.tokens["verifier"].model_copy(update={"completion": (25, 475)[at // 2 % 2]})}
        for at, record in enumerate(profile.per_problem)
    ]
    records = [ProblemRecord(id=str(at), tokens=each) for at, each in enumerate(tokens)]
    return profile.model_copy(update={"per_problem": records})


def test_a_less_certain_lambda_widens_the_intervals_of_verified_strategies_only(hand_profile):
    sure, unsure = plan(hand_profile, "4x"), plan(vary_verifications(hand_profile), "4x")
    before, after = (
        {option.strategy: option for option in (each.recommendation, *each.alternatives)} for each in (sure, unsure)
    )
    assert after["sc"].interval == before["sc"].interval
    assert after["genrm"].accuracy == before["genrm"].accuracy
    widths = [np.diff(each["genrm"].interval)[0] for each in (before, after)]
    assert widths[1] > 1.02 * widths[0]
    leads = [np.diff(each["genrm"].lead_interval)[0] for each in (before, after)]
    assert leads[1] > 1.02 * leads[0]
    given, same = (
        plan(profile, "4x", lam=LAMBDA * 1.01) for profile in (hand_profile, vary_verifications(hand_profile))
    )
    assert given.interval == same.interval


def test_the_length_of_solutions_matters_where_the_budget_is_not_in_solutions(hand_profile):
    uneven = [TokenMeans(prompt=100, cached=0, completion=(50, 950)[at // 2 % 2]) for at in range(40)]
    records = [ProblemRecord(tokens={"solver": each}) for each in uneven]
    profile = hand_profile.model_copy(
        update={"strategies": {"sc": hand_profile.strategies["sc"]}, "per_problem": records, "lam": None}
    )
    x, tokens = plan(profile, "4x"), plan(profile, f"{4 * 500} tokens")
    assert tokens.budget == x.budget == 4
    assert np.diff(tokens.interval)[0] > np.diff(x.interval)[0]
    assert plan(profile, "4x", target=0.45).interval == plan(profile, "2000 tokens", target=0.45).interval
