"""The rows that an adapter yields: a source's problems, solutions, verifications and searches, as logged.

Unknown values are None. Solutions and verifications are numbered in their order, so an adapter yields a problem before
its solutions, and a solution before its verifications.
"""

from __future__ import annotations

from dataclasses import dataclass

PROGRAMS_NOTE = "Programs are right or wrong as logged; they are never compared with each other."
"""The sentence on programs in an import."""


@dataclass(frozen=True)
class ImportedMetadata:
    """The source's task and models, and how step scores become one, as in `scorers.aggregate`."""

    task: str | None = None
    solver: str | None = None
    verifier: str | None = None
    aggregate: str | None = None


@dataclass(frozen=True)
class ImportedProblem:
    """A problem; ``where`` is its location, in words for an error, and ``gold`` is as in the source."""

    problem_id: str
    where: str
    question: str | None = None
    gold: str | None = None
    subject: str | None = None
    level: int | None = None
    cluster: str | None = None


@dataclass(frozen=True)
class ImportedSolution:
    """A solution; ``answer`` and ``correct`` are those that the tool itself logged.

    ``unjudged`` is the reason why the log says neither right nor wrong; such a row fails unless its text is graded.
    With ``is_share`` the log says how many of a problem's solutions are right, and not which.
    """

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
    unjudged: str | None = None
    is_share: bool = False
    status: str = "ok"


@dataclass(frozen=True)
class ImportedVerification:
    """A verification of solution number ``solution_id`` of its problem."""

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
    """A search on one problem; ``text`` is the completion that it selected."""

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


@dataclass(frozen=True)
class ImportedChoice:
    """The answer that the tool chose by a strategy among the first S solutions of a problem."""

    problem_id: str
    where: str
    strategy: str
    S: int
    text: str


ImportedRow = (
    ImportedMetadata | ImportedProblem | ImportedSolution | ImportedVerification | ImportedSearch | ImportedChoice
)
