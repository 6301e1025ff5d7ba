"""Growth of one node of a search: its step, its lookahead rollout and its score.

Each growth is a generator that yields requests to the solver or the scorer and receives the answers, so the nodes of
all searches grow in parallel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from isocompute.runners.config.model_role import ModelRole
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
"""The number of consecutive delimiters with no text between them at which a solution is cut."""


class NodeFailure(Exception):
    """Failure to grow a node; the message is the reason."""


@dataclass
class NodeCost:
    """The tokens, calls and times of a node; a count is None if a part of it is unknown."""

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
        """The counts by the names of a node's columns."""
        return {name: count for name, count in vars(self).items() if name != "clock"}

    def add(self, **counts: int | None) -> None:
        """Add counts."""
        for name, count in counts.items():
            setattr(self, name, sum_node_counts(getattr(self, name), count))


@dataclass(frozen=True)
class SearchContext:
    """The settings that all nodes of a search share.

    Args:
        question: the problem.
        prompt: the solver's filled prompt.
        role: the solver's sampling settings; ``max_tokens`` bounds a solution, not a step.
        step: the text that ends a step.
        boxed_ends: whether a closed box ends a solution.
        lookahead: number of further steps sampled before a step is scored.
        aggregate: how step scores are aggregated.
        revision: the revision prompt; None if solutions grow step by step.
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
        """Return the solution that ends with a node, without thinking."""
        text = node.text if self.revision is not None else "".join(step.text for step in node.collect_path())
        return cut_thinking(text, self.role.thinking_end, node.end == "stop")


@dataclass(frozen=True)
class PendingNode:
    """A node to be grown.

    Args:
        key: the key of its row.
        parent: the node it continues.
        round: the round in which it grows.
        tie_breaker: decides between equal scores.
        derive_seed: returns the seed of its first request, or, with further words, of another one.
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
        """Return the grown node."""
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
    """A part of a solution: text, tokens if the engine reports them, their number, and why it ended, if it did."""

    text: str
    tokens: tuple[int, ...] | None
    length: int | None
    end: str | None


NodeGrowth = Generator[Request | ScoreRequest, Any, Node]
"""A generator that yields requests, receives `Completion` or `ScoreResult`, returns the node; raises `NodeFailure`."""


def grow_step(context: SearchContext, pending: PendingNode, cost: NodeCost) -> NodeGrowth:
    """Grow a node by one step.

    A step has text: a bare delimiter is joined to what the model writes next. If the solution ends after delimiters
    only, they are not a step and are not scored. Only steps without known scores are scored. With a lookahead of k, the
    solution is continued for up to k steps at temperature 0. The node's score is the score of that continued solution.
    The rollout is then discarded, and its tokens are charged to the node.

    Args:
        context: the search's context.
        pending: the node to grow.
        cost: the node's cost, which is added to.

    Raises:
        NodeFailure: solver or scorer failed.
    """
    role, path = context.role, pending.parent.collect_path()
    before = join_parts(
        SolutionPart("", (), 0, None), [SolutionPart(n.text, n.tokens, None, None) for n in path], pending.parent.length
    )
    step = yield from sample_step(context, pending, before, role.temperature, cost, "completion_tokens")
    scores = pending.parent.scores
    if is_blank_step(step.text, context.step):
        return pending.build_node(step, scores, aggregate_scores(scores, context.aggregate))
    pieces = [step]
    while pieces[-1].end is None and len(pieces) <= context.lookahead:
        extended = join_parts(before, pieces, sum_node_counts(before.length, *(piece.length for piece in pieces)))
        pieces.append((yield from sample_step(context, pending, extended, 0.0, cost, "lookahead_tokens", len(pieces))))
    earlier_steps = [node.text for node in path if not is_blank_step(node.text, context.step)]
    new_steps = [piece.text for piece in pieces if not is_blank_step(piece.text, context.step)]
    scores_after = yield from score_node_steps(context, pending, [*earlier_steps, *new_steps], len(earlier_steps), cost)
    return pending.build_node(
        step, (*scores, scores_after[0]), aggregate_scores([*scores, *scores_after], context.aggregate)
    )


def grow_attempt(context: SearchContext, pending: PendingNode, cost: NodeCost) -> NodeGrowth:
    """Grow a node that is a whole attempt, with the last `SHOWN_ATTEMPTS` before it in the prompt.

    Raises:
        NodeFailure: solver or scorer failed.
    """
    assert context.revision is not None, "attempts need a revision prompt"
    role, prompt = context.role, context.prompt
    if earlier := pending.parent.collect_path()[-SHOWN_ATTEMPTS:]:
        shown = "\n\n".join(
            f"Attempt {i}:\n{context.build_solution_text(node).strip()}" for i, node in enumerate(earlier, 1)
        )
        prompt = context.revision.fill(question=context.question, solution=shown)
    sampling = Sampling(role.temperature, role.top_p, role.max_tokens, role.stop)
    completion = yield Request(pending.key, prompt, pending.derive_seed(), sampling, role.chat)
    add_completion_cost(cost, completion, "completion_tokens")
    attempt = SolutionPart(
        completion.text or "", completion.token_ids, completion.completion_tokens, completion.finish_reason
    )
    steps = split_steps(cut_thinking(attempt.text, role.thinking_end, attempt.end == "stop"), context.step)
    scores = (yield from score_node_steps(context, pending, steps, 0, cost)) if steps else ()
    return pending.build_node(attempt, (), aggregate_scores(scores, context.aggregate))


def sample_step(
    context: SearchContext,
    pending: PendingNode,
    before: SolutionPart,
    temperature: float,
    cost: NodeCost,
    counted: str,
    *words: object,
) -> Generator[Request, Completion, SolutionPart]:
    """Sample one step of a solution, or the rest of the solution.

    Args:
        context: the search's context.
        pending: the node to grow.
        before: the solution so far.
        temperature: of the sampling.
        cost: the node's cost, which is added to.
        counted: the count that sampled tokens are added to.
        words: tell the seeds of a node's steps apart.

    Raises:
        NodeFailure: the solver failed.
    """
    role, parts = context.role, list[SolutionPart]()
    for part in range(MAX_BLANK_DELIMITERS):
        current = join_parts(before, parts, sum_node_counts(before.length, *(piece.length for piece in parts)))
        tokens_left = role.max_tokens - (current.length or 0)
        sampling = Sampling(temperature, role.top_p, tokens_left, role.stop, step=context.step)
        seed = pending.derive_seed(*words, *([f"part {part}"] if part else []))
        completion = yield Request(pending.key, context.prompt, seed, sampling, role.chat, current.text, current.tokens)
        add_completion_cost(cost, completion, counted)
        delimited = completion.finish_reason == "step"
        text = (completion.text or "") + (context.step if delimited else "")
        end = None if delimited else completion.finish_reason
        if (
            delimited
            and context.boxed_ends
            and extract_boxed_answer(cut_thinking(current.text + text, role.thinking_end, False)) is not None
        ):
            end = "stop"
        elif delimited and tokens_left == completion.completion_tokens:
            end = "length"
        parts.append(SolutionPart(text, completion.token_ids, completion.completion_tokens, end))
        if end is not None or not is_blank_step(text, context.step):
            break
    sampled = join_parts(SolutionPart("", (), 0, None), parts, sum_node_counts(*(piece.length for piece in parts)))
    only_blank = parts[-1].end is None and is_blank_step(sampled.text, context.step)
    return replace(sampled, end="length" if only_blank else parts[-1].end)


def score_node_steps(
    context: SearchContext, pending: PendingNode, steps: Sequence[str], known: int, cost: NodeCost
) -> Generator[ScoreRequest, ScoreResult, tuple[float, ...]]:
    """Return the scores of the steps after the first ``known`` ones.

    Raises:
        NodeFailure: the scorer failed, or gave a wrong number of scores or one that is not finite.
    """
    answer = yield ScoreRequest(pending.key, context.question, tuple(steps), known)
    cost.clock.scoring_spans.append(build_time_span(answer.started_at, answer.seconds))
    if answer.status != "ok" or answer.scores is None:
        raise NodeFailure(answer.status)
    cost.add(**answer.cost_columns)
    if len(answer.scores) != len(steps) - known or not all(map(math.isfinite, answer.scores)):
        raise NodeFailure(f"the scorer gave {[*answer.scores]} for {len(steps) - known} steps")
    return answer.scores


def add_completion_cost(cost: NodeCost, completion: Completion, counted: str) -> None:
    """Add a completion's cost; its sampled tokens are added to the count ``counted``.

    Raises:
        NodeFailure: the completion failed.
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
    """Return the joined text and tokens of parts, with the given length."""
    tokens = first.tokens
    for piece in others:
        tokens = None if tokens is None or piece.tokens is None else tokens + piece.tokens
    return SolutionPart(first.text + "".join(piece.text for piece in others), tokens, length, None)


def sum_node_counts(*counts: int | None) -> int | None:
    """Return the sum; None if a part of it is unknown."""
    known_counts = [count for count in counts if count is not None]
    return sum(known_counts) if len(known_counts) == len(counts) else None
