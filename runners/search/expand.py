"""How one node of a search comes to be: a step, the rollout that looks ahead of it, and its score.

Each is a generator that yields what is to be asked of the solver or the scorer and is sent the answer. So the nodes of
all searches grow side by side, whoever asks the models for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from isocompute.runners.config.sweep import Role
from isocompute.runners.engines import Completion, Request, Sampling
from isocompute.runners.engines.clock import interval_of
from isocompute.runners.grading import boxed
from isocompute.runners.parsing.steps import blank, split
from isocompute.runners.parsing.thinking import cut
from isocompute.runners.prompts import Prompt
from isocompute.runners.scorers import Scored, ScoreRequest
from isocompute.runners.scorers.aggregate import aggregate
from isocompute.runners.search.clock import NodeClock
from isocompute.runners.search.strategies import Node
from isocompute.runners.search.strategies.revise import IN_VIEW

BLANKS = 16
"""Delimiters in a row, with nothing between them, after which a solution is taken to go nowhere, and cut."""


class Failed(Exception):
    """A node that could not be grown; it says why."""


@dataclass
class Cost:
    """What a node took: tokens and calls, None once a part of it is unknown; and when."""

    prompt_tokens: int | None = 0
    cached_tokens: int | None = 0
    completion_tokens: int | None = 0
    lookahead_tokens: int | None = 0
    scorer_prompt_tokens: int | None = 0
    scorer_cached_tokens: int | None = 0
    scorer_calls: int | None = 0
    scorer_completion_tokens: int | None = 0
    clock: NodeClock = field(default_factory=NodeClock, compare=False)

    @property
    def counts(self) -> dict[str, int | None]:
        """The counts, by the names of a node's columns."""
        return {name: count for name, count in vars(self).items() if name != "clock"}

    def add(self, **counts: int | None) -> None:
        """Charge for more."""
        for name, count in counts.items():
            setattr(self, name, plus(getattr(self, name), count))


@dataclass(frozen=True)
class Ground:
    """What the nodes of a search grow from.

    Args:
        question: the problem.
        prompt: the solver's, filled in.
        role: how the solver samples; ``max_tokens`` bounds a solution, not a step.
        step: what ends a step.
        boxed_ends: whether a closed box ends a solution.
        lookahead: further steps that are sampled before one is scored.
        aggregate: how the scores of steps become one.
        revision: what asks for a revision; None where solutions grow step by step.
    """

    question: str
    prompt: str
    role: Role
    step: str
    boxed_ends: bool
    lookahead: int
    aggregate: str
    revision: Prompt | None = None

    def solution(self, node: Node) -> str:
        """Return what a node completes, without thinking."""
        text = node.text if self.revision is not None else "".join(step.text for step in node.path())
        return cut(text, self.role.thinking_end)


@dataclass(frozen=True)
class Sprout:
    """A node that is to grow.

    Args:
        key: of its row.
        parent: what it goes on from.
        round: in which it grows.
        luck: what breaks its ties.
        seed: gives the seed of its first request, or with further words that of another one.
    """

    key: tuple[Any, ...]
    parent: Node
    round: int
    luck: float
    seed: Callable[..., int]

    @property
    def id(self) -> int:
        """The node's number."""
        number: int = self.key[-1]
        return number

    def node(self, piece: Piece, scores: tuple[float, ...], score: float) -> Node:
        """Return the node that it has become."""
        length = plus(self.parent.length, piece.length)
        return Node(
            self.id, self.parent, self.round, piece.text, piece.tokens, length, piece.end, scores, score, self.luck
        )


@dataclass(frozen=True)
class Piece:
    """A part of a solution: its text, its tokens if the engine says them, how many, and whether something ended it."""

    text: str
    tokens: tuple[int, ...] | None
    length: int | None
    end: str | None


Growth = Generator[Request | ScoreRequest, Any, Node]
"""Yields requests, is sent `Completion` or `Scored`, returns the node; raises `Failed`."""


def grow(ground: Ground, sprout: Sprout, cost: Cost) -> Growth:
    """Grow a node by one step.

    A step says something: a bare delimiter is joined to what the model writes next. If it ends the solution with
    nothing more, that is no step, and it is not scored. The scorer is asked about the steps whose scores are not known.
    With a lookahead of k, the solution is gone on with for up to k steps at temperature 0; the node's score is that of
    the solution so far as it then goes, the rollout is thrown away, and its tokens are charged to the node.

    Args:
        ground: what the search grows from.
        sprout: the node that is to be.
        cost: what it takes is added to this.

    Raises:
        Failed: solver or scorer did.
    """
    role, path = ground.role, sprout.parent.path()
    before = joined(Piece("", (), 0, None), [Piece(n.text, n.tokens, None, None) for n in path], sprout.parent.length)
    own = yield from stepped(ground, sprout, before, role.temperature, cost, "completion_tokens")
    scores = sprout.parent.scores
    if blank(own.text, ground.step):
        return sprout.node(own, scores, aggregate(scores, ground.aggregate))
    pieces = [own]
    while pieces[-1].end is None and len(pieces) <= ground.lookahead:
        ahead = joined(before, pieces, plus(before.length, *(piece.length for piece in pieces)))
        pieces.append((yield from stepped(ground, sprout, ahead, 0.0, cost, "lookahead_tokens", len(pieces))))
    known = [node.text for node in path if not blank(node.text, ground.step)]
    new = [piece.text for piece in pieces if not blank(piece.text, ground.step)]
    found = yield from scored(ground, sprout, [*known, *new], len(known), cost)
    return sprout.node(own, (*scores, found[0]), aggregate([*scores, *found], ground.aggregate))


def attempt(ground: Ground, sprout: Sprout, cost: Cost) -> Growth:
    """Grow a node that is a whole attempt, with the last attempts before it in view.

    Raises:
        Failed: solver or scorer did.
    """
    assert ground.revision is not None, "attempts are asked for by a prompt of their own"
    role, prompt = ground.role, ground.prompt
    if earlier := sprout.parent.path()[-IN_VIEW:]:
        shown = "\n\n".join(f"Attempt {i}:\n{ground.solution(node).strip()}" for i, node in enumerate(earlier, 1))
        prompt = ground.revision.fill(question=ground.question, solution=shown)
    sampling = Sampling(role.temperature, role.top_p, role.max_tokens, role.stop)
    completion = yield Request(sprout.key, prompt, sprout.seed(), sampling, role.chat)
    charge(cost, completion, "completion_tokens")
    own = Piece(completion.text or "", completion.token_ids, completion.completion_tokens, completion.finish_reason)
    steps = split(cut(own.text, role.thinking_end), ground.step)
    found = (yield from scored(ground, sprout, steps, 0, cost)) if steps else ()
    return sprout.node(own, (), aggregate(found, ground.aggregate))


def stepped(
    ground: Ground, sprout: Sprout, before: Piece, temperature: float, cost: Cost, counted: str, *words: object
) -> Generator[Request, Completion, Piece]:
    """Sample one step of a solution, or what is left of it."""
    role, parts = ground.role, list[Piece]()
    for part in range(BLANKS):
        now = joined(before, parts, plus(before.length, *(piece.length for piece in parts)))
        room = role.max_tokens - (now.length or 0)
        sampling = Sampling(temperature, role.top_p, room, role.stop, step=ground.step)
        seed = sprout.seed(*words, *([f"part {part}"] if part else []))
        completion = yield Request(sprout.key, ground.prompt, seed, sampling, role.chat, now.text, now.tokens)
        charge(cost, completion, counted)
        delimited = completion.finish_reason == "step"
        text = (completion.text or "") + (ground.step if delimited else "")
        end = None if delimited else completion.finish_reason
        if delimited and ground.boxed_ends and boxed(cut(now.text + text, role.thinking_end)) is not None:
            end = "stop"
        elif delimited and room == completion.completion_tokens:
            end = "length"
        parts.append(Piece(text, completion.token_ids, completion.completion_tokens, end))
        if end is not None or not blank(text, ground.step):
            break
    whole = joined(Piece("", (), 0, None), parts, plus(*(piece.length for piece in parts)))
    nowhere = parts[-1].end is None and blank(whole.text, ground.step)
    return replace(whole, end="length" if nowhere else parts[-1].end)


def scored(
    ground: Ground, sprout: Sprout, steps: Sequence[str], known: int, cost: Cost
) -> Generator[ScoreRequest, Scored, tuple[float, ...]]:
    """Have the steps scored that are not known."""
    answer = yield ScoreRequest(sprout.key, ground.question, tuple(steps), known)
    cost.clock.scored.append(interval_of(answer.started_at, answer.seconds))
    if answer.status != "ok" or answer.scores is None:
        raise Failed(answer.status)
    cost.add(**answer.spent)
    if len(answer.scores) != len(steps) - known or not all(map(math.isfinite, answer.scores)):
        raise Failed(f"the scorer gave {[*answer.scores]} for {len(steps) - known} steps")
    return answer.scores


def charge(cost: Cost, completion: Completion, counted: str) -> None:
    """Charge for a completion, its tokens as ``counted``.

    Raises:
        Failed: there is none.
    """
    cost.clock.sampled.append(interval_of(completion.started_at, completion.seconds))
    if completion.status != "ok":
        raise Failed(completion.status)
    cost.add(
        prompt_tokens=completion.prompt_tokens,
        cached_tokens=completion.cached_tokens,
        **{counted: completion.completion_tokens},
    )


def joined(first: Piece, others: Sequence[Piece], length: int | None) -> Piece:
    """Return pieces as one, of a known length."""
    tokens = first.tokens
    for piece in others:
        tokens = None if tokens is None or piece.tokens is None else tokens + piece.tokens
    return Piece(first.text + "".join(piece.text for piece in others), tokens, length, None)


def plus(*counts: int | None) -> int | None:
    """Return a sum; None if a part of it is unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
