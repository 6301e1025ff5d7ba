"""Trains the lab's models from nothing: a solver, then from it a generative verifier and a PRM.

    python -m isocompute.runners.lab.train data/lab

Everything is seeded. The solver stops learning early on purpose: what it gets wrong is what it has not learnt.
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

from isocompute.runners.engines import Request, Sampling
from isocompute.runners.engines.transformers import Transformers
from isocompute.runners.grading import answer_of
from isocompute.runners.lab import corpus
from isocompute.runners.lab.corpus import IGNORED, TOKENIZER, Example
from isocompute.runners.lab.problems import LEVELS, Problem
from isocompute.runners.seeds import seed_of

SEED = 0
EXAMPLES = {1: 48, 2: 40, 3: 32, 4: 24, 5: 16}
"""Examples of each level in a batch of the solver's; the verifier and the PRM get half as many."""
WARM_UP = 100
SOLVER_STEPS, SOLVER_RATE = 900, 1.6e-3
JUDGED_PROBLEMS = {1: 2400, 2: 2400, 3: 2400, 4: 1600, 5: 1200}
"""Problems of each level whose sampled solutions the verifier and the PRM learn from."""
VERIFIER_STEPS, VERIFIER_RATE = 300, 1e-3
PRM_STEPS, PRM_RATE = 150, 1e-3

Batch = dict[int, list[Example]]
console = Console()


def architecture() -> LlamaConfig:
    """A Llama of 0.86 million parameters."""
    return LlamaConfig(
        vocab_size=len(TOKENIZER), hidden_size=128, intermediate_size=384, num_hidden_layers=4,
        num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=512, tie_word_embeddings=True,
        bos_token_id=TOKENIZER.bos_token_id, eos_token_id=TOKENIZER.eos_token_id, pad_token_id=TOKENIZER.pad_token_id,
    )  # fmt: skip


def learn(model: LlamaForCausalLM, name: str, batches: Iterator[Batch], steps: int, rate: float) -> None:
    """Train on the cross-entropy of the targets: AdamW, a short warm-up, then a constant rate."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min(1.0, (i + 1) / WARM_UP))
    model.train()
    for step in track(range(1, steps + 1), description=name, console=console, disable=not console.is_terminal):
        batch = next(batches)
        counted = sum(t != IGNORED for examples in batch.values() for e in examples for t in e.targets)
        optimizer.zero_grad()
        total = 0.0
        for examples in batch.values():  # a level at a time, as its sequences are about equally long
            tokens, targets = corpus.pad(examples)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(input_ids=tokens).logits
            loss = torch.nn.functional.cross_entropy(
                logits[:, :-1].float().flatten(0, 1),
                targets[:, 1:].flatten(),
                ignore_index=IGNORED,
                reduction="sum",
            )
            (loss / counted).backward()
            total += float(loss.detach()) / counted
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == steps:
            console.print(f"{name}: step {step} of {steps}, loss {total:.4f}", highlight=False)
    model.eval()


def fresh(rng: random.Random) -> Iterator[Batch]:
    """Batches of reference solutions of problems drawn anew."""
    while True:
        yield {level: [corpus.solving(corpus.sample(level, rng)) for _ in range(n)] for level, n in EXAMPLES.items()}


def judged(
    solutions: dict[int, list[tuple[Problem, str]]],
    example: Callable[[Problem, str], Example],
    rng: random.Random,
) -> Iterator[Batch]:
    """Batches of sampled solutions, right and wrong ones in equal shares at every level as far as there are both."""
    pools = {
        level: [
            [pair for pair in pairs if (answer_of(pair[1]) == str(pair[0].answer)) is right] for right in (True, False)
        ]
        for level, pairs in solutions.items()
    }
    while True:
        yield {
            level: [example(*rng.choice(pools[level][i % 2] or pools[level][1 - i % 2])) for i in range(n // 2)]
            for level, n in EXAMPLES.items()
        }


def sampled_solutions(folder: Path, rng: random.Random) -> dict[int, list[tuple[Problem, str]]]:
    """Let the solver solve problems to learn from, at temperature 1."""
    engine = Transformers(str(folder), batch_size=400)
    solved: dict[int, list[tuple[Problem, str]]] = {level: [] for level in LEVELS}
    for level, count in JUDGED_PROBLEMS.items():
        problems = [corpus.sample(level, rng) for _ in range(count)]
        pending = deque(
            Request(
                (level, i),
                corpus.SOLVE.fill(question=p.question),
                seed_of(SEED, "judged", level, i),
                Sampling(1.0, max_tokens=200),
            )
            for i, p in enumerate(problems)
        )
        for request, completion in engine.run(pending):
            solved[level].append((problems[request.key[1]], completion.text or ""))
        right = sum(answer_of(text) == str(p.answer) for p, text in solved[level]) / count
        console.print(f"sampled {count} solutions of level {level}: {right:.3f} right", highlight=False)
    return solved


def save(model: LlamaForCausalLM, folder: Path) -> None:
    """Write a checkpoint in bfloat16, as transformers and vLLM load it."""
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder)
    TOKENIZER.save_pretrained(folder)


def grown_from(folder: Path) -> LlamaForCausalLM:
    """Return a saved checkpoint to learn further, in float32."""
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)


def train_solver(folder: Path) -> None:
    """Train a solver from nothing on reference solutions."""
    torch.manual_seed(SEED)
    solver = LlamaForCausalLM(architecture())
    learn(solver, "solver", fresh(random.Random(f"solver/{SEED}")), SOLVER_STEPS, SOLVER_RATE)
    save(solver, folder / "solver")


def train_judges(folder: Path) -> None:
    """Train a verifier and a PRM, each from the solver, on what the solver itself writes."""
    solutions = sampled_solutions(folder / "solver", random.Random(f"judged/{SEED}"))
    verifier = grown_from(folder / "solver")
    batches = judged(solutions, corpus.verifying, random.Random(f"verifier/{SEED}"))
    learn(verifier, "verifier", batches, VERIFIER_STEPS, VERIFIER_RATE)
    save(verifier, folder / "verifier")

    prm = grown_from(folder / "solver")
    learn(prm, "prm", judged(solutions, corpus.scoring, random.Random(f"prm/{SEED}")), PRM_STEPS, PRM_RATE)
    save(prm, folder / "prm")


def main() -> None:
    """Train all three."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the checkpoints go")
    folder = parser.parse_args().folder
    train_solver(folder)
    train_judges(folder)


if __name__ == "__main__":
    main()
