"""What a sweep took from another run (`solutions_from`), as the manifest of its run holds it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from isocompute.runners.config.base import ConfigBlock

RowCount = Annotated[int, Field(ge=0, strict=True)]


class SourceRun(ConfigBlock):
    """The problems and solutions that a sweep took, and the run that they are from.

    With it the run stands by itself: `fit`, `plan`, `check` and the figures never look for the other run.

    Args:
        run: the other run's path as it was given, without user and password.
        config: the sweep that made the other run; None if it was imported.
        imported: what was imported there; None if it was swept.
        solutions_from: what the other run itself took from a third one.
        task: the task's name.
        solver: the model that solved; None if an import does not say it.
        thinking_end: what ends the thinking in the solutions, as the other run says.
        grader: name and version of what graded the answers.
        models: hashes of the other run's models, by role.
        parameters: their parameter counts, by role, as far as it holds them.
        prompts: its prompts, by role.
        problems: how many problems were taken.
        solutions: how many solutions of each problem.
        failed: how many of all these solutions failed there, and stand here as failures.
        digest: of all rows that were taken, see `storage.taking.digest_rows`.
    """

    run: str
    config: dict[str, Any] | None = None
    imported: dict[str, Any] | None = None
    solutions_from: SourceRun | None = None
    task: str
    solver: str | None = None
    thinking_end: str | None = None
    grader: str
    models: dict[str, dict[str, str]] = Field(default_factory=dict)
    parameters: dict[str, float] = Field(default_factory=dict)
    prompts: dict[str, Any] = Field(default_factory=dict)
    problems: RowCount
    solutions: RowCount
    failed: RowCount
    digest: str

    @model_validator(mode="after")
    def _check_origin(self) -> SourceRun:
        if (self.config is None) == (self.imported is None):
            raise ValueError("a run was made by a sweep or by an import")
        return self

    @property
    def is_from_import(self) -> bool:
        """Whether the solutions were imported, here or further up the chain; then some of their columns may be null."""
        return self.imported is not None or (self.solutions_from is not None and self.solutions_from.is_from_import)
