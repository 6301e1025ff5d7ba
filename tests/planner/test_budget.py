from __future__ import annotations

import pytest

from isocompute.errors import BudgetError
from isocompute.planner.budget import Budget


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
    ],
)
def test_a_budget_reads(text, budget):
    assert Budget.parse(text) == budget


def test_x_is_one_solution_and_x_plateau_is_what_sc_flattens_at():
    assert Budget(128).to_solutions(plateau=32) == 128
    assert Budget(4, of_plateau=True).to_solutions(plateau=32) == 128


@pytest.mark.parametrize(
    "text", ["", "x", "much", "1e3x", "1_000x", "12,5x", "½x", "٣x", "infx", "nanx", "1x 2", "9" * 99]
)
def test_what_is_no_number_with_a_unit_is_refused(text):
    with pytest.raises(BudgetError) as caught:
        Budget.parse(text)
    assert str(caught.value).startswith(f"The budget '{text}' ")
    assert "x-plateau" in str(caught.value)


@pytest.mark.parametrize("text", ["128", "128X", "128 flops", "128x-Plateau", "128xx"])
def test_another_unit_is_refused_with_the_two_that_are_known(text):
    with pytest.raises(BudgetError, match=r"write 128x \(solutions' worth\) or 128x-plateau \(times SC's plateau\)\.$"):
        Budget.parse(text)


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
