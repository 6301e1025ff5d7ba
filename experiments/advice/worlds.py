"""Simulated worlds: pools of solutions and verdicts whose structure is drawn at random.

A world has a number. Worlds with even numbers make the prior of the planner (`experiments.advice.prior`), and every
setting of the rule that recommends was chosen on them. Worlds with odd numbers are only reported on. Half of the odd
worlds belong to a second family, with other distributions of difficulty and of verdicts, which no even world has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from isocompute.fits import Pool

SEED = 20251129
SOLUTIONS, VERIFIED, VERIFICATIONS = 256, 64, 16
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """The structure of a world.

    Args:
        number: number of the world.
        lam: λ, the cost of a verification in solutions.
        ease, ease_spread: mean and spread over problems of the log-odds that a solution is right.
        wrong_answers: number of different wrong answers to a problem.
        wrong_decay, decay_spread: how fast their frequencies fall (Zipf exponent), and its spread over problems.
        yes: log-odds of a yes to a solution of medium quality.
        signal: difference in the log-odds of yes between right and wrong solutions; 0 is a useless verifier.
        problem_noise, solution_noise: spread of these log-odds over problems and solutions.
        popularity: how much more often the verifier says yes to frequent answers.
    """

    number: int
    lam: float
    ease: float
    ease_spread: float
    wrong_answers: int
    wrong_decay: float
    decay_spread: float
    yes: float
    signal: float
    problem_noise: float
    solution_noise: float
    popularity: float

    @property
    def is_second_family(self) -> bool:
        """True of worlds with hopeless, easy and other problems, and verdicts whose rates follow Beta distributions."""
        return self.number % 4 == 3


def draw_world(number: int) -> World:
    """Draw the structure of a world."""
    rng = np.random.default_rng((SEED, number))
    signals = [0.0, rng.uniform(0.2, 1.0), rng.uniform(1.0, 3.0), rng.uniform(3.0, 6.0)]
    return World(
        number=number,
        lam=float(2 ** rng.uniform(-1.5, 2.0)),
        ease=rng.normal(0, 1.2),
        ease_spread=rng.uniform(1.0, 4.0),
        wrong_answers=int(rng.integers(3, 40)),
        wrong_decay=rng.uniform(0.3, 2.0),
        decay_spread=rng.uniform(0.0, 0.8),
        yes=rng.normal(0.5, 1.5),
        signal=signals[rng.choice(4, p=[0.15, 0.3, 0.35, 0.2])],
        problem_noise=rng.uniform(0.0, 2.0),
        solution_noise=rng.uniform(0.3, 3.0),
        popularity=rng.uniform(0.0, 0.8) * rng.integers(0, 2),
    )


def draw_pool(world: World, problems: int, rng: np.random.Generator) -> Pool:
    """Draw the samples of some problems of a world; answer 0 is right."""
    share = _draw_answer_shares(world, problems, rng)
    cut = share.cumsum(axis=1)[:, None, :-1]
    answers = (rng.random((problems, SOLUTIONS))[:, :, None] > cut).sum(axis=2)
    verified = answers[:, :VERIFIED]
    rate = _draw_yes_rates(world, verified, np.take_along_axis(share, verified, axis=1), rng)
    verdicts = rng.random((*rate.shape, VERIFICATIONS)) < rate[:, :, None]
    return Pool(answers, np.zeros(problems, dtype=np.int64), verdicts.astype(float))


def _draw_answer_shares(world: World, problems: int, rng: np.random.Generator) -> Floats:
    """Return (problems, 1 + wrong answers) probabilities of the answers; the right one comes first."""
    if world.is_second_family:  # some problems are hopeless, some easy, and the others anything between
        kind = rng.random(problems)
        hopeless = expit(-world.ease - 1) * 0.5
        right = rng.beta(0.6 + 0.4 * world.ease_spread, 1.0, problems)
        right = np.where(kind < hopeless, rng.beta(0.2, 8, problems), np.where(kind > 0.8, 0.97, right))
        # One wrong answer attracts most, and the others share the rest equally.
        lure = rng.beta(1 + world.wrong_decay, 2, problems)[:, None]
        rest = np.full((problems, world.wrong_answers), 1 / world.wrong_answers)
        wrong = (1 - lure) * rest
        wrong[:, :1] += lure
    else:
        right = expit(world.ease + world.ease_spread * rng.standard_normal(problems))
        decay = np.maximum(0.1, world.wrong_decay + world.decay_spread * rng.standard_normal(problems))
        wrong = np.arange(1.0, world.wrong_answers + 1) ** -decay[:, None]
        wrong /= wrong.sum(axis=1, keepdims=True)
    return np.concatenate([right[:, None], (1 - right)[:, None] * wrong], axis=1)


def _draw_yes_rates(world: World, answers: NDArray[np.int64], share: Floats, rng: np.random.Generator) -> Floats:
    """Return (problems, K) the rate of yes of each verified solution."""
    problems, right = len(answers), answers == 0
    if world.is_second_family:  # rates follow a Beta distribution whose mean depends on correctness alone
        mean = expit(world.yes + np.where(right, 0.5, -0.5) * world.signal)
        concentration = 8 / (0.5 + world.solution_noise)
        rate = rng.beta(np.maximum(mean * concentration, 1e-3), np.maximum((1 - mean) * concentration, 1e-3))
        fooled = rng.random(problems)[:, None] < 0.05 * world.problem_noise  # it takes the wrong answers for right
        return np.asarray(np.where(fooled & ~right, expit(world.yes + world.signal), rate))
    size = world.signal * np.exp(0.5 * rng.standard_normal(problems))
    odds = world.yes + np.where(right, 0.5, -0.5) * size[:, None]
    odds = odds + world.problem_noise * rng.standard_normal(problems)[:, None]
    odds = odds + world.solution_noise * rng.standard_normal(answers.shape)
    return np.asarray(expit(odds + world.popularity * np.log(8 * share)))
