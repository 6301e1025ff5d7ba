"""The record of what a sweep took from another run (`solutions_from`), as its manifest stores it."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from isocompute.runners.config.base import ConfigBlock, CountFromZero


class SourceRun(ConfigBlock):
    """The run that a sweep took problems and solutions from, and how much it took.

    The record makes the new run self-contained: `fit`, `plan`, `check` and the figures never read the other run.

    Args:
        run: the other run's path as it was given, without user and password.
        config: the sweep that made the other run; None if it was imported.
        imported: the import that made it; None if it was swept.
        solutions_from: the run that the other run itself took from.
        task: the task's name.
        solver: the model that made the solutions; None if an import does not say.
        thinking_end: the text that ends the thinking in the solutions, according to the other run.
        grader: name and version of the grader of the answers.
        models: hashes of the other run's models, by role.
        parameters: their known parameter counts, by role.
        prompts: its prompts, by role.
        problems: number of problems taken.
        solutions: number of solutions taken of each problem.
        failed: how many of these solutions failed; they are failures in the new run too.
        digest: digest of all rows taken, see `storage.taking.digest_rows`.
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
    problems: CountFromZero
    solutions: CountFromZero
    failed: CountFromZero
    digest: str

    @model_validator(mode="after")
    def _check_origin(self) -> SourceRun:
        if (self.config is None) == (self.imported is None):
            raise ValueError("a run was made by a sweep or by an import")
        return self

    @property
    def is_from_import(self) -> bool:
        """True if the solutions were imported, here or further up the chain; some of their columns may then be null."""
        return self.imported is not None or (self.solutions_from is not None and self.solutions_from.is_from_import)

    @property
    def sampling_solver(self) -> Any:
        """The solver's block of the sweep that sampled the solutions, here or further up the chain; None if unknown."""
        if self.solutions_from is not None:
            return self.solutions_from.sampling_solver
        return (self.config or {}).get("solver")
