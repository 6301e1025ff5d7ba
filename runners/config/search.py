"""How a sweep file describes what scores steps, and what is searched with."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, field_validator, model_validator

from isocompute.runners.config.base import ConfigBlock, Count, ParameterCount
from isocompute.runners.scorers.registry import SCORERS
from isocompute.runners.search.registry import SEARCH_STRATEGIES, SearchStrategy

DEFAULT_WIDTH = 4

DEFAULT_ROUNDS = 40
"""Steps of a solution at most, as in the studies of search."""


class ScorerRole(ConfigBlock):
    """What scores steps, and how their scores become one. ``options`` go to its engine as they are.

    Solver and scorer are loaded together, so on one GPU both need a ``gpu_memory_utilization``. The kind ``verdicts``
    is the sweep's verifier: it has no model of its own, and ``verifications`` says how often it judges a solution so
    far. ``parameters`` is the model's size, where no checkpoint in a folder tells it.
    """

    kind: Annotated[str, AfterValidator(SCORERS.check_name)]
    model: str | None = None
    engine: str = "vllm"
    prompt: str | None = None
    verifications: Count | None = None
    aggregate: Literal["last", "min", "prod", "mean"] = "last"
    options: dict[str, Any] = Field(default_factory=dict)
    parameters: ParameterCount | None = None

    @model_validator(mode="after")
    def _check_consistency(self) -> ScorerRole:
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


class SearchShape(NamedTuple):
    """What a search is told apart by, beside its problem and its seed."""

    strategy: str
    n: int
    width: int
    lookahead: int

    @property
    def label(self) -> str:
        """What it is called beside others.

        Example:
            >>> SearchShape("beam", 16, 4, 0).label, SearchShape("rebase", 8, 0, 1).label
            ('beam N=16 M=4', 'rebase N=8 k=1')
        """
        numbers = {"N": self.n, "M": self.width, "k": self.lookahead}
        return " ".join([self.strategy, *(f"{letter}={number}" for letter, number in numbers.items() if number)])


class SearchConfig(ConfigBlock):
    """Searches of one strategy: each with so many slots ``n``, repeated with ``seeds`` seeds.

    ``rounds`` bounds the steps of a solution, ``lookahead`` is how many further steps are sampled before one is scored,
    and ``select`` how the answer is selected. ``width`` is what a kept beam goes on with, or a subtree's slots, or how
    many attempts a chain of revisions has; ``prompt`` is what asks for a revision.
    """

    strategy: Annotated[str, AfterValidator(SEARCH_STRATEGIES.check_name)]
    n: Annotated[tuple[Count, ...], Field(min_length=1)]
    width: Count | None = None
    rounds: Count = DEFAULT_ROUNDS
    lookahead: Annotated[int, Field(ge=0, strict=True)] = 0
    seeds: Count = 1
    select: Literal["vanilla", "weighted", "majority"] = "weighted"
    prompt: str | None = None

    @field_validator("n", mode="before")
    @classmethod
    def _wrap_single_size(cls, n: object) -> object:
        return (n,) if isinstance(n, int) else n

    @model_validator(mode="after")
    def _check_consistency(self) -> SearchConfig:
        if self.width is not None and not self.strategy_entry.has_width:
            raise ValueError(f"'{self.strategy}' has no 'width'; it shares its slots as it goes")
        if self.strategy_entry.revises and (self.rounds, self.lookahead) != (DEFAULT_ROUNDS, 0):
            raise ValueError(
                f"'{self.strategy}' has neither 'rounds' nor 'lookahead': 'width' says how often it revises"
            )
        if self.prompt is not None and not self.strategy_entry.revises:
            raise ValueError(f"'{self.strategy}' has no 'prompt' of its own; it goes on with the solver's")
        return self

    @property
    def strategy_entry(self) -> SearchStrategy:
        """What the registry says of the strategy."""
        return SEARCH_STRATEGIES[self.strategy]

    @property
    def shapes(self) -> list[SearchShape]:
        """One for each number of slots."""
        width = (self.width or DEFAULT_WIDTH) if self.strategy_entry.has_width else 0
        return [SearchShape(self.strategy, n, width, self.lookahead) for n in self.n]

    @property
    def revision_prompt(self) -> str | None:
        """The prompt that asks for a revision, if this is one."""
        return (self.prompt or "math-revise") if self.strategy_entry.revises else None
