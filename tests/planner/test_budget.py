from __future__ import annotations

import pytest

from isocompute.errors import BudgetError
from isocompute.planner.budget import Budget, format_amount, round_up


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("1x", Budget(1)),
        ("128x", Budget(128)),
        (" 128 x ", Budget(128)),
        ("0.25x", Budget(0.25)),
        ("+2x", Budget(2)),
        ("128x-plateau", Budget(128, of_plateau=True)),
        ("0.5 x-plateau", Budget(0.5, of_plateau=True)),
        ("128X", Budget(128)),
        ("128x-Plateau", Budget(128, of_plateau=True)),
        ("1e3x", Budget(1000)),
        ("1,184x", Budget(1184)),
        ("3.2M tokens", Budget(3.2e6, unit="tokens")),
        ("1,500 tokens", Budget(1500, unit="tokens")),
        ("2e15 FLOPs", Budget(2e15, unit="FLOPs")),
        ("2 PFLOPs", Budget(2e15, unit="FLOPs")),
        ("$0.02", Budget(0.02, unit="$")),
        ("$1,200.50", Budget(1200.5, unit="$")),
        ("2 dollars", Budget(2, unit="$")),
        ("20 s", Budget(20, unit="s")),
        ("20s", Budget(20, unit="s")),
        ("2 gpu-hours", Budget(2, unit="gpu-hours")),
        ("2 GPU hours", Budget(2, unit="gpu-hours")),
        ("46,690 tokens with prompts", Budget(46690, unit="tokens", model="prompts")),
        ("3M tokens  with uncached prompts", Budget(3e6, unit="tokens", model="cached")),
        ("2e12 FLOPs with KV reads", Budget(2e12, unit="FLOPs", model="kv")),
        ("19.6 s until the answer", Budget(19.6, unit="s", model="seconds")),
    ],
)
def test_a_budget_reads(text, budget):
    assert Budget.parse(text) == budget


def test_x_is_one_solution_and_x_plateau_is_what_sc_flattens_at():
    assert Budget(128).to_solutions(plateau=32) == 128
    assert Budget(4, of_plateau=True).to_solutions(plateau=32) == 128


@pytest.mark.parametrize(
    "text", ["", "x", "much", "$", "$x", "1_000x", "1,18x", "12,5x", "½x", "٣x", "infx", "nanx", "1x 2", "9" * 99]
)
def test_what_is_no_number_with_a_unit_is_refused(text):
    with pytest.raises(BudgetError) as caught:
        Budget.parse(text)
    assert str(caught.value).startswith(f"The budget '{text}' ")
    assert "x-plateau" in str(caught.value)


@pytest.mark.parametrize("text", ["128", "128 h", "128 flops/s", "$128x", "128xx", "128 m"])
def test_another_unit_is_refused_with_those_that_are_known(text):
    known = r"write 128x \(solutions' worth\), 128x-plateau \(times SC's plateau\), or an amount of .* or gpu-hours\.$"
    with pytest.raises(BudgetError, match=known):
        Budget.parse(text)


@pytest.mark.parametrize("text", ["1e999x", "1e305 B tokens", "1e400 s"])
def test_a_budget_is_finite(text):
    with pytest.raises(BudgetError, match=r"is too large; the most is 1e\+\d+\.$"):
        Budget.parse(text)


@pytest.mark.parametrize("text", ["$0", "-5 s", "0 tokens", "-2e15 FLOPs"])
def test_other_amounts_are_above_zero_too(text):
    with pytest.raises(BudgetError, match=r"must be above zero\.$"):
        Budget.parse(text)


@pytest.mark.parametrize("unit", ["x", "tokens", "FLOPs", "$", "s", "gpu-hours"])
@pytest.mark.parametrize("amount", [3.217e-7, 0.0213412, 1.0, 9137.25, 1184.0, 3.2e6, 7.1234e10, 2.13e15])
def test_what_is_printed_is_read_and_pays_for_as_much(unit, amount):
    for digits in (4, 6):
        printed = format_amount(round_up(amount, digits), unit, digits)
        read = Budget.parse(printed)
        assert (read.unit, read.of_plateau) == (unit, False)
        assert amount * (1 - 1e-9) <= read.multiple <= amount * (1 + 10.0 ** (1 - digits))
        assert Budget.parse(read.text) == read or unit == "x"


@pytest.mark.parametrize("text", ["0x", "-1x", "-0.5x-plateau", "0.000000x"])
def test_a_budget_is_above_zero(text):
    with pytest.raises(BudgetError, match=r"must be above zero; 1x is one solution\.$"):
        Budget.parse(text)


@pytest.mark.parametrize(("budget", "x"), [(Budget(0.5), "0.5"), (Budget(0.01, of_plateau=True), "0.32")])
def test_a_budget_pays_for_a_solution_at_least(budget, x):
    with pytest.raises(BudgetError) as caught:
        budget.to_solutions(plateau=32)
    assert str(caught.value) == f"A budget of {x}x does not pay for one solution; the least is 1x."


def test_a_multiple_of_an_unknown_plateau_is_refused():
    with pytest.raises(BudgetError, match="SC's plateau is unknown, as SC was measured at one solution only; write 2x"):
        Budget.parse("2x-plateau").to_solutions(None)
    assert Budget.parse("2x").to_solutions(None) == 2
