"""Costs of requests and allocations, against invoices and FLOPs computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from isocompute.planner.costs.allocation import compute_option_cost, count_role_tokens, measure_spread
from isocompute.planner.costs.devices import DEVICES
from isocompute.planner.costs.models import price_profile, price_profile_requests
from isocompute.planner.costs.prices import parse_prices
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.profile import Curve, ModelRecord, ProblemRecord, Searches, TokenMeans
from isocompute.planner.strategy_option import StrategyOption

PRICES = parse_prices(
    {
        "small": {"input": 1, "output": 4, "cached_read": 0.1},
        "big": {"input": 10, "output": 30, "cached_read": 1},
    },
    "by hand",
)
GENRM = StrategyOption("genrm", {"S": 4, "V": 2}, 10.5, 0.7, 0.7, None, None, None)
# Four solutions and eight verifications: the first problem, then the second, in millionths of a dollar.
SOLUTIONS = [4 * (100 * 1 + 400 * 4), 4 * (100 * 1 + 200 * 0.1 + 600 * 4)]
VERIFICATIONS = [8 * (200 * 10 + 500 * 1 + 200 * 30), 8 * (200 * 10 + 700 * 1 + 300 * 30)]


def test_an_invoice(hand_profile):
    costs = price_profile_requests(hand_profile, "dollars", CostSettings(prices=PRICES))
    assert compute_option_cost(hand_profile, GENRM, costs) == pytest.approx(0.08924)
    assert pytest.approx(np.mean(SOLUTIONS) + np.mean(VERIFICATIONS)) == 1e6 * 0.08924
    assert costs.get_mean("solver") == pytest.approx(np.mean(SOLUTIONS) / 4e6)
    assert costs.compute_ratio("verifier") == pytest.approx(np.mean(VERIFICATIONS) / 8 / (np.mean(SOLUTIONS) / 4))


def test_a_batch_discount_is_taken_off_the_invoice(hand_profile):
    half = {name: vars(price) | {"batch_discount": 0.5} for name, price in PRICES.models.items()}
    costs = price_profile_requests(hand_profile, "dollars", CostSettings(prices=parse_prices(half, "half")))
    assert compute_option_cost(hand_profile, GENRM, costs) == pytest.approx(0.04462)


def test_without_a_price_of_cached_reads_they_are_billed_as_input_and_need_not_be_known(hand_profile):
    records = [
        ProblemRecord(tokens={role: means.model_copy(update={"cached": None}) for role, means in record.tokens.items()})
        for record in hand_profile.per_problem
    ]
    unknown = hand_profile.model_copy(update={"per_problem": records})
    plain = parse_prices({"small": {"input": 1, "output": 4}, "big": {"input": 10, "output": 30}}, "plain")
    costs = price_profile_requests(unknown, "dollars", CostSettings(prices=plain))
    assert 1e6 * costs.get_mean("solver") == pytest.approx(np.mean([100 + 1600, 300 + 2400]))
    priced = price_profile_requests(unknown, "dollars", CostSettings(prices=PRICES))
    assert "does not hold the cached tokens of a solution" in priced.unknown["solver"]
    assert priced.each == {}


def test_flops_are_two_for_each_used_parameter_and_token(hand_profile):
    costs = price_profile_requests(hand_profile, "flops", CostSettings())
    assert costs.get_mean("solver") == 2 * 8e9 * np.mean([100 + 400, 100 + 600])
    assert costs.get_mean("verifier") == 2 * 13e9 * np.mean([200 + 200, 200 + 300])  # of 47e9 a token uses 13e9
    by_hand = 4 * 2 * 8e9 * 600 + 8 * 2 * 13e9 * 450
    assert compute_option_cost(hand_profile, GENRM, costs) == pytest.approx(by_hand)
    assert costs.compute_ratio("verifier") == pytest.approx(hand_profile.lambdas["cached"])


@pytest.mark.parametrize(("model", "way"), [("tokens", "completion"), ("prompts", "prompts"), ("cached", "cached")])
def test_tokens_agree_with_lambda(hand_profile, model, way):
    costs = price_profile_requests(hand_profile, model, CostSettings())
    assert costs.compute_ratio("verifier") == pytest.approx(hand_profile.lambdas[way])
    own = {"completion": 500, "prompts": 700, "cached": 600}[way]
    assert costs.get_mean("solver") == own
    assert compute_option_cost(hand_profile, GENRM, costs) == pytest.approx(
        4 * own * (1 + 2 * hand_profile.lambdas[way])
    )


def test_kv_adds_attention_and_the_reads_of_the_cache(hand_profile):
    device = DEVICES["h100"]
    costs = price_profile_requests(hand_profile, "kv", CostSettings(device=device))
    # Decoding step i reads the prompt and i tokens; the prompt reads itself once, without what is cached.
    decoded = [400 * 100 + 400**2 / 2, 600 * 300 + (600**2 + 100**2) / 2]
    prefilled = [100 * 100 / 2, 100 * (300 - 50)]
    flops = [2 * 8e9 * 500, 2 * 8e9 * 700]
    by_hand = [
        f + 2e6 * (d + p) + device.intensity * 1000 * d for f, d, p in zip(flops, decoded, prefilled, strict=True)
    ]
    assert costs.get_mean("solver") == pytest.approx(np.mean(by_hand))
    assert device.intensity == pytest.approx(989.4 / 3.35)


def test_a_batch_shares_the_reads_of_the_weights(hand_profile):
    device = DEVICES["h100"]
    large, eight, one = (
        price_profile_requests(hand_profile, "kv", CostSettings(device=device, batch=batch)) for batch in (None, 8, 1)
    )
    solver = [each.get_mean("solver") for each in (large, eight, one)]
    assert solver[1] - solver[0] == pytest.approx(device.intensity * 2 * 8e9 / 8 * 500)
    assert solver[2] - solver[0] == pytest.approx(device.intensity * 2 * 8e9 * 500)
    verifier = [each.get_mean("verifier") for each in (large, eight, one)]
    assert verifier[1] - verifier[0] == pytest.approx(device.intensity * 2 * 47e9 / 8 * 250)  # all experts at most
    assert verifier[2] - verifier[0] == pytest.approx(device.intensity * 2 * 13e9 * 250)


def test_kv_reads_of_the_shipped_qwen_run():
    """The profile's texts, at the architecture of Qwen2.5-1.5B: a verification costs more than by its tokens."""
    from isocompute.planner.profile import read_profile

    shipped = read_profile("qwen2.5-coder-1.5b-gsm-symbolic")
    qwen = shipped.models["solver"].model_copy(
        update={"kv_bytes": 28 * 2 * 2 * 128 * 2, "attention_flops": 4 * 28 * 12 * 128}
    )
    profile = shipped.model_copy(update={"models": {"solver": qwen, "verifier": qwen}})
    flops = price_profile_requests(profile, "flops", CostSettings()).compute_ratio("verifier")
    ratios = [
        price_profile_requests(profile, "kv", CostSettings(device=DEVICES[name])).compute_ratio("verifier")
        for name in ("a100", "h100", "l4")
    ]
    assert flops == pytest.approx(shipped.lambdas["cached"], rel=1e-6)
    assert flops < ratios[0] < ratios[1] < ratios[2] < 2 * flops  # the fewer bytes a FLOP, the dearer long texts


def test_what_is_unknown_is_said_and_never_a_number(hand_profile):
    nameless = hand_profile.model_copy(update={"models": {"solver": ModelRecord(name="small", parameters=8e9)}})
    flops = price_profile_requests(nameless, "flops", CostSettings())
    assert (flops.get_mean("verifier"), flops.compute_ratio("verifier")) == (None, None)
    assert flops.unknown["verifier"].endswith("fit --parameters (parameters= in Python) sets it")
    assert compute_option_cost(nameless, GENRM, flops) is None
    kv = price_profile_requests(nameless, "kv", CostSettings(device=DEVICES["l4"]))
    assert "config.json" in kv.unknown["solver"]
    bare = hand_profile.model_copy(update={"per_problem": [ProblemRecord()] * 40})
    assert (
        "does not hold the tokens of a solution"
        in price_profile_requests(bare, "tokens", CostSettings()).unknown["solver"]
    )
    other = parse_prices({"medium": {"input": 1, "output": 1}}, "a.yaml")
    priced = price_profile_requests(hand_profile, "dollars", CostSettings(prices=other))
    assert (
        priced.unknown["verifier"] == "the prices in a.yaml have no 'org/big', the verifier's model; they have 'medium'"
    )


def test_single_problems_are_spread_around_the_mean(hand_profile):
    costs = price_profile_requests(hand_profile, "tokens", CostSettings())
    found = measure_spread(hand_profile, GENRM, costs)
    first = (4 * 400 + 8 * 200 * 13 / 8) / 500
    second = (4 * 600 + 8 * 300 * 13 / 8) / 500
    assert (found.low, found.high) == pytest.approx((first, second))
    assert found.mean == pytest.approx((first + second) / 2)
    assert found.interval[0] <= found.mean <= found.interval[1]
    assert count_role_tokens(hand_profile, GENRM) == {
        "solver": {"prompt": 800, "cached": 400, "completion": 2000},
        "verifier": {"prompt": 6400, "cached": 4800, "completion": 2000},
    }


def search(hand_profile, tokens, cached_cost):
    part = Searches(
        numbers={"N": [2, 4]},
        seeds=[1, 1],
        cost={"completion": [3.0, 6.0], "prompts": [4.0, 8.0], "cached": cached_cost},
        tokens=tokens,
        accuracy=[[0.5, 0.6], [0.7, 0.8]] * 20,
    )
    scorer = {"scorer": TokenMeans(prompt=800, cached=200, completion=0)}
    return hand_profile.model_copy(
        update={
            "models": {"solver": hand_profile.models["solver"], "scorer": ModelRecord(name="big", parameters=8e9)},
            "rhos": {"completion": 1.0, "prompts": 1.0, "cached": 1.0},
            "strategies": {"sc": hand_profile.strategies["sc"], "dvts+weighted": part},
            "per_problem": [ProblemRecord(tokens=record.tokens | scorer) for record in hand_profile.per_problem],
        }
    )


def test_a_search_is_priced_from_its_tokens(hand_profile):
    tokens = {
        "solver": {"prompt": [500.0, 900.0], "cached": [400.0, 700.0], "completion": [1000.0, 2000.0]},
        "scorer": {"prompt": [2000.0, 4000.0], "cached": [500.0, 1000.0], "completion": [0.0, 0.0]},
    }
    profile = search(hand_profile, tokens, [5.0, 10.0])
    flops = price_profile_requests(profile, "flops", CostSettings())
    assert flops.searches["dvts+weighted"] == pytest.approx([2 * 8e9 * (1100 + 1500), 2 * 8e9 * (2200 + 3000)])
    dollars = price_profile_requests(profile, "dollars", CostSettings(prices=PRICES))
    bill = 100 * 1 + 400 * 0.1 + 1000 * 4 + 1500 * 10 + 500 * 1
    assert 1e6 * dollars.searches["dvts+weighted"][0] == pytest.approx(bill)
    repriced = price_profile(profile, dollars).searches["dvts+weighted"].get_costs("dollars")
    assert repriced[0] == pytest.approx(1e-6 * bill / dollars.get_mean("solver"))


def test_an_older_profile_s_search_has_flops_only_where_they_follow_from_its_tokens(hand_profile):
    profile = search(hand_profile, {}, [5.0, 10.0])
    flops = price_profile_requests(profile, "flops", CostSettings())
    assert flops.compute_ratio("scorer") == 1.0  # 600 uncached tokens of as large a model
    assert flops.searches["dvts+weighted"] == pytest.approx([5 * 2 * 8e9 * 600, 10 * 2 * 8e9 * 600])
    assert price_profile_requests(profile, "dollars", CostSettings(prices=PRICES)).searches == {}
    unlike = profile.model_copy(update={"rhos": {"completion": 1.0, "prompts": 1.0, "cached": 1.5}})
    assert price_profile_requests(unlike, "flops", CostSettings()).searches == {}
    assert price_profile(unlike, price_profile_requests(unlike, "flops", CostSettings())).counting == "flops"
    assert isinstance(unlike.strategies["sc"], Curve)
