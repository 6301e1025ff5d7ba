"""The JSON of commands on runs: ``runs``, ``check``, ``grade``, ``import``, ``upgrade`` and ``tasks``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from isocompute.api.json_schema.blocks import CommandJson, Fraction, JsonBlock

if TYPE_CHECKING:  # what they import takes longer than a plan
    from isocompute.planner.profile import Profile
    from isocompute.runners.config.tasks import TaskEntry
    from isocompute.runners.imports.summaries import ImportSummary
    from isocompute.runners.storage.check import CheckReport
    from isocompute.runners.storage.grader_comparison import GraderComparison
    from isocompute.runners.storage.progress import RunProgress, UnreadableRun
    from isocompute.runners.storage.regrade import RegradeResult
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
    """Number of solutions of each kind: right, wrong, truncated (cut at the token limit, without an answer), unread
    (without an answer otherwise), failed."""
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


class GradeDifferenceJson(JsonBlock):
    """A solution that the log and the grader judge differently."""

    problem_id: str
    """The problem."""
    solution_id: int
    """The number of the solution."""
    gold: str | None
    """The right answer."""
    answer: str | None
    """The answer that was read; null if none."""
    logged: bool
    """True if it is right in the log."""
    graded: bool
    """True if it is right here."""


class GradeJson(CommandJson):
    """``grade RUN --json``: what a new grading changed."""

    run: str
    """The run's folder."""
    before: str
    """The grader before."""
    grader: str
    """The grader now."""
    solutions: int
    """Number of graded solutions."""
    changed: int
    """Solutions whose answer is now another text, or appeared or disappeared."""
    now_right: int
    """Solutions that became right."""
    now_wrong: int
    """Solutions that became wrong."""
    unread: int
    """Solutions without a readable answer."""
    refused: int
    """Comparisons that exceeded the limits on time or memory; their answers count as different."""
    accuracy: Fraction | None
    """Mean accuracy of the solutions."""
    logged_accuracy: Fraction | None
    """Mean accuracy as the log of an import says, over the solutions that it judges; null if it judges none."""
    differing: int
    """Solutions that the log and the grader judge differently."""
    examples: list[GradeDifferenceJson]
    """Some of them."""
    notes: list[str]
    """Limits of the numbers."""


class JudgedDifferenceJson(JsonBlock):
    """A solution that two graders judge differently."""

    problem_id: str
    """The problem."""
    solution_id: int
    """The number of the solution."""
    gold: str
    """The right answer."""
    answer: str | None
    """The answer that the first grader read; null if it read none."""
    other_answer: str | None
    """The answer that the second grader read; null if it read none, or does not say."""
    is_right: bool
    """True if it is right by the first grader alone, false if by the second alone."""
    ending: str
    """The end of the text."""


class GraderComparisonJson(CommandJson):
    """``grade RUN --against GRADER --json``: how often two graders agree."""

    run: str
    """The run's folder."""
    grader: str
    """The first grader."""
    against: str
    """The second grader."""
    solutions: int
    """Number of solutions that both judged."""
    accuracy: Fraction
    """Share of right solutions by the first."""
    other_accuracy: Fraction
    """Share of right solutions by the second."""
    only_first: int
    """Solutions that are right by the first alone."""
    only_second: int
    """Solutions that are right by the second alone."""
    refused: int
    """Comparisons that exceeded the limits on time or memory; their solutions count as wrong."""
    examples: list[JudgedDifferenceJson]
    """Some of the differences."""


class OriginJson(JsonBlock):
    """The origin of an imported run; null where the source does not say."""

    format: str
    """The format of the log."""
    source: str
    """Name of the file or folder."""
    files: int
    """Number of files."""
    sha256: str | None
    """Digest of a single file."""
    task: str
    """The task's name."""
    solver: str | None
    """The model that solved."""
    verifier: str | None
    """The model that verified."""
    aggregate: str | None
    """The rule that makes one score of step scores: last, min, prod or mean; null if the source does not say."""
    rows: dict[str, int]
    """Number of rows by table."""
    unknown: tuple[str, ...]
    """Columns that no row has, as ``table.column``."""
    problems_with: int | None
    """The fewest solutions of a problem that was imported; null if all were."""
    short_problems: int
    """Number of problems that were left out for it."""
    shares: bool
    """True if the log says of some problems only how many of their solutions are right."""
    failed: str | None
    """The treatment of solutions that failed in the log, drop or wrong; null in runs of earlier versions."""


class ChoiceComparisonJson(JsonBlock):
    """A strategy on the first S solutions of each problem, as the tool chose and as read here."""

    strategy: str
    """The strategy."""
    S: int
    """The number of solutions."""
    problems: int
    """The problems that are compared."""
    logged: Fraction
    """The share of them whose answer in the log is right."""
    ours: Fraction
    """The share of them whose answer by the same rule is right here."""
    differing: int
    """The problems on which one is right and the other wrong."""


class ImportJson(CommandJson):
    """``import … --json``: what was imported."""

    run: str
    """The new run's folder."""
    imported: OriginJson
    grader: str
    """The grader of the answers."""
    refused: int
    """Comparisons that exceeded the limits on time or memory; their answers count as different."""
    accuracy: Fraction | None
    """Mean accuracy of the solutions; null without right answers."""
    logged_accuracy: Fraction | None
    """Mean accuracy as the log says, over the solutions that it judges; null if it judges none."""
    failures: dict[str, int]
    """Solutions that failed in the log, by reason."""
    differing: int
    """Solutions that the log and the grader judge differently."""
    examples: list[GradeDifferenceJson]
    """Some of them."""
    columns: dict[str, str]
    """Of a table, the columns that were read, with their names here."""
    ignored_columns: list[str]
    """Of a table, its other columns."""
    choices: list[ChoiceComparisonJson]
    """The tool's own choices among the solutions, beside those by the same rules here."""
    notes: list[str]
    """Doubts about the source, in sentences."""


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


def build_grade_json(found: RegradeResult) -> GradeJson:
    """Return what a new grading changed as JSON."""
    return GradeJson.convert(found)


def build_comparison_json(comparison: GraderComparison) -> GraderComparisonJson:
    """Return how often two graders agree as JSON."""
    return GraderComparisonJson.convert(comparison)


def build_import_json(found: ImportSummary) -> ImportJson:
    """Return what was imported as JSON."""
    return ImportJson.convert(found)


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
