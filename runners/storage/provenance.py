"""The origin of a run, a sweep or an import, read from its manifest."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from isocompute.errors import DataError
from isocompute.runners.config.base import ConfigBlock, CountFromZero
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.config.sweep_reading import extract_sweep
from isocompute.runners.config.taken import SourceRun
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import GRADES_TABLE

LOGGED_GRADER = "as-logged"
"""Name of the grader of answers that are taken as another tool logged them."""

GOLD_AS_GIVEN = "as given"
"""The manifest's entry for gold answers stored as given; runs of earlier versions store the normalised ones."""


UPGRADED_KEY = "upgraded"
"""The manifest's key for the format that the run was upgraded from, and the version that did it."""


class ImportedRun(ConfigBlock):
    """The origin of an imported run; None where the source does not say.

    Args:
        format: format of the imported log.
        source: name of the file or folder.
        files: number of files.
        sha256: digest of a single file.
        task: the task's name.
        solver: the model that solved.
        verifier: the model that verified.
        aggregate: how step scores become one, as in `scorers.aggregate`.
        rows: number of rows of each table.
        unknown: columns that are null in all rows, as ``table.column``.
        problems_with: the fewest solutions of a problem that was imported; None if all were.
        short_problems: the number of problems that were left out for it.
        shares: whether the log says of some problems only how many of their solutions are right.
        failed: the treatment of solutions that failed in the log, drop or wrong; None in runs of earlier versions.
    """

    format: str
    source: str
    files: CountFromZero
    sha256: str | None = None
    task: str
    solver: str | None = None
    verifier: str | None = None
    aggregate: str | None = None
    rows: dict[str, CountFromZero]
    unknown: tuple[str, ...] = ()
    problems_with: int | None = None
    short_problems: int = 0
    failed: str | None = None
    shares: bool = False

    @property
    def task_name(self) -> str:
        """The task's name."""
        return self.task

    @property
    def models(self) -> dict[str, str]:
        """The known models by role."""
        roles = {"solver": self.solver, "verifier": self.verifier}
        return {role: model for role, model in roles.items() if model is not None}

    @property
    def solutions_thinking_end(self) -> None:
        """None, because an import does not say how thinking ends."""


def extract_origin(manifest: dict[str, Any], run: str) -> Sweep | ImportedRun:
    """Return the sweep or import in a run's manifest.

    Raises:
        DataError: the manifest holds neither a valid sweep nor a valid import.
    """
    if "imported" not in manifest:
        return extract_sweep(manifest, run)
    try:
        return ImportedRun.model_validate(manifest["imported"])
    except ValidationError:
        raise DataError(f"The manifest of '{run}' has an invalid 'imported' entry.") from None


def extract_source_run(manifest: dict[str, Any], run: str) -> SourceRun | None:
    """Return the source run in a run's manifest; None if the run took nothing.

    Raises:
        DataError: the manifest holds no valid sweep or import, or does not say what was taken.
    """
    origin = extract_origin(manifest, run)
    return origin.source_run if isinstance(origin, Sweep) else None


def extract_model_sizes(manifest: dict[str, Any], run: str) -> dict[str, float]:
    """Return the parameter counts in a run's manifest, by role; empty for runs of earlier versions.

    Raises:
        DataError: the entry does not hold parameter counts.
    """
    sizes = manifest.get("parameters", {})
    if not isinstance(sizes, dict) or not all(
        isinstance(size, int | float) and not isinstance(size, bool) and 0 < size < 1e18 for size in sizes.values()
    ):
        raise DataError(f"The manifest of '{run}' has 'parameters' that are not parameter counts by role.")
    return {str(role): float(size) for role, size in sizes.items()}


def read_grader_title(run: Run) -> str:
    """Return name and version of the grader of a run's present answers.

    Raises:
        RunError: there is no run.
        DataError: its manifest or its grades cannot be read.
    """
    names = run.read_table(GRADES_TABLE, ["grader"])["grader"]
    return str(names[0].as_py() if len(names) else run.read_manifest().get("grader"))
