"""Cost of allocations in x, where 1x is the compute of generating one solution.

The cost of any work on a problem is its FLOPs divided by the FLOPs of generating one solution. A model of P parameters
needs 2P FLOPs per token, both to decode it and to read it. Reading is faster in time, because a text is read in
parallel; to measure cost in time, give tokens that are read a weight below 1. A token from a prefix cache costs
nothing. `count_row_tokens` counts the tokens, `convert_to_solutions` divides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError


def compute_allocation_cost(S: ArrayLike, V: ArrayLike, lam: float) -> NDArray[np.float64]:
    """Compute the cost per problem of S solutions with V verifications each: C(S, V) = S(1 + λV).

    Singhi et al. 2025 (arXiv 2504.01005): 2P(S·T_S + S·V·T_V) FLOPs for P parameters, divided by the
    2P·T_S of one solution. Prompt tokens are not counted. Self-consistency is V = 0 and costs S.

    Args:
        S: numbers of solutions, ≥ 1.
        V: numbers of verifications of each, ≥ 0; broadcast against S.
        lam: λ = T_V / T_S > 0; see `compute_verification_ratio`.

    Returns:
        Cost in x, in the broadcast shape of S and V.

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
    """Compute λ = mean T_V / mean T_S, the cost of one verification in solutions, from logged completion tokens.

    Args:
        solution_tokens: completion tokens of each solution, ≥ 0, any shape.
        verification_tokens: completion tokens of each verification, ≥ 0, any shape.

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

    completion: sampled tokens, as Singhi et al. 2025 count them, plus the tokens of solutions that a scorer reads for
    the first time; never prompts. prompts: all tokens sampled or read, cached or not. cached: all tokens sampled or
    read, except those read from the prefix cache.

    Args:
        completion: tokens sampled, ≥ 0, any shape.
        prompt: tokens read, ≥ 0: the prompt, and for a scorer the solution; NaN if unknown.
        cached: the part of `prompt` that is read from the cache; NaN if unknown.
        scored: the part of `prompt` in solutions that a scorer reads for the first time; 0 for a model that writes.
        read: weight of a token that is read, where a decoded one counts 1; > 0.

    Returns:
        Tokens by way of counting; NaN where a needed count is unknown.

    Raises:
        DataError: a weight that is not positive and finite.

    Example:
        >>> {way: tokens.tolist() for way, tokens in count_row_tokens([50, 60], [200, 200], [np.nan, 192]).items()}
        {'completion': [50.0, 60.0], 'prompts': [250.0, 260.0], 'cached': [nan, 68.0]}
        >>> {way: float(tokens) for way, tokens in count_row_tokens(0, 250, 150, scored=50).items()}
        {'completion': 50.0, 'prompts': 250.0, 'cached': 100.0}
    """
    if not (np.isfinite(read) and read > 0):
        raise DataError(f"read, the cost of a token that is read, must be positive; got {read}.")
    sampled, given, held, new = (np.asarray(tokens, dtype=float) for tokens in (completion, prompt, cached, scored))
    return {
        "completion": sampled + read * new,
        "prompts": sampled + read * given,
        "cached": sampled + read * (given - held),
    }


@dataclass(frozen=True, eq=False)
class ModelWork:
    """The work of one model, row by row.

    Args:
        tokens: tokens of each row by way of counting; see `count_row_tokens`.
        parameters: P of the model. Only ratios between models matter, so 1 is enough if all are of equal size.
    """

    tokens: Mapping[str, ArrayLike]
    parameters: float = 1.0


def convert_to_solutions(works: Iterable[ModelWork], solution: ModelWork) -> dict[str, float]:
    """Convert the work of several models to x: Σ_m 2P_m·T_m / 2P·T, by way of counting.

    T are means over rows. A row is the work for one problem, or for one of its solutions or verifications; the result
    is the mean cost of a row. So one verification costs λ, and S solutions with V verifications each cost S(1 + λV), as
    in `compute_allocation_cost`; one scoring costs ρ, and S scored solutions cost S(1 + ρ).

    Args:
        works: the work of each model involved.
        solution: the work of generating a solution.

    Returns:
        Cost in x by way of counting; NaN where a needed count is unknown.

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
        raise DataError("solution must have sampled tokens: compute is counted in them.")
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
        solutions: counted tokens of solutions, by way of counting.
        verifications: counted tokens of verifications, by way of counting.
        relative: the verifier's parameters divided by the solver's.

    Raises:
        DataError: as for `compute_verification_ratio` and `convert_to_solutions`.

    Example:
        >>> compute_verification_ratios(count_row_tokens([400], [100], [np.nan]), count_row_tokens([300], [700], [600]))
        {'completion': 0.75, 'prompts': 2.0, 'cached': nan}
    """
    for way in solutions:
        if not (np.isnan(solutions[way]).any() or np.isnan(verifications[way]).any()):
            compute_verification_ratio(solutions[way], verifications[way])
    return convert_to_solutions([ModelWork(verifications, relative)], ModelWork(solutions))
