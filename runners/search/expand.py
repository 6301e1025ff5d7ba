"""How one node of a search comes to be: a step, the rollout that looks ahead of it, and its score.

Each is a generator that yields what is to be asked of the solver or the scorer and is sent the answer. So the nodes of
all searches grow side by side, whoever asks the models for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from isocompute.runners.config.sweep import ModelRole
from isocompute.runners.engines import Completion, Request, Sampling
from isocompute.runners.engines.clock import build_time_span
from isocompute.runners.grading import extract_boxed_answer
from isocompute.runners.parsing.steps import is_blank_step, split_steps
from isocompute.runners.parsing.thinking import cut_thinking
from isocompute.runners.prompts import Prompt
from isocompute.runners.scorers import ScoreRequest, ScoreResult
from isocompute.runners.scorers.aggregate import aggregate_scores
from isocompute.runners.search.clock import NodeClock
from isocompute.runners.search.strategies import Node
from isocompute.runners.search.strategies.revise import SHOWN_ATTEMPTS

MAX_BLANK_DELIMITERS = 16
"""Delimiters in a row, with nothing between them, after which a solution is taken to go nowhere, and cut."""


class NodeFailure(Exception):
    """A node that could not be grown; it says why."""


@dataclass
class NodeCost:
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
            setattr(self, name, sum_node_counts(getattr(self, name), count))


@dataclass(frozen=True)
class SearchContext:
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
    role: ModelRole
    step: str
    boxed_ends: bool
    lookahead: int
    aggregate: str
    revision: Prompt | None = None

    def build_solution_text(self, node: Node) -> str:
        """Return what a node completes, without thinking."""
        text = node.text if self.revision is not None else "".join(step.text for step in node.collect_path())
        return cut_thinking(text, self.role.thinking_end)


@dataclass(frozen=True)
class PendingNode:
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
    tie_breaker: float
    derive_seed: Callable[..., int]

    @property
    def id(self) -> int:
        """The node's number."""
        number: int = self.key[-1]
        return number

    def build_node(self, piece: SolutionPart, scores: tuple[float, ...], score: float) -> Node:
        """Return the node that it has become."""
        length = sum_node_counts(self.parent.length, piece.length)
        return Node(
            self.id,
            self.parent,
            self.round,
            piece.text,
            piece.tokens,
            length,
            piece.end,
            scores,
            score,
            self.tie_breaker,
        )


@dataclass(frozen=True)
class SolutionPart:
    """A part of a solution: its text, its tokens if the engine says them, how many, and whether something ended it."""

    text: str
    tokens: tuple[int, ...] | None
    length: int | None
    end: str | None


NodeGrowth = Generator[Request | ScoreRequest, Any, Node]
"""Yields requests, is sent `Completion` or `ScoreResult`, returns the node; raises `NodeFailure`."""


def grow_step(ground: SearchContext, sprout: PendingNode, cost: NodeCost) -> NodeGrowth:
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
    role, path = ground.role, sprout.parent.collect_path()
    before = join_parts(
        SolutionPart("", (), 0, None), [SolutionPart(n.text, n.tokens, None, None) for n in path], sprout.parent.length
    )
    own = yield from sample_step(ground, sprout, before, role.temperature, cost, "completion_tokens")
    scores = sprout.parent.scores
    if is_blank_step(own.text, ground.step):
        return sprout.build_node(own, scores, aggregate_scores(scores, ground.aggregate))
    pieces = [own]
    while pieces[-1].end is None and len(pieces) <= ground.lookahead:
        ahead = join_parts(before, pieces, sum_node_counts(before.length, *(piece.length for piece in pieces)))
        pieces.append((yield from sample_step(ground, sprout, ahead, 0.0, cost, "lookahead_tokens", len(pieces))))
    known = [node.text for node in path if not is_blank_step(node.text, ground.step)]
    new = [piece.text for piece in pieces if not is_blank_step(piece.text, ground.step)]
    found = yield from score_node_steps(ground, sprout, [*known, *new], len(known), cost)
    return sprout.build_node(own, (*scores, found[0]), aggregate_scores([*scores, *found], ground.aggregate))


def grow_attempt(ground: SearchContext, sprout: PendingNode, cost: NodeCost) -> NodeGrowth:
    """Grow a node that is a whole attempt, with the last attempts before it in view.

    Raises:
        Failed: solver or scorer did.
    """
    assert ground.revision is not None, "attempts are asked for by a prompt of their own"
    role, prompt = ground.role, ground.prompt
    if earlier := sprout.parent.collect_path()[-SHOWN_ATTEMPTS:]:
        shown = "\n\n".join(
            f"Attempt {i}:\n{ground.build_solution_text(node).strip()}" for i, node in enumerate(earlier, 1)
        )
        prompt = ground.revision.fill(question=ground.question, solution=shown)
    sampling = Sampling(role.temperature, role.top_p, role.max_tokens, role.stop)
    completion = yield Request(sprout.key, prompt, sprout.derive_seed(), sampling, role.chat)
    add_completion_cost(cost, completion, "completion_tokens")
    own = SolutionPart(
        completion.text or "", completion.token_ids, completion.completion_tokens, completion.finish_reason
    )
    steps = split_steps(cut_thinking(own.text, role.thinking_end), ground.step)
    found = (yield from score_node_steps(ground, sprout, steps, 0, cost)) if steps else ()
    return sprout.build_node(own, (), aggregate_scores(found, ground.aggregate))


def sample_step(
    ground: SearchContext,
    sprout: PendingNode,
    before: SolutionPart,
    temperature: float,
    cost: NodeCost,
    counted: str,
    *words: object,
) -> Generator[Request, Completion, SolutionPart]:
    """Sample one step of a solution, or what is left of it."""
    role, parts = ground.role, list[SolutionPart]()
    for part in range(MAX_BLANK_DELIMITERS):
        now = join_parts(before, parts, sum_node_counts(before.length, *(piece.length for piece in parts)))
        room = role.max_tokens - (now.length or 0)
        sampling = Sampling(temperature, role.top_p, room, role.stop, step=ground.step)
        seed = sprout.derive_seed(*words, *([f"part {part}"] if part else []))
        completion = yield Request(sprout.key, ground.prompt, seed, sampling, role.chat, now.text, now.tokens)
        add_completion_cost(cost, completion, counted)
        delimited = completion.finish_reason == "step"
        text = (completion.text or "") + (ground.step if delimited else "")
        end = None if delimited else completion.finish_reason
        if (
            delimited
            and ground.boxed_ends
            and extract_boxed_answer(cut_thinking(now.text + text, role.thinking_end)) is not None
        ):
            end = "stop"
        elif delimited and room == completion.completion_tokens:
            end = "length"
        parts.append(SolutionPart(text, completion.token_ids, completion.completion_tokens, end))
        if end is not None or not is_blank_step(text, ground.step):
            break
    whole = join_parts(SolutionPart("", (), 0, None), parts, sum_node_counts(*(piece.length for piece in parts)))
    nowhere = parts[-1].end is None and is_blank_step(whole.text, ground.step)
    return replace(whole, end="length" if nowhere else parts[-1].end)


def score_node_steps(
    ground: SearchContext, sprout: PendingNode, steps: Sequence[str], known: int, cost: NodeCost
) -> Generator[ScoreRequest, ScoreResult, tuple[float, ...]]:
    """Have the steps scored that are not known."""
    answer = yield ScoreRequest(sprout.key, ground.question, tuple(steps), known)
    cost.clock.scoring_spans.append(build_time_span(answer.started_at, answer.seconds))
    if answer.status != "ok" or answer.scores is None:
        raise NodeFailure(answer.status)
    cost.add(**answer.cost_columns)
    if len(answer.scores) != len(steps) - known or not all(map(math.isfinite, answer.scores)):
        raise NodeFailure(f"the scorer gave {[*answer.scores]} for {len(steps) - known} steps")
    return answer.scores


def add_completion_cost(cost: NodeCost, completion: Completion, counted: str) -> None:
    """Charge for a completion, its tokens as ``counted``.

    Raises:
        Failed: there is none.
    """
    cost.clock.sampling_spans.append(build_time_span(completion.started_at, completion.seconds))
    if completion.status != "ok":
        raise NodeFailure(completion.status)
    cost.add(
        prompt_tokens=completion.prompt_tokens,
        cached_tokens=completion.cached_tokens,
        **{counted: completion.completion_tokens},
    )


def join_parts(first: SolutionPart, others: Sequence[SolutionPart], length: int | None) -> SolutionPart:
    """Return pieces as one, of a known length."""
    tokens = first.tokens
    for piece in others:
        tokens = None if tokens is None or piece.tokens is None else tokens + piece.tokens
    return SolutionPart(first.text + "".join(piece.text for piece in others), tokens, length, None)


def sum_node_counts(*counts: int | None) -> int | None:
    """Return a sum; None if a part of it is unknown."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
