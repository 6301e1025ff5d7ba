"""Harmless profiles, grids, sweep files, runs and logs, which the generators change in one place each."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.hostile.cases import Maker, copy_folder

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
RUN = DATA / "runs" / "qwen-gsm-symbolic"
SEARCH_RUN = DATA / "runs" / "lab-search"
SERVER = "http://127.0.0.1:9/v1"
"""A server that refuses every connection."""
SERVER_OPTIONS = {"urls": SERVER, "concurrency": 2, "retries": 0, "timeout": 2, "patience": 0.2, "backoff": 0.1}


@cache
def read_bundled(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


def make_profile() -> dict[str, Any]:
    """Return a profile of a run, with problems, policies and tokens."""
    return json.loads(read_bundled("profiles/qwen2.5-coder-1.5b-gsm-symbolic.json"))


def make_grid_profile() -> dict[str, Any]:
    """Return a small profile, of a published grid."""
    return json.loads(read_bundled("profiles/llama-3.1-8b-math.json"))


def make_grid() -> dict[str, Any]:
    """Return a published grid, in a file with one entry."""
    return json.loads(read_bundled("published/llama-3.1-8b-math.json"))


def make_sweep() -> dict[str, Any]:
    """Return a sweep of models behind a server that refuses connections."""
    return {
        "run": "out/run",
        "task": {"name": "lab", "problems": 2, "seed": 1},
        "engine": "openai",
        "solver": {
            "model": "m",
            "prompt": "lab-solve",
            "max_tokens": 40,
            "parameters": 1e6,
            "options": SERVER_OPTIONS,
        },
        "solutions": 2,
    }


def change_value(document: Any, path: Sequence[str | int], value: object) -> Any:
    """Return a copy of a document with another value at a path."""
    changed = copy.deepcopy(document)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


def dump_json(document: object) -> str:
    """Return a document as JSON in ASCII, so that half of a surrogate pair is written as an escape."""
    return json.dumps(document)


def copy_run(path: Sequence[str | int] = (), value: object = None, source: Path = RUN) -> Maker:
    """Return a function that copies a run, with another value at a path of its manifest."""

    def change(copied: Path) -> None:
        manifest = copied / "manifest.json"
        content = json.loads(manifest.read_text(encoding="utf-8"))
        manifest.write_text(dump_json(change_value(content, path, value)), encoding="utf-8")

    return copy_folder(source, change if path else None)


def copy_run_with_manifest(content: str | bytes, source: Path = RUN) -> Maker:
    """Return a function that copies a run, with another manifest."""
    kept = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    return copy_folder(source, lambda copied: (copied / "manifest.json").write_bytes(kept) and None)
