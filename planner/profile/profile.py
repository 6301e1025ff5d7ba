"""The profile: one small file with each problem's accuracies and the costs, from which plans are made."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from isocompute.errors import DataError
from isocompute.planner.profile.accuracies import Allocations, Curve, ExtrapolatedCurve, Searches, Surface, UnknownPart
from isocompute.planner.profile.cost_numbers import COUNTING_WAYS, check_lambda, check_rho, read_lambda
from isocompute.planner.profile.length_caps import LengthCaps
from isocompute.planner.profile.missing_rows import MissingRows
from isocompute.planner.profile.model_records import ModelRecord, TimeSpread, VerifierRates
from isocompute.planner.profile.numbers import Lambda, Rho, WholeNumber
from isocompute.planner.profile.policy_part import AnyPolicy, PolicyPart
from isocompute.planner.profile.problem_records import ProblemRecord, code_clusters, select_strata
from isocompute.planner.profile.published import PublishedMultiples
from isocompute.planner.profile.settled_votes import SettledVotes
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.files import write_output

UNKNOWN_LAMBDA_WARNING = (
    "λ, the cost of a verification in solutions, is unknown, because some rows lack token "
    "counts: the crossover, the law and the frontier of GenRM need it. Set it with --lambda (lam= in Python)."
)
"""The warning for a profile with `Profile.has_unknown_lambda`."""


class Profile(BaseModel):
    """The measurements of a model on a task that the planner needs.

    Args:
        format: version of the file format.
        name: name on the command line.
        description: model, task and source of the numbers.
        problems: number of problems.
        models: models by role: solver, verifier, scorer.
        sampling: how the rows were sampled, as keys of a sweep file with the grader's name, for other problems; None if
            that is unknown.
        lam: λ, the cost of a verification in solutions, from completion tokens and model sizes ("lambda" in the file);
            None without verifications, or where tokens are unknown.
        lambda_source: how λ was measured, or who gave it.
        lambdas: λ by way of counting tokens, see `COUNTING_WAYS`: completion tokens only, as in `lam`; prompts
            included; prompts included except for cached tokens. None where tokens are unknown; empty if λ was not
            measured.
        counting: the way of counting tokens by which scorers and searches are priced; in a copy by
            `isocompute.planner.costs.models.price_profile`, which no file holds, the name of another cost model.
        rhos: ρ, the cost of scoring a solution in solutions, by way of counting; None where tokens are unknown; empty
            without scores.
        coverage: share of problems that at least one of S solutions solves.
        verifier: rates of the verifier; None without verifications.
        missing: shares of rows that failed or were cut, and bounds of what they could change; None if unknown.
        caps: self-consistency under lower limits on the length of a solution; None if it was not measured.
        strategies: accuracies by strategy; ``sc`` is required. The name of a search includes its rule of selection,
            such as ``beam+weighted``. Between knots, accuracies are interpolated in log S and log V.
        policies: rules that stop early, by name; one in an unknown form is kept and not used.
        extrapolations: accuracies of ``sc``, and ``coverage``, beyond the measured numbers of solutions; no plan
            recommends on them alone.
        timings: spread of the wall times of rows, by role; empty where rows have no times, and in older profiles.
        settled: how often votes are settled, for cascades of models; None without votes, and in older profiles.
        published: what a paper says of the same data in multiples of SC's plateau; None of measurements of one's own.
        warnings: limits of the measurement, in sentences.
        per_problem: a record for each problem; empty where the accuracies are means over problems, which allow no
            intervals.
    """

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)
    format: Literal[2] = 2
    name: str
    description: str
    problems: WholeNumber
    models: dict[str, ModelRecord] = {}
    sampling: dict[str, Any] | None = None
    lam: Lambda | None = Field(default=None, alias="lambda")
    lambda_source: str | None = None
    lambdas: dict[str, Lambda | None] = {}
    counting: Literal["completion", "prompts", "cached"] = "completion"
    rhos: dict[str, Rho | None] = {}
    coverage: Curve | None = None
    verifier: VerifierRates | None = None
    missing: MissingRows | None = None
    caps: LengthCaps | None = None
    strategies: dict[str, Allocations]
    policies: dict[str, AnyPolicy] = {}
    extrapolations: dict[str, ExtrapolatedCurve] = {}
    timings: dict[str, TimeSpread] = {}
    settled: SettledVotes | None = None
    published: PublishedMultiples | None = None
    warnings: list[str] = []
    per_problem: list[ProblemRecord] = []

    @model_validator(mode="after")
    def _check_consistency(self) -> Profile:
        if self.per_problem and len(self.per_problem) != self.problems:
            raise ValueError(f"'per_problem' has {len(self.per_problem)} problems; it must have {self.problems}")
        ids = Counter(record.id for record in self.per_problem if record.id is not None)
        if twice := [id_ for id_, times in ids.items() if times > 1]:
            raise ValueError(f"'per_problem' has the problem {format_error_value(twice[0])} twice; keep one of the two")
        rows = self.problems if self.per_problem else 1
        measured = {"coverage": self.coverage, "caps": self.caps}
        parts = {name: part for name, part in measured.items() if part is not None}
        extrapolated = {f"extrapolations.{name}": part for name, part in self.extrapolations.items()}
        if self.settled is not None and len(self.settled.settled) != rows:
            raise ValueError(f"settled has {len(self.settled.settled)} problems; it must have {rows}")
        policies = {f"policies.{name}": part for name, part in self.measured_policies.items()}
        for name, part in (parts | self.strategies | extrapolated | policies).items():
            if not isinstance(part, UnknownPart) and len(part.accuracy) != rows:
                raise ValueError(f"{name} has {len(part.accuracy)} rows of accuracies; it must have {rows}")
        self_consistency = self.strategies.get("sc")
        if not isinstance(self_consistency, Curve):
            raise ValueError("'strategies' must have 'sc', the accuracy over solutions")
        if self_consistency.solutions[0] != 1:
            raise ValueError("sc must begin at S=1, the accuracy of one solution")
        fused = self.strategies.get("fused")
        if isinstance(fused, Surface) and "trust" not in fused.parameters:
            raise ValueError("'trust' is missing from the parameters of 'fused': the vote cannot be run without it")
        return self

    @property
    def self_consistency(self) -> Curve:
        """The accuracies of self-consistency."""
        part = self.strategies["sc"]
        assert isinstance(part, Curve), "every profile has them"
        return part

    @property
    def genrm(self) -> Surface | None:
        """The accuracies of ``genrm``, selection by the best mean verdict; None without verifications."""
        part = self.strategies.get("genrm")
        return part if isinstance(part, Surface) else None

    @property
    def searches(self) -> dict[str, Searches]:
        """The searches by name, such as ``beam+weighted``."""
        return {name: part for name, part in self.strategies.items() if isinstance(part, Searches)}

    @property
    def measured_policies(self) -> dict[str, PolicyPart]:
        """The rules that stop early, by name, that were measured in a known form."""
        return {name: part for name, part in self.policies.items() if isinstance(part, PolicyPart)}

    @property
    def odds_exponent(self) -> float | None:
        """κ of the fused vote, learnt on all problems; None without it."""
        return self.get_parameters("fused").get("trust")

    def get_parameters(self, strategy: str) -> dict[str, float]:
        """Return a strategy's learnt parameters by name."""
        part = self.strategies.get(strategy)
        return part.parameters if isinstance(part, Curve | Surface) else {}

    def get_error(self, strategy: str) -> float:
        """Return the largest standard error of a strategy's means that comes from Monte Carlo draws; 0 if exact."""
        part = self.strategies.get(strategy)
        return (part.error or 0.0) if isinstance(part, Curve | Surface) else 0.0

    @property
    def unknown_sizes(self) -> list[str]:
        """The roles priced as if their model were as large as the solver, because one of the two sizes is unknown."""
        solver = self.models.get("solver", ModelRecord())
        return [
            role
            for role, model in self.models.items()
            if model.name != solver.name and None in (model.parameters, solver.parameters)
        ]

    @property
    def unknown_parts(self) -> list[str]:
        """The fields of the format that the profile leaves out: its models, and the ids and tokens of its problems."""
        unnamed = self.per_problem and all(record.id is None for record in self.per_problem)
        names = [] if self.models else ["models"]
        return names + (["per_problem.id", "per_problem.tokens"] if unnamed else [])

    @property
    def drawing_errors(self) -> dict[str, float]:
        """The largest standard error of a mean of each strategy that is estimated by Monte Carlo draws."""
        parts = {name: part for name, part in self.strategies.items() if isinstance(part, Curve | Surface)}
        return {name: part.error for name, part in parts.items() if part.error is not None}

    @property
    def largest_drawing_error(self) -> float | None:
        """The largest of `drawing_errors`; None if all strategies are exact."""
        return max(self.drawing_errors.values(), default=None)

    @property
    def has_unknown_lambda(self) -> bool:
        """True if the profile has verifications of unknown cost λ."""
        return self.genrm is not None and self.lam is None

    @property
    def has_votes(self) -> bool:
        """True if self-consistency was measured at more than one solution; if not, what votes add is unknown."""
        return len(self.self_consistency.solutions) > 1

    @property
    def clusters(self) -> list[int] | None:
        """The number of each problem's cluster, for intervals; None if no two problems share one, or none is known."""
        return code_clusters([record.cluster for record in self.per_problem])

    @property
    def strata(self) -> list[int] | None:
        """The level of each problem, for intervals; None unless all levels are known and two of them differ."""
        return select_strata([record.level for record in self.per_problem])

    @property
    def independent_problems(self) -> int:
        """The number of clusters, of problems where each is its own, and 0 with means over problems alone."""
        if not self.per_problem:
            return 0
        return self.problems if self.clusters is None else max(self.clusters) + 1

    def use_counting(self, way: str) -> Profile:
        """Return a copy of the profile with scorers and searches priced by another way of counting tokens."""
        return self.model_copy(update={"counting": way})

    def use_lambda(self, lam: float, source: str) -> Profile:
        """Return a copy of the profile with another λ.

        Raises:
            DataError: λ is not positive.
        """
        return self.model_copy(update={"lam": check_lambda(lam), "lambda_source": source})

    def use_rho(self, rho: float) -> Profile:
        """Return a copy of the profile with another ρ for every way of counting tokens.

        Raises:
            DataError: the profile has no scores, or ρ is negative or not finite.
        """
        if not self.rhos:
            raise DataError(f"The profile '{self.name}' holds no scores, so ρ has no meaning; leave it out.")
        return self.model_copy(update={"rhos": dict.fromkeys(COUNTING_WAYS, check_rho(rho))})

    def get_lambda(self, way: str) -> float:
        """Return λ by one way of counting tokens.

        Raises:
            DataError: the profile does not have it.
        """
        lam = self.lambdas.get(way)
        if lam is None:
            known = [name for name, value in self.lambdas.items() if value is not None]
            reason = f"it has {', '.join(known)}" if known else "it was made without a run's tokens"
            raise DataError(f"The profile '{self.name}' has no λ for '{way}': {reason}; give λ as a number.")
        return lam

    def write(self, path: str) -> None:
        """Write the profile with one line per problem; the same content gives the same bytes."""
        absent = {name for name in ("sampling", "missing", "timings", "settled", "caps") if not getattr(self, name)}
        content = self.model_dump(mode="json", by_alias=True, exclude=absent)
        for spread in content.get("timings", {}).values():
            if not spread["loads"]:
                del spread["loads"], spread["lengths"]
        fields = {key: json.dumps(value, ensure_ascii=False) for key, value in content.items()}
        present = [name for name in ("coverage", "caps", "settled") if content.get(name) is not None]
        fields |= {name: encode_part(content[name]) for name in present}
        for key in ("strategies", "extrapolations", "policies"):
            parts = (f"{json.dumps(name)}: {encode_part(part)}" for name, part in content[key].items())
            fields[key] = "{" + ",\n".join(parts) + "}"
        records = (json.dumps(record, ensure_ascii=False) for record in content["per_problem"])
        fields["per_problem"] = "[" + ",\n".join(records) + "]"
        text = ",\n".join(f"{json.dumps(key)}: {value}" for key, value in fields.items())
        write_output(path, ("{" + text + "}\n").encode())


def encode_part(part: Any) -> str:
    """Return a part as JSON with one line per problem, so that a change in one problem changes one line."""
    if not isinstance(part, dict):
        return json.dumps(part, ensure_ascii=False)
    fields = {key: json.dumps(value, ensure_ascii=False) for key, value in part.items()}
    for name in ("accuracy", "settled", "right", "solutions"):
        if isinstance(part.get(name), list) and isinstance(part[name][0], list):
            fields[name] = "[" + ",\n".join(json.dumps(row) for row in part[name]) + "]"
    return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in fields.items()) + "}"


def apply_lambda(profile: Profile, lam: float | str | None) -> tuple[Profile, float | None]:
    """Apply λ as it is given: a number, or a way of counting tokens, which applies to λ, scorers and searches.

    Returns:
        The profile with that way of counting, and λ; None if ``lam`` is None or nothing was verified.

    Raises:
        DataError: ``lam`` is neither, or the profile does not know λ in that way.
    """
    if lam is None:
        return profile, None
    if isinstance(lam, str) and lam in COUNTING_WAYS:
        verified = profile.genrm is not None or not (profile.rhos or profile.searches)
        return profile.use_counting(lam), profile.get_lambda(lam) if verified else None
    return profile, read_lambda(lam)


def apply_costs(profile: Profile, lam: float | str | None, rho: float | None) -> Profile:
    """Return a profile with λ, see `apply_lambda`, and ρ as they are given; None leaves the profile's own.

    Raises:
        DataError: one is not a cost, or the profile has nothing that it is the cost of.
    """
    profile, price = apply_lambda(profile, lam)
    profile = profile if price is None else profile.use_lambda(price, f"given as {lam}")
    return profile if rho is None else profile.use_rho(check_rho(rho))
