"""What a fit leaves behind for the planner: one small file with each problem's accuracies and λ."""

from __future__ import annotations

import json
import math
from collections import Counter
from functools import cached_property
from importlib.resources import files
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from isocompute.errors import DataError
from isocompute.runners.documents import NotJSONError, parse_json
from isocompute.runners.storage.files import check_output, read_file, write_output

DIGITS = 5
"""Decimals of the accuracies in the file."""

WAYS = ("completion", "prompts", "cached")
"""What may be counted as a row's compute, see `fits.cost.counted`."""

UNPRICED = (
    "λ, what a verification costs in solutions, is unknown, as not every row says its tokens: the crossover, the law "
    "and the frontier of GenRM need it. Give it with --lambda."
)
"""What to say of a profile that is `Profile.unpriced`."""

Price = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Measure = tuple[Share | None, Share | None, Share | None]
Knots = Annotated[list[Annotated[int, Field(ge=1, le=10**9)]], Field(min_length=1)]


class Curve(BaseModel):
    """Accuracy over the number of solutions: (problems, solutions), or one row of means."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    solutions: Knots
    accuracy: list[list[float]]

    @model_validator(mode="after")
    def _rectangular(self) -> Curve:
        check(self.array, self.solutions)
        return self

    @cached_property
    def array(self) -> NDArray[np.float64]:
        """The accuracies, (problems, solutions)."""
        return rectangle(self.accuracy)


class Surface(BaseModel):
    """Accuracy over solutions and verifications: (problems, solutions, verifications), or one layer of means."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    solutions: Knots
    verifications: Knots
    accuracy: list[list[list[float]]]

    @model_validator(mode="after")
    def _rectangular(self) -> Surface:
        check(self.array, self.solutions, self.verifications)
        return self

    @cached_property
    def array(self) -> NDArray[np.float64]:
        """The accuracies, (problems, solutions, verifications)."""
        return rectangle(self.accuracy)

    def doublings(self) -> tuple[NDArray[np.float64], list[int], list[int]]:
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
    cost: dict[str, list[Price | None]]
    accuracy: list[list[float]]

    @model_validator(mode="after")
    def _rectangular(self) -> Searches:
        sizes = {name: len(column) for part in (self.numbers, self.cost) for name, column in part.items()}
        for name, size in sizes.items():
            if size != len(self.seeds):
                raise ValueError(f"'{name}' has {size} entries; there are {len(self.seeds)} allocations")
        bounded(self.array, (len(self.seeds),))
        allocations = Counter(zip(*self.numbers.values(), strict=True))
        if twice := [numbers for numbers, times in allocations.items() if times > 1]:
            named = ", ".join(f"{name}={number}" for name, number in zip(self.numbers, twice[0], strict=True))
            raise ValueError(f"the allocation {named} stands twice")
        return self

    @cached_property
    def array(self) -> NDArray[np.float64]:
        """The accuracies, (problems, A)."""
        return rectangle(self.accuracy)

    def priced(self, way: str) -> list[float] | None:
        """Return what each allocation costs, in x; None if that is unknown of one."""
        cost = [x for x in self.cost.get(way, []) if x is not None]
        return cost if len(cost) == len(self.seeds) else None


class Rates(BaseModel):
    """How good the verifier is: each a value and its 95 % interval, see `fits.verifier`; None where unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    true_positive: Measure
    false_positive: Measure
    auroc: Measure
    unparsed: Share


class Profile(BaseModel):
    """Everything the planner needs to know of a model on a task.

    Args:
        name: what it is called on the command line.
        description: model, task, and where the numbers come from.
        problems: how many.
        per_problem: whether accuracies are each problem's own. Means alone allow no intervals.
        lam: λ, completion tokens of a verification over those of a solution ("lambda" in the file); None without
            verifications, or where tokens are unknown.
        lambda_source: measured, or given by whom.
        lambdas: λ by way of counting tokens: of completions, as `lam`; with their prompts; with their prompts but for
            what the prefix cache held. None where tokens are unknown; empty if λ was not measured.
        self_consistency, coverage, genrm: the accuracies. Between their knots they are interpolated in log S, log V.
        genrm_vote: GenRM with ties broken by the votes among the tied; None without verifications.
        weighted: a vote in which a solution counts as its mean verdict; None without verifications, or without answers.
        fused: a vote in which it counts as its odds of yes to the power κ, each problem under a κ learnt on others.
        trust: κ, learnt on all problems; None without `fused`.
        drawn_error: the largest standard error of a mean over problems in `weighted`, `fused` and `prm_weighted`,
            which are estimated by drawing; None without them.
        verifier: its rates; None without verifications.
        best_of_n: by the mean of all verdicts of a solution as a fixed score; None without verifications.
        counting: the way of counting tokens in which scorers and searches are priced.
        rhos: ρ, what scoring a solution costs in solutions, by way of counting; None where tokens are unknown; empty
            without a scored pool.
        bon: the best score of S solutions; None without a scored pool.
        prm_weighted: a vote in which a solution counts as its score; None without a scored pool, or without answers.
        searches: by strategy and rule of selection, such as ``beam+weighted``.
        warnings: what a reader must know of the measurement.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    format: int = Field(default=1, ge=1, le=1)
    name: str
    description: str
    problems: int = Field(ge=1)
    per_problem: bool
    lam: float | None = Field(default=None, alias="lambda", gt=0, allow_inf_nan=False)
    lambda_source: str | None = None
    lambdas: dict[str, Price | None] = {}
    self_consistency: Curve
    coverage: Curve | None = None
    best_of_n: Curve | None = None
    counting: Literal["completion", "prompts", "cached"] = "completion"
    rhos: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)] | None] = {}
    bon: Curve | None = None
    prm_weighted: Curve | None = None
    searches: dict[str, Searches] = {}
    genrm: Surface | None = None
    genrm_vote: Surface | None = None
    weighted: Surface | None = None
    fused: Surface | None = None
    trust: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    drawn_error: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    verifier: Rates | None = None
    warnings: list[str] = []

    @model_validator(mode="after")
    def _consistent(self) -> Profile:
        rows = self.problems if self.per_problem else 1
        curves = ("self_consistency", "coverage", "best_of_n", "bon", "prm_weighted")
        surfaces = ("genrm", "genrm_vote", "weighted", "fused")
        parts = {name: getattr(self, name) for name in (*curves, *surfaces)} | self.searches
        for name, part in parts.items():
            if part is not None and len(part.accuracy) != rows:
                raise ValueError(f"{name} has {len(part.accuracy)} rows of accuracies; it must have {rows}")
        if self.self_consistency.solutions[0] != 1:
            raise ValueError("self_consistency must begin at S=1, the accuracy of one solution")
        if self.fused is not None and self.trust is None:
            raise ValueError("'trust' is missing: without it nobody can run 'fused'")
        return self

    @property
    def unpriced(self) -> bool:
        """Whether there are verifications and λ, what one of them costs, is unknown."""
        return self.genrm is not None and self.lam is None

    def counted(self, way: str) -> Profile:
        """Return the profile with scorers and searches priced in another way of counting tokens."""
        return self.model_copy(update={"counting": way})

    def at(self, lam: float, source: str) -> Profile:
        """Return the profile with another λ.

        Raises:
            DataError: λ is not positive.
        """
        return self.model_copy(update={"lam": positive(lam), "lambda_source": source})

    def price(self, way: str) -> float:
        """Return λ in one way of counting tokens.

        Raises:
            DataError: the profile does not say it.
        """
        lam = self.lambdas.get(way)
        if lam is None:
            known = [name for name, value in self.lambdas.items() if value is not None]
            said = f"it says {', '.join(known)}" if known else "it was made without a run's tokens"
            raise DataError(f"The profile '{self.name}' does not say λ for '{way}': {said}; give λ as a number.")
        return lam

    def write(self, path: str) -> None:
        """Write the profile, a line a problem; the same content gives the same bytes."""
        parts = []
        for key, value in self.model_dump(mode="json", by_alias=True).items():
            text = json.dumps(value, ensure_ascii=False)
            if isinstance(value, dict):  # a row of numbers a line: a change in one problem is a change in one line
                text = text.replace("], [[", "],\n[[").replace("]], [", "]],\n[").replace('], "', '],\n"')
            parts.append(f"{json.dumps(key)}: {text}")
        write_output(path, ("{" + ", ".join(parts) + "}\n").encode())


def check_profile_output(path: str) -> None:
    """Raise unless a profile may be written at a path: nothing is there, or an earlier profile.

    Raises:
        DataError: another file is there, a folder, or a file of a run.
        RunError: the path is in memory, or in a store that is not known.
    """
    check_output(path)
    try:
        there = read_file(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError(f"'{path}' cannot be read, and may not be written over: {error.strerror or error}.") from None
    if there and b'"per_problem"' not in there:
        raise DataError(f"'{path}' is there already and is no profile; name another file.")


def positive(lam: float) -> float:
    """Return λ.

    Raises:
        DataError: it is not positive and finite.
    """
    if not (lam > 0 and math.isfinite(lam)):
        raise DataError(f"λ is {lam:g}; the cost of a verification in solutions must be above zero.")
    return lam


def rectangle(rows: list[Any]) -> NDArray[np.float64]:
    """Return nested lists as an array; ragged ones raise ValueError."""
    try:
        return np.array(rows, dtype=float)
    except ValueError:
        raise ValueError("the rows of 'accuracy' are not equally long") from None


def check(values: NDArray[np.float64], *knots: list[int]) -> None:
    """Raise ValueError unless accuracies are probabilities, one for each knot, and the knots increase."""
    shape = tuple(map(len, knots))
    if any((np.diff(numbers) <= 0).any() for numbers in knots):
        raise ValueError("'solutions' and 'verifications' must increase")
    bounded(values, shape)


def bounded(values: NDArray[np.float64], shape: tuple[int, ...]) -> None:
    """Raise ValueError unless accuracies are probabilities, of one shape for each problem."""
    if values.shape[1:] != shape or len(values) == 0:
        raise ValueError(
            f"'accuracy' has the shape {values.shape}; it must be (problems, {', '.join(map(str, shape))})"
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("'accuracy' must lie between 0 and 1")


def rounded(values: NDArray[np.float64]) -> Any:
    """Return accuracies as nested lists, to the digits that a profile keeps."""
    return (np.round(np.clip(values, 0, 1), DIGITS) + 0.0).tolist()


def bundled() -> dict[str, Path]:
    """Return the profiles that come with isocompute, by name."""
    folder = Path(str(files("isocompute") / "data" / "profiles"))
    return {path.stem: path for path in sorted(folder.glob("*.json"))}


def read(name: str) -> Profile:
    """Read a profile by its bundled name or from a file.

    Raises:
        DataError: no such profile, or a file that is not one; says where and what would be right.
    """
    known = bundled()
    path = str(known[name]) if name in known and not Path(name).is_file() else name
    try:
        content = parse_json(read_file(path).decode(), path)
    except OSError as error:
        what = f"'{name}' is a folder" if isinstance(error, IsADirectoryError) else f"There is no profile '{name}'"
        raise DataError(f"{what}; give a profile's file, or one of: {', '.join(known)}.") from None
    except (UnicodeDecodeError, NotJSONError):
        raise DataError(f"{path} is not a profile: it is not JSON.") from None
    if not isinstance(content, dict) or "self_consistency" not in content:
        raise DataError(f"{path} is not a profile: make one with `isocompute fit RUN -o {PurePath(path).stem}.json`.")
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(f"{path} is not a profile: {where}: {first['msg'].removeprefix('Value error, ')}.") from None
