"""The blocks of a sweep file for the scorer and the searches."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, field_validator, model_validator

from isocompute.runners.config.base import ConfigBlock, ParameterCount
from isocompute.runners.scorers.registry import SCORERS
from isocompute.runners.search.registry import SEARCH_STRATEGIES, SearchStrategy

DEFAULT_WIDTH = 4

SearchSize = Annotated[int, Field(ge=1, le=2**16, strict=True)]
"""The slots of a search, or the continuations of a beam."""

DEFAULT_ROUNDS = 40
"""The most steps of a solution, as in the published studies of search."""


class ScorerRole(ConfigBlock):
    """The scorer, and how its step scores are aggregated. ``options`` are passed to its engine unchanged.

    Solver and scorer are loaded together, so on one GPU both need a ``gpu_memory_utilization``. The kind ``verdicts``
    uses the sweep's verifier: it has no model of its own, and ``verifications`` is how often it judges a partial
    solution. ``parameters`` is the model's size, needed if there is no local checkpoint to read it from.
    """

    kind: Annotated[str, AfterValidator(SCORERS.check_name)]
    """The format of the reward model, or ``verdicts``."""
    model: str | None = None
    """A checkpoint's folder or its name on the hub."""
    engine: str = "vllm"
    """The engine that runs the model."""
    prompt: str | None = None
    """The text before the solution, for a scorer that takes one."""
    verifications: Annotated[int, Field(ge=1, le=10**6, strict=True)] | None = None
    """With ``verdicts``: the number of verifications of a partial solution."""
    aggregate: Literal["last", "min", "prod", "mean"] = "last"
    """The score of a solution from those of its steps: the last, the least, the product or the mean."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options that the engine is given as they are."""
    parameters: ParameterCount | None = None
    """The model's number of parameters, if no checkpoint's folder tells it."""

    @model_validator(mode="after")
    def _check_consistency(self) -> ScorerRole:
        entry = SCORERS[self.kind]
        judges = entry.uses_verifier
        if entry.engines and self.engine not in entry.engines:
            raise ValueError(f"'{self.kind}' runs in {' or '.join(entry.engines)}, not in '{self.engine}'")
        if judges == (self.model is not None):
            raise ValueError(
                "'verdicts' takes no 'model', because it uses the verifier's" if judges else "give its 'model'"
            )
        if judges == (self.verifications is None):
            meaning = "'verifications' is the number of verifications that 'verdicts' samples of a solution"
            raise ValueError(f"{meaning}; give it" if judges else f"{meaning}; '{self.kind}' takes none")
        return self

    @property
    def uses_verifier(self) -> bool:
        """True if the sweep's verifier does the scoring."""
        return SCORERS[self.kind].uses_verifier


class SearchShape(NamedTuple):
    """The key of a search without its problem and seed."""

    strategy: str
    n: int
    width: int
    lookahead: int

    @property
    def label(self) -> str:
        """The name of the shape in figures and tables.

        Example:
            >>> SearchShape("beam", 16, 4, 0).label, SearchShape("rebase", 8, 0, 1).label
            ('beam N=16 M=4', 'rebase N=8 k=1')
        """
        numbers = {"N": self.n, "M": self.width, "k": self.lookahead}
        return " ".join([self.strategy, *(f"{letter}={number}" for letter, number in numbers.items() if number)])


class SearchConfig(ConfigBlock):
    """Searches of one strategy, one for each number of slots in ``n``, each repeated with ``seeds`` seeds.

    ``rounds`` bounds the steps of a solution, ``lookahead`` is the number of further steps sampled before a step is
    scored, and ``select`` is the rule that selects the answer. ``width`` is the number of continuations of a kept beam,
    of slots in a subtree, or of attempts in a chain of revisions. ``prompt`` is the revision prompt.
    """

    strategy: Annotated[str, AfterValidator(SEARCH_STRATEGIES.check_name)]
    """The search strategy."""
    n: Annotated[tuple[SearchSize, ...], Field(min_length=1, max_length=1000)]
    """The number of slots, or several, each of which is a search."""
    width: SearchSize | None = None
    """M: continuations of a kept beam, slots of a subtree, or attempts in a chain of revisions. 4, unless set."""
    rounds: Annotated[int, Field(ge=1, le=10**5, strict=True)] = DEFAULT_ROUNDS
    """The most steps of a solution."""
    lookahead: Annotated[int, Field(ge=0, le=10**4, strict=True)] = 0
    """The number of further steps that are sampled before a step is scored."""
    seeds: Annotated[int, Field(ge=1, le=10**6, strict=True)] = 1
    """The number of repetitions, each with another seed."""
    select: Literal["vanilla", "weighted", "majority"] = "weighted"
    """The rule that selects the answer among the candidates."""
    prompt: str | None = None
    """The prompt of a revision. ``math-revise``, unless set."""

    @field_validator("n", mode="before")
    @classmethod
    def _wrap_single_size(cls, n: object) -> object:
        return (n,) if isinstance(n, int) else n

    @model_validator(mode="after")
    def _check_consistency(self) -> SearchConfig:
        if self.width is not None and not self.strategy_entry.has_width:
            raise ValueError(f"'{self.strategy}' takes no 'width', because it allocates its slots itself")
        if self.strategy_entry.revises and (self.rounds, self.lookahead) != (DEFAULT_ROUNDS, 0):
            raise ValueError(
                f"'{self.strategy}' takes neither 'rounds' nor 'lookahead'; 'width' is the number of attempts in a "
                "chain"
            )
        if self.prompt is not None and not self.strategy_entry.revises:
            raise ValueError(f"'{self.strategy}' takes no 'prompt'; it uses the solver's")
        return self

    @property
    def strategy_entry(self) -> SearchStrategy:
        """The strategy's entry in the registry."""
        return SEARCH_STRATEGIES[self.strategy]

    @property
    def shapes(self) -> list[SearchShape]:
        """The shapes, one for each number of slots."""
        width = (self.width or DEFAULT_WIDTH) if self.strategy_entry.has_width else 0
        return [SearchShape(self.strategy, n, width, self.lookahead) for n in self.n]

    @property
    def revision_prompt(self) -> str | None:
        """The prompt for revisions; None if the strategy does not revise."""
        return (self.prompt or "math-revise") if self.strategy_entry.revises else None
