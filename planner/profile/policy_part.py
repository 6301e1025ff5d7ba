"""The part of a profile that says what a rule that stops early reaches and samples."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictFloat, Tag, model_validator

from isocompute.planner.profile.accuracies import check_probabilities, to_accuracy_array
from isocompute.planner.profile.numbers import (
    LARGEST_NUMBER,
    FiniteNumber,
    NonNegativeNumber,
    PositiveNumber,
    StandardError,
    WholeNumber,
    WholeNumberFromZero,
)

AtLeastOne = Annotated[float, Field(ge=1, le=LARGEST_NUMBER, strict=True)]


class PolicyPart(BaseModel):
    """A rule under T settings: means over random orders of each problem's solutions.

    A setting is a threshold with a limit, the most solutions of a problem. The full budget is that of the pool,
    whatever the limit.

    Args:
        parameter: the meaning of the threshold, in words.
        thresholds: (T,); the last one never stops before the full budget.
        limits: (T,) most solutions; None in older profiles, see `list_limits`.
        most_solutions: solutions of the full budget.
        most_verifications: verifications of each of them; 0 if the rule does not verify.
        error: the largest standard error of a mean accuracy that comes from the draws.
        compute: (T,) mean compute in x, by completion tokens.
        percentile_95: (T,) 95th percentile of compute over problems and orders, likewise.
        hindsight: (problems,) solutions of one who knows when to stop with the full budget's answer; None if the answer
            is not that of a vote.
        accuracy: (problems, T).
        solutions: (problems, T) mean number of solutions.
        verifications: (problems, T) mean number of verifications; None if each solution has `most_verifications`.
        answer_model: what the rule has learnt on all problems, as in a policy file; None if it learns nothing. Each
            problem is measured under one that was learnt on other problems.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    parameter: str
    thresholds: Annotated[list[FiniteNumber], Field(min_length=1)]
    limits: list[WholeNumber] | None = None
    most_solutions: WholeNumber
    most_verifications: WholeNumberFromZero = 0
    error: StandardError = 0.0
    compute: list[PositiveNumber]
    percentile_95: list[NonNegativeNumber]
    hindsight: list[AtLeastOne] | None = None
    accuracy: list[list[StrictFloat]]
    solutions: list[list[AtLeastOne]]
    verifications: list[list[NonNegativeNumber]] | None = None
    answer_model: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _check_rectangle(self) -> PolicyPart:
        shape = (len(self.thresholds),)
        check_probabilities(self.array, shape)
        for name in ("solutions", "verifications"):
            rows = getattr(self, name)
            if rows is not None and to_accuracy_array(rows).shape != self.array.shape:
                raise ValueError(f"'{name}' must have {shape[0]} numbers for each of {len(self.accuracy)} problems")
        limits = self.list_limits()
        if len(limits) != shape[0] or max(limits) > self.most_solutions:
            raise ValueError(f"'limits' must have {shape[0]} whole numbers up to {self.most_solutions}")
        known = len(self.accuracy) if self.hindsight is None else len(self.hindsight)
        if {len(self.compute), len(self.percentile_95)} != set(shape) or known != len(self.accuracy):
            raise ValueError(
                "'compute' and 'percentile_95' must have a number for each threshold, 'hindsight' one for each problem"
            )
        return self

    def list_limits(self) -> list[int]:
        """Return (T,) the most solutions of each setting; in profiles without limits, those of the full budget."""
        return [self.most_solutions] * len(self.thresholds) if self.limits is None else self.limits

    @cached_property
    def array(self) -> NDArray[np.float64]:
        """The accuracies, (problems, T)."""
        return to_accuracy_array(self.accuracy)

    @cached_property
    def sampled(self) -> NDArray[np.float64]:
        """The mean numbers of solutions, (problems, T)."""
        return np.array(self.solutions)

    @cached_property
    def verified(self) -> NDArray[np.float64]:
        """The mean numbers of verifications, (problems, T)."""
        return self.most_verifications * self.sampled if self.verifications is None else np.array(self.verifications)


def classify_policy(part: object) -> str:
    """Return the tag of a policy's part, found from its keys."""
    is_known = isinstance(part, PolicyPart) or (isinstance(part, dict) and {"thresholds", "accuracy"} <= set(part))
    return "policy" if is_known else "unknown"


AnyPolicy = Annotated[
    Annotated[PolicyPart, Tag("policy")] | Annotated[Any, Tag("unknown")], Discriminator(classify_policy)
]
"""A rule that was measured, or a policy in an unknown form, which is kept."""
