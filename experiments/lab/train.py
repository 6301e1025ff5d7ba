"""Training of the lab's models: a solver from scratch, and from it a generative verifier, a PRM and a larger solver.

    python -m experiments.lab.train data/lab
    python -m experiments.lab.train data/lab --only solver-large

Everything is seeded. The solvers' training stops early on purpose, so that they make mistakes of their own.
"""

from __future__ import annotations

import argparse
import copy
import random
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from transformers import LlamaConfig, LlamaForCausalLM

from experiments.lab import corpus
from experiments.lab.corpus import IGNORED, TOKENIZER, Example
from experiments.lab.growth import add_layers, widen_model
from isocompute.runners.engines import Request, Sampling
from isocompute.runners.engines.transformers import TransformersEngine
from isocompute.runners.grading import extract_lab_answer
from isocompute.runners.seeds import derive_seed
from isocompute.runners.tasks.lab_generator import LAB_LEVELS, LabProblem

SEED = 0
EXAMPLES = {1: 48, 2: 40, 3: 32, 4: 24, 5: 16}
"""Examples of each level in a batch of the small solver's; the other models get a share of it."""
WARM_UP = 100
SOLVER_STEPS, SOLVER_RATE = 900, 1.6e-3
LARGE_STEPS, LARGE_RATE, LARGE_WARM_UP, LARGE_FALL = 80, 4e-4, 20, 250
"""The rate would fall to zero in 250 steps; the training stops at 80, where the solver is better and still errs."""
LARGE_SHARE = 0.25
LARGE_WIDTH, LARGE_LAYERS = 2, 1
"""The large solver's width in the small one's, and its layers above the small one's."""
JUDGED_PROBLEMS = {1: 2400, 2: 2400, 3: 2400, 4: 1600, 5: 1200}
"""Problems of each level whose sampled solutions the verifier and the PRM learn from."""
VERIFIER_STEPS, VERIFIER_RATE = 300, 1e-3
PRM_STEPS, PRM_RATE = 900, 1e-3
PRM_LAYERS = 2
"""Layers of the PRM above the solver's: only the solver's last layer holds the token it would write next."""
PRM_WRITES = 0.3
"""Weight of the next-token loss of the PRM against the loss of its labels."""

Batch = dict[int, list[Example]]
console = Console()


def make_architecture() -> LlamaConfig:
    """A Llama of 0.86 million parameters."""
    return LlamaConfig(
        vocab_size=len(TOKENIZER), hidden_size=128, intermediate_size=384, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=512, tie_word_embeddings=True,
        bos_token_id=TOKENIZER.bos_token_id, eos_token_id=TOKENIZER.eos_token_id, pad_token_id=TOKENIZER.pad_token_id,
    )  # fmt: skip


def train_model(
    model: LlamaForCausalLM,
    name: str,
    batches: Iterator[Batch],
    steps: int,
    rate: float,
    fall: int | None = None,
    warm_up: int = WARM_UP,
    half_precision: bool = True,
) -> None:
    """Train on the cross-entropy of targets and labels: AdamW, a short warm-up, then a rate that is constant or falls.

    Args:
        model: the model to train.
        name: its name in messages.
        batches: the training data. Where there are labels, the loss of targets is weighted by PRM_WRITES.
        steps: number of batches.
        rate: the highest learning rate.
        fall: the batch at which the rate, falling linearly, reaches zero; without it, the rate is constant.
        warm_up: batches over which the rate rises to its highest.
        half_precision: whether products of matrices are computed in bfloat16, which is fast only on a CPU that has it.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min(1.0, (i + 1) / warm_up, (fall - i) / fall if fall else 1.0)
    )
    model.train()
    for step in track(range(1, steps + 1), description=name, console=console, disable=not console.is_terminal):
        batch = next(batches)
        optimizer.zero_grad()
        total = 0.0
        padded = [corpus.pad_examples(examples) for examples in batch.values()]
        to_say, to_judge = (sum(int((part[i] != IGNORED).sum()) for part in padded) for i in (1, 2))
        for tokens, targets, labels in padded:  # a level at a time, as its sequences are about equally long
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half_precision):
                logits = model(input_ids=tokens).logits[:, :-1].float()
            loss = cross_entropy(logits, targets[:, 1:]) / to_say
            if to_judge:
                two, label = logits[..., [corpus.RIGHT, corpus.WRONG]], labels[:, 1:]
                label = torch.where(label == IGNORED, IGNORED, (label == corpus.WRONG).long())
                loss = PRM_WRITES * loss + cross_entropy(two, label) / to_judge
            loss.backward()
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == steps:
            console.print(f"{name}: step {step} of {steps}, loss {total:.4f}", highlight=False)
    model.eval()


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the summed cross-entropy of (examples, places, classes) at the places that count."""
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def draw_reference_batches(rng: random.Random, share: float = 1.0) -> Iterator[Batch]:
    """Yield batches of reference solutions of new random problems, a share of EXAMPLES at each level."""
    while True:
        yield {
            level: [
                corpus.make_solver_example(corpus.sample_training_problem(level, rng)) for _ in range(int(n * share))
            ]
            for level, n in EXAMPLES.items()
        }


def draw_sampled_batches(
    solutions: dict[int, list[tuple[LabProblem, str]]],
    example: Callable[[LabProblem, str], Example],
    rng: random.Random,
) -> Iterator[Batch]:
    """Yield batches of sampled solutions, right and wrong in equal shares at every level that has both."""
    pools = {
        level: [
            [pair for pair in pairs if (extract_lab_answer(pair[1]) == str(pair[0].answer)) is right]
            for right in (True, False)
        ]
        for level, pairs in solutions.items()
    }
    while True:
        yield {
            level: [example(*rng.choice(pools[level][i % 2] or pools[level][1 - i % 2])) for i in range(n // 2)]
            for level, n in EXAMPLES.items()
        }


def sample_solutions(folder: Path, rng: random.Random) -> dict[int, list[tuple[LabProblem, str]]]:
    """Sample the solver's solutions of training problems, at temperature 1."""
    engine = TransformersEngine(str(folder), batch_size=400)
    solved: dict[int, list[tuple[LabProblem, str]]] = {level: [] for level in LAB_LEVELS}
    for level, count in JUDGED_PROBLEMS.items():
        problems = [corpus.sample_training_problem(level, rng) for _ in range(count)]
        pending = deque(
            Request(
                (level, i),
                corpus.SOLVE.fill(question=p.question),
                derive_seed(SEED, "judged", level, i),
                Sampling(1.0, max_tokens=200),
            )
            for i, p in enumerate(problems)
        )
        for request, completion in engine.run(pending):
            solved[level].append((problems[request.key[1]], completion.text or ""))
        right = sum(extract_lab_answer(text) == str(p.answer) for p, text in solved[level]) / count
        console.print(f"sampled {count} solutions of level {level}: {right:.3f} right", highlight=False)
    return solved


def save_checkpoint(model: LlamaForCausalLM, folder: Path) -> None:
    """Write a checkpoint in bfloat16, which transformers and vLLM can load."""
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder)
    TOKENIZER.save_pretrained(folder)


def load_checkpoint(folder: Path) -> LlamaForCausalLM:
    """Return a saved checkpoint in float32, to train further."""
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False)


def train_solver(folder: Path) -> None:
    """Train a solver from scratch on reference solutions."""
    torch.manual_seed(SEED)
    solver = LlamaForCausalLM(make_architecture())
    train_model(solver, "solver", draw_reference_batches(random.Random(f"solver/{SEED}")), SOLVER_STEPS, SOLVER_RATE)
    save_checkpoint(solver, folder / "solver")


def train_large_solver(folder: Path) -> None:
    """Train a solver of 4.28 million parameters, grown from the small one, on further reference solutions."""
    torch.manual_seed(SEED)
    solver = add_layers(widen_model(load_checkpoint(folder / "solver"), LARGE_WIDTH), LARGE_LAYERS)
    batches = draw_reference_batches(random.Random(f"solver-large/{SEED}"), LARGE_SHARE)
    train_model(
        solver, "solver-large", batches, LARGE_STEPS, LARGE_RATE,
        fall=LARGE_FALL, warm_up=LARGE_WARM_UP, half_precision=False,
    )  # fmt: skip
    save_checkpoint(solver, folder / "solver-large")


def train_verifier_and_prm(folder: Path) -> None:
    """Train a verifier and a PRM, each from the solver, on the solver's own solutions."""
    solutions = sample_solutions(folder / "solver", random.Random(f"judged/{SEED}"))
    verifier = load_checkpoint(folder / "solver")
    batches = draw_sampled_batches(solutions, corpus.make_verifier_example, random.Random(f"verifier/{SEED}"))
    train_model(verifier, "verifier", batches, VERIFIER_STEPS, VERIFIER_RATE)
    save_checkpoint(verifier, folder / "verifier")

    prm = add_layers(load_checkpoint(folder / "solver"), PRM_LAYERS)
    batches = draw_sampled_batches(solutions, corpus.make_prm_example, random.Random(f"prm/{SEED}"))
    train_model(prm, "prm", batches, PRM_STEPS, PRM_RATE, fall=PRM_STEPS)
    save_checkpoint(prm, folder / "prm")


TRAININGS: dict[str, Callable[[Path], None]] = {
    "solver": train_solver,
    "verifier-and-prm": train_verifier_and_prm,
    "solver-large": train_large_solver,
}
"""The models that are trained, in this order: all but the first start from the small solver."""


def main() -> None:
    """Train all models, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder for the checkpoints")
    parser.add_argument("--only", choices=TRAININGS, help="train these only; without it, all")
    arguments = parser.parse_args()
    for name, training in TRAININGS.items():
        if arguments.only in (None, name):
            training(arguments.folder)


if __name__ == "__main__":
    main()
