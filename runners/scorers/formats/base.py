"""The model-free parts of reward model formats: from steps to tokens, and from margins to scores.

Every format's score is the logistic function of a margin that the model's head gives at a position: the softmax over
two logits is the logistic of their difference. A format defines the tokens, the positions of scores and the head; an
engine returns margins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from isocompute.runners.scorers.base import ScoreRequest, ScoreResult


@dataclass(frozen=True)
class TokenPair:
    """The head of a language model: the margin is the logit of the token for right minus that for wrong."""

    right: int
    wrong: int


ScoreHead = TokenPair | Literal["classes", "value", "reward"]
"""A language model's own head, or a separate one: two classes at each token (Qwen2.5-Math-PRM), a value at each token
(Skywork), or one reward for the sequence, at its last token."""


@dataclass(frozen=True)
class ScoringInput:
    """Tokens to read, and the positions among them that have a score.

    Args:
        tokens: ids; they end at the last position.
        places: ascending indices: a step's score is computed from ``tokens[: place + 1]``.
    """

    tokens: tuple[int, ...]
    places: tuple[int, ...]

    @property
    def prefixes(self) -> list[tuple[int, ...]]:
        """The tokens up to each position.

        >>> ScoringInput((5, 6, 7), (0, 2)).prefixes
        [(5,), (5, 6, 7)]
        """
        return [self.tokens[: place + 1] for place in self.places]


class RewardModelFormat(Protocol):
    """The format of a family of reward models."""

    @property
    def head(self) -> ScoreHead:
        """The head that gives the margin."""

    def tokenise_steps(self, question: str, steps: Sequence[str], known: int) -> list[ScoringInput]:
        """Return the inputs that score ``steps[known:]``, one position each, in order; no step is blank."""


def build_scoring_input(tokens: Sequence[int], places: Sequence[int], known: int) -> ScoringInput:
    """Return the tokens up to the last position, with the positions of the steps after the first ``known``.

    >>> build_scoring_input([1, 2, 3, 4, 5], [1, 3], known=1)
    ScoringInput(tokens=(1, 2, 3, 4), places=(3,))
    """
    return ScoringInput(tuple(tokens[: places[-1] + 1]), tuple(places[known:]))


def tokenise_request(kind: RewardModelFormat, request: ScoreRequest) -> list[ScoringInput]:
    """Return the inputs for a request without its blank steps; empty if no other step is new."""
    steps, new = drop_blank_steps(request.steps), drop_blank_steps(request.new_steps)
    return kind.tokenise_steps(request.question, steps, len(steps) - len(new)) if new else []


def drop_blank_steps(steps: Sequence[str]) -> list[str]:
    """Return the steps that are not blank.

    >>> drop_blank_steps(["1 + 1 = 2", " ", ""])
    ['1 + 1 = 2']
    """
    return [step for step in steps if step.strip()]


def explain_length_refusal(inputs: Sequence[ScoringInput], limit: int | None) -> str | None:
    """Return why a model that takes ``limit`` tokens cannot read the inputs; None if it can."""
    longest = max((len(reading.tokens) for reading in inputs), default=0)
    if limit is None or longest <= limit:
        return None
    return f"question and steps have {longest} tokens; the model takes {limit}"


def build_score_result(
    request: ScoreRequest, margins: Sequence[float], prompt_tokens: int, cached_tokens: int | None, calls: int
) -> ScoreResult:
    """Convert margins, one for each new step that is not blank, into a request's scores.

    >>> build_score_result(ScoreRequest("a", "?", ("Yes. ", " ")), [0.0], 9, 0, 1).scores
    (0.5, nan)
    """
    if any(map(math.isnan, margins)):
        return ScoreResult(None, prompt_tokens, cached_tokens, calls, "the model's score is not a number")
    remaining = iter(margins)
    scores = tuple(compute_logistic(next(remaining)) if step.strip() else math.nan for step in request.new_steps)
    return ScoreResult(scores, prompt_tokens, cached_tokens, calls)


def compute_logistic(margin: float) -> float:
    """Return 1 / (1 + exp(-margin)), without overflow.

    >>> compute_logistic(0.0), compute_logistic(-1000.0), compute_logistic(1000.0)
    (0.5, 0.0, 1.0)
    """
    if margin >= 0:
        return 1.0 / (1.0 + math.exp(-margin))
    odds = math.exp(margin)
    return odds / (1.0 + odds)
