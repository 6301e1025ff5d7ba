"""What an adapter yields: a source's problems, solutions, verifications and searches, as they were logged.

What a source does not say is None. Solutions and verifications are numbered as they come, so an adapter yields a
problem before its solutions, and a solution before its verifications.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImportedMetadata:
    """What the source says of itself: the name of its task, and the models."""

    task: str | None = None
    solver: str | None = None
    verifier: str | None = None


@dataclass(frozen=True)
class ImportedProblem:
    """A problem; ``where`` says in words where it stands, for an error. ``gold`` is as the source has it."""

    problem_id: str
    where: str
    question: str | None = None
    gold: str | None = None
    subject: str | None = None
    level: int | None = None
    cluster: str | None = None


@dataclass(frozen=True)
class ImportedSolution:
    """A solution; ``answer`` and ``correct`` are what the tool itself read in it, and thought of it."""

    problem_id: str
    where: str
    text: str | None = None
    answer: str | None = None
    correct: bool | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None
    step_scores: list[float] | None = None
    seconds: float | None = None
    status: str = "ok"


@dataclass(frozen=True)
class ImportedVerification:
    """A verification of the solution that came as number ``solution_id`` of its problem."""

    problem_id: str
    solution_id: int
    where: str
    text: str | None = None
    verdict: float | None = None
    p_yes: float | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    finish_reason: str | None = None
    status: str = "ok"


@dataclass(frozen=True)
class ImportedSearch:
    """A search of one problem; ``text`` is the completion that it selected."""

    problem_id: str
    where: str
    strategy: str
    n: int
    beam_width: int | None = None
    lookahead: int | None = None
    seed: int | None = None
    text: str | None = None
    answer: str | None = None
    correct: bool | None = None


ImportedRow = ImportedMetadata | ImportedProblem | ImportedSolution | ImportedVerification | ImportedSearch
