"""The JSON Schema of each command's ``--json``, and of each file that other programs read.

    python -m experiments.json_schemas

Writes docs/json/COMMAND.json and docs/json/policy_file.json.
"""

from __future__ import annotations

import json
from pathlib import Path

from isocompute.api.json_schema.schemas import COMMAND_BLOCKS, FILE_BLOCKS, describe_command_json, describe_file

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "json"


def write_schemas(folder: Path = FOLDER) -> None:
    """Write a schema for each command, and for each file."""
    folder.mkdir(parents=True, exist_ok=True)
    schemas = {command: describe_command_json(command) for command in COMMAND_BLOCKS}
    schemas |= {name: describe_file(name) for name in FILE_BLOCKS}
    for name, schema in schemas.items():
        text = json.dumps(schema, indent=2, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
