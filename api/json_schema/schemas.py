"""The JSON Schema of each command's JSON, derived from its blocks."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from isocompute.api.json_schema.difficulties import DifficultyJson
from isocompute.api.json_schema.evaluations import EvaluationJson
from isocompute.api.json_schema.fits import FitJson
from isocompute.api.json_schema.grades import GradeJson, GraderComparisonJson, ImportJson
from isocompute.api.json_schema.model_plans import ModelPlanJson
from isocompute.api.json_schema.pilots import NextJson, PilotJson
from isocompute.api.json_schema.plans import PlanJson
from isocompute.api.json_schema.policies import PoliciesJson
from isocompute.api.json_schema.prices import PriceJson
from isocompute.api.json_schema.runs import (
    CheckJson,
    CompactJson,
    RunProgressJson,
    TasksJson,
    UnreadableRunJson,
    UpgradedProfileJson,
    UpgradedRunJson,
    UpgradeJson,
)
from isocompute.api.json_schema.solves import SolveJson
from isocompute.planner.policies.policy_file import PolicyFile

COMMAND_BLOCKS: dict[str, Any] = {
    "plan": PlanJson | ModelPlanJson,
    "fit": FitJson,
    "pilot": PilotJson,
    "next": NextJson,
    "difficulty": DifficultyJson,
    "evaluate": EvaluationJson,
    "policies": PoliciesJson,
    "sweep": PriceJson,
    "runs": list[RunProgressJson | UnreadableRunJson],
    "check": CheckJson,
    "compact": CompactJson,
    "grade": GradeJson | GraderComparisonJson,
    "import": ImportJson,
    "upgrade": UpgradedRunJson | UpgradedProfileJson | UpgradeJson,
    "tasks": TasksJson,
    "solve": SolveJson,
}
"""The block that each command prints with ``--json``."""

FILE_BLOCKS: dict[str, Any] = {"policy_file": PolicyFile}
"""The block of each file that other programs read."""


def describe_command_json(command: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of what a command prints with ``--json``.

    It admits further keys, since a later release may add some under the same version.

    Args:
        command: one of `COMMAND_BLOCKS`.

    >>> describe_command_json("tasks")["properties"]["schema_version"]["const"]
    1
    """
    schema = TypeAdapter(COMMAND_BLOCKS[command]).json_schema(mode="serialization")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"isocompute {command} --json"}
    return {**head, **{name: simplify_schema(part) for name, part in schema.items() if name != "title"}}


def describe_file(name: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a file that other programs read.

    Args:
        name: one of `FILE_BLOCKS`.

    >>> describe_file("policy_file")["properties"]["format"]["const"]
    1
    """
    schema = TypeAdapter(FILE_BLOCKS[name]).json_schema(mode="validation")
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name.replace("_", " ")}
    return {**head, **{key: simplify_schema(part) for key, part in schema.items() if key != "title"}}


def simplify_schema(part: Any) -> Any:
    """Return a part of a schema without generated titles, and without the ban on further keys."""
    if isinstance(part, list):
        return [simplify_schema(element) for element in part]
    if not isinstance(part, dict):
        return part
    dropped = {"title", "additionalProperties"} if isinstance(part.get("type"), str) else {"title"}
    kept = {name: value for name, value in part.items() if name not in dropped or isinstance(value, dict)}
    return {name: simplify_schema(value) for name, value in kept.items()}
