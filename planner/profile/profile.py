"""A profile: one small file with each problem's accuracies and λ, from which a plan is made."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from isocompute.errors import DataError
from isocompute.planner.profile.parts import (
    Allocations,
    Curve,
    ModelRecord,
    PositiveNumber,
    ProblemRecord,
    Searches,
    Surface,
    UnknownPart,
    VerifierRates,
)
from isocompute.runners.storage.files import write_output

COUNTING_WAYS = ("completion", "prompts", "cached")
"""What may be counted as a row's compute, see `fits.cost.use_counting`."""

UNKNOWN_LAMBDA_WARNING = (
    "λ, what a verification costs in solutions, is unknown, as not every row says its tokens: the crossover, the law "
    "and the frontier of GenRM need it. Give it with --lambda."
)
"""What to say of a profile that is `Profile.has_unknown_lambda`."""


class Profile(BaseModel):
    """Everything the planner needs to know of a model on a task.

    Args:
        name: what it is called on the command line.
        description: model, task, and where the numbers come from.
        problems: how many.
        per_problem: what is known of each problem; empty where the accuracies are means over problems, which allow no
            intervals.
        models: by role: solver, verifier, scorer.
        lam: λ, completion tokens of a verification over those of a solution ("lambda" in the file); None without
            verifications, or where tokens are unknown.
        lambda_source: measured, or given by whom.
        lambdas: λ by way of counting tokens: of completions, as `lam`; with their prompts; with their prompts but for
            what the prefix cache held. None where tokens are unknown; empty if λ was not measured.
        counting: the way of counting tokens in which scorers and searches are priced.
        rhos: ρ, what scoring a solution costs in solutions, by way of counting; None where tokens are unknown; empty
            without a scored pool.
        coverage: share of problems that any of S solutions solves.
        verifier: its rates; None without verifications.
        strategies: the accuracies by strategy, ``sc`` always; a search by its rule of selection too, such as
            ``beam+weighted``. Between their knots they are interpolated in log S, log V.
        policies: by name; unknown here, and kept.
        warnings: what a reader must know of the measurement.
    """

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)
    format: Literal[2] = 2
    name: str
    description: str
    problems: int = Field(ge=1)
    models: dict[str, ModelRecord] = {}
    lam: float | None = Field(default=None, alias="lambda", gt=0, allow_inf_nan=False)
    lambda_source: str | None = None
    lambdas: dict[str, PositiveNumber | None] = {}
    counting: Literal["completion", "prompts", "cached"] = "completion"
    rhos: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)] | None] = {}
    coverage: Curve | None = None
    verifier: VerifierRates | None = None
    strategies: dict[str, Allocations]
    policies: dict[str, Any] = {}
    warnings: list[str] = []
    per_problem: list[ProblemRecord] = []

    @model_validator(mode="after")
    def _check_consistency(self) -> Profile:
        if self.per_problem and len(self.per_problem) != self.problems:
            raise ValueError(f"'per_problem' has {len(self.per_problem)} problems; it must have {self.problems}")
        rows = self.problems if self.per_problem else 1
        parts = {} if self.coverage is None else {"coverage": self.coverage}
        for name, part in (parts | self.strategies).items():
            if not isinstance(part, UnknownPart) and len(part.accuracy) != rows:
                raise ValueError(f"{name} has {len(part.accuracy)} rows of accuracies; it must have {rows}")
        voted = self.strategies.get("sc")
        if not isinstance(voted, Curve):
            raise ValueError("'strategies' must have 'sc', the accuracy over solutions")
        if voted.solutions[0] != 1:
            raise ValueError("sc must begin at S=1, the accuracy of one solution")
        fused = self.strategies.get("fused")
        if isinstance(fused, Surface) and "trust" not in fused.parameters:
            raise ValueError("'trust' is missing from the parameters of 'fused': without it nobody can run it")
        return self

    @property
    def self_consistency(self) -> Curve:
        """The accuracies of self-consistency."""
        voted = self.strategies["sc"]
        assert isinstance(voted, Curve), "every profile has them"
        return voted

    @property
    def genrm(self) -> Surface | None:
        """The accuracies of the best mean verdict; None without verifications."""
        found = self.strategies.get("genrm")
        return found if isinstance(found, Surface) else None

    @property
    def searches(self) -> dict[str, Searches]:
        """The searches, by strategy and rule of selection."""
        return {name: part for name, part in self.strategies.items() if isinstance(part, Searches)}

    @property
    def odds_exponent(self) -> float | None:
        """κ of the fused vote, learnt on all problems; None without it."""
        return self.get_parameters("fused").get("trust")

    def get_parameters(self, strategy: str) -> dict[str, float]:
        """Return what a strategy learnt, by name."""
        part = self.strategies.get(strategy)
        return part.parameters if isinstance(part, Curve | Surface) else {}

    def get_error(self, strategy: str) -> float:
        """Return the largest standard error of a mean of a strategy that comes from drawing; 0 if all are exact."""
        part = self.strategies.get(strategy)
        return (part.error or 0.0) if isinstance(part, Curve | Surface) else 0.0

    @property
    def unknown_sizes(self) -> list[str]:
        """The roles that cost as if their model were as large as the solver, since one of the two sizes is unknown."""
        solver = self.models.get("solver", ModelRecord())
        return [
            role
            for role, model in self.models.items()
            if model.name != solver.name and None in (model.parameters, solver.parameters)
        ]

    @property
    def unknown_parts(self) -> list[str]:
        """What the profile does not say and its format has a place for: its models, and which problems it is about."""
        unnamed = self.per_problem and all(record.id is None for record in self.per_problem)
        found = [] if self.models else ["models"]
        return found + (["per_problem.id", "per_problem.tokens"] if unnamed else [])

    @property
    def drawing_errors(self) -> dict[str, float]:
        """The strategies that are estimated by drawing, each with its largest standard error of a mean."""
        parts = {name: part for name, part in self.strategies.items() if isinstance(part, Curve | Surface)}
        return {name: part.error for name, part in parts.items() if part.error is not None}

    @property
    def largest_drawing_error(self) -> float | None:
        """The largest standard error of all strategies that are estimated by drawing; None without them."""
        return max(self.drawing_errors.values(), default=None)

    @property
    def has_unknown_lambda(self) -> bool:
        """Whether there are verifications and λ, what one of them costs, is unknown."""
        return self.genrm is not None and self.lam is None

    def use_counting(self, way: str) -> Profile:
        """Return the profile with scorers and searches priced in another way of counting tokens."""
        return self.model_copy(update={"counting": way})

    def use_lambda(self, lam: float, source: str) -> Profile:
        """Return the profile with another λ.

        Raises:
            DataError: λ is not positive.
        """
        return self.model_copy(update={"lam": check_lambda(lam), "lambda_source": source})

    def use_rho(self, rho: float) -> Profile:
        """Return the profile with another ρ, in every way of counting tokens.

        Raises:
            DataError: nothing was scored, or ρ is negative.
        """
        if not self.rhos:
            raise DataError(f"The profile '{self.name}' holds no scores, so ρ has no meaning; leave --rho out.")
        if not (rho >= 0 and math.isfinite(rho)):
            raise DataError(f"ρ is {rho:g}; the cost of scoring a solution in solutions must be 0 or more.")
        return self.model_copy(update={"rhos": dict.fromkeys(COUNTING_WAYS, rho)})

    def get_lambda(self, way: str) -> float:
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
        content = self.model_dump(mode="json", by_alias=True)
        fields = {key: json.dumps(value, ensure_ascii=False) for key, value in content.items()}
        if content["coverage"] is not None:
            fields["coverage"] = encode_part(content["coverage"])
        strategies = (f"{json.dumps(name)}: {encode_part(part)}" for name, part in content["strategies"].items())
        fields["strategies"] = "{" + ",\n".join(strategies) + "}"
        records = (json.dumps(record, ensure_ascii=False) for record in content["per_problem"])
        fields["per_problem"] = "[" + ",\n".join(records) + "]"
        text = ",\n".join(f"{json.dumps(key)}: {value}" for key, value in fields.items())
        write_output(path, ("{" + text + "}\n").encode())


def encode_part(part: dict[str, Any]) -> str:
    """Return a part as JSON with the accuracies of a problem a line: a change in one problem changes one line."""
    fields = {key: json.dumps(value, ensure_ascii=False) for key, value in part.items()}
    if isinstance(part.get("accuracy"), list):
        fields["accuracy"] = "[" + ",\n".join(json.dumps(row) for row in part["accuracy"]) + "]"
    return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in fields.items()) + "}"


def check_lambda(lam: float) -> float:
    """Return λ.

    Raises:
        DataError: it is not positive and finite.
    """
    if not (lam > 0 and math.isfinite(lam)):
        raise DataError(f"λ is {lam:g}; the cost of a verification in solutions must be above zero.")
    return lam
