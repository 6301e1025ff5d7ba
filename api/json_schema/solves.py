"""The JSON of ``solve``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isocompute.api.json_schema.blocks import CommandJson, Fraction, JsonBlock

if TYPE_CHECKING:
    from isocompute.serving.solving import SolvedQuestions


class AnswerJson(JsonBlock):
    """The answer of one question."""

    id: str
    """The question's id."""
    answer: str | None
    """The chosen answer as a solution writes it; null if none could be read."""
    agreement: Fraction
    """Share of the solutions that have it; of a search, of its candidates."""
    p_right: Fraction | None
    """Probability that it is right; null if the policy has no model of it."""
    solutions: int
    """Number of solutions that were sampled; of a search, of its candidates."""
    verifications: int
    """Number of verifications that were sampled."""
    compute: float | None
    """Compute in x, from the tokens of all rows; null where they are unknown."""
    prompt_tokens: int | None
    """Prompt tokens of all models; null if unknown."""
    completion_tokens: int | None
    """Sampled tokens of all models; null if unknown."""
    stopped: str
    """The reason for which no more was sampled."""
    correct: bool | None
    """True if it is right; null if the right answer is unknown."""


class SolveJson(CommandJson):
    """``solve QUESTIONS -o RUN --json``."""

    run: str
    """The run that holds the rows."""
    table: str
    """The file of the table of answers."""
    profile: str
    """Name of the profile."""
    budget: float | None
    """The compute of a question that was asked for, in x; null of a policy file, which has its own."""
    strategy: str
    """The strategy of the plan, or the rule of the policy."""
    settings: str
    """Its numbers, in words."""
    expected_accuracy: Fraction | None
    """Accuracy that was expected on new problems; null for a policy without a measurement."""
    expected_compute: float | None
    """Mean compute of a question that was expected, in x; null likewise."""
    mean_compute: float | None
    """Mean compute of the questions, in x; null where it is unknown."""
    accuracy: Fraction | None
    """Share of the answers that are right, among the questions with a right answer; null without any."""
    sampled: int
    """Rows that were sampled now; the others were in the run."""
    failed: dict[str, int]
    """Rows that failed now, by reason."""
    notes: list[str]
    """Sentences for the reader."""
    answers: list[AnswerJson]
    """The answers in the order of the questions."""


def build_solve_json(solved: SolvedQuestions) -> SolveJson:
    """Return answers as JSON."""
    return SolveJson.convert(solved)
