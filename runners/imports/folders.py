"""The files of a folder that an import reads, and the folders below that hold some."""

from __future__ import annotations

import re
from pathlib import Path

from isocompute.runners.imports.packed import CODECS, get_file_ending

MAX_FOLDER_DEPTH = 4
"""Levels of folders below the named one in which files are looked for that it lacks itself."""

MOST_FOLDERS_NAMED = 5
"""Folders that an error names at most."""


def list_matching_files(folder: Path, pattern: str, endings: tuple[str, ...]) -> list[Path]:
    """Return the files of a folder whose names match a pattern and have one of the endings.

    ``pattern`` may begin with folders, as in ``*/samples_*.jsonl``; a compressed file matches without its last ending.
    """
    found = {*folder.glob(pattern), *(path for packed in CODECS for path in folder.glob(f"{pattern}{packed}"))}
    return [path for path in found if get_file_ending(path) in endings and path.is_file()]


def describe_subfolders(folder: Path, pattern: str, endings: tuple[str, ...]) -> str:
    """Return the end of a sentence on the folders below that hold matching files; nothing if none is near."""
    for depth in range(1, MAX_FOLDER_DEPTH + 1):
        below = {path.parent for path in list_matching_files(folder, "*/" * depth + pattern, endings)}
        if below:
            names = [f"'{path}'" for path in sorted(below, key=get_natural_key)]
            more = f" and {len(names) - MOST_FOLDERS_NAMED:,} more" if len(names) > MOST_FOLDERS_NAMED else ""
            what = "a folder in it has" if len(names) == 1 else "folders in it have"
            return f"; {what}: {', '.join(names[:MOST_FOLDERS_NAMED])}{more}; name {'it' if len(names) == 1 else 'one'}"
    return ""


def get_natural_key(path: Path | str) -> list[tuple[int, str]]:
    """Return a key that sorts names in natural order: ``2.yaml`` before ``10.yaml``."""
    parts = re.split(r"([0-9]{1,18})", str(path))
    return [(int(part), "") if i % 2 else (-1, part) for i, part in enumerate(parts)]
