"""Reading, checking and upgrading of profile files, bundled ones and the user's, in formats 1 and 2."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path, PurePath
from typing import Any

from pydantic import ValidationError

from isocompute.errors import DataError
from isocompute.planner.profile.format1 import upgrade_profile_content
from isocompute.planner.profile.profile import Profile
from isocompute.runners.documents import NotJSONError, parse_json_document
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.files import MANIFEST_FILE, check_output_path, has_file, read_file

PART_KINDS = {"curve", "surface", "searches", "policy", "unknown"}
"""Tags of the parts that pydantic puts into error locations; they are not keys of the file."""


def check_profile_output(path: str) -> None:
    """Check that a profile may be written to a path: the path is free, or holds an earlier profile.

    Raises:
        DataError: the path holds another file, a folder, or a file of a run.
        RunError: the path is in memory, or in an unknown kind of store.
    """
    check_output_path(path)
    try:
        content = read_file(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError(f"'{path}' cannot be read, so it is not overwritten: {error.strerror or error}.") from None
    if content and b'"per_problem"' not in content:
        raise DataError(f"'{path}' already exists and is not a profile; name another file.")


def find_bundled_profiles() -> dict[str, Path]:
    """Return the paths of the profiles that come with isocompute, by name."""
    folder = Path(str(files("isocompute") / "data" / "profiles"))
    return {path.stem: path for path in sorted(folder.glob("*.json"))}


def read_profile(name: str) -> Profile:
    """Read a profile by its bundled name or from a file.

    Raises:
        DataError: there is no such profile, or the file is not a valid one; the message names the place in the file.
    """
    content, path = read_profile_content(name)
    if content["format"] == 1:
        content = upgrade_profile_content(content)
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(part for part in map(str, first["loc"]) if part not in PART_KINDS) or "the file"
        raise DataError(f"{path} is not a profile: {where}: {first['msg'].removeprefix('Value error, ')}.") from None


def read_profile_content(name: str) -> tuple[dict[str, Any], str]:
    """Read the content of a profile's file, unconverted, by its bundled name or its path; return the path as well.

    A file in the working directory takes precedence over a bundled profile of the same name.

    Raises:
        DataError: there is no such profile, the file is not one, or it has an unknown format.
    """
    known = find_bundled_profiles()
    path = str(known[name]) if name in known and not Path(name).is_file() else name
    try:
        content = parse_json_document(read_file(path).decode(), path)
    except OSError as error:
        if isinstance(error, IsADirectoryError) and Path(name, MANIFEST_FILE).is_file():
            raise DataError(
                f"'{name}' is a run, not a profile; fit it first: isocompute fit {name} -o profile.json."
            ) from None
        if isinstance(error, IsADirectoryError):
            raise DataError(
                f"'{name}' is a folder; give a profile's file, or fit a run first: isocompute fit RUN -o profile.json."
            ) from None
        raise DataError(
            f"There is no profile '{name}'; give a profile's file, or one of: {', '.join(known)}."
        ) from None
    except (UnicodeDecodeError, NotJSONError):
        raise DataError(f"{path} is not a profile: it is not JSON.") from None
    if not isinstance(content, dict) or not {"self_consistency", "strategies"} & set(content):
        raise DataError(f"{path} is not a profile: make one with `isocompute fit RUN -o {PurePath(path).stem}.json`.")
    if content.get("format") not in (1, 2):
        if "format" not in content:
            raise DataError(f"{path} is not a profile: the key 'format' is missing; make one with isocompute fit.")
        raise DataError(
            f"{path} is a profile of format {format_error_value(content['format'])}; this version reads 1 and 2."
        )
    return content, path


def upgrade_profile(name: str, target: str) -> Profile | None:
    """Write a profile of format 1 in the newest format, atomically; the old file is not changed.

    Args:
        name: path or bundled name of the old profile.
        target: path of the new one, which must not exist.

    Returns:
        The profile; None if it has the newest format already, and nothing was written.

    Raises:
        DataError: there is no such profile, the target exists, or it cannot be written.
        RunError: the target is in memory, or in an unknown kind of store.
    """
    content, _ = read_profile_content(name)
    profile = read_profile(name)
    if content["format"] == profile.format:
        return None
    check_output_path(target)
    if has_file(target):
        raise DataError(f"'{target}' already exists; write the upgrade to a new file.")
    profile.write(target)
    return profile
