"""Plans in every unit: they agree with each other, what they print can be typed back, and nonsense is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import isocompute as iso
from isocompute.errors import BudgetError, ConfigError, DataError, IsocomputeError
from isocompute.planner import DEFAULT_PROFILE
from isocompute.planner.budget import Budget, format_amount, round_up
from isocompute.planner.costs.flips import find_flips, recommend_at
from isocompute.planner.costs.report import COST_UNITS, list_amounts
from isocompute.planner.costs.request import build_request
from isocompute.planner.priced_plan import make_priced_plan
from isocompute.planner.profile import Profile, TimeSpread, TokenMeans, read_profile

PRICES = {
    "data/lab/solver": {"input": 0.1, "output": 0.4, "cached_read": 0.05},
    "data/lab/verifier": {"input": 0.2, "output": 0.8, "cached_read": 0.1},
}
HAND_PRICES = {"small": {"input": 1, "output": 4}, "big": {"input": 10, "output": 30}}


def plan(profile, budget=None, **given):
    return make_priced_plan(profile, build_request(None if budget is None else Budget.parse(budget), **given))


@pytest.fixture(scope="module")
def lab() -> Profile:
    """The lab with times: a problem's rows take its mean, but for a tail."""
    measured = read_profile("lab")
    records = [
        record.model_copy(
            update={
                "tokens": {
                    role: means.model_copy(update={"seconds": means.completion / 50})
                    for role, means in record.tokens.items()
                }
            }
        )
        for record in measured.per_problem
    ]
    spread = TimeSpread(ratios=np.linspace(0.5, 2, 33).round(4).tolist(), rows=6400, concurrency=256.0, busy=100.0)
    return measured.model_copy(update={"per_problem": records, "timings": {"solver": spread, "verifier": spread}})


@pytest.mark.parametrize("name", ["x", "tokens", "flops", "dollars", "gpu_hours"])
def test_every_unit_typed_back_gives_the_same_plan(lab, name):
    budget = {"dollars": "$0.004", "flops": "2e10 FLOPs"}.get(name, "96x")
    given = {"prices": PRICES, "device": "h100"}
    cost = {"gpu_hours": "flops", "dollars": "dollars", "flops": "flops"}.get(name)
    first = plan(lab, budget, cost=cost, **given)
    amount = first.costs.per_problem[name]
    typed = format_amount(round_up(amount, 4), COST_UNITS[name], 4)
    again = plan(lab, typed, cost=cost, **given)
    assert (again.recommendation.strategy, again.recommendation.numbers) == (
        first.recommendation.strategy,
        first.recommendation.numbers,
    )
    assert again.costs.per_problem[name] == pytest.approx(amount)


def test_the_units_of_one_plan_agree_with_its_tokens_by_role(lab):
    costs = plan(lab, "96x", prices=PRICES, device="h100").costs
    solver, verifier = costs.tokens["solver"], costs.tokens["verifier"]
    by_hand = sum(
        0.1 * factor * (role["prompt"] - role["cached"])
        + 0.05 * factor * role["cached"]
        + 0.4 * factor * role["completion"]
        for factor, role in ((1, solver), (2, verifier))
    )
    assert 1e6 * costs.per_problem["dollars"] == pytest.approx(by_hand)
    assert costs.per_problem["tokens"] == pytest.approx(solver["completion"] + verifier["completion"])
    uncached = sum(role["completion"] + role["prompt"] - role["cached"] for role in (solver, verifier))
    assert costs.per_problem["cached"] == pytest.approx(uncached, rel=1e-5)
    assert costs.per_problem["flops"] == pytest.approx(2 * 860416 * uncached)
    hour = 989.4e12 * 0.4 * 3600
    assert costs.hours.of_device == pytest.approx(costs.per_problem["flops"] / hour)


def test_x_is_the_cost_of_a_solution_under_the_cost_model(lab):
    priced = plan(lab, "96x", cost="dollars", prices=PRICES)
    assert priced.costs.model == "dollars"
    assert priced.costs.per_problem["dollars"] == pytest.approx(priced.recommendation.compute * priced.costs.solution)
    each = [record.tokens for record in lab.per_problem]
    bills = [
        [
            0.1 * (use.prompt - use.cached) + 0.05 * use.cached + 0.4 * use.completion
            for use in (one[role] for one in each)
        ]
        for role in ("solver", "verifier")
    ]
    assert priced.lam == pytest.approx(2 * np.mean(bills[1]) / np.mean(bills[0]))
    same = plan(lab, f"${96 * priced.costs.solution}", prices=PRICES)
    assert same.budget == pytest.approx(96)
    assert same.recommendation.numbers == priced.recommendation.numbers


def test_a_job_s_budget_is_its_total_but_for_x_and_seconds(lab):
    each, job = plan(lab, "9,000 tokens"), plan(lab, "45M tokens", problems=5000)
    assert job.budget == pytest.approx(each.budget)
    assert job.recommendation.numbers == each.recommendation.numbers
    assert job.costs.job["tokens"] == pytest.approx(5000 * each.costs.per_problem["tokens"])
    assert not {"x", "seconds"} & set(job.costs.job)
    assert plan(lab, "96x", problems=5000).budget == 96
    assert plan(lab, "9 s", problems=5000).costs.latency_limit == 9


def test_the_order_of_strategies_turns_round_in_dollars(hand_profile):
    cheap = plan(hand_profile, "8x", cost="dollars", prices={**HAND_PRICES, "big": {"input": 2, "output": 6}})
    dear = plan(hand_profile, "8x", cost="dollars", prices=HAND_PRICES)
    assert (cheap.recommendation.strategy, dear.recommendation.strategy) == ("genrm", "sc")
    above, below = (
        next((flip for flip in each.costs.flips if flip.role == "verifier"), None) for each in (cheap, dear)
    )
    assert (above.strategy, above.is_above) == ("sc", True)
    assert (below.strategy, below.is_above) == ("genrm", False)


def test_a_flip_is_where_the_recommendation_changes(lab):
    from isocompute.planner.compare import compute_expected_accuracies

    expected = compute_expected_accuracies(lab, lab.lam)
    strategy = recommend_at(expected, 16)[0]
    flips = find_flips(expected, 16, strategy, lab.lam, None)
    assert flips
    for flip in flips:
        inside, outside = (flip.factor ** (1 + sign * 0.02) for sign in (-1, 1))
        assert recommend_at(expected, 16, lab.lam * inside)[0] == strategy
        assert recommend_at(expected, 16, lab.lam * outside)[0] == flip.strategy
        assert flip.ratio == pytest.approx(lab.lam * flip.factor)


def test_reordering_by_price_is_repricing(lab):
    """Another λ gives what a plan with that λ gives."""
    from isocompute.planner.compare import compute_expected_accuracies

    expected = compute_expected_accuracies(lab, lab.lam)
    for lam in (0.3, 1.0, 4.0):
        other = plan(lab, "128x", lam=lam).recommendation
        assert recommend_at(expected, 128, lam) == (other.strategy, other.numbers)


def test_lambda_has_an_interval_that_holds_it(lab):
    costs = plan(lab, "128x").costs
    assert costs.ratio_interval[0] < lab.lam < costs.ratio_interval[1]
    assert plan(lab, "128x", lam=1.5).costs.ratio_interval is None
    assert plan(lab.use_lambda(2.0, "given"), "128x").costs.ratio_interval is None
    low, high = plan(lab, "128x", cost="prompts").costs.ratio_interval
    assert low < lab.lambdas["prompts"] < high
    assert plan(lab, "128x", lam="prompts").costs.ratio_interval == (low, high)
    assert costs.spread.low < costs.spread.mean < costs.spread.high
    assert costs.spread.mean == pytest.approx(plan(lab, "128x").recommendation.compute)


def test_a_target_is_reached_by_the_cheapest_allocation(lab):
    reached = plan(lab, target="60%")
    assert reached.costs.target_bound >= 0.6
    assert reached.expected_accuracy > 0.6
    cheaper = plan(lab, target=0.55)
    assert cheaper.recommendation.compute < reached.recommendation.compute
    within = plan(lab, "200x", target=0.6)
    assert within.recommendation.numbers == reached.recommendation.numbers
    with pytest.raises(BudgetError, match=r"^No allocation up to 8x reaches 60 % with 90 % probability; the most is"):
        plan(lab, "8x", target=0.6)
    with pytest.raises(BudgetError, match="the most is"):
        plan(lab, target=0.99)
    with pytest.raises(BudgetError, match="A target needs the probability"):
        plan(read_profile("llama-3.1-8b-math"), target=0.5)


@pytest.mark.parametrize("target", [0, 1, 1.5, "0", "101%", "much", "", True, float("nan"), None])
def test_a_target_that_is_no_accuracy_is_refused(lab, target):
    with pytest.raises(BudgetError, match=r"between 0 and 1, such as 0.6 or 60%\.$|A plan needs a budget"):
        plan(lab, target=target)


def test_a_latency_leaves_out_what_takes_longer(lab):
    free, limited = plan(lab, "128x"), plan(lab, "128x", latency="4.3 s")
    assert free.costs.per_problem["seconds"] > 4.3
    assert limited.costs.per_problem["seconds"] <= 4.3
    assert limited.recommendation.compute <= 128
    assert any("more than 4.3 s on average are left out" in warning for warning in limited.warnings)
    assert any("256 for the solver" in warning for warning in limited.warnings)
    budget = plan(lab, "4.3 s")
    assert (budget.costs.model, budget.costs.latency_limit) == ("seconds", 4.3)
    assert budget.costs.per_problem["seconds"] <= 4.3
    with pytest.raises(
        BudgetError, match=r"^No answer comes within 0.1 s; the fastest allocation takes .* s on average\.$"
    ):
        plan(lab, "128x", latency="0.1 s")
    with pytest.raises(
        BudgetError, match="The latency of a solution is unknown: the profile does not hold the seconds"
    ):
        plan(read_profile("lab"), "20 s")


def test_a_latency_that_only_a_search_keeps():
    """As where the solutions ran beside many others: one takes 350 s, and a small search less than 50 s."""
    measured = read_profile("lab-both-small")
    slow = [
        record.model_copy(
            update={
                "tokens": {
                    role: means.model_copy(update={"seconds": 20 * means.seconds})
                    for role, means in record.tokens.items()
                }
            }
        )
        for record in measured.per_problem
    ]
    measured = measured.model_copy(update={"per_problem": slow})
    decided = plan(measured, "50 s")
    assert decided.recommendation.strategy in measured.searches
    options = [decided.recommendation, *decided.alternatives]
    assert "sc" not in {option.strategy for option in options}
    assert {option.lead for option in options} == {None}
    assert decided.extrapolated_voting is None
    with pytest.raises(BudgetError, match=r"^1x pays for nothing that is within the latency; .* costs 9\.98x\.$"):
        plan(measured, "1x", latency="50 s")


def test_x_of_seconds_is_the_latency_of_a_solution(lab):
    decided = plan(lab, "3x", cost="seconds")
    one = np.mean([record.tokens["solver"].completion / 50 for record in lab.per_problem])
    assert decided.costs.latency_limit == pytest.approx(3 * 1.25 * one, rel=0.2)


def test_kv_says_at_which_batch_and_device_it_flips(hand_profile):
    decided = plan(hand_profile, "16x", cost="kv", device="l4")
    assert decided.costs.per_problem["kv"] > decided.costs.per_problem["flops"]
    assert {strategy for _, strategy in decided.costs.setting_flips} <= {"sc", "genrm"} - {
        decided.recommendation.strategy
    }


def test_under_another_device_searches_have_another_cost():
    """What flips are computed from, against a plan that is made under the other device."""
    from isocompute.planner.compare import compute_expected_accuracies
    from isocompute.planner.costs.devices import DEVICES
    from isocompute.planner.plan_costs import recommend_under
    from isocompute.planner.priced_plan import apply_cost_model

    searched = read_profile("lab-both-small")
    first = build_request(Budget.parse("8x"), cost="kv", device="a100", batch=1)
    profile, lam, _ = apply_cost_model(searched, "kv", first)
    expected = compute_expected_accuracies(profile, profile.lam if lam is None else lam)
    done = make_priced_plan(searched, first)
    for name, batch in (("l4", 1), ("a100", None)):
        settings = replace(first.settings, device=DEVICES[name], batch=batch)
        other = plan(searched, "8x", cost="kv", device=name, batch=batch).recommendation.strategy
        found = recommend_under(done, profile, expected, first, settings)
        assert found == (None if other == done.recommendation.strategy else other)
    table = next(each for each in expected.tables if each.strategy == "beam+weighted")
    cheap = {"beam+weighted": dict.fromkeys(zip(*(c.tolist() for c in table.grid.numbers.values()), strict=True), 1.0)}
    assert recommend_at(expected, 1.0, searches=cheap)[0] == "beam+weighted"
    assert recommend_at(expected, 1e6, searches={})[0] not in searched.searches


@pytest.mark.parametrize(
    ("budget", "given", "said"),
    [
        ("96x", {"cost": "euros"}, "The cost model 'euros' is not known; it must be one of tokens, prompts, cached,"),
        ("$1", {"cost": "flops", "prices": HAND_PRICES}, "A budget in $ is priced by dollars; the cost model flops"),
        ("1e9 FLOPs", {"cost": "tokens"}, "A budget in FLOPs is priced by flops or kv; the cost model tokens prices"),
        ("96x", {"cost": "kv"}, "The cost model kv needs a device: --device h100"),
        ("2 gpu-hours", {"cost": "flops"}, "A budget in gpu-hours needs a device"),
        ("96x", {"cost": "flops", "lam": 1.0}, "λ (--lambda, lam=) and the cost model flops both say what a request"),
        ("96x", {"cost": "prompts", "lam": 1.0}, "is given as 1.0 and the cost model as prompts"),
        ("96x", {"device": "tpu"}, "The device 'tpu' is not known; it must be one of a100, h100"),
        ("96x", {"problems": 0}, "problems is 0; the number of problems must be a whole number of at least 1."),
        ("96x", {"batch": 1.5}, "batch is 1.5; the batch must be a whole number of at least 1."),
        ("96x", {"latency": "128x"}, "The latency '128x' must be seconds above zero, such as 20 s."),
        ("96x", {"latency": -1}, "The latency -1 must be seconds above zero"),
        ("1 tokens", {}, "A budget of 1 tokens does not pay for one solution, which costs 71.39 tokens."),
        ("100 tokens", {"problems": 5000}, "for each of 5,000 problems does not pay for one solution"),
        (
            "$5",
            {"prices": HAND_PRICES},
            "The cost of a solution in $ (dollars) is unknown: the prices in prices have no",
        ),
        ("$5", {"prices": "/nowhere.yaml"}, "There is no price file '/nowhere.yaml'."),
    ],
)
def test_nonsense_is_one_sentence(lab, budget, given, said):
    with pytest.raises(IsocomputeError) as caught:
        plan(lab, budget, **given)
    assert isinstance(caught.value, BudgetError | ConfigError | DataError)
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_a_grid_has_no_tokens_to_convert():
    grid = read_profile("llama-3.1-8b-math")
    with pytest.raises(
        BudgetError, match="cannot be converted to solutions: the profile does not hold the tokens of a"
    ):
        plan(grid, "1M tokens")
    decided = plan(grid, "512x")
    assert decided.costs.per_problem["x"] == decided.recommendation.compute
    assert decided.costs.per_problem["tokens"] is None
    assert decided.costs.unknown["tokens"] == "the profile does not hold the tokens of a solution"


def test_a_verifier_of_unknown_cost_is_left_out_and_said(hand_profile):
    solver = {"solver": hand_profile.models["solver"]}
    decided = plan(hand_profile.model_copy(update={"models": solver}), "16x", cost="flops")
    assert [decided.recommendation.strategy, *(o.strategy for o in decided.alternatives)] == ["sc"]
    assert any("The cost of a verification in FLOPs (flops) is unknown" in warning for warning in decided.warnings)


def test_the_toy_lab_says_so_after_the_advice_and_others_do_not(command):
    said = command("plan", "--budget", "8x").out
    note = f"note: The profile '{DEFAULT_PROFILE}' is of a toy lab, tiny models on made-up sums, and not of your model"
    assert note in said.split("\n\n")[0]
    assert "toy lab" in repr(iso.plan("lab", "8x"))
    printed = json.loads(command("plan", "--budget", "8x", "--json").out)
    assert printed["toy_note"].startswith(f"The profile '{DEFAULT_PROFILE}' is of")
    assert printed == json.loads(json.dumps(iso.plan(budget="8x").to_dict()))
    other = command("plan", "--budget", "8x", "--profile", "qwen2.5-coder-1.5b-gsm-symbolic").out
    assert "toy lab" not in other


def test_every_cost_that_is_printed_can_be_typed_back():
    measured = read_profile("lab-both-small")
    decided = plan(measured, "128x", device="h100")
    best = decided.recommendation
    printed = list_amounts(decided.costs.per_problem).split(", ")
    assert len(printed) == 8
    for text in printed:
        again = plan(measured, text, device="h100")
        same = next(o for o in (again.recommendation, *again.alternatives) if o.strategy == best.strategy)
        assert same.solutions >= best.solutions or same.accuracy == pytest.approx(best.accuracy, abs=0.005), text
    with pytest.raises(ConfigError, match="is priced by prompts, and the cost model is kv"):
        plan(measured, "9e5 tokens with prompts", cost="kv", device="h100")
    assert plan(measured, "128x", latency="200").costs.latency_limit == 200


def test_a_solution_that_costs_nothing_is_refused(lab):
    free = {"data/lab/solver": {"input": 0, "output": 0}, "data/lab/verifier": {"input": 0.1, "output": 0.4}}
    with pytest.raises(DataError, match="A solution costs nothing under the cost model dollars"):
        plan(lab, "$1", prices=free)


def test_the_command_and_python_say_the_same(command, tmp_path):
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps(PRICES))
    arguments = ("--profile", "lab", "--budget", "$20", "--problems", "5000", "--prices", prices, "--device", "h100")
    printed = json.loads(command("plan", *arguments, "--json").out)
    result = iso.plan("lab", "$20", problems=5000, prices=prices, device="h100").to_dict()
    assert json.loads(json.dumps(result)) == printed
    costs = printed["recommendation"]["costs"]
    assert printed["cost_model"] == "dollars"
    assert costs["dollars"] * 5000 == pytest.approx(printed["recommendation"]["job_costs"]["dollars"])
    assert costs["dollars"] * 5000 <= 20
    assert (costs["seconds"], printed["recommendation"]["job_costs"]["x"]) == (None, None)
    screen = command("plan", *arguments).out
    assert "$20 for 5,000 problems" in screen
    assert "Cost model: dollars" in screen
    assert "At a price of the verifier" in screen


def test_times_that_are_unknown_stay_unknown():
    assert TokenMeans(prompt=1.0).completion_sd is None
    assert read_profile("lab").timings == {}
