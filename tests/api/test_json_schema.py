"""The JSON of the commands: its schemas in docs, and the difference between "never" and unknown."""

from __future__ import annotations

import json
import math
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

import isocompute as iso
from experiments.json_schemas import write_schemas
from isocompute.api.json_schema.findings import build_crossover, build_power
from isocompute.api.json_schema.schemas import COMMAND_BLOCKS, describe_command_json
from isocompute.cli.main import app
from isocompute.fits.laws.crossover import Crossover
from isocompute.fits.power import compute_paired_power
from isocompute.planner.power import StrategyPower

DOCS = Path(__file__).resolve().parents[2] / "docs" / "json"


def test_the_schemas_in_docs_are_those_of_the_code(tmp_path):
    write_schemas(tmp_path)
    assert sorted(path.name for path in DOCS.iterdir()) == sorted(path.name for path in tmp_path.iterdir())
    for path in tmp_path.iterdir():
        assert (DOCS / path.name).read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


def test_every_command_that_prints_json_has_a_schema():
    printing = set()
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands:
            if "json_" in command.callback.__annotations__:
                printing.add(command.name or command.callback.__name__)
    assert printing == set(COMMAND_BLOCKS)


@pytest.mark.parametrize("command", COMMAND_BLOCKS)
def test_a_schema_is_valid_and_says_what_each_key_means(command):
    schema = describe_command_json(command)
    jsonschema.Draft202012Validator.check_schema(schema)
    for block in [schema, *schema.get("$defs", {}).values()]:
        for key, part in block.get("properties", {}).items():
            described = "description" in part or "$ref" in part or "$ref" in part.get("items", {})
            assert described, (command, key)


def test_a_crossover_that_never_comes_is_not_an_unknown_one():
    def build(budget, interval):
        return Crossover(budget, interval, None, np.array([1.0, 8.0]), np.zeros(2), None, 8.0, 0.95)

    never = build_crossover(build(math.inf, (4.0, math.inf)), 4).to_dict()
    assert (never["x"], never["plateau_multiple"], never["interval"]) == ("never", "never", [4.0, "never"])
    unknown = build_crossover(build(2.0, None), 4).to_dict()
    assert (unknown["x"], unknown["interval"]) == (2.0, None)


def test_a_profile_without_lambda_has_an_unknown_crossover():
    frame = pd.DataFrame({"id": list("aabb"), "ok": [1, 0, 1, 1], "verdict": [1, 0, 1, 0]})
    plan = iso.plan(iso.fit(iso.from_frame(frame, problem="id", correct="ok", verdict="verdict")), "2x").to_dict()
    assert (plan["lambda"], plan["crossover"], plan["crossovers"]) == (None, None, {})


def test_more_problems_than_the_limit_are_not_an_unknown_number():
    many = build_power(StrategyPower(8.0, "genrm", "sc", compute_paired_power([0.5, -0.5, 0.3, -0.3]))).to_dict()
    assert (many["needed"], many["needed_interval"][1]) == ("over 1000000", "over 1000000")
    constant = build_power(StrategyPower(8.0, "genrm", "sc", compute_paired_power([0.1, 0.1]))).to_dict()
    assert (constant["needed"], constant["needed_interval"]) == (None, [None, None])


def test_tasks_as_json(command):
    tasks = json.loads(command("tasks", "--json").out)
    assert tasks["tasks"]["gsm8k"]["size"] == 1319
    assert tasks["tasks"]["gsm8k"]["grader"] == "numeric"
