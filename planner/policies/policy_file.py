"""The policy file: a rule with its threshold and limit, the problems it was learnt on, and its measured savings."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from isocompute.errors import DataError
from isocompute.planner.profile.model_records import ModelRecord
from isocompute.planner.profile.numbers import (
    FiniteNumber,
    Lambda,
    NonNegativeNumber,
    PositiveNumber,
    Share,
    StandardError,
    WholeNumber,
    WholeNumberFromZero,
)
from isocompute.runners.documents import NotJSONError, parse_json_document
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.files import check_output_path, read_file, write_output

if TYPE_CHECKING:
    from isocompute.fits.policies.policy import Policy

Ends = tuple[FiniteNumber, FiniteNumber]


class PolicyBlock(BaseModel):
    """An object of a policy file. Keys that it does not declare are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True, use_attribute_docstrings=True)


class LearntOn(PolicyBlock):
    """The problems on which the threshold was chosen and the policy measured."""

    run: str
    """Name of the run."""
    problems: WholeNumber
    """Number of problems."""
    digest: str
    """BLAKE2b digest over the sorted digests of their questions; equal for equal problems."""
    solutions: WholeNumber
    """Solutions of each problem in the pool."""
    verifications: WholeNumberFromZero = 0
    """Verifications of each of its verified solutions."""


class MeasuredPolicy(PolicyBlock):
    """Measurements of the rule on problems on which its threshold was not chosen: means over problems and orders."""

    accuracy: Share
    """Accuracy, 0 … 1."""
    accuracy_interval: Ends | None = None
    """Its 95 % interval over problems."""
    compute: NonNegativeNumber
    """Mean compute in x, the cost of one solution."""
    compute_interval: Ends | None = None
    """Its 95 % interval over problems."""
    percentile_95: NonNegativeNumber
    """95th percentile of compute over problems and orders, in x."""
    solutions: NonNegativeNumber
    """Mean number of solutions."""
    verifications: NonNegativeNumber
    """Mean number of verifications, over all solutions."""
    depth: NonNegativeNumber | None = None
    """Mean number of waves, one after the other, at `width`; null if unknown."""
    width: WholeNumber = 1
    """Solutions sampled side by side in a wave."""
    same_answer: Share | None = None
    """Probability that the answer is that of the full budget; null if unknown."""
    drawing_error: StandardError = 0.0
    """Standard error of the accuracy from the random orders alone."""
    saving_full: PositiveNumber | None = None
    """Compute of the same strategy at the full budget over the policy's; null if unknown."""
    saving_fixed: PositiveNumber | None = None
    """Compute of the cheapest fixed allocation that is as accurate over the policy's; null if none is."""
    saving_fixed_interval: tuple[PositiveNumber | None, PositiveNumber | None] | None = None
    """Its 95 % interval; an end of null is beyond the dearest fixed allocation."""


class Guarantee(PolicyBlock):
    """The promise for which the threshold was chosen: P(answer ≠ the full budget's answer) ≤ delta."""

    delta: Annotated[float, Field(gt=0, lt=1, strict=True)]
    """The largest share of problems with another answer."""
    confidence: Annotated[float, Field(gt=0, lt=1, strict=True)]
    """Probability, over samples of problems, that the promise holds."""
    certified: StrictBool
    """False if there were too few problems to certify delta; the rule then samples the full budget."""


class PolicyFile(PolicyBlock):
    """A rule with its threshold and limit, as `isocompute policies -o` writes it, for other gateways to load."""

    format: Literal[1] = 1
    """Version of this format."""
    rule: Annotated[str, Field(min_length=1, max_length=100)]
    """Name of the rule: after which votes it stops."""
    parameter: str
    """Meaning of the threshold, in words."""
    threshold: FiniteNumber
    """The rule stops when its score reaches the threshold."""
    solutions: Annotated[int, Field(ge=1, le=10**6, strict=True)]
    """Most solutions of a problem: the limit that was chosen with the threshold."""
    full_solutions: Annotated[int, Field(ge=1, le=10**6, strict=True)] | None = None
    """Solutions of the full budget, whose answer a promise is about; null if it is `solutions`."""
    verifications: Annotated[int, Field(ge=0, le=10**6, strict=True)] = 0
    """Most verifications of a solution; 0 if the rule does not verify."""
    lam: Lambda | None = Field(default=None, alias="lambda")
    """λ, the cost of a verification in solutions; null if the rule does not verify."""
    cost_model: str = "tokens"
    """The cost model that counts λ and compute."""
    grader: str | None = None
    """Title of the grader by which answers are equal; null if unknown."""
    task: str | None = None
    """Name of the task; null if unknown."""
    models: dict[str, ModelRecord] = {}
    """The models by role: solver, verifier."""
    answer_model: dict[str, Any] | None = None
    """Model of P(right) of each answer, as JSON numbers; null if the rule has none."""
    learnt_on: LearntOn
    """The problems on which the threshold was chosen."""
    measured: MeasuredPolicy
    """Its measurements on other problems."""
    guarantee: Guarantee | None = None
    """The promise for which the threshold was chosen; null if it was chosen for a mean budget."""

    def to_policy(self) -> Policy:
        """Return the policy that says, from what was sampled of a problem, what to do next.

        Raises:
            DataError: this version does not know the rule, λ is missing for a rule that verifies, or the model of
                P(right) cannot be read.
        """
        from isocompute.fits.policies.policy import Policy
        from isocompute.fits.policies.value_model import ValueModel

        model = None if self.answer_model is None else ValueModel.from_dict(self.answer_model)
        return Policy(self.rule, self.threshold, self.solutions, self.lam, model)


def write_policy_file(policy: PolicyFile, path: str) -> None:
    """Write a policy file; the same content gives the same bytes.

    Raises:
        DataError: it cannot be written there.
        RunError: the path is in memory, or in an unknown kind of store.
    """
    check_policy_output(path)
    content = policy.model_dump(mode="json", by_alias=True)
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    write_output(path, (text + "\n").encode())


def check_policy_output(path: str) -> None:
    """Check that a policy may be written to a path: the path is free, or holds an earlier policy.

    Raises:
        DataError: the path holds another file, or a folder.
        RunError: the path is in memory, or in an unknown kind of store.
    """
    check_output_path(path)
    try:
        content = read_file(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError(f"'{path}' cannot be read, so it is not overwritten: {error.strerror or error}.") from None
    if content and b'"learnt_on"' not in content:
        raise DataError(f"'{path}' already exists and is not a policy file; name another file.")


def read_policy_file(path: str) -> PolicyFile:
    """Read a policy file.

    Raises:
        DataError: there is none, or it is not valid; the message names the place in the file.
    """
    try:
        content = parse_json_document(read_file(path), path)
    except FileNotFoundError:
        raise DataError(
            f"There is no policy file '{path}'; write one with isocompute policies RUN -o policy.json."
        ) from None
    except OSError as error:
        raise DataError(f"The policy file '{path}' cannot be read: {error.strerror or error}.") from None
    except NotJSONError:
        raise DataError(f"{path} is not a policy file: it is not JSON.") from None
    missing = (
        ["rule", "format"] if not isinstance(content, dict) else [k for k in ("rule", "format") if k not in content]
    )
    if missing:
        raise DataError(
            f"{path} is not a policy file: the key '{missing[0]}' is missing; write one with isocompute policies RUN "
            "-o policy.json."
        )
    if content["format"] != 1 or isinstance(content["format"], bool):
        raise DataError(
            f"{path} is a policy file of format {format_error_value(content['format'])}; this version reads 1."
        )
    if not _is_finite(content):
        raise DataError(f"{path} is not a policy file: its numbers must be finite.")
    try:
        return PolicyFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        message = first["msg"].removeprefix("Value error, ")
        raise DataError(f"{path} is not a policy file: {where:.200}: {message:.200}.") from None


def _is_finite(value: object) -> bool:
    """Return whether every number in a JSON document is finite, those under unknown keys too."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, float) and not math.isfinite(each):
            return False
        waiting += each.values() if isinstance(each, dict) else each if isinstance(each, list) else []
    return True
