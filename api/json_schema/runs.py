"""The JSON of commands on runs and tasks: ``runs``, ``check``, ``compact``, ``upgrade`` and ``tasks``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from isocompute.api.json_schema.blocks import CommandJson, Fraction, JsonBlock

if TYPE_CHECKING:  # what they import takes longer than a plan
    from isocompute.planner.profile import Profile
    from isocompute.runners.config.tasks import TaskEntry
    from isocompute.runners.storage.examination import CheckReport
    from isocompute.runners.storage.joining import JoinedTable
    from isocompute.runners.storage.progress import RunProgress, UnreadableRun
    from isocompute.runners.storage.upgrade import UpgradedRun

RowId = str | int | None
"""A part of a row's key; null where an imported run does not say it."""


class TokenTotalsJson(JsonBlock):
    """Tokens by kind."""

    prompt: int | None
    """Prompt tokens, cached ones included; null if no row reports them."""
    cached: int | None
    """Prompt tokens read from the prefix cache."""
    completion: int | None
    """Sampled tokens."""


class TableProgressJson(JsonBlock):
    """Progress of one table."""

    done: int
    """Rows that are written and did not fail."""
    asked: int
    """Rows that the sweep requests, or that were imported."""
    failures: dict[str, int]
    """Rows whose last attempt failed, by reason."""
    tokens: TokenTotalsJson
    """Tokens over the rows that report them."""
    unreported: TokenTotalsJson = Field(validation_alias="untold")
    """Number of rows that do not report them."""


class RunProgressJson(CommandJson):
    """An entry of ``runs --json``: the progress of one run."""

    reason: None = None
    """Null, because the run can be read."""
    run: str
    """The run's folder."""
    task: str
    """The task's name or file."""
    imported: str | None
    """The format that it was imported from; null if it was sampled."""
    solutions_from: str | None
    """The run that its solutions were taken from; null if they are its own."""
    models: dict[str, str]
    """The known models by role."""
    problems: int
    """Number of problems."""
    solutions: TableProgressJson
    verifications: TableProgressJson
    scores: TableProgressJson
    """Scored solutions; the tokens are the scorer's."""
    searches: TableProgressJson
    """Searches; the tokens are the solver's."""
    answers: dict[str, int]
    """Number of solutions of each kind: right, wrong, ungraded (only where right answers are unknown), truncated (cut
    at the token limit, without an answer), unread (without an answer otherwise), failed."""
    verdicts: dict[str, int]
    """Number of verifications of each kind: yes, no, truncated, unread, skipped (nothing to verify), failed."""
    accuracy: Fraction | None
    """Mean accuracy of the solutions; null without solutions."""
    search_accuracy: Fraction | None
    """Mean accuracy of the searches; null without searches."""
    written: datetime | None
    """Time of the last write; null if the store does not report it."""


class UnreadableRunJson(CommandJson):
    """An entry of ``runs --json``: a run that cannot be read."""

    reason: str
    """The fault."""
    run: str
    """The run's folder."""


class DamageJson(JsonBlock):
    """One fault of one file."""

    path: str
    """The file."""
    what: str
    """The fault and the first row that has it."""
    rows: int | None
    """Number of lost rows; null if unknown."""
    remedy: Literal["repair", "restore", "sweep", "import"]
    """The remedy: ``check --repair``, by restoring the file, by the sweep, or by another import."""
    stray: bool
    """True if the rows judge solutions that the run does not have."""


class GapJson(JsonBlock):
    """Consecutive missing rows."""

    first: tuple[RowId, ...]
    """Key of the first."""
    last: tuple[RowId, ...]
    """Key of the last."""
    rows: int
    """Their number."""


class CheckJson(CommandJson):
    """``check RUN --json``: damage of a run, and what is missing."""

    whole: bool
    """True if nothing is damaged, after the repair if one was asked for."""
    run: str
    """The run's folder."""
    rows: dict[str, int]
    """Number of sound rows by table, failed ones included."""
    damage: list[DamageJson]
    """All damage, as found before a repair."""
    missing: dict[str, list[GapJson]]
    """By table, the rows that a sweep would add: lost, failed, or not sampled yet."""
    notes: list[str]
    """Harmless observations."""


class JoinedTableJson(JsonBlock):
    """The parts of a table before and after they were joined."""

    before: int
    """The parts that were read before."""
    after: int
    """The parts that are read now."""
    deleted: int
    """The files that were deleted, because a joined part holds their rows."""


class CompactJson(CommandJson):
    """``compact RUN --json``: how many parts became how many."""

    run: str
    """The run's folder."""
    tables: dict[str, JoinedTableJson]
    """By table, if it has parts."""


class UpgradeJson(CommandJson):
    """``upgrade SOURCE -o NEW --json``: what was written in the newest format."""

    source: str
    """The old run or profile."""
    output: str | None
    """The new one; null if the old one has the newest format, so that nothing was written."""


class UpgradedRunJson(UpgradeJson):
    """``upgrade RUN -o NEW --json``."""

    before: int
    """The old format."""
    rows: dict[str, int]
    """Number of rows by table, failed ones included."""
    moved: int
    """Solutions whose step scores were moved to the table ``scores``."""
    parameters: dict[str, float]
    """Model sizes in the new run, by role."""
    unknown: tuple[str, ...]
    """Values that the old run lacks, as ``table.column`` or ``parameters.role``."""


class UpgradedProfileJson(UpgradeJson):
    """``upgrade PROFILE.json -o NEW --json``."""

    before: Literal[1]
    """The old format."""
    strategies: list[str]
    """The strategies in the new profile."""
    unknown: list[str]
    """Parts that the old profile lacks."""


class TaskJson(JsonBlock):
    """A task."""

    size: int | None
    """Number of problems; null if there are as many as one asks for."""
    grader: str
    """The grader of its answers."""
    source: str
    """The source of the problems."""
    licence: str
    """Their licence."""
    extra: str
    """The extra of this package that it needs; empty if none."""


class TasksJson(CommandJson):
    """``tasks --json``: the tasks that a sweep can name."""

    tasks: dict[str, TaskJson]
    """The tasks by name."""
    generators: dict[str, list[str]]
    """The generators of reasoning-gym by their grader."""


def build_runs_json(found: Sequence[RunProgress | UnreadableRun]) -> list[RunProgressJson | UnreadableRunJson]:
    """Return the progress of runs as JSON; of a run that cannot be read, the reason."""
    return [(UnreadableRunJson if hasattr(run, "reason") else RunProgressJson).convert(run) for run in found]


def build_check_json(report: CheckReport, is_whole: bool) -> CheckJson:
    """Return the report of a check as JSON; ``is_whole`` is after the repair, if one was asked for."""
    return CheckJson.model_validate({**vars(report), "whole": is_whole})


def build_compact_json(run: str, tables: Sequence[JoinedTable]) -> CompactJson:
    """Return what was joined as JSON."""
    counts = {table.table: {name: count for name, count in vars(table).items() if name != "table"} for table in tables}
    return CompactJson.model_validate({"run": run, "tables": counts})


def build_upgraded_run_json(source: str, found: UpgradedRun | None) -> UpgradeJson:
    """Return what the upgrade of a run wrote as JSON; None if it had the newest format already."""
    if found is None:
        return UpgradeJson(source=source, output=None)
    fields = {name: value for name, value in vars(found).items() if name != "run"}
    return UpgradedRunJson.model_validate({"source": source, "output": found.run, **fields})


def build_upgraded_profile_json(source: str, profile: Profile | None, target: str) -> UpgradeJson:
    """Return what the upgrade of a profile wrote as JSON; None if it had the newest format already."""
    if profile is None:
        return UpgradeJson(source=source, output=None)
    return UpgradedProfileJson(
        source=source,
        output=target,
        before=1,
        strategies=list(profile.strategies),
        unknown=list(profile.unknown_parts),
    )


def build_tasks_json(tasks: dict[str, TaskEntry], generators: dict[str, list[str]]) -> TasksJson:
    """Return the tasks as JSON."""
    return TasksJson(tasks={name: TaskJson.convert(entry) for name, entry in tasks.items()}, generators=generators)
