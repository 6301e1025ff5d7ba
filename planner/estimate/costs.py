"""The second pass of a fit, from a pool's rows to costs: tokens by way of counting, converted to solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from isocompute.errors import DataError
from isocompute.fits import ModelWork, compute_verification_ratios, convert_to_solutions, count_row_tokens
from isocompute.fits.arrays import Floats
from isocompute.planner.estimate.judged_rows import JudgedRows
from isocompute.planner.estimate.pool_from_run import RunPool
from isocompute.planner.profile import COUNTING_WAYS
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.cost.model_size import find_model_sizes
from isocompute.runners.storage.files import describe_place
from isocompute.runners.storage.provenance import ImportedRun
from isocompute.runners.storage.schema import MODEL_TOKENS, SCORER_TOKENS


@dataclass(frozen=True)
class ModelSizes:
    """The sizes of a run's models, and the weight of a token that is read.

    Args:
        parameters: number of parameters by role; None where unknown.
        read_token_weight: weight of a token that is read, relative to a decoded one.
    """

    parameters: Mapping[str, float | None]
    read_token_weight: float = 1.0

    def get_relative_size(self, role: str) -> float:
        """Return the ratio of a model's parameters to the solver's; 1 if either is unknown."""
        own, solver = self.parameters.get(role), self.parameters.get("solver")
        return 1.0 if own is None or solver is None else own / solver


@dataclass(frozen=True, eq=False)
class RunCosts:
    """The costs of a run's rows.

    Args:
        sizes: sizes of its models.
        solution_work: work of generating the solutions.
        solution_tokens: mean completion tokens of a solution; None if any row does not report them.
        verification_tokens: mean completion tokens of a verification; None likewise, or without verifications.
        lambdas: λ by way of counting tokens, see `fits.cost.count_row_tokens`; NaN if unknown, empty without
            verifications.
        rhos: ρ, the cost of scoring a solution in solutions, by way of counting; None where unknown, empty without
            scores.
        notes: assumptions, in sentences.
    """

    sizes: ModelSizes
    solution_work: ModelWork
    solution_tokens: float | None
    verification_tokens: float | None
    lambdas: dict[str, float]
    rhos: dict[str, float | None]
    notes: list[str]

    @property
    def known_lambdas(self) -> dict[str, float | None]:
        """λ by way of counting tokens; None where it is unknown."""
        return {way: None if np.isnan(lam) else lam for way, lam in self.lambdas.items()}

    @property
    def lam(self) -> float | None:
        """λ from completion tokens and model sizes; None without verifications, or where tokens are unknown."""
        if self.verification_tokens is None or self.solution_tokens is None:
            return None
        return self.verification_tokens / self.solution_tokens * self.sizes.get_relative_size("verifier")


def measure_costs(run: RunPool, parameters: Sequence[float] = (), read: float = 1.0) -> RunCosts:
    """Measure the costs of a run's rows.

    Args:
        run: the run's pool.
        parameters: sizes of models that are not known otherwise, see `collect_run_sizes`.
        read: weight of a token that is read, relative to a decoded one.

    Raises:
        DataError: a size or weight is not above zero, or all rows have zero completion tokens.
        EngineError: a checkpoint cannot be read.
    """
    solutions, verifications, known = (
        run.rows.solutions,
        run.rows.verifications,
        collect_run_sizes(run.origin, parameters, read, run.parameters),
    )
    verified = verifications.rows > 0
    solution = measure_solving_work(solutions, known)
    return RunCosts(
        sizes=known,
        solution_work=solution,
        solution_tokens=average_completion_tokens(run.path, solutions),
        verification_tokens=average_judging_tokens(run.path, verifications) if verified else None,
        lambdas=compute_lambdas(solutions, verifications, known) if verified else {},
        rhos=compute_scoring_ratios(run, solution, known) if run.pool.scores is not None else {},
        notes=describe_cost_assumptions(run.origin, known),
    )


def compute_scoring_ratios(run: RunPool, solution: ModelWork, known: ModelSizes) -> dict[str, float | None]:
    """Return ρ by way of counting tokens; None where unknown, as it is for imports."""
    scores = run.select_rows(run.rows.scores)
    if not isinstance(run.origin, Sweep) or run.origin.scorer is None or scores.empty:
        return dict.fromkeys(COUNTING_WAYS)
    keys = ["problem_id", "solution_id"]
    solved = scores[keys].merge(run.rows.solutions[[*keys, "completion_tokens"]], on=keys, how="left")
    work = measure_scoring_work(scores, solved["completion_tokens"], known, run.origin.scorer.uses_verifier)
    return price_works([work], solution)


def collect_run_sizes(
    origin: Sweep | ImportedRun,
    given: Sequence[float] = (),
    read: float = 1.0,
    known: Mapping[str, float] | None = None,
) -> ModelSizes:
    """Return the sizes of a run's models: from the run, else from a local checkpoint, else as given.

    Args:
        origin: the sweep or import that made the run.
        given: sizes for models that the other sources do not cover, in the order solver, verifier, scorer of the roles
            that the run has; the last one also applies to the roles after it.
        read: weight of a token that is read, relative to a decoded one.
        known: sizes that the run holds, by role.

    Raises:
        DataError: a size or weight is not above zero.
        EngineError: a checkpoint cannot be read.
    """
    for name, number in (*(("A model's size", size) for size in given), ("The cost of a token that is read", read)):
        if not (number > 0 and np.isfinite(number)):
            raise DataError(f"{name} is {number:g}; it must be above zero.")
    return ModelSizes(find_model_sizes(get_run_models(origin), given, known), read)


def get_run_models(origin: Sweep | ImportedRun) -> dict[str, str]:
    """Return the names of a run's models by role."""
    return origin.all_models if isinstance(origin, Sweep) else dict(origin.models)


def describe_cost_assumptions(origin: Sweep | ImportedRun, known: ModelSizes) -> list[str]:
    """Return sentences on the assumptions behind the costs: the weight of read tokens, and model sizes."""
    sentences = (
        []
        if known.read_token_weight == 1
        else [f"A token that is read costs {known.read_token_weight:g} times a decoded token."]
    )
    models = get_run_models(origin)
    for role in ("verifier", "scorer"):
        if (
            role not in models
            or models[role] == models.get("solver")
            or (role == "scorer" and models[role] == models.get("verifier"))
        ):
            continue
        if None not in (known.parameters.get("solver"), known.parameters.get(role)):
            if role == "scorer":  # the verifier's relative size is part of the profile's lambda_source
                sentences.append(
                    f"A scorer token costs {known.get_relative_size('scorer'):.3g} times a solver token, by "
                    "parameter counts."
                )
        else:
            sentences.append(
                f"The size of the solver or of the {role} is unknown, so a token of each is assumed to cost "
                "the same; --parameters (parameters= in Python) sets sizes."
            )
    return sentences


def count_sampled_tokens(frame: pd.DataFrame, read: float) -> dict[str, Floats]:
    """Return the tokens of each row that is ok, by way of counting.

    Args:
        frame: rows of the solver or the verifier.
        read: weight of a token that is read, relative to a decoded one.
    """
    sampled = frame[frame["status"] == "ok"]
    return count_row_tokens(*get_token_columns(sampled, MODEL_TOKENS), read=read)


def get_token_columns(frame: pd.DataFrame, tokens: Sequence[str]) -> tuple[Floats, Floats, Floats]:
    """Return the completion, prompt and cached tokens of rows, NaN where unknown.

    Args:
        frame: the rows.
        tokens: names of the columns of prompt, cached and completion tokens.
    """
    prompt, cached, completion = (frame[name].to_numpy(float) for name in tokens)
    return completion, prompt, cached


def average_completion_tokens(path: str, frame: pd.DataFrame) -> float | None:
    """Return the mean completion tokens of the rows that are ok; None if any row does not report them.

    Args:
        path: the run's folder, for the message.
        frame: the rows.

    Raises:
        DataError: all rows report zero.
    """
    tokens = frame.loc[frame["status"] == "ok", "completion_tokens"]
    if tokens.isna().any():
        return None
    if not tokens.any():
        raise DataError(f"All completion_tokens of the run {describe_place(path)} are zero.")
    return float(tokens.mean())


def average_judging_tokens(path: str, verifications: JudgedRows) -> float | None:
    """Return the mean completion tokens of verifications, as `average_completion_tokens` does."""
    name = MODEL_TOKENS[2]
    if verifications.known[name].sum() < verifications.rows:
        return None
    if not verifications.sums[name].any():
        raise DataError(f"All completion_tokens of the run {describe_place(path)} are zero.")
    return float(verifications.sums[name].sum() / verifications.rows)


def compute_lambdas(solutions: pd.DataFrame, verifications: JudgedRows, known: ModelSizes) -> dict[str, float]:
    """Return λ by way of counting tokens, over the rows that are ok; NaN where any row does not report its tokens."""
    solved = count_sampled_tokens(solutions, known.read_token_weight)
    judged = verifications.average_tokens(known.read_token_weight)
    return compute_verification_ratios(solved, judged, known.get_relative_size("verifier"))


def measure_solving_work(solutions: pd.DataFrame, known: ModelSizes) -> ModelWork:
    """Return the work of generating solutions, row by row."""
    return ModelWork(count_sampled_tokens(solutions, known.read_token_weight))


def measure_scoring_work(scores: pd.DataFrame, solution: pd.Series, known: ModelSizes, writes: bool) -> ModelWork:
    """Return the work of a scorer, row by row.

    Args:
        scores: rows with the scorer's tokens.
        solution: tokens of the solutions that the scorer read for the first time in each row. The solver's count is
            used, as the log does not separate them from the question; it is capped at the tokens read.
        known: sizes of the models.
        writes: whether the scorer generates verdicts; what it reads is then a prompt, as for a verifier.
    """
    tokens = get_token_columns(scores, SCORER_TOKENS)
    new = 0.0 if writes else np.minimum(solution.to_numpy(float), tokens[1])
    return ModelWork(count_row_tokens(*tokens, new, known.read_token_weight), known.get_relative_size("scorer"))


def price_works(works: Sequence[ModelWork], solution: ModelWork) -> dict[str, float | None]:
    """Return the total cost of several works in solutions, by way of counting; None where unknown."""
    return {way: None if np.isnan(x) else x for way, x in convert_to_solutions(works, solution).items()}
