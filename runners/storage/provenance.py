"""What a run was made by, a sweep or an import; and what its readers ask of either."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from isocompute.errors import DataError
from isocompute.runners.config.base import ConfigBlock
from isocompute.runners.config.sweep import Sweep, extract_sweep
from isocompute.runners.config.taken import RowCount, SourceRun

LOGGED_GRADER = "as-logged"
"""The grader of answers that are taken as another tool logged them."""

GOLD_AS_GIVEN = "as given"
"""How a run holds its right answers; runs of earlier versions hold what their grader read in them."""


UPGRADED_KEY = "upgraded"
"""Where a manifest says from which format the run was upgraded, and by which version."""


class ImportedRun(ConfigBlock):
    """What was imported; what the source does not say of itself is None.

    Args:
        format: whose log it was.
        source: the file or the folder, by its name.
        files: how many files it was.
        sha256: of a single file.
        task: its name.
        solver: the model that solved.
        verifier: the model that verified.
        rows: how many rows each table has.
        unknown: columns that no row has, as ``table.column``.
    """

    format: str
    source: str
    files: RowCount
    sha256: str | None = None
    task: str
    solver: str | None = None
    verifier: str | None = None
    rows: dict[str, RowCount]
    unknown: tuple[str, ...] = ()

    @property
    def task_name(self) -> str:
        """What the task is called."""
        return self.task

    @property
    def models(self) -> dict[str, str]:
        """The models that are known, by role."""
        roles = {"solver": self.solver, "verifier": self.verifier}
        return {role: model for role, model in roles.items() if model is not None}

    @property
    def solutions_thinking_end(self) -> None:
        """Nothing: whether a model thinks aloud is not known of an import."""


def extract_origin(manifest: dict[str, Any], run: str) -> Sweep | ImportedRun:
    """Return what a run's manifest says it was made by.

    Raises:
        DataError: the manifest holds neither a sweep nor an import.
    """
    if "imported" not in manifest:
        return extract_sweep(manifest, run)
    try:
        return ImportedRun.model_validate(manifest["imported"])
    except ValidationError:
        raise DataError(f"The manifest of '{run}' has an 'imported' that is not an import's.") from None


def extract_source_run(manifest: dict[str, Any], run: str) -> SourceRun | None:
    """Return what a run's manifest says that it took from another run; None if it took nothing.

    Raises:
        DataError: the manifest holds neither a sweep nor an import, or does not say what was taken.
    """
    origin = extract_origin(manifest, run)
    return origin.source_run if isinstance(origin, Sweep) else None


def extract_model_sizes(manifest: dict[str, Any], run: str) -> dict[str, float]:
    """Return the parameter counts that a run holds, by role; runs of earlier versions hold none.

    Raises:
        DataError: what it holds are no parameter counts.
    """
    sizes = manifest.get("parameters", {})
    if not isinstance(sizes, dict) or not all(
        isinstance(size, int | float) and not isinstance(size, bool) and 0 < size < 1e18 for size in sizes.values()
    ):
        raise DataError(f"The manifest of '{run}' has 'parameters' that are not parameter counts by role.")
    return {str(role): float(size) for role, size in sizes.items()}
