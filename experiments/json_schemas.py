"""The JSON Schema of each command's ``--json``.

    python -m experiments.json_schemas

Writes docs/json/COMMAND.json.
"""

from __future__ import annotations

import json
from pathlib import Path

from isocompute.api.json_schema.schemas import COMMAND_BLOCKS, describe_command_json

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "json"


def write_schemas(folder: Path = FOLDER) -> None:
    """Write a file for each command."""
    folder.mkdir(parents=True, exist_ok=True)
    for command in COMMAND_BLOCKS:
        text = json.dumps(describe_command_json(command), indent=2, ensure_ascii=False)
        (folder / f"{command}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
