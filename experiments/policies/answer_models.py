"""Two models of P(right) compared: a mixture fitted by likelihood, and a regression on the votes.

    python -m experiments.policies.answer_models

At equal numbers of solutions and verifications, on problems that were not learnt on (five folds): how often each choice
is right, and how good the stated P(right) of the chosen answer is. The regression is a binomial GLM (statsmodels) of
whether an answer is right, with a row for each answer that was seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from experiments.policies.sources import ROOT, Source, load_lab, load_qwen, load_traces
from isocompute.fits import Pool, split_folds
from isocompute.fits.arrays import Floats
from isocompute.fits.policies.answer_model import AnswerModel
from isocompute.fits.policies.answer_model_fit import fit_answer_model
from isocompute.fits.policies.orders import draw_orders

PAGE = ROOT / "docs" / "answer_models.md"
TEXT = """# The model of P(right) that the value rule uses

Made by `python -m experiments.policies.answer_models`, which also reads the GPQA traces of the study's authors (they
are not shipped). The rule `value` uses the mixture: kinds of problems, in each of which a solution is right with a
probability from a Beta distribution, wrong answers come from a Pitman-Yor process, and verdicts on right and wrong
answers from Beta distributions; it is fitted by maximum a posteriori. A binomial GLM (statsmodels) of whether an
answer is right is the alternative. Five folds of problems; everything is learnt on other problems than those scored.
Accuracy of a choice is in percent; Brier score and log loss are those of the stated P(right) of the chosen answer.

{tables}
"""
SIZES = (8, 16, 32, 64, 128)
VERIFICATIONS = (1, 2)
DRAWS, SEED = 8, 128
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
NAMES = ("vote", "weighted vote", "GLM", "mixture", "GLM with the mixture")


@dataclass(frozen=True, eq=False)
class Sample:
    """The sample of a problem: (A,) votes, verdicts of yes and no, and whether the answer is right."""

    problem: int
    votes: Floats
    yes: Floats
    no: Floats
    right: Floats

    def sum_weights(self) -> Floats:
        """Return (A,) votes times the mean verdict."""
        return np.asarray(self.votes * self.yes / np.maximum(self.yes + self.no, 1))


def draw_samples(pool: Pool, solutions: int, verifications: int) -> list[Sample]:
    """Return samples of each problem: so many of its solutions, the verified ones first, each verified so often."""
    orders, samples, verdicts = draw_orders(pool, DRAWS, SEED), [], pool.verdicts
    for p in range(pool.problems):
        for r in range(DRAWS):
            order = orders.solutions[p, r]
            if verdicts is not None and verifications:
                order = order[order < pool.verified_solutions]
            order = order[:solutions]
            answers = pool.answers[p, order]
            codes = np.unique(answers[answers >= 0])
            is_with = answers[:, None] == codes  # (S, A)
            yes = no = np.zeros(len(codes))
            if verdicts is not None and orders.verdicts is not None and verifications:
                places = orders.verdicts[p, r, order, :verifications].astype(int)
                drawn = np.take_along_axis(verdicts[p, order], places, axis=1)
                yes, no = (((said).sum(axis=1)[:, None] * is_with).sum(axis=0) for said in (drawn >= 0.5, drawn < 0.5))
            right = np.isin(codes, pool.gold[p]).astype(float)
            samples.append(Sample(p, is_with.sum(axis=0).astype(float), yes, no, right))
    return samples


def describe_answers(sample: Sample, share: Floats | None) -> Floats:
    """Return (A, D) features of each answer for the GLM; with the mixture's P(right) if it is given."""
    votes, rate = sample.votes, (sample.yes + 0.3) / (sample.yes + sample.no + 1)
    weight = votes * rate
    others = np.array([np.append(np.delete(weight, a), 0.0).max() for a in range(len(votes))])
    columns = [
        np.ones(len(votes)),
        np.log(votes / votes.sum()),
        np.log(weight / weight.sum()),
        np.log((weight + 0.1) / (others + 0.1)),
        np.log(rate),
        np.full(len(votes), np.log(len(votes) / votes.sum())),
        np.log(votes),
    ]
    if share is not None:
        columns.append(np.log((share + 1e-6) / (1 - share + 1e-6)))
    return np.stack(columns, axis=1)


def fit_glm(samples: list[Sample], shares: list[Floats] | None) -> Callable[[Sample, Floats], Floats]:
    """Return a function of a sample, and of the mixture's P(right), that gives the GLM's P(right) of each answer."""
    import statsmodels.api as sm

    rows = [describe_answers(each, shares[i] if shares else None) for i, each in enumerate(samples) if len(each.votes)]
    outcome = np.concatenate([each.right for each in samples if len(each.votes)])
    fitted = sm.GLM(outcome, np.concatenate(rows), family=sm.families.Binomial()).fit_regularized(alpha=1e-4, L1_wt=0.0)

    def predict(sample: Sample, share: Floats) -> Floats:
        score = describe_answers(sample, share if shares else None) @ fitted.params
        return np.asarray(1 / (1 + np.exp(-score)))

    return predict


def compute_shares(model: AnswerModel, samples: list[Sample]) -> list[Floats]:
    """Return (A,) the mixture's P(right) in each sample."""
    return [model.compute_right_probabilities(each.votes, each.yes, each.no)[0] for each in samples]


def score_choices(found: list[tuple[Sample, Floats]]) -> tuple[Floats, Floats]:
    """Return whether the answer with the highest score is right (ties uniform), and its score, for each sample."""
    right, stated = np.zeros(len(found)), np.zeros(len(found))
    for i, (sample, score) in enumerate(found):
        if len(score):
            best = score >= score.max() * (1 - 1e-9)
            right[i], stated[i] = sample.right[best].mean(), score.max()
    return right, stated


def measure_models(source: Source, solutions: int, verifications: int) -> dict[str, tuple[Floats, Floats]]:
    """Return name → whether its choice is right and what P(right) it states, held out, for each sample."""
    pool, samples = source.pool, draw_samples(source.pool, solutions, verifications)
    problem = np.array([each.problem for each in samples])
    folds, found = split_folds(pool.problems, splits=1), {name: list[Any]() for name in NAMES}
    for train, test in zip(folds.train, folds.test, strict=True):
        inside = [samples[i] for i in np.flatnonzero(train[problem])]
        outside = [samples[i] for i in np.flatnonzero(test[problem])]
        model = fit_answer_model(pool.select_problems(np.flatnonzero(train)))
        shares = compute_shares(model, inside)
        plain, joint = fit_glm(inside, None), fit_glm(inside, shares)
        for sample, share in zip(outside, compute_shares(model, outside), strict=True):
            weights = sample.sum_weights() if verifications else sample.votes
            scores = (sample.votes, weights, plain(sample, share), share, joint(sample, share))
            for name, score in zip(NAMES, scores, strict=True):
                found[name].append((sample, score))
    return {name: score_choices(each) for name, each in found.items()}


def build_tables(source: Source) -> str:
    """Return the tables of a run."""
    verified = source.pool.verified_solutions if source.lam else 0
    lines = [
        f"## {source.name}",
        "",
        "| S | V | " + " | ".join(f"right: {name}" for name in NAMES) + " | Brier: GLM | mixture | both "
        "| log loss: GLM | mixture | both |",
        "|--:" * (len(NAMES) + 8) + "|",
    ]
    pooled: dict[str, list[tuple[Floats, Floats]]] = {name: [] for name in NAMES}
    for solutions in SIZES:
        if solutions > (verified or source.pool.solutions):
            continue
        for verifications in VERIFICATIONS if verified else (0,):
            found = measure_models(source, solutions, verifications)
            cells = [str(solutions), str(verifications), *(f"{100 * found[name][0].mean():.1f}" for name in NAMES)]
            for score in (compute_brier, compute_log_loss):
                cells += [f"{score(*found[name]):.3f}" for name in NAMES[2:]]
            lines.append(f"| {' | '.join(cells)} |")
            for name in NAMES:
                pooled[name].append(found[name])
    lines += [
        "",
        "Stated P(right) of the chosen answer, and how often it is right:",
        "",
        "| stated | GLM | mixture | both |",
    ]
    lines.append("|---|--:|--:|--:|")
    for low, high in pairwise(EDGES):
        cells = [f"{low:.1f} … {high:.1f}"]
        for name in NAMES[2:]:
            right, stated = (np.concatenate(each) for each in zip(*pooled[name], strict=True))
            inside = (stated >= low) & (stated < high + (high == 1))
            cells.append(
                f"{100 * stated[inside].mean():.0f} → {100 * right[inside].mean():.0f} ({100 * inside.mean():.0f} %)"
                if inside.any()
                else ""
            )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def compute_brier(right: Floats, stated: Floats) -> float:
    """Return the mean of (stated - right)²."""
    return float(((stated - right) ** 2).mean())


def compute_log_loss(right: Floats, stated: Floats) -> float:
    """Return the mean of -log of what was stated for what happened."""
    stated = np.clip(stated, 1e-6, 1 - 1e-6)
    return float(-(right * np.log(stated) + (1 - right) * np.log(1 - stated)).mean())


def main() -> None:
    tables = [build_tables(load()) for load in (load_lab, load_qwen, load_traces)]
    PAGE.write_text(TEXT.format(tables="\n\n".join(tables)), encoding="utf-8")
    print(f"Wrote {PAGE}.")


if __name__ == "__main__":
    main()
