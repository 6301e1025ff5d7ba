"""The JSON of commands that grade solutions: ``import`` and ``grade``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isocompute.api.json_schema.blocks import CommandJson, Fraction, JsonBlock

if TYPE_CHECKING:  # what they import takes longer than a plan
    from isocompute.runners.imports.summaries import ImportSummary
    from isocompute.runners.storage.grader_comparison import GraderComparison
    from isocompute.runners.storage.regrade import RegradeResult


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
    problem_accuracy: Fraction | None
    """Mean over problems of the share of their solutions that is right; null without right answers."""
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
    problem_accuracy: Fraction | None
    """Mean over problems of the share of their solutions that is right; null without right answers."""
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


def build_grade_json(found: RegradeResult) -> GradeJson:
    """Return what a new grading changed as JSON."""
    return GradeJson.convert(found)


def build_comparison_json(comparison: GraderComparison) -> GraderComparisonJson:
    """Return how often two graders agree as JSON."""
    return GraderComparisonJson.convert(comparison)


def build_import_json(found: ImportSummary) -> ImportJson:
    """Return what was imported as JSON."""
    return ImportJson.convert(found)
