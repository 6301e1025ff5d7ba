"""How a sweep file describes what scores steps, and what is searched with."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, field_validator, model_validator

from isocompute.runners.config.base import Count, Part, Size
from isocompute.runners.scorers.registry import SCORERS
from isocompute.runners.search.registry import SEARCHES, SearchStrategy

DEFAULT_WIDTH = 4

ROUNDS = 40
"""Steps of a solution at most, as in the studies of search."""


class ScorerRole(Part):
    """What scores steps, and how their scores become one. ``options`` go to its engine as they are.

    Solver and scorer are loaded together, so on one GPU both need a ``gpu_memory_utilization``. The kind ``verdicts``
    is the sweep's verifier: it has no model of its own, and ``verifications`` says how often it judges a solution so
    far. ``parameters`` is the model's size, where no checkpoint in a folder tells it.
    """

    kind: Annotated[str, AfterValidator(SCORERS.check)]
    model: str | None = None
    engine: str = "vllm"
    prompt: str | None = None
    verifications: Count | None = None
    aggregate: Literal["last", "min", "prod", "mean"] = "last"
    options: dict[str, Any] = Field(default_factory=dict)
    parameters: Size | None = None

    @model_validator(mode="after")
    def _consistent(self) -> ScorerRole:
        entry = SCORERS[self.kind]
        judges = entry.uses_verifier
        if entry.engines and self.engine not in entry.engines:
            raise ValueError(f"'{self.kind}' runs in {' or '.join(entry.engines)}; not in '{self.engine}'")
        if judges == (self.model is not None):
            raise ValueError("'verdicts' has no 'model': it is the verifier's" if judges else "give its 'model'")
        if judges == (self.verifications is None):
            said = "'verifications' says how often 'verdicts' judges a solution"
            raise ValueError(f"{said}; give it" if judges else f"{said}; '{self.kind}' has none")
        return self

    @property
    def uses_verifier(self) -> bool:
        """Whether what scores is the sweep's verifier."""
        return SCORERS[self.kind].uses_verifier


class Shape(NamedTuple):
    """What a search is told apart by, beside its problem and its seed."""

    strategy: str
    n: int
    width: int
    lookahead: int

    @property
    def label(self) -> str:
        """What it is called beside others.

        Example:
            >>> Shape("beam", 16, 4, 0).label, Shape("rebase", 8, 0, 1).label
            ('beam N=16 M=4', 'rebase N=8 k=1')
        """
        numbers = {"N": self.n, "M": self.width, "k": self.lookahead}
        return " ".join([self.strategy, *(f"{letter}={number}" for letter, number in numbers.items() if number)])


class Search(Part):
    """Searches of one strategy: each with so many slots ``n``, repeated with ``seeds`` seeds.

    ``rounds`` bounds the steps of a solution, ``lookahead`` is how many further steps are sampled before one is scored,
    and ``select`` how the answer is selected. ``width`` is what a kept beam goes on with, or a subtree's slots, or how
    many attempts a chain of revisions has; ``prompt`` is what asks for a revision.
    """

    strategy: Annotated[str, AfterValidator(SEARCHES.check)]
    n: Annotated[tuple[Count, ...], Field(min_length=1)]
    width: Count | None = None
    rounds: Count = ROUNDS
    lookahead: Annotated[int, Field(ge=0, strict=True)] = 0
    seeds: Count = 1
    select: Literal["vanilla", "weighted", "majority"] = "weighted"
    prompt: str | None = None

    @field_validator("n", mode="before")
    @classmethod
    def _one_size(cls, n: object) -> object:
        return (n,) if isinstance(n, int) else n

    @model_validator(mode="after")
    def _consistent(self) -> Search:
        if self.width is not None and not self.entry.has_width:
            raise ValueError(f"'{self.strategy}' has no 'width'; it shares its slots as it goes")
        if self.entry.revises and (self.rounds, self.lookahead) != (ROUNDS, 0):
            raise ValueError(
                f"'{self.strategy}' has neither 'rounds' nor 'lookahead': 'width' says how often it revises"
            )
        if self.prompt is not None and not self.entry.revises:
            raise ValueError(f"'{self.strategy}' has no 'prompt' of its own; it goes on with the solver's")
        return self

    @property
    def entry(self) -> SearchStrategy:
        """What the registry says of the strategy."""
        return SEARCHES[self.strategy]

    @property
    def shapes(self) -> list[Shape]:
        """One for each number of slots."""
        width = (self.width or DEFAULT_WIDTH) if self.entry.has_width else 0
        return [Shape(self.strategy, n, width, self.lookahead) for n in self.n]

    @property
    def asks(self) -> str | None:
        """The prompt that asks for a revision, if this is one."""
        return (self.prompt or "math-revise") if self.entry.revises else None
