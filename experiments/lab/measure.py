"""Measurements of the lab's models: accuracy of the solver, the verifier and the PRM, level by level.

    python -m experiments.lab.measure data/lab data/runs/lab

The numbers of solver and verifier come from a run. The PRM scores solutions of that run here, with transformers.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import AutoModelForCausalLM

from experiments.lab import corpus
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

SCORED = 32
"""Solutions of each problem that the PRM scores."""


def score_steps(
    folder: Path, questions: Sequence[str], solutions: Sequence[str], batch: int = 256
) -> list[list[float]]:
    """Return a PRM's score after each line of each solution: p(+) / (p(+) + p(-)), as RLHFlow's models are read.

    Args:
        folder: the PRM's checkpoint.
        questions: the problems' texts, one for each solution.
        solutions: the solutions' texts.
        batch: sequences read at once.
    """
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False).eval()
    read = [corpus.encode_steps(q, s.split("\n")) for q, s in zip(questions, solutions, strict=True)]
    order = sorted(range(len(read)), key=lambda i: len(read[i][0]))
    scores: list[list[float]] = [[] for _ in read]
    for start in range(0, len(order), batch):
        chunk = order[start : start + batch]
        tokens, _, _ = corpus.pad_examples([corpus.Example(read[i][0], [], []) for i in chunk])
        with torch.inference_mode():
            logits = model(input_ids=tokens).logits[..., [corpus.RIGHT, corpus.WRONG]].softmax(-1)[..., 0]
        for i, row in zip(chunk, logits, strict=True):
            scores[i] = row[[place - 1 for place in read[i][1]]].tolist()
    return scores


def compute_auroc(scores: pd.Series, right: pd.Series) -> float:
    """Return the probability that a right solution scores above a wrong one, ties half; NaN without both kinds."""
    positives, negatives = scores[right], scores[~right]
    if positives.empty or negatives.empty:
        return float("nan")
    ranks = pd.concat([positives, negatives]).rank().iloc[: len(positives)].sum()
    return float((ranks - len(positives) * (len(positives) + 1) / 2) / (len(positives) * len(negatives)))


def compute_auroc_within_problems(frame: pd.DataFrame, score: str) -> float:
    """Return the mean AUROC within problems, over those with right and wrong solutions."""
    values = [compute_auroc(group[score], group["correct"].astype(bool)) for _, group in frame.groupby("problem_id")]
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")


def measure_models(folder: Path, run: Run) -> dict[str, Any]:
    """Return the numbers of the data card, by level and over all."""
    problems = run.read_frame(PROBLEMS_TABLE).set_index("problem_id")
    solutions = run.read_frame(SOLUTIONS_TABLE)
    solutions["level"] = solutions["problem_id"].map(problems["level"])
    verdicts = run.read_frame(VERIFICATIONS_TABLE, ["problem_id", "solution_id", "verdict", "completion_tokens"])
    keys = ["problem_id", "solution_id"]
    judged = verdicts.merge(solutions[[*keys, "correct", "level"]], on=keys)
    means = judged.groupby(keys, as_index=False).agg(
        verdict=("verdict", "mean"), correct=("correct", "first"), level=("level", "first")
    )
    means["verdict"] = means["verdict"].fillna(0.0)

    scored = solutions[solutions["solution_id"] < SCORED].copy()
    texts = scored["text"].tolist()
    steps = score_steps(folder / "prm", problems.loc[scored["problem_id"], "question"].tolist(), texts)
    scored["last"], scored["lowest"] = [s[-1] for s in steps], [min(s) for s in steps]
    scored["product"] = [math.prod(s) for s in steps]

    def measure_level(level: int | None) -> dict[str, Any]:
        part, seen, mean, prm = (
            f if level is None else f[f["level"] == level] for f in (solutions, judged, means, scored)
        )
        right, parsed = seen["correct"].astype(bool), seen["verdict"].notna()
        return {
            "pass@1": part["correct"].mean(),
            "unparsed answers": part["answer"].isna().mean(),
            "solution tokens": part["completion_tokens"].mean(),
            "verification tokens": seen["completion_tokens"].mean(),
            "unparsed verdicts": (~parsed).mean(),
            "true-positive rate": seen.loc[right & parsed, "verdict"].mean(),
            "false-positive rate": seen.loc[~right & parsed, "verdict"].mean(),
            "AUROC of the mean verdict, within problems": compute_auroc_within_problems(mean, "verdict"),
            "verdicts that are not unanimous": ((mean["verdict"] > 0) & (mean["verdict"] < 1)).mean(),
            "AUROC of the PRM's last step, within problems": compute_auroc_within_problems(prm, "last"),
            "AUROC of the PRM's lowest step, within problems": compute_auroc_within_problems(prm, "lowest"),
            "AUROC of the product of the PRM's steps, within problems": compute_auroc_within_problems(prm, "product"),
        }

    levels = sorted(problems["level"].unique())
    return {
        "problems": len(problems),
        "all": measure_level(None),
        **{f"level {level}": measure_level(level) for level in levels},
    }


def format_data_card(measured: dict[str, Any]) -> str:
    """Return measurements as the table of a data card, a column a level."""
    columns = [name for name in measured if name != "problems"]
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in measured["all"]:
        lines.append(f"| {name} | " + " | ".join(f"{measured[column][name]:.3g}" for column in columns) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the measurements as the table of a data card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the lab's checkpoints")
    parser.add_argument("run", help="a run of the lab")
    arguments = parser.parse_args()
    print(format_data_card(measure_models(arguments.folder, Run(arguments.run))))


if __name__ == "__main__":
    main()
