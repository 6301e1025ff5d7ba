"""The parts of a profile: accuracies over allocations, the verifier's rates, models, and what is known of a problem."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

ACCURACY_DIGITS = 5
"""Decimals of the accuracies in the file."""

PositiveNumber = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeNumber = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
RateEntry = tuple[Share | None, Share | None, Share | None]
Knots = Annotated[list[Annotated[int, Field(ge=1, le=10**9)]], Field(min_length=1)]


class Curve(BaseModel):
    """Accuracy over the number of solutions: (problems, solutions), or one row of means.

    Args:
        error: the largest standard error of a mean over problems that comes from drawing; None if all are exact.
        parameters: what the strategy learnt, by name, such as ``trust``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    solutions: Knots
    error: NonNegativeNumber | None = None
    parameters: dict[str, float] = {}
    accuracy: list[list[float]]

    @model_validator(mode="after")
    def _check_rectangle(self) -> Curve:
        check_knot_accuracies(self.array, self.solutions)
        return self

    @cached_property
    def array(self) -> NDArray[np.float64]:
        """The accuracies, (problems, solutions)."""
        return to_accuracy_array(self.accuracy)


class Surface(BaseModel):
    """Accuracy over solutions and verifications: (problems, solutions, verifications), or one layer of means.

    Args:
        error: the largest standard error of a mean over problems that comes from drawing; None if all are exact.
        parameters: what the strategy learnt, by name, such as ``trust``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    solutions: Knots
    verifications: Knots
    error: NonNegativeNumber | None = None
    parameters: dict[str, float] = {}
    accuracy: list[list[list[float]]]

    @model_validator(mode="after")
    def _check_rectangle(self) -> Surface:
        check_knot_accuracies(self.array, self.solutions, self.verifications)
        return self

    @cached_property
    def array(self) -> NDArray[np.float64]:
        """The accuracies, (problems, solutions, verifications)."""
        return to_accuracy_array(self.accuracy)

    def select_doublings(self) -> tuple[NDArray[np.float64], list[int], list[int]]:
        """Return the surface at powers of two only, with its S and V: the grid of the published laws."""
        s, v = (
            [i for i, n in enumerate(values) if n & (n - 1) == 0] for values in (self.solutions, self.verifications)
        )
        kept = self.array[:, s][:, :, v]
        return kept, [self.solutions[i] for i in s], [self.verifications[i] for i in v]


class Searches(BaseModel):
    """Searches of one strategy under one rule of selection: A allocations that were run as they are.

    Args:
        numbers: what each is set by: N slots, M the width, k the lookahead; those that the strategy has, (A,) each.
        seeds: (A,) how often each problem was searched.
        cost: (A,) in x by way of counting; None where unknown.
        accuracy: (problems, A) means over seeds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    numbers: Annotated[dict[str, list[Annotated[int, Field(ge=0, le=10**9)]]], Field(min_length=1)]
    seeds: Knots
    cost: dict[str, list[PositiveNumber | None]]
    accuracy: list[list[float]]

    @model_validator(mode="after")
    def _check_rectangle(self) -> Searches:
        sizes = {name: len(column) for part in (self.numbers, self.cost) for name, column in part.items()}
        for name, size in sizes.items():
            if size != len(self.seeds):
                raise ValueError(f"'{name}' has {size} entries; there are {len(self.seeds)} allocations")
        check_probabilities(self.array, (len(self.seeds),))
        allocations = Counter(zip(*self.numbers.values(), strict=True))
        if twice := [numbers for numbers, times in allocations.items() if times > 1]:
            named = ", ".join(f"{name}={number}" for name, number in zip(self.numbers, twice[0], strict=True))
            raise ValueError(f"the allocation {named} stands twice")
        return self

    @cached_property
    def array(self) -> NDArray[np.float64]:
        """The accuracies, (problems, A)."""
        return to_accuracy_array(self.accuracy)

    def get_costs(self, way: str) -> list[float] | None:
        """Return what each allocation costs, in x; None if that is unknown of one."""
        cost = [x for x in self.cost.get(way, []) if x is not None]
        return cost if len(cost) == len(self.seeds) else None


class VerifierRates(BaseModel):
    """How good the verifier is: each a value and its 95 % interval, see `fits.verifier`; None where unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    true_positive: RateEntry
    false_positive: RateEntry
    auroc: RateEntry
    unparsed: Share


class UnknownPart(BaseModel):
    """A strategy that is written down in a way that is not known here: kept as it is, and left out of plans."""

    model_config = ConfigDict(extra="allow", frozen=True)


class TokenMeans(BaseModel):
    """What a role's rows take on the mean, of one problem; None where a row does not say.

    Args:
        prompt: tokens of the prompt.
        cached: of these, read from the prefix cache.
        completion: tokens that were sampled.
        seconds: wall time from when the engine took a row up until it was complete, while others ran beside it.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    prompt: NonNegativeNumber | None = None
    cached: NonNegativeNumber | None = None
    completion: NonNegativeNumber | None = None
    seconds: NonNegativeNumber | None = None


class ProblemRecord(BaseModel):
    """What is known of one problem, beside its accuracies.

    Args:
        id: its name; None in profiles of format 1, which do not say.
        digest: of its question.
        level: the difficulty that its dataset gives, 1 the easiest.
        cluster: the group of problems that it was drawn with, if any.
        tokens: by role: solver, verifier, scorer.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    id: str | None = None
    digest: str | None = None
    level: int | None = None
    cluster: str | None = None
    tokens: dict[str, TokenMeans] = {}


class ModelRecord(BaseModel):
    """A model in its role.

    Args:
        name: a folder, a hub's name, or a server's.
        parameters: how many it has; None if nobody says.
        active_parameters: how many a token passes through; None if nobody says, or if it is all of them.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str | None = None
    parameters: PositiveNumber | None = None
    active_parameters: PositiveNumber | None = None


def classify_part(part: object) -> str:
    """Return which kind of part a strategy is written down as: by its keys."""
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
"""A strategy's allocations: over S, over S and V, those that were searched with, or unknown."""


def to_accuracy_array(rows: list[Any]) -> NDArray[np.float64]:
    """Return nested lists as an array; ragged ones raise ValueError."""
    try:
        return np.array(rows, dtype=float)
    except ValueError:
        raise ValueError("the rows of 'accuracy' are not equally long") from None


def check_knot_accuracies(values: NDArray[np.float64], *knots: list[int]) -> None:
    """Raise ValueError unless accuracies are probabilities, one for each knot, and the knots increase."""
    shape = tuple(map(len, knots))
    if any((np.diff(numbers) <= 0).any() for numbers in knots):
        raise ValueError("'solutions' and 'verifications' must increase")
    check_probabilities(values, shape)


def check_probabilities(values: NDArray[np.float64], shape: tuple[int, ...]) -> None:
    """Raise ValueError unless accuracies are probabilities, of one shape for each problem."""
    if values.shape[1:] != shape or len(values) == 0:
        raise ValueError(
            f"'accuracy' has the shape {values.shape}; it must be (problems, {', '.join(map(str, shape))})"
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("'accuracy' must lie between 0 and 1")


def round_accuracies(values: NDArray[np.float64]) -> Any:
    """Return accuracies as nested lists, to the digits that a profile keeps."""
    return (np.round(np.clip(values, 0, 1), ACCURACY_DIGITS) + 0.0).tolist()
