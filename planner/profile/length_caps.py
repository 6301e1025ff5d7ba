"""The part of a profile on caps: self-consistency under lower limits on the length of a solution."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, StrictFloat, model_validator

from isocompute.planner.profile.accuracies import check_probabilities, to_accuracy_array
from isocompute.planner.profile.numbers import Knots, PositiveNumber, Share, WholeNumber


class LengthCaps(BaseModel):
    """Self-consistency as it would be if solutions were cut at T completion tokens, for several T.

    A solution longer than T counts as one without an answer that costs T. All others stay as they were.

    Args:
        limits: the limits T, increasing. The last one is the length of the longest solution, which changes nothing.
        cut: (limits,) share of the solutions that are cut, with those that the run itself cut.
        tokens: (limits,) mean completion tokens of a solution.
        own_limit: the run's own ``max_tokens``; None if it is unknown.
        solutions: numbers of solutions S, increasing.
        accuracy: (problems, limits, solutions) accuracies.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    limits: Knots
    cut: list[Share]
    tokens: list[PositiveNumber]
    own_limit: WholeNumber | None = None
    solutions: Knots
    accuracy: list[list[list[StrictFloat]]]

    @model_validator(mode="after")
    def _check_rectangle(self) -> LengthCaps:
        for name, column in (("cut", self.cut), ("tokens", self.tokens)):
            if len(column) != len(self.limits):
                raise ValueError(f"'{name}' has {len(column)} entries; there are {len(self.limits)} limits")
        if any((np.diff(numbers) <= 0).any() for numbers in (self.limits, self.solutions)):
            raise ValueError("'limits' and 'solutions' must increase")
        check_probabilities(self.array, (len(self.limits), len(self.solutions)))
        return self

    @cached_property
    def array(self) -> NDArray[np.float64]:
        """The accuracies, (problems, limits, solutions)."""
        return to_accuracy_array(self.accuracy)
