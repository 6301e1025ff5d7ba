"""The part of a profile that says how often votes are settled."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, model_validator

from isocompute.planner.profile.accuracies import check_probabilities, to_accuracy_array
from isocompute.planner.profile.numbers import Knots


class SettledVotes(BaseModel):
    """The probability that a vote is settled and needs no larger model, see `fits.estimators.settled_votes`.

    Args:
        solutions: numbers of solutions S, increasing.
        shares: the shares of the votes that settle a vote, increasing; 0.5 means more than half.
        settled: (problems, solutions, shares) probability that the vote is settled.
        right: (problems, solutions, shares) probability that it is settled on a right answer.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    solutions: Knots
    shares: Annotated[list[Annotated[float, Field(gt=0, le=1, strict=True)]], Field(min_length=1)]
    settled: list[list[list[StrictFloat]]]
    right: list[list[list[StrictFloat]]]

    @model_validator(mode="after")
    def _check_shape(self) -> SettledVotes:
        shape = (len(self.solutions), len(self.shares))
        for name in ("settled", "right"):
            array = to_accuracy_array(getattr(self, name))
            if array.shape[1:] != shape or len(array) != len(self.settled):
                raise ValueError(f"'{name}' must have {shape[0]} × {shape[1]} numbers for each problem")
            check_probabilities(array, shape)
        return self
