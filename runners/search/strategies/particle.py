"""Particle filtering: the slots are drawn anew each round, by the odds of their scores."""

from __future__ import annotations

from random import Random

from isocompute.errors import DataError
from isocompute.runners.search.strategies.node import Node, SearchGenerator
from isocompute.runners.seeds import derive_seed

SCORE_CLIP = 1e-7
"""Scores are taken to be no closer to 0 and 1 than this, as published."""


def run_particle_filter(root: Node, n: int, rounds: int, seed: int) -> SearchGenerator:
    """Grow each particle by a step, then draw n particles with replacement, P ∝ score/(1 − score).

    The odds are softmax(logit(score)). A finished particle is drawn with the odds of its last score and costs nothing
    more; one that the token limit cut is drawn no more. When no particle goes on, or the rounds are over, the particles
    are returned as they are, one that was drawn several times several times. Slots that finished particles held may
    thus be drawn by others: a search samples at most n steps a round, n·rounds in all, and so maybe more than its n
    candidates have together.

    Source: Puri et al. 2025, arXiv 2502.01618, algorithm 1; as code, Red-Hat-AI-Innovation-Team/its_hub
    (``ParticleFiltering``, multinomial). That code, and not this, draws once more after the last step, by which the
    best particle can be lost; draws from the global generator, so that nothing can be repeated; takes the limit on
    steps for an end; and does not see that a step was cut, and goes on from it.

    Args:
        root: the problem.
        n: particles, ≥ 1.
        rounds: steps of a solution at most, ≥ 1.
        seed: of the draws.

    Returns:
        n candidates, the same node maybe more than once.

    Raises:
        DataError: a score is no probability.
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
    """Return score/(1 − score); 0 of what was cut, and of a solution without a step.

    Raises:
        DataError: the score is no probability.
    """
    if node.end == "length" or node.score != node.score:
        return 0.0
    if not 0 <= node.score <= 1:
        raise DataError(
            f"Particle filtering draws by probabilities, and the scorer gave {node.score:g}; use a scorer whose scores "
            "are in 0 … 1, or another strategy."
        )
    score = min(max(node.score, SCORE_CLIP), 1 - SCORE_CLIP)
    return score / (1 - score)
