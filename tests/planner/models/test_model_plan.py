"""Plans over several models: equal cost, cascades with every attempt charged, and accuracies on other problems."""

from __future__ import annotations

import numpy as np
import pytest
from rich.console import Console

from isocompute.api.model_plans import ModelPlanResult
from isocompute.cli.screens.models import print_model_plan
from isocompute.errors import BudgetError, ConfigError, DataError
from isocompute.fits import Pool, estimate_self_consistency
from isocompute.planner.budget import Budget
from isocompute.planner.costs.request import build_request
from isocompute.planner.estimate.settled import estimate_settled_part
from isocompute.planner.models.candidates import price_model
from isocompute.planner.models.cascade import build_cascades, choose_cascade
from isocompute.planner.models.choice import choose_candidate
from isocompute.planner.models.model_plan import make_model_plan
from isocompute.planner.models.shared_problems import name_models, select_shared_problems
from isocompute.planner.profile import Curve, ModelRecord, ProblemRecord, Profile, TokenMeans, round_accuracies
from isocompute.planner.profile.subset import select_problems

S = [1, 2, 4, 8, 16]


def make_profile(name, size, ease, seed=0, problems=60, tokens=100, drop=()):
    """Return a profile of votes; wrong answers are spread over ten, and right ones are likelier on easy problems."""
    rng = np.random.default_rng(seed)
    right = 1 / (1 + np.exp(-(ease + 2 * np.random.default_rng(7).standard_normal(problems))))
    answers = np.where(rng.random((problems, 32)) < right[:, None], 0, rng.integers(1, 11, (problems, 32)))
    pool = Pool(answers, np.zeros(problems, dtype=int))
    kept = [at for at in range(problems) if at not in drop]
    profile = Profile(
        name=name,
        description="simulated",
        problems=problems,
        models={"solver": ModelRecord(name=f"models/{name}", parameters=size)},
        strategies={"sc": Curve(solutions=S, accuracy=round_accuracies(estimate_self_consistency(pool, S)))},
        settled=estimate_settled_part(pool),
        per_problem=[
            ProblemRecord(
                id=f"p{at}",
                digest=f"d{at}",
                tokens={"solver": TokenMeans(prompt=50, cached=0, completion=tokens * (1 + (at % 2)))},
            )
            for at in range(problems)
        ],
    )
    return select_problems(profile, kept)


@pytest.fixture(scope="module")
def small():
    return make_profile("small", 1e9, 0.0)


@pytest.fixture(scope="module")
def large():
    return make_profile("large", 10e9, 1.5, seed=1)


def request(budget, **given):
    return build_request(Budget.parse(budget), **given)


def test_costs_are_in_flops_and_a_budget_in_x_is_in_solutions_of_the_first_model(small, large):
    plan = make_model_plan([small, large], request("40x"))
    assert plan.cost_model == "flops"
    # 2 FLOPs a parameter and token, over 50 prompt and 150 completion tokens on average
    assert plan.solution == pytest.approx({"small": 2 * 1e9 * 200, "large": 2 * 10e9 * 200})
    assert plan.budget == pytest.approx(40 * plan.solution["small"])
    costs = [option.candidate.cost for option in plan.options]
    assert max(costs) <= plan.budget * (1 + 1e-9)
    assert {option.candidate.model for option in plan.options} == {"small", "large", "small → large"}


def test_the_order_of_profiles_does_not_matter_in_flops(small, large):
    one, two = (make_model_plan(each, request("2e13 FLOPs")) for each in ([small, large], [large, small]))
    assert (one.recommendation.model, one.recommendation.settings) == (
        two.recommendation.model,
        two.recommendation.settings,
    )
    assert one.recommendation.accuracy == two.recommendation.accuracy


def test_a_cascade_is_exact_and_charges_every_attempt(small, large):
    """Against the sum over outcomes: settled and right, or not settled and the larger model's vote."""
    models = [price_model(p.name, p, request("1x"), "flops") for p in (small, large)]
    options = build_cascades(*models)
    at = next(i for i, n in enumerate(options.numbers) if n == {"S": 4, "votes": 3, "large_S": 8})
    part = small.settled
    i, j = part.solutions.index(4), 0  # more than half of four is three votes
    settled, right = np.array(part.settled)[:, i, j], np.array(part.right)[:, i, j]
    vote = large.self_consistency.array[:, S.index(8)]
    np.testing.assert_allclose(options.accuracy[:, at], right + (1 - settled) * vote)
    tokens = 50 + 100 * (1 + np.arange(60) % 2)
    np.testing.assert_allclose(options.cost[:, at], 2e9 * tokens * 4 + (1 - settled) * 2e10 * tokens * 8)


def test_what_is_expected_of_a_cascade_is_moved_as_its_stages_are(small, large):
    """With problems that the small model never settles, a cascade is the larger model's allocation, for more."""
    part = small.settled
    never = part.model_copy(update={name: np.zeros_like(getattr(part, name)).tolist() for name in ("settled", "right")})
    models = [
        price_model(p.name, p, request("1x"), "flops") for p in (small.model_copy(update={"settled": never}), large)
    ]
    table, expected = models[1].tables[0], models[1].expected[0]
    options = build_cascades(*models)
    for numbers, values, shift in zip(options.numbers, options.accuracy.T, options.shift, strict=True):
        at = table.grid.numbers["S"].tolist().index(numbers["large_S"])
        assert values.mean() + shift == pytest.approx(expected[at])
    found = choose_cascade(options, np.inf)
    assert np.abs(options.shift).max() > 1e-3, "what was measured is shrunk"
    assert found.accuracy <= expected.max() + 1e-9
    always = part.model_copy(update={"settled": np.ones_like(part.settled).tolist()})
    models[0] = price_model("small", small.model_copy(update={"settled": always}), request("1x"), "flops")
    votes = dict(zip(models[0].tables[0].grid.numbers["S"].tolist(), models[0].expected[0], strict=True))
    measured = dict(zip(S, small.self_consistency.array.mean(axis=0), strict=True))
    options = build_cascades(*models)
    for numbers, shift in zip(options.numbers, options.shift, strict=True):
        size = min(numbers["S"], S[-1])
        assert shift == pytest.approx(votes[size] - measured[size])


def test_a_cascade_is_scored_on_problems_that_it_was_not_chosen_on(small, large):
    models = [price_model(p.name, p, request("1x"), "flops") for p in (small, large)]
    options = build_cascades(*models)
    budget = 30 * models[0].tables[0].lowest_cost
    found = choose_cascade(options, budget)
    assert found.cost <= budget * (1 + 1e-9)
    expected = options.accuracy.mean(axis=0) + options.shift
    in_sample = expected[options.cost.mean(axis=0) <= budget].max()
    assert found.accuracy <= in_sample + 1e-9
    assert found.accuracy > 0.9 * in_sample
    assert choose_cascade(options, 1.0) is None


def test_a_cascade_beats_both_models_where_small_votes_are_mostly_settled():
    small, large = make_profile("small", 1e9, -0.5), make_profile("large", 20e9, 3.0, seed=1)
    plan = make_model_plan([small, large], request("18x"))
    by_model = {option.candidate.model: option.candidate for option in plan.options}
    assert plan.recommendation.model == "small → large"
    assert by_model["small → large"].accuracy > by_model["small"].accuracy + 0.02
    assert "large" not in by_model, "one answer of the large model costs 20x"


def test_equal_accuracy_names_the_cheapest_allocation_and_its_cost(small, large):
    plan = make_model_plan([small, large], request("160x"))
    single, vote = plan.equal
    assert single.reference.numbers == {"S": 1}
    assert single.model == "small"
    if single.candidate is not None:
        assert single.candidate.accuracy >= single.reference.accuracy
        assert single.ratio == pytest.approx(single.candidate.cost / single.reference.cost)
    assert vote.reference.accuracy >= single.reference.accuracy
    for each in plan.equal:
        assert each.interval[0] <= each.interval[1]


def test_a_model_that_never_gets_there_has_no_ratio():
    weak, strong = make_profile("weak", 1e9, -4.0), make_profile("strong", 2e9, 3.0, seed=1)
    plan = make_model_plan([weak, strong], request("8x"))
    assert all(each.candidate is None and each.ratio == np.inf for each in plan.equal)
    assert plan.recommendation.model == "strong"


def test_only_shared_problems_count_and_gaps_are_paired(small):
    other = make_profile("other", 1e9, 0.0, drop=range(20))
    plan = make_model_plan([small, other], request("8x", cost="flops"))
    assert plan.problems == 40
    assert "40 problems" in plan.notes[0]
    twin = next(option for option in plan.options[1:] if option.candidate.strategy == "sc")
    # The same samples: the difference is 0 on every problem.
    assert twin.gap == pytest.approx(0, abs=1e-6)
    assert twin.gap_interval[0] <= 0 <= twin.gap_interval[1]


def test_a_subset_of_problems_keeps_their_values(small):
    part = select_problems(small, [5, 2])
    np.testing.assert_array_equal(part.self_consistency.array, small.self_consistency.array[[5, 2]])
    assert [record.id for record in part.per_problem] == ["p5", "p2"]
    assert part.settled.right == [small.settled.right[5], small.settled.right[2]]


def test_of_equal_candidates_the_cheapest_is_chosen(small, large):
    plan = make_model_plan([small, large], request("400x"))
    chosen = choose_candidate([option.candidate for option in plan.options])
    highest = max(option.candidate.accuracy for option in plan.options)
    cheap = [o.candidate.cost for o in plan.options if o.candidate.accuracy >= highest - 0.005]
    assert chosen.cost == min(cheap)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"cost": "tokens"}, ConfigError, "Tokens of different models do not cost the same"),
        ({"lam": 2.0}, ConfigError, "are those of one profile"),
        ({"target": 0.5}, BudgetError, "is for one profile"),
    ],
)
def test_what_has_no_meaning_for_several_models_is_refused(small, large, given, error, message):
    with pytest.raises(error, match=message):
        make_model_plan([small, large], request("8x", **given))


def test_models_that_cannot_be_compared_are_refused(small, large):
    with pytest.raises(BudgetError, match="that of one model"):
        make_model_plan([small, large], request("8x-plateau"))
    with pytest.raises(BudgetError, match="do not pay for one solution; the cheapest costs"):
        make_model_plan([small, large], request("100 FLOPs"))
    stranger = small.model_copy(
        update={"name": "stranger", "per_problem": [ProblemRecord(id=f"q{i}", digest=f"e{i}") for i in range(60)]}
    )
    with pytest.raises(DataError, match="share 0 problems"):
        select_shared_problems([small, stranger])
    with pytest.raises(DataError, match="Two profiles are called 'small'"):
        name_models([small, small])
    means = Profile(name="means", description="", problems=9, strategies={"sc": Curve(solutions=[1], accuracy=[[0.5]])})
    with pytest.raises(DataError, match="holds means over problems"):
        select_shared_problems([small, means])


def test_the_toy_lab_is_named_first(small, large, capsys):
    assert make_model_plan([small, large], request("8x")).toy_note is None
    toys = [
        each.model_copy(update={"models": {"solver": ModelRecord(name=f"data/lab/{each.name}", parameters=size)}})
        for each, size in ((small, 1e9), (large, 1e10))
    ]
    one, two = (make_model_plan(each, request("8x")) for each in ([small, toys[1]], toys))
    assert one.toy_note.startswith("The profile 'large' is of a toy lab")
    assert two.toy_note.startswith("The profiles 'small' and 'large' are of a toy lab")
    assert "The profiles 'small' and 'large' are of a toy lab" in repr(ModelPlanResult(two))
    assert ModelPlanResult(two).to_dict()["toy_note"] == two.toy_note
    print_model_plan(Console(), two)
    assert "note: The profiles 'small' and 'large' are of a toy lab" in capsys.readouterr().out


def test_a_setting_that_the_server_ignored_is_said():
    solver = ModelRecord(name="m", parameters=1e9)
    pair = []
    for name, effort in (("low", "low"), ("high", "high")):
        record = solver.model_copy(update={"settings": {"options.extra.reasoning_effort": effort}})
        pair.append(make_profile(name, 1e9, 0.0).model_copy(update={"models": {"solver": record}}))
    plan = make_model_plan(pair, request("8x"))
    assert plan.cost_model == "tokens"
    assert "the server ignored it" in " ".join(plan.notes)
