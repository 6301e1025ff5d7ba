"""Models of the task that a pilot is planned for: what accuracies it may have, and how problems differ.

Without data the task is one of the worlds of the planner's prior. With a profile or a run of a similar task it is one
of the tasks that this measurement leaves possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats
from isocompute.fits.choice.options import AllocationOptions, build_verified_options, build_voting_options
from isocompute.fits.choice.posterior import compute_posterior
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import RunPool
from isocompute.planner.evaluation.pilots import PilotShape, get_full_shape
from isocompute.planner.pilot.noise import NOISE_DRAWS, SamplingNoise, measure_sampling_noise, place_typical_noise
from isocompute.planner.prior import read_accuracy_prior
from isocompute.planner.profile import Curve, Profile, Surface, check_lambda, read_lambda
from isocompute.planner.strategies.options import build_pool_options
from isocompute.planner.strategies.registry import STRATEGIES
from isocompute.runners.storage.files import describe_place

TYPICAL_SHAPE = PilotShape(1, 256, 64, 16)
"""The samples of each problem of the worlds that the prior comes from."""


@dataclass(frozen=True, eq=False)
class TaskModel:
    """The distribution of a task's accuracies at the K knots of some tables, and of its problems around them.

    Args:
        tables: the strategies at their knots, with λ in their costs; ``sc`` comes first.
        mean: (K,) expected accuracies.
        between: (K, R) factor of their covariance over the tasks that are possible.
        within: (K, Q) factor of the covariance over the problems of a task, as measured with the samples of ``full``.
        noise: the sampling noise of a problem.
        full: the samples of each problem that ``within`` was measured with.
        lam: λ.
        source: where the model comes from, in words.
    """

    tables: tuple[AllocationOptions, ...]
    mean: Floats
    between: Floats
    within: Floats
    noise: SamplingNoise
    full: PilotShape
    lam: float
    source: str

    @property
    def has_verifications(self) -> bool:
        """True if a strategy with verifications is among the tables."""
        return bool(self.noise.is_verified.any())

    def draw_task(self, rng: np.random.Generator) -> Floats:
        """Draw (K,) the mean accuracies of a task."""
        return np.asarray(np.clip(self.mean + self.between @ rng.standard_normal(self.between.shape[1]), 0, 1))

    def select_knots(self, shape: PilotShape) -> list[np.ndarray]:
        """Return for each table which of its knots a pilot measures; none where it measures too little."""
        kept = []
        for table in self.tables:
            grid = table.grid
            S = grid.numbers["S"][grid.knots]
            if "V" in grid.numbers:
                V = grid.numbers["V"][grid.knots]
                kept.append((shape.verified >= S) & (shape.verifications >= V))
            else:
                kept.append(shape.solutions >= S)
        return kept

    def build_pilot_tables(self, shape: PilotShape) -> list[AllocationOptions]:
        """Return the tables of the strategies that a pilot measures, at the knots that it measures."""
        found = []
        for table, kept in zip(self.tables, self.select_knots(shape), strict=True):
            if kept.any():
                numbers = {name: column[table.grid.knots][kept] for name, column in table.grid.numbers.items()}
                found.append(build_empty_options(table.strategy, numbers, self.lam))
        return found

    def compute_problem_factors(self, shape: PilotShape) -> Floats:
        """Return (K, n) a factor of the covariance of a problem's accuracies, as a pilot of this shape measures them.

        It holds the differences between problems, and the noise of the pilot's samples beyond that of ``full``.
        """
        noise, full, is_verified = self.noise, self.full, self.noise.is_verified
        voted = max(1 / shape.solutions - 1 / full.solutions, 0.0)
        chosen = max(1 / max(shape.verified, 1) - 1 / max(full.verified, 1), 0.0)
        judged = 1 / max(shape.verified * shape.verifications, 1) - 1 / max(full.verified * full.verifications, 1)
        # Both kinds of strategy see the solutions that they share, and one of them sees others as well.
        common = min(voted, chosen)
        alone = np.where(is_verified, chosen, voted) - common
        return np.concatenate(
            [
                self.within,
                np.sqrt(common) * noise.solutions,
                np.sqrt(alone)[:, None] * noise.solutions,
                np.sqrt(max(judged, 0.0)) * noise.verdicts,
            ],
            axis=1,
        )


def build_empty_options(strategy: str, numbers: dict[str, np.ndarray], lam: float) -> AllocationOptions:
    """Return a table without problems' values, zeros in their place, from its knots' S and V."""
    S = np.unique(numbers["S"])
    if "V" not in numbers:
        return build_voting_options(np.zeros((1, len(S))), S, strategy)
    V = np.unique(numbers["V"])
    return build_verified_options(np.zeros((1, len(S), len(V))), S, V, lam, strategy)


def build_typical_model(lam: float) -> TaskModel:
    """Return the model of a task of which nothing is known but λ: one of the worlds of the prior."""
    prior = read_accuracy_prior()
    tables = []
    for name in sorted(prior.parts, key=list(STRATEGIES).index):
        part = prior.parts[name]
        S, V = np.asarray(part.solutions, dtype=np.int64), np.asarray(part.verifications, dtype=np.int64)
        pairs = np.stack(np.meshgrid(S, V, indexing="ij")).reshape(2, -1) if len(V) else S[None]
        tables.append(build_empty_options(name, dict(zip("SV", pairs, strict=False)), lam))
    placed = [prior.compute_part_weights(table) for table in tables]
    mean, between, within = (
        np.concatenate([weights @ getattr(part, name) for part, weights in placed])
        for name in ("mean", "between", "within")
    )
    noise = place_typical_noise(tables)
    return TaskModel(tuple(tables), mean, between, within, noise, TYPICAL_SHAPE, lam, "simulated worlds")


def build_profile_model(profile: Profile, lam: float) -> TaskModel:
    """Return the model of a task like that of a profile, with the sampling noise of simulated worlds.

    Args:
        profile: the measurements, problem by problem.
        lam: λ; any positive number without verifications.

    Raises:
        DataError: the profile holds means over problems alone.
    """
    if profile.independent_problems < 2:
        raise DataError(f"The profile '{profile.name}' has no values of single problems, so no pilot can be drawn.")
    tables = []
    for name, strategy in STRATEGIES.items():
        part = profile.strategies.get(name)
        if strategy.needs == "scores" or not isinstance(part, Curve | Surface):
            continue
        S = select_doublings(part.solutions)
        accuracy = part.array[:, np.isin(part.solutions, S)]
        V = select_doublings(part.verifications) if isinstance(part, Surface) else []
        accuracy = accuracy[:, :, np.isin(part.verifications, V)] if isinstance(part, Surface) else accuracy
        table = build_pool_options(strategy, accuracy, S, V, lam, None, 0.0)
        assert table is not None, "its cost is known"
        tables.append(table)
    largest = profile.genrm
    verified = (largest.solutions[-1], largest.verifications[-1]) if largest is not None else (0, 0)
    full = PilotShape(profile.problems, profile.self_consistency.solutions[-1], *verified)
    return _build_measured_model(tables, place_typical_noise(tables), full, lam, f"profile '{profile.name}'")


def build_run_model(run: RunPool, lam: float) -> TaskModel:
    """Return the model of a task like that of a run, with the sampling noise that its own solutions and verdicts have.

    Args:
        run: the run's pool.
        lam: λ; any positive number without verifications.
    """
    tables = estimate_doubling_options(run, lam)
    noise = measure_sampling_noise(run.pool, tables)
    return _build_measured_model(tables, noise, get_full_shape(run.pool), lam, f"run '{run.path}'")


def estimate_doubling_options(run: RunPool, lam: float) -> list[AllocationOptions]:
    """Estimate the strategies over a run's solutions and verdicts, at powers of two of S and V."""
    pool, tables = run.pool, []
    for strategy in STRATEGIES.values():
        if strategy.needs == "scores" or (strategy.name != "sc" and not strategy.can_use(pool, run.has_answers)):
            continue
        verified = strategy.needs == "verifications"
        most = pool.verified_solutions if verified else pool.solutions if run.has_answers else 1
        S = select_doublings(range(1, most + 1))
        V = select_doublings(range(1, pool.verifications + 1)) if verified else []
        accuracy = np.asarray(strategy.estimator(pool, S, V, 2 * NOISE_DRAWS, 0).accuracy)
        table = build_pool_options(strategy, accuracy, S, V, lam, None, 0.0)
        assert table is not None, "its cost is known"
        tables.append(table)
    return tables


def select_doublings(numbers: Sequence[int]) -> list[int]:
    """Return the powers of two among some numbers.

    >>> select_doublings([1, 2, 3, 4, 6])
    [1, 2, 4]
    """
    return [n for n in numbers if n & (n - 1) == 0]


def choose_run_lambda(run: RunPool, lam: float | str | None) -> float:
    """Return λ of a run as it is given or measured; 1 where nothing was verified, which then has no effect.

    Raises:
        DataError: λ is unknown or no cost.
    """
    if not run.pool.verifications:
        return 1.0
    costs = measure_costs(run)
    ways = costs.known_lambdas
    value = costs.lam if lam is None else ways[lam] if isinstance(lam, str) and lam in ways else read_lambda(lam)
    if value is None:
        raise DataError(f"λ of the run {describe_place(run.path)} is unknown; --lambda (lam= in Python) sets it.")
    return check_lambda(value)


def _build_measured_model(
    tables: list[AllocationOptions], noise: SamplingNoise, full: PilotShape, lam: float, source: str
) -> TaskModel:
    """Return the model of the tasks that measured tables leave possible."""
    posterior = compute_posterior(tables, read_accuracy_prior())
    values = np.concatenate([table.accuracy for table in tables], axis=1)
    within = (values - values.mean(axis=0)).T / np.sqrt(len(values) - 1)
    empty = [replace(table, accuracy=np.zeros((1, table.accuracy.shape[1]))) for table in tables]
    return TaskModel(tuple(empty), posterior.mean, posterior.smooth_factor, within, noise, full, lam, source)
