"""Hostile inputs, by kind: each ends in time, within memory, with printable output and nothing half-written.

A sample runs in `make test`, all in `make soak`.
"""

from __future__ import annotations

import pytest

from tests.hostile.cases import draw_inputs, generate_inputs, list_kinds

INPUTS = [case for kind in list_kinds() for case in generate_inputs(kind)]
SAMPLED = draw_inputs(INPUTS, 300, "make test")
IN_A_SHELL = draw_inputs(
    [case for case in INPUTS if not (case.lost_folder or case.unprivileged or case.is_real)], 60, "commands"
)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=[] if case.name in SAMPLED else [pytest.mark.soak]) for case in INPUTS],
)
def test_a_hostile_input_does_no_harm(judge, judge_real, case):
    ending, faults = (judge_real if case.is_real else judge)(case)
    assert not faults, f"{' '.join(case.command)[:300]}: {faults}; {ending}"[:3000]


@pytest.mark.soak
@pytest.mark.parametrize("case", [case for case in INPUTS if case.name in IN_A_SHELL], ids=lambda case: case.name)
def test_a_hostile_input_does_no_harm_to_a_real_command(judge_real, case):
    ending, faults = judge_real(case)
    assert not faults, f"{' '.join(case.command)[:300]}: {faults}; {ending}"[:3000]


def test_there_are_enough_inputs():
    assert len(SAMPLED) == 300
    assert len(IN_A_SHELL) == 60
    assert len(INPUTS) >= 1500


def test_the_names_of_inputs_differ():
    names = [case.name for case in INPUTS]
    assert len(set(names)) == len(names)
