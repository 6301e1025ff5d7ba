from __future__ import annotations

import math

import pytest

from isocompute.errors import DataError
from isocompute.runners.cost.price import UNKNOWN_LENGTHS, TokenLengths, UnitPrices, price_requests

SOLVER = TokenLengths(100, 40, 500, source="run", rows=10)
VERIFIER = TokenLengths(700, 600, 250, source="sample", rows=8)
BOUND = TokenLengths(None, None, 1024, source="max_tokens", rows=0)
REQUESTS = {"solver": 1000, "verifier": 4000}
SIZES = {"solver": 8e9, "verifier": 2e9}


def both(solver=SOLVER, verifier=VERIFIER):
    return {"solver": solver, "verifier": verifier}


def test_everything_is_counted_role_by_role():
    found = price_requests(
        REQUESTS,
        both(),
        SIZES,
        {"solver": 1000.0, "verifier": 250.0},
        "given",
        UnitPrices(prompt=0.5, completion=2.0, hour=36),
    )
    solver, verifier = found.roles["solver"], found.roles["verifier"]
    assert (solver.prompt_tokens, solver.cached_tokens, solver.completion_tokens) == (1e5, 4e4, 5e5)
    assert (solver.flops, solver.prompt_flops) == (2 * 8e9 * 5e5, 2 * 8e9 * 6e4)
    assert (verifier.flops, verifier.prompt_flops) == (2 * 2e9 * 1e6, 2 * 2e9 * 4e5)
    assert found.hours == pytest.approx((5e5 / 1000 + 1e6 / 250) / 3600)
    assert found.dollars == pytest.approx(0.5 * 2.9 + 2.0 * 1.5 + 36 * found.hours)
    assert not found.upper_bound


def test_a_bound_is_a_bound_and_what_is_unknown_stays_unknown():
    found = price_requests(
        REQUESTS, both(verifier=BOUND), {"solver": None, "verifier": 2e9}, prices=UnitPrices(prompt=1.0)
    )
    assert found.upper_bound
    assert (found.roles["solver"].flops, found.roles["solver"].prompt_flops) == (None, None)
    assert found.roles["verifier"].flops == 2 * 2e9 * 1024 * 4000
    assert (found.roles["verifier"].prompt_tokens, found.roles["verifier"].prompt_flops) == (None, None)
    assert (found.hours, found.dollars) == (None, None)


@pytest.mark.parametrize(
    ("prices", "dollars"),
    [
        (None, None),
        (UnitPrices(), None),
        (UnitPrices(completion=3.0), 3 * 4.596),
        (UnitPrices(prompt=1.0, completion=3.0), None),
        (UnitPrices(hour=7.0), None),
        (UnitPrices(prompt=0.0), None),
    ],
)
def test_dollars_are_for_what_is_paid_for_and_can_be_counted(prices, dollars):
    found = price_requests(REQUESTS, both(verifier=BOUND), SIZES, prices=prices)
    assert found.dollars == (None if dollars is None else pytest.approx(dollars))


def test_prompts_are_read_whole_where_it_is_unknown_what_is_cached():
    found = price_requests({"solver": 10}, {"solver": TokenLengths(100, None, 5, "run", 1)}, SIZES)
    assert found.roles["solver"].cached_tokens is None
    assert found.roles["solver"].prompt_flops == 2 * 8e9 * 1000


def test_nothing_missing_costs_nothing_and_is_no_bound():
    found = price_requests(
        {"solver": 0}, {"solver": BOUND}, SIZES, {"solver": 10.0}, "given", UnitPrices(completion=1.0, hour=1.0)
    )
    assert (found.hours, found.dollars, found.upper_bound) == (0, 0, False)


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf, 5e-324, 1e308])
def test_a_rate_a_size_or_a_price_that_is_none_is_refused(wrong):
    with pytest.raises(DataError, match=r"^The rate is .*; it must lie from 0\.001 to 1e\+12\.$"):
        price_requests(REQUESTS, both(), SIZES, {"solver": 1.0, "verifier": wrong}, "given")
    with pytest.raises(DataError, match=r"^A model's size is .*; it must lie from 0\.001 to 1e\+15\.$"):
        price_requests(REQUESTS, both(), {"solver": wrong, "verifier": None})
    if wrong:
        with pytest.raises(DataError, match=r"^A price is .*; it must be zero, or lie from 1e-09 to 1,000,000\.$"):
            price_requests(REQUESTS, both(), SIZES, prices=UnitPrices(hour=wrong))


SEARCH = TokenLengths(1000, 900, 200, "run", 4, 400, 300, scorer_completion_tokens=10)


def test_a_search_costs_what_its_solver_and_its_scorer_do():
    found = price_requests({"beam N=4": 10}, {"beam N=4": SEARCH}, {"beam N=4": 1e9}, {"beam N=4": 50.0}, scorer=3e9)
    beam = found.roles["beam N=4"]
    assert (beam.flops, beam.prompt_flops, beam.scorer_flops) == (2e9 * 2000, 2e9 * 1000, 6e9 * 1100)
    assert found.hours == pytest.approx(2000 / 50 / 3600)
    assert price_requests({"beam N=4": 10}, {"beam N=4": SEARCH}, {}).roles["beam N=4"].scorer_flops is None


def test_a_scorer_alone_is_paced_by_what_it_reads():
    scores = TokenLengths(0.0, 0.0, 0.0, "run", 4, scorer_prompt_tokens=300, scorer_cached_tokens=None)
    found = price_requests({"scorer": 10}, {"scorer": scores}, {}, {"scorer": 100.0}, scorer=1e9)
    assert (found.roles["scorer"].flops, found.roles["scorer"].scorer_flops) == (0.0, 2e9 * 3000)
    assert found.hours == pytest.approx(30 / 3600)
    assert price_requests({"scorer": 10}, {"scorer": scores}, {}, {"solver": 100.0}).hours is None


def test_a_scorer_s_tokens_are_paid_only_if_they_are_billed():
    prices = UnitPrices(prompt=1.0, completion=10.0)
    free, billed = (
        price_requests({"beam N=4": 1000}, {"beam N=4": SEARCH}, {}, prices=prices, scorer_billed=scorer_billed).dollars
        for scorer_billed in (False, True)
    )
    assert free == pytest.approx(1.0 + 2.0)
    assert billed == pytest.approx(1.4 + 2.1)


def test_of_what_is_not_there_nothing_is_unknown():
    found = price_requests(
        {"solver": 0, "rebase N=4": 0}, both() | {"rebase N=4": UNKNOWN_LENGTHS}, {}, {"solver": 1.0}
    )
    assert (found.hours, found.roles["rebase N=4"].scorer_flops) == (0.0, 0.0)
