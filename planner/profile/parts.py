"""The parts of a profile: accuracies over allocations, the verifier's rates, models and problem records."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

ACCURACY_DIGITS = 5
"""Decimal places of the accuracies in the file."""

LARGEST_NUMBER = 1e18
"""The largest tokens, seconds, FLOPs, bytes or parameters; with it, no sum or product of a plan overflows."""

PositiveNumber = Annotated[float, Field(ge=1 / LARGEST_NUMBER, le=LARGEST_NUMBER, strict=True)]
NonNegativeNumber = Annotated[float, Field(ge=0, le=LARGEST_NUMBER, strict=True)]
FiniteNumber = Annotated[float, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER, strict=True)]
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
StandardError = Annotated[float, Field(ge=0, le=1, strict=True)]
"""A standard error of an accuracy."""
SMALLEST_LAMBDA, LARGEST_LAMBDA = 1e-6, 1e6
"""The range of λ, the cost of a verification in solutions: no verifier is cheaper or dearer by such a factor."""
Lambda = Annotated[float, Field(ge=SMALLEST_LAMBDA, le=LARGEST_LAMBDA, strict=True)]
Rho = Annotated[float, Field(ge=0, le=LARGEST_LAMBDA, strict=True)]
"""The cost of scoring a solution in solutions."""
LARGEST_COUNT = 10**9
WholeNumber = Annotated[int, Field(ge=1, le=LARGEST_COUNT, strict=True)]
WholeNumberFromZero = Annotated[int, Field(ge=0, le=LARGEST_COUNT, strict=True)]
RateEntry = tuple[Share | None, Share | None, Share | None]
Knots = Annotated[list[WholeNumber], Field(min_length=1)]


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
    accuracy: list[list[float]]

    @model_validator(mode="after")
    def _check_rectangle(self) -> Searches:
        parts: list[dict[str, Any]] = [self.numbers, self.cost, *self.tokens.values()]
        sizes = {name: len(column) for part in parts for name, column in part.items()}
        for name, size in sizes.items():
            if size != len(self.seeds):
                raise ValueError(f"'{name}' has {size} entries; there are {len(self.seeds)} allocations")
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


class VerifierRates(BaseModel):
    """Rates of the verifier: each a value with the ends of its 95 % interval; None where unknown.

    See `fits.measure_verifier`. ``unparsed`` is the share of unparsed verdicts, without an interval.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    true_positive: RateEntry
    false_positive: RateEntry
    auroc: RateEntry
    unparsed: Share


class MissingRows(BaseModel):
    """Rows that failed or were cut, and bounds of what they could change.

    Args:
        failed_solutions: share of the solutions that failed.
        failed_verifications: share of the verifications that failed; None without verifications.
        cut_solutions: share of the solutions that ended at the token limit.
        cut_verifications: the same of the verifications; None without verifications.
        problems: number of problems that the bounds are means over: those of the profile, and those left out.
        single: bounds of the accuracy of one solution: if all failed solutions were wrong, and if all were right;
            problems that are left out count as 0 and as 1. None if nothing failed and no problem is left out.
        voted: the same of self-consistency with `voted_solutions` solutions; None if votes cannot be counted.
        voted_solutions: S of `voted`.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    failed_solutions: Share
    failed_verifications: Share | None = None
    cut_solutions: Share
    cut_verifications: Share | None = None
    problems: WholeNumber
    single: tuple[Share, Share] | None = None
    voted: tuple[Share, Share] | None = None
    voted_solutions: WholeNumber | None = None


class UnknownPart(BaseModel):
    """A strategy stored in an unknown form: its content is kept, and plans leave it out."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)


class TokenMeans(BaseModel):
    """Mean tokens and seconds of one role's rows on one problem; None where any row does not report them.

    Args:
        prompt: prompt tokens.
        cached: prompt tokens read from the prefix cache.
        completion: completion tokens.
        completion_sd: standard deviation of the completion tokens over the problem's rows; None in older profiles.
        seconds: wall time from the engine starting a row to its completion, while other rows ran concurrently.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    prompt: NonNegativeNumber | None = None
    cached: NonNegativeNumber | None = None
    completion: NonNegativeNumber | None = None
    completion_sd: NonNegativeNumber | None = None
    seconds: NonNegativeNumber | None = None

    @model_validator(mode="after")
    def _check_cached(self) -> TokenMeans:
        check_cached_tokens([self.cached], [self.prompt])
        return self


def check_cached_tokens(cached: Sequence[float | None], prompt: Sequence[float | None]) -> None:
    """Raise if more prompt tokens were read from the cache than there were; means may be rounded.

    Raises:
        ValueError: there were; the message gives both.
    """
    for read, there in zip(cached, prompt, strict=False):
        if read is not None and there is not None and read > there * (1 + 1e-6) + 0.01:
            raise ValueError(f"'cached' is {read:g}, but only {there:g} prompt tokens can be cached")


class ProblemRecord(BaseModel):
    """The data of one problem besides its accuracies.

    Args:
        id: the problem's id; None in profiles of format 1, which do not have it.
        digest: digest of the question.
        level: difficulty given by the dataset, 1 the easiest.
        cluster: the group of problems that it was drawn with, or that ask the same question; None if it is alone.
        tokens: mean tokens by role: solver, verifier, scorer.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    id: str | None = None
    digest: str | None = None
    level: Annotated[int, Field(ge=-(2**31), lt=2**31, strict=True)] | None = None
    cluster: str | None = None
    tokens: dict[str, TokenMeans] = {}


def code_clusters(names: Sequence[object | None]) -> list[int] | None:
    """Number the clusters of problems; a problem without one is its own. None if no two problems share a cluster.

    >>> code_clusters(["x", None, "x"]), code_clusters(["x", None, "y"])
    ([0, 1, 0], None)
    """
    known = [name for name in names if name is not None]
    if len(set(known)) == len(known):
        return None
    number: dict[object, int] = {}
    return [number.setdefault((at, None) if name is None else name, len(number)) for at, name in enumerate(names)]


def select_strata(levels: Sequence[int | None]) -> list[int] | None:
    """Return the levels of problems as strata; None unless all are known and two of them differ.

    >>> select_strata([2, 1]), select_strata([2, 2]), select_strata([2, None])
    ([2, 1], None, None)
    """
    known = [level for level in levels if level is not None]
    return known if len(known) == len(levels) and len(set(known)) > 1 else None


class ModelRecord(BaseModel):
    """The model of one role.

    Args:
        name: a folder, a name on a model hub, or a server's name for the model.
        parameters: number of parameters; None if unknown.
        active_parameters: number of parameters that each token uses; None if unknown, or if it is all of them.
        kv_bytes: bytes of KV cache of a token; None if unknown.
        attention_flops: FLOPs of the attention of a token to one earlier token, in all layers; None if unknown.
        settings: what its requests were made with, such as the temperature and a reasoning effort; empty if unknown.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    name: str | None = None
    parameters: PositiveNumber | None = None
    active_parameters: PositiveNumber | None = None
    kv_bytes: PositiveNumber | None = None
    attention_flops: PositiveNumber | None = None
    settings: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check_active(self) -> ModelRecord:
        if (self.active_parameters or 0) > (self.parameters or math.inf):
            raise ValueError(
                f"'active_parameters' is {self.active_parameters:g}, but the model has {self.parameters:g} parameters"
            )
        return self


class LoadPoint(BaseModel):
    """Rows of one role that ran beside a similar number of others.

    Args:
        concurrency: mean number of rows at once, over their time.
        token_seconds: seconds of a token: their wall times over their completion tokens.
        rows: number of these rows.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    concurrency: PositiveNumber
    token_seconds: PositiveNumber
    rows: WholeNumber


class TimeSpread(BaseModel):
    """Spread of the wall times of one role's rows around the mean of their problem, and the number that ran at once.

    Args:
        ratios: quantiles of a row's seconds over the mean of its problem, at `TIME_LEVELS`.
        rows: number of rows.
        busy: seconds during which at least one of the rows was under way; None if their start is unknown.
        concurrency: mean number of rows under way while any was; None likewise.
        lengths: quantiles of a row's completion tokens over the mean of its problem, at `TIME_LEVELS`; None where
            `loads` is empty.
        loads: seconds of a token at different numbers of rows at once; empty if too few were measured.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    ratios: Annotated[list[NonNegativeNumber], Field(min_length=33, max_length=33)]
    rows: WholeNumber
    busy: PositiveNumber | None = None
    concurrency: PositiveNumber | None = None
    lengths: Annotated[list[NonNegativeNumber], Field(min_length=33, max_length=33)] | None = None
    loads: list[LoadPoint] = []


TIME_LEVELS = tuple(1 - (1 - k / 32) ** 2 for k in range(33))
"""The 33 levels of the quantiles in `TimeSpread`, denser towards 1, because the slowest of many rows counts."""


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
    accuracy: list[list[float]]

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


class PublishedMultiples(BaseModel):
    """Statements of a paper on the same data, in multiples of SC's plateau.

    Args:
        source: the paper.
        matches_at: the multiple at which GenRM first matches SC.
        gains_at: the multiple at which GenRM gains most.
        gain: that gain in accuracy.
        plateau: the S that fits both multiples, where the paper does not print its plateau.
    """

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)
    source: str
    matches_at: PositiveNumber
    gains_at: PositiveNumber
    gain: Annotated[float, Field(ge=-1, le=1, strict=True)]
    plateau: PositiveNumber


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
