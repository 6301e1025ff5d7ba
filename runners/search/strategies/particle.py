"""Particle filtering: each round draws the slots anew with the odds of the nodes' scores."""

from __future__ import annotations

from random import Random

from isocompute.errors import DataError
from isocompute.runners.search.strategies.node import Node, SearchGenerator
from isocompute.runners.seeds import derive_seed

SCORE_CLIP = 1e-7
"""The least distance of a score from 0 and 1; closer scores are clipped, as published."""


def run_particle_filter(root: Node, n: int, rounds: int, seed: int) -> SearchGenerator:
    """Grow each particle by a step, then draw n particles with replacement, P ∝ score/(1 − score).

    The odds are softmax(logit(score)). A finished particle is drawn with the odds of its last score and costs nothing
    more; one that the token limit cut is not drawn again. When no particle continues, or after the last round, the
    particles are returned as they are, with repetitions. Other particles may be drawn into the slots of finished ones,
    so a search samples at most n steps a round and n·rounds in all, but possibly more than its n candidates have
    together.

    Source: Puri et al. 2025, arXiv 2502.01618, algorithm 1; code: Red-Hat-AI-Innovation-Team/its_hub
    (``ParticleFiltering``, multinomial). That code differs: it draws once more after the last step, which can lose the
    best particle; draws from the global generator, so that results cannot be repeated; treats the limit on steps as an
    end; and does not notice that a step was cut, and continues from it.

    Args:
        root: the problem.
        n: particles, ≥ 1.
        rounds: the most steps of a solution, ≥ 1.
        seed: seed of the draws.

    Returns:
        n candidates; the same node may occur more than once.

    Raises:
        DataError: a score is not a probability.
    """
    particles = [root] * n
    for number in range(rounds):
        children = iter((yield [node for node in particles if node.is_alive]))
        particles = [next(children) if node.is_alive else node for node in particles]
        if number < rounds - 1 and any(node.is_alive for node in particles):
            particles = Random(derive_seed(seed, number)).choices(
                particles, [compute_score_odds(node) for node in particles], k=n
            )
        if not any(node.is_alive for node in particles):
            break
    return particles


def compute_score_odds(node: Node) -> float:
    """Return score/(1 − score); 0 for a solution that was cut or has no step.

    Raises:
        DataError: the score is not a probability.
    """
    if node.end == "length" or node.score != node.score:
        return 0.0
    if not 0 <= node.score <= 1:
        raise DataError(
            f"Particle filtering needs scores in 0 … 1, but the scorer gave {node.score:g}; use another scorer or "
            "another strategy."
        )
    score = min(max(node.score, SCORE_CLIP), 1 - SCORE_CLIP)
    return score / (1 - score)
