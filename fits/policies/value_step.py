"""The value rule as it is carried out: from what was seen of a problem, the next action and P(right)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from isocompute.fits.policies.value_model import FEATURE_NAMES, ValueModel, list_looks

if TYPE_CHECKING:
    from isocompute.fits.policies.kernels_value import State


def choose_value_step(
    model: ValueModel,
    price: float,
    most: int,
    lam: float | None,
    answers: Sequence[int],
    verdicts: Sequence[Sequence[float]],
) -> tuple[int, tuple[int, ...]]:
    """Return how many more solutions to sample, and the solutions to verify, side by side; (0, ()) to stop.

    It is a function of the votes and verdicts alone, and takes the compiled step of the replay.

    Args:
        model: what was learnt.
        price: μ.
        most: solutions of the full budget.
        lam: λ; it may be None if the model does not verify.
        answers: the answer of each solution as a number, in the order in which they arrived; -1 if unparsed.
        verdicts: the verdicts of each solution; NaN for one that cannot be read.
    """
    from isocompute.fits.policies.kernels_value import LOOK, VERIFY, choose_step

    state, _ = build_state(model, max(most, len(answers)), answers, verdicts)
    action, number, worth = choose_step(
        np.array(model.answers.table),
        np.array(model.weights),
        list_looks(max(most, len(answers))),
        float(model.rate if model.is_verifying else 0.0),
        float(lam or 0.0),
        state,
        np.empty(len(FEATURE_NAMES)),
    )
    if action == VERIFY:
        return 0, tuple(state.targets[:number].tolist())
    is_stopped = action == LOOK and price > 0 and worth < np.log(price)
    return (0 if is_stopped else int(number)), ()


def choose_value_answer(
    model: ValueModel, answers: Sequence[int], verdicts: Sequence[Sequence[float]]
) -> tuple[int | None, float]:
    """Return the answer with the highest P(right), the first seen of those that tie, and P(right); None without one.

    Args:
        model: as for `choose_value_step`.
        answers: the same.
        verdicts: the same.
    """
    from isocompute.fits.policies.kernels_value import rank_leaders

    state, codes = build_state(model, max(len(answers), 1), answers, verdicts)
    if not codes:
        return None, 0.0
    rank_leaders(state)
    leader = int(state.leaders[0])
    return codes[leader], float(state.shares[leader])


def build_state(
    model: ValueModel, room: int, answers: Sequence[int], verdicts: Sequence[Sequence[float]]
) -> tuple[State, list[int]]:
    """Return the compiled state of what was seen, and the answers in the order of their first solutions.

    Args:
        model: as for `choose_value_step`.
        room: solutions that the state has room for.
        answers: as for `choose_value_step`.
        verdicts: the same.
    """
    from isocompute.fits.policies.kernels_value import append_solution, append_verdict, start_state

    table = np.array(model.answers.table)
    state, codes = start_state(table, room), list(dict.fromkeys(answer for answer in answers if answer >= 0))
    number = {answer: i for i, answer in enumerate(codes)}
    for n, answer in enumerate(answers):
        append_solution(table, state, number.get(answer, -1), model.verifications if n < model.verifiable else 0)
    for n, seen in enumerate(verdicts):
        for verdict in seen:
            append_verdict(table, state, n, float(verdict))
    return state, codes
