"""The cost of a pilot in every unit that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isocompute.planner.evaluation.pilots import PilotShape
from isocompute.planner.profile import ModelRecord, ProblemRecord


@dataclass(frozen=True)
class PilotCosts:
    """The total cost of a pilot.

    Args:
        solutions_worth: in x: its solutions, and λ for each verification.
        solutions: number of solutions.
        verifications: number of verifications.
        completion_tokens: tokens that solver and verifier write; None if unknown.
        prompt_tokens: tokens that they read, those from a cache included; None if unknown.
        flops: two for each parameter and token written or read; None if unknown.
    """

    solutions_worth: float
    solutions: int
    verifications: int
    completion_tokens: float | None = None
    prompt_tokens: float | None = None
    flops: float | None = None


def compute_pilot_costs(
    shape: PilotShape,
    lam: float,
    records: Sequence[ProblemRecord] = (),
    models: Mapping[str, ModelRecord] | None = None,
) -> PilotCosts:
    """Compute the cost of a pilot; its tokens are those of rows like the ones in some records.

    Args:
        shape: the pilot.
        lam: λ.
        records: records of problems with their mean tokens; none if tokens are unknown.
        models: the models by role, for their sizes.

    Example:
        >>> compute_pilot_costs(PilotShape(60, 16, 8, 2), 0.5).solutions_worth
        1440.0
    """
    solved, judged = shape.problems * shape.solutions, shape.problems * shape.verified * shape.verifications
    counts = {role: count for role, count in (("solver", solved), ("verifier", judged)) if count}
    written = {role: average_tokens(records, role, "completion") for role in counts}
    read = {role: average_tokens(records, role, "prompt") for role in counts}
    work: dict[str, float | None] = {}
    for role in counts:
        size, tokens = get_active_parameters(models or {}, role), (written[role], read[role])
        work[role] = None if size is None or None in tokens else 2 * size * sum(each or 0.0 for each in tokens)
    totals = [add_rows(counts, each) for each in (written, read, work)]
    return PilotCosts(shape.compute_cost(lam), solved, judged, *totals)


def average_tokens(records: Sequence[ProblemRecord], role: str, kind: str) -> float | None:
    """Return the mean tokens of a role's rows over problems; None if any problem does not know them."""
    values = [getattr(record.tokens.get(role), kind, None) for record in records]
    known = [float(value) for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def get_active_parameters(models: Mapping[str, ModelRecord], role: str) -> float | None:
    """Return the number of parameters that each token of a role uses; None if it is unknown."""
    model = models.get(role)
    return None if model is None else model.active_parameters or model.parameters


def add_rows(counts: Mapping[str, int], each: Mapping[str, float | None]) -> float | None:
    """Return the sum over roles of the number of rows times what each takes; None if one is unknown."""
    values = [each[role] for role in counts]
    return None if None in values else float(sum(count * (each[role] or 0.0) for role, count in counts.items()))
