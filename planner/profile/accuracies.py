"""Each strategy's accuracies, over S, over S and V, or of searches."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictFloat, Tag, model_validator

from isocompute.planner.profile.numbers import (
    FiniteNumber,
    Knots,
    NonNegativeNumber,
    PositiveNumber,
    StandardError,
    WholeNumber,
    WholeNumberFromZero,
)
from isocompute.planner.profile.problem_records import check_cached_tokens

ACCURACY_DIGITS = 5
"""Decimal places of the accuracies in the file."""


class Curve(BaseModel):
    """Accuracy over the number of solutions.

    Args:
        solutions: numbers of solutions S, increasing.
        error: the largest standard error of a mean over problems that comes from Monte Carlo draws; None if exact.
        parameters: learnt parameters by name, such as ``trust``.
        accuracy: (problems, solutions), or one row of means.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    solutions: Knots
    error: StandardError | None = None
    parameters: dict[str, FiniteNumber] = {}
    accuracy: list[list[StrictFloat]]

    @model_validator(mode="after")
    def _check_rectangle(self) -> Curve:
        check_knot_accuracies(self.array, self.solutions)
        return self

    @cached_property
    def array(self) -> NDArray[np.float64]:
        """The accuracies, (problems, solutions)."""
        return to_accuracy_array(self.accuracy)


class Surface(BaseModel):
    """Accuracy over the numbers of solutions and verifications.

    Args:
        solutions: numbers of solutions S, increasing.
        verifications: numbers of verifications V of each solution, increasing.
        error: the largest standard error of a mean over problems that comes from Monte Carlo draws; None if exact.
        parameters: learnt parameters by name, such as ``trust``.
        accuracy: (problems, solutions, verifications), or one layer of means.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    solutions: Knots
    verifications: Knots
    error: StandardError | None = None
    parameters: dict[str, FiniteNumber] = {}
    accuracy: list[list[list[StrictFloat]]]

    @model_validator(mode="after")
    def _check_rectangle(self) -> Surface:
        check_knot_accuracies(self.array, self.solutions, self.verifications)
        return self

    @cached_property
    def array(self) -> NDArray[np.float64]:
        """The accuracies, (problems, solutions, verifications)."""
        return to_accuracy_array(self.accuracy)

    def select_doublings(self) -> tuple[NDArray[np.float64], list[int], list[int]]:
        """Return the accuracies at powers of two only, the grid of the published laws, with its S and V."""
        s, v = (
            [i for i, n in enumerate(values) if n & (n - 1) == 0] for values in (self.solutions, self.verifications)
        )
        kept = self.array[:, s][:, :, v]
        return kept, [self.solutions[i] for i in s], [self.verifications[i] for i in v]


class Searches(BaseModel):
    """The searches of one strategy under one rule of selection, at A measured allocations.

    Args:
        numbers: the allocations, (A,) each: N slots, width M and lookahead k, those that the strategy has.
        seeds: (A,) number of searches of each problem.
        cost: (A,) in x, by way of counting tokens; None where unknown.
        tokens: by role, the columns of `TokenMeans`, (A,) means of a search; empty in older profiles.
        accuracy: (problems, A) means over seeds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    numbers: Annotated[dict[str, list[WholeNumberFromZero]], Field(min_length=1)]
    seeds: Knots
    cost: dict[str, list[PositiveNumber | None]]
    tokens: dict[str, dict[str, list[NonNegativeNumber | None]]] = {}
    accuracy: list[list[StrictFloat]]

    @model_validator(mode="after")
    def _check_rectangle(self) -> Searches:
        parts: list[dict[str, Any]] = [self.numbers, self.cost, *self.tokens.values()]
        for name, column in (pair for part in parts for pair in part.items()):
            if len(column) != len(self.seeds):
                raise ValueError(f"'{name}' has {len(column)} entries; there are {len(self.seeds)} allocations")
        check_probabilities(self.array, (len(self.seeds),))
        for columns in self.tokens.values():
            check_cached_tokens(columns.get("cached", []), columns.get("prompt", []))
        allocations = Counter(zip(*self.numbers.values(), strict=True))
        if twice := [numbers for numbers, times in allocations.items() if times > 1]:
            allocation = ", ".join(f"{name}={number}" for name, number in zip(self.numbers, twice[0], strict=True))
            raise ValueError(f"the allocation {allocation} appears twice")
        return self

    @cached_property
    def array(self) -> NDArray[np.float64]:
        """The accuracies, (problems, A)."""
        return to_accuracy_array(self.accuracy)

    def get_costs(self, way: str) -> list[float] | None:
        """Return the cost of each allocation, in x; None if any cost is unknown."""
        cost = [x for x in self.cost.get(way, []) if x is not None]
        return cost if len(cost) == len(self.seeds) else None


class ExtrapolatedCurve(BaseModel):
    """Accuracies beyond the measured numbers of solutions, see `fits.extrapolate_accuracy`.

    Args:
        method: the model, one of ``fits.laws.extrapolation.EXTRAPOLATION_METHODS``.
        error: its error in the mean accuracy where it could be checked.
        errors: the same of every model that was tried.
        measured_to: the largest measured number of solutions.
        solutions: numbers of solutions S beyond it, increasing.
        accuracy: (problems, solutions).
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    method: str
    error: StandardError
    errors: dict[str, StandardError] = {}
    measured_to: WholeNumber
    solutions: Knots
    accuracy: list[list[StrictFloat]]

    @model_validator(mode="after")
    def _check_rectangle(self) -> ExtrapolatedCurve:
        check_knot_accuracies(self.array, self.solutions)
        if self.solutions[0] <= self.measured_to:
            raise ValueError(f"'solutions' must lie beyond 'measured_to', {self.measured_to}")
        return self

    @cached_property
    def array(self) -> NDArray[np.float64]:
        """The accuracies, (problems, solutions)."""
        return to_accuracy_array(self.accuracy)


class UnknownPart(BaseModel):
    """A strategy stored in an unknown form: its content is kept, and plans leave it out."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)


def classify_part(part: object) -> str:
    """Return the tag of a strategy's part, found from its keys."""
    if not isinstance(part, dict | BaseModel):
        return "unknown"
    keys = set(part) if isinstance(part, dict) else set(vars(part))
    if isinstance(part, UnknownPart) or not keys >= {"accuracy"}:
        return "unknown"
    if {"numbers", "seeds"} <= keys:
        return "searches"
    if "solutions" in keys:
        return "surface" if "verifications" in keys else "curve"
    return "unknown"


Allocations = Annotated[
    Annotated[Curve, Tag("curve")]
    | Annotated[Surface, Tag("surface")]
    | Annotated[Searches, Tag("searches")]
    | Annotated[UnknownPart, Tag("unknown")],
    Discriminator(classify_part),
]
"""A strategy's allocations: over S, over S and V, of searches, or in an unknown form."""


def to_accuracy_array(rows: list[Any]) -> NDArray[np.float64]:
    """Return nested lists as an array.

    Raises:
        ValueError: the rows have different lengths.
    """
    try:
        return np.array(rows, dtype=float)
    except ValueError:
        raise ValueError("the rows of 'accuracy' differ in length") from None


def check_knot_accuracies(values: NDArray[np.float64], *knots: list[int]) -> None:
    """Check that knots increase, and that accuracies are probabilities, one for each knot.

    Raises:
        ValueError: they do not, or are not.
    """
    shape = tuple(map(len, knots))
    if any((np.diff(numbers) <= 0).any() for numbers in knots):
        raise ValueError("'solutions' and 'verifications' must increase")
    check_probabilities(values, shape)


def check_probabilities(values: NDArray[np.float64], shape: tuple[int, ...]) -> None:
    """Check that accuracies are probabilities, and that those of each problem have the given shape.

    Raises:
        ValueError: they are not, or do not.
    """
    if values.shape[1:] != shape or len(values) == 0:
        raise ValueError(
            f"'accuracy' has the shape {values.shape}; it must be (problems, {', '.join(map(str, shape))})"
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("'accuracy' must lie between 0 and 1")


def round_accuracies(values: NDArray[np.float64]) -> Any:
    """Return accuracies as nested lists, rounded to `ACCURACY_DIGITS`.

    They are rounded to 12 digits first: sums in another order differ in the last bits, which would decide where a value
    such as 63/64 is a half of the last digit.
    """
    return (np.round(np.round(np.clip(values, 0, 1), 12), ACCURACY_DIGITS) + 0.0).tolist()  # + 0.0 turns -0.0 into 0.0
