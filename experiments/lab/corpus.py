"""Training data of the lab's models: sequences of tokens, and the places that count in the loss.

The solver learns reference solutions. The verifier and the PRM learn from the solver's own solutions, right and
wrong, labelled by the truth. No problem that `lab_generator.is_held_out` keeps for measuring is ever in a corpus.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from experiments.lab.tokenizer import build_tokenizer
from isocompute.runners import prompts
from isocompute.runners.tasks import lab_generator as problems
from isocompute.runners.tasks.lab_generator import LabProblem

IGNORED = -100
TOKENIZER = build_tokenizer()
SOLVE, VERIFY = (prompts.load_prompt(name, needs=()) for name in ("lab-solve", "lab-verify"))
RIGHT, WRONG = (TOKENIZER.convert_tokens_to_ids(token) for token in (" +", " -"))


@dataclass(frozen=True)
class Example:
    """A token sequence, and the target of each place, or IGNORED.

    Args:
        tokens: the input.
        targets: the token to predict at each place.
        labels: RIGHT or WRONG, the class to predict at each place.
    """

    tokens: list[int]
    targets: list[int]
    labels: list[int]


def sample_training_problem(level: int, rng: random.Random) -> LabProblem:
    """Draw a problem to learn from."""
    while problems.is_held_out(problem := problems.sample_lab_problem(level, rng)):
        pass
    return problem


def encode_text(text: str) -> list[int]:
    """Return a text's tokens without the start token."""
    return list(TOKENIZER(text, add_special_tokens=False)["input_ids"])


def make_completion_example(prompt: str, text: str) -> Example:
    """Make an example of a prompt and its completion, end token included."""
    head = [TOKENIZER.bos_token_id, *encode_text(prompt)]
    tail = [*encode_text(text), TOKENIZER.eos_token_id]
    return Example(head + tail, [IGNORED] * len(head) + tail, [IGNORED] * (len(head) + len(tail)))


def make_solver_example(problem: LabProblem) -> Example:
    """Make an example for the solver: the reference solution."""
    return make_completion_example(SOLVE.fill(question=problem.question), problem.solution)


def make_verifier_example(problem: LabProblem, solution: str) -> Example:
    """Make an example for the verifier: the reference verification of a sampled solution."""
    prompt = VERIFY.fill(question=problem.question, solution=solution)
    return make_completion_example(prompt, problems.write_verification(problem, solution))


def make_prm_example(problem: LabProblem, solution: str) -> Example:
    """Make an example for the PRM: after each line ` +` if it is right, given those before it, else ` -`.

    The sequence itself holds ` +` after every line, as when a PRM is asked. Inside a line the PRM learns the same label
    token by token, for the part read so far, and also the right next token: to detect a mistake a model must know what
    is right (Cobbe et al. 2021, arXiv 2110.14168, section 4.1, train their verifier on both).
    """
    steps = solution.split("\n")
    tokens, places = encode_steps(problem.question, steps)
    targets, labels = [IGNORED] * len(tokens), [IGNORED] * len(tokens)
    for place, step, line in zip(places, steps, problems.derive_expected_lines(problem, solution), strict=True):
        written, truth = encode_text(step), encode_text(line)
        begin = place - len(written)
        same = next((i for i, pair in enumerate(zip(written, truth, strict=False)) if pair[0] != pair[1]), None)
        agree = min(len(written), len(truth)) if same is None else same
        targets[begin : begin + agree] = truth[:agree]
        if agree < len(truth) and agree < len(written):
            targets[begin + agree] = truth[agree]
        for i in range(len(written)):  # what is predicted at a place has read all before it
            labels[begin + i + 1] = RIGHT if i < agree else WRONG
        labels[place] = RIGHT if truth and written == truth else WRONG
    return Example(tokens, targets, labels)


def encode_steps(question: str, steps: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return the tokens a PRM reads, and the places of the labels in them."""
    tokens = [TOKENIZER.bos_token_id, *encode_text(SOLVE.fill(question=question))]
    places = []
    for step in steps:
        tokens += encode_text(step)
        places.append(len(tokens))
        tokens += [RIGHT, *encode_text("\n")]
    return tokens, places


def pad_examples(examples: Sequence[Example]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return tokens, targets and labels of a batch, filled up on the right, each (examples, longest)."""
    longest = max(len(example.tokens) for example in examples)
    tokens = torch.full((len(examples), longest), TOKENIZER.pad_token_id)
    targets, labels = torch.full((2, len(examples), longest), IGNORED)
    for i, example in enumerate(examples):
        for row, values in ((tokens, example.tokens), (targets, example.targets), (labels, example.labels)):
            row[i, : len(values)] = torch.tensor(values)
    return tokens, targets, labels
