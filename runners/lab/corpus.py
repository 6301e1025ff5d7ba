"""What the lab's models learn from: sequences of tokens, and which of them count.

The solver learns reference solutions. The verifier and the PRM learn from the solver's own solutions, right and
wrong, judged by the truth. No problem that `problems.held_out` keeps for measuring is ever in a corpus.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from isocompute.runners import prompts
from isocompute.runners.lab import problems
from isocompute.runners.lab.problems import Problem
from isocompute.runners.lab.tokenizer import build

IGNORED = -100
TOKENIZER = build()
SOLVE, VERIFY = (prompts.load(name, needs=()) for name in ("lab-solve", "lab-verify"))
RIGHT, WRONG = (TOKENIZER.convert_tokens_to_ids(token) for token in (" +", " -"))


@dataclass(frozen=True)
class Example:
    """A token sequence, and for each place the token to be predicted there, or IGNORED."""

    tokens: list[int]
    targets: list[int]


def sample(level: int, rng: random.Random) -> Problem:
    """Draw a problem to learn from."""
    while problems.held_out(problem := problems.sample(level, rng)):
        pass
    return problem


def encode(text: str) -> list[int]:
    """Return a text's tokens without the start token."""
    return list(TOKENIZER(text, add_special_tokens=False)["input_ids"])


def completion(prompt: str, text: str) -> Example:
    """An example of a prompt and what is to follow it, end token included."""
    head = [TOKENIZER.bos_token_id, *encode(prompt)]
    tail = [*encode(text), TOKENIZER.eos_token_id]
    return Example(head + tail, [IGNORED] * len(head) + tail)


def solving(problem: Problem) -> Example:
    """What a solver learns: the reference solution."""
    return completion(SOLVE.fill(question=problem.question), problem.solution)


def verifying(problem: Problem, solution: str) -> Example:
    """What a verifier learns: the reference verification of a sampled solution."""
    prompt = VERIFY.fill(question=problem.question, solution=solution)
    return completion(prompt, problems.verification(problem, solution))


def scoring(problem: Problem, solution: str) -> Example:
    """What a PRM learns: after each line ` +` if all is right up to there, else ` -`.

    The sequence itself holds ` +` after every line, as it does when a PRM is asked.
    """
    tokens, places = stepwise(problem.question, solution.split("\n"))
    targets = [IGNORED] * len(tokens)
    for place, right in zip(places, problems.step_labels(problem, solution), strict=True):
        targets[place] = RIGHT if right else WRONG
    return Example(tokens, targets)


def stepwise(question: str, steps: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the tokens a PRM reads, and the places of the labels in them."""
    tokens = [TOKENIZER.bos_token_id, *encode(SOLVE.fill(question=question))]
    places = []
    for step in steps:
        tokens += encode(step)
        places.append(len(tokens))
        tokens += [RIGHT, *encode("\n")]
    return tokens, places


def pad(examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens and targets of a batch, filled up on the right, (examples, longest)."""
    longest = max(len(example.tokens) for example in examples)
    tokens = torch.full((len(examples), longest), TOKENIZER.pad_token_id)
    targets = torch.full((len(examples), longest), IGNORED)
    for i, example in enumerate(examples):
        tokens[i, : len(example.tokens)] = torch.tensor(example.tokens)
        targets[i, : len(example.targets)] = torch.tensor(example.targets)
    return tokens, targets
