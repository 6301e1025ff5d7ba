"""What an allocation costs, in x: one solution's generation.

The rule, for whatever was done for a problem: x is the FLOPs of all of it over the FLOPs of generating one solution. A
model of P parameters takes 2P FLOPs for a token, whether it decodes it or only reads it; reading is faster in time, as
all of a text is read at once, and a weight below 1 for what is read says by how much, if time is what is paid for. A
token from a prefix cache costs nothing. `count_row_tokens` says which tokens count, `convert_to_solutions` divides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError


def compute_allocation_cost(S: ArrayLike, V: ArrayLike, lam: float) -> NDArray[np.float64]:
    """Compute per problem of S solutions with V verifications each: C(S, V) = S(1 + λV).

    Singhi et al. 2025 (arXiv 2504.01005): 2P(S·T_S + S·V·T_V) FLOPs for P parameters, divided by the
    2P·T_S of one solution. Prompt tokens are not counted. Self-consistency is V = 0 and costs S.

    Args:
        S: numbers of solutions, ≥ 1.
        V: numbers of verifications of each, ≥ 0; broadcast against S.
        lam: λ = T_V / T_S > 0, see `compute_verification_ratio`.

    Returns:
        Compute in x, in the broadcast shape of S and V.

    Raises:
        DataError: S below 1, V below 0, or λ not positive and finite.

    Example:
        >>> compute_allocation_cost([16, 16], [0, 8], lam=0.5)
        array([16., 80.])
    """
    solutions, verifications = np.asarray(S, dtype=float), np.asarray(V, dtype=float)
    if not (np.isfinite(lam) and lam > 0):
        raise DataError(f"lam, the cost of a verification in solutions, must be positive; got {lam}.")
    if not (solutions >= 1).all():
        raise DataError(f"S must be at least 1; got {np.nanmin(solutions)}.")
    if not (verifications >= 0).all():
        raise DataError(f"V must be at least 0; got {np.nanmin(verifications)}.")
    return np.asarray(solutions * (1 + lam * verifications))


def compute_verification_ratio(solution_tokens: ArrayLike, verification_tokens: ArrayLike) -> float:
    """λ = mean T_V / mean T_S, the cost of one verification in solutions, from logged completion tokens.

    Args:
        solution_tokens: generated tokens of each solution, ≥ 0, any shape.
        verification_tokens: generated tokens of each verification, ≥ 0, any shape.

    Returns:
        λ > 0.

    Raises:
        DataError: no tokens, counts that are negative or not finite, or a mean of zero.

    Example:
        >>> compute_verification_ratio([400, 600], [300, 500, 400])
        0.8
    """
    means = []
    for name, values in (("solution_tokens", solution_tokens), ("verification_tokens", verification_tokens)):
        tokens = np.asarray(values, dtype=float)
        if tokens.size == 0 or not (np.isfinite(tokens).all() and (tokens >= 0).all() and tokens.any()):
            raise DataError(f"{name} must hold token counts ≥ 0, at least one of them positive.")
        means.append(float(tokens.mean()))
    return means[1] / means[0]


def count_row_tokens(
    completion: ArrayLike, prompt: ArrayLike, cached: ArrayLike, scored: ArrayLike = 0.0, read: float = 1.0
) -> dict[str, NDArray[np.float64]]:
    """Count the tokens of each row in three ways.

    completion: those sampled, as Singhi et al. 2025 count them, and the tokens of solutions that a scorer read anew,
    as reading them is its work; never prompts. prompts: all that was sampled or read, cached or not. cached: the same,
    but for what was read from the prefix cache and costs nothing.

    Args:
        completion: tokens sampled, ≥ 0, any shape.
        prompt: tokens read, ≥ 0: the prompt, and of a scorer the solution; NaN where unknown.
        cached: of these, read from the cache; NaN where unknown.
        scored: of the tokens read, those of solutions that a scorer met for the first time; 0 of who writes.
        read: what a token that is read counts, where one that is decoded counts 1; > 0.

    Returns:
        Tokens by way; NaN where a count that is needed is unknown.

    Raises:
        DataError: a weight that is not positive and finite.

    Example:
        >>> {way: tokens.tolist() for way, tokens in count_row_tokens([50, 60], [200, 200], [np.nan, 192]).items()}
        {'completion': [50.0, 60.0], 'prompts': [250.0, 260.0], 'cached': [nan, 68.0]}
        >>> {way: float(tokens) for way, tokens in count_row_tokens(0, 250, 150, scored=50).items()}
        {'completion': 50.0, 'prompts': 250.0, 'cached': 100.0}
    """
    if not (np.isfinite(read) and read > 0):
        raise DataError(f"read, what a token that is read counts, must be positive; got {read}.")
    sampled, given, held, new = (np.asarray(tokens, dtype=float) for tokens in (completion, prompt, cached, scored))
    return {
        "completion": sampled + read * new,
        "prompts": sampled + read * given,
        "cached": sampled + read * (given - held),
    }


@dataclass(frozen=True, eq=False)
class ModelWork:
    """What one model did, row by row.

    Args:
        tokens: by way of counting, see `count_row_tokens`.
        parameters: P of the model; only its ratio to that of other models matters, so 1 of each if all are equal.
    """

    tokens: Mapping[str, ArrayLike]
    parameters: float = 1.0


def convert_to_solutions(works: Iterable[ModelWork], solution: ModelWork) -> dict[str, float]:
    """Compute of what several models did, in x: Σ_m 2P_m·T_m / 2P·T, by way of counting.

    T are means over rows: a row of a work is what was done for one problem, or for one solution or verification of it,
    and the result is what that costs on average. So one verification costs λ and S solutions with V verifications each
    S(1 + λV), as `compute_allocation_cost` has it; one scoring costs ρ, and S scored solutions S(1 + ρ).

    Args:
        works: of each model that had a part in it.
        solution: the generation of a solution.

    Returns:
        x by way; NaN where a count that is needed is unknown.

    Raises:
        DataError: no rows, tokens below 0, a model without parameters, or solutions without a token.

    Example:
        >>> solver, scorer = ModelWork(count_row_tokens([400, 600], 100, 0), 2e9), ModelWork(count_row_tokens(0, 650,
        ... 100, scored=500), 1e9)
        >>> convert_to_solutions([scorer], solver)["completion"]
        0.5
    """
    parts = list(works)
    for work in (*parts, solution):
        if not (np.isfinite(work.parameters) and work.parameters > 0):
            raise DataError(f"a model's parameters must be positive; got {work.parameters}.")
    flops = [
        {way: 2 * work.parameters * _average_tokens(tokens) for way, tokens in work.tokens.items()} for work in parts
    ]
    one = {way: 2 * solution.parameters * _average_tokens(tokens) for way, tokens in solution.tokens.items()}
    if not all(np.isnan(each) or each > 0 for each in one.values()):
        raise DataError("solution must have sampled a token: it is what compute is counted in.")
    return {way: float(sum(work[way] for work in flops) / each) for way, each in one.items()}


def _average_tokens(tokens: ArrayLike) -> float:
    values = np.asarray(tokens, dtype=float)
    if values.size == 0 or (values < 0).any():
        raise DataError("tokens must be counts ≥ 0, of at least one row.")
    return float(values.mean())


def compute_verification_ratios(
    solutions: Mapping[str, ArrayLike], verifications: Mapping[str, ArrayLike], relative: float = 1.0
) -> dict[str, float]:
    """Return λ by way of counting, from the counted tokens of solutions and verifications; NaN where they are unknown.

    Args:
        solutions: their tokens.
        verifications: theirs.
        relative: the verifier's parameters over the solver's.

    Raises:
        DataError: as `compute_verification_ratio`, or as `convert_to_solutions`.

    Example:
        >>> compute_verification_ratios(count_row_tokens([400], [100], [np.nan]), count_row_tokens([300], [700], [600]))
        {'completion': 0.75, 'prompts': 2.0, 'cached': nan}
    """
    for way in solutions:
        if not (np.isnan(solutions[way]).any() or np.isnan(verifications[way]).any()):
            compute_verification_ratio(solutions[way], verifications[way])
    return convert_to_solutions([ModelWork(verifications, relative)], ModelWork(solutions))
