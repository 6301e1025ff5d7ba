"""What an allocation costs, in x: one solution's generation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isocompute.errors import DataError


def compute(S: ArrayLike, V: ArrayLike, lam: float) -> NDArray[np.float64]:
    """Compute per problem of S solutions with V verifications each: C(S, V) = S(1 + λV).

    Singhi et al. 2025 (arXiv 2504.01005): 2P(S·T_S + S·V·T_V) FLOPs for P parameters, divided by the
    2P·T_S of one solution. Prompt tokens are not counted. Self-consistency is V = 0 and costs S.

    Args:
        S: numbers of solutions, ≥ 1.
        V: numbers of verifications of each, ≥ 0; broadcast against S.
        lam: λ = T_V / T_S > 0, see `verification_ratio`.

    Returns:
        Compute in x, in the broadcast shape of S and V.

    Raises:
        DataError: S below 1, V below 0, or λ not positive and finite.

    Example:
        >>> compute([16, 16], [0, 8], lam=0.5)
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


def verification_ratio(solution_tokens: ArrayLike, verification_tokens: ArrayLike) -> float:
    """λ = mean T_V / mean T_S, the cost of one verification in solutions, from logged completion tokens.

    Args:
        solution_tokens: generated tokens of each solution, ≥ 0, any shape.
        verification_tokens: generated tokens of each verification, ≥ 0, any shape.

    Returns:
        λ > 0.

    Raises:
        DataError: no tokens, counts that are negative or not finite, or a mean of zero.

    Example:
        >>> verification_ratio([400, 600], [300, 500, 400])
        0.8
    """
    means = []
    for name, values in (("solution_tokens", solution_tokens), ("verification_tokens", verification_tokens)):
        tokens = np.asarray(values, dtype=float)
        if tokens.size == 0 or not (np.isfinite(tokens).all() and (tokens >= 0).all() and tokens.any()):
            raise DataError(f"{name} must hold token counts ≥ 0, at least one of them positive.")
        means.append(float(tokens.mean()))
    return means[1] / means[0]


def counted(completion: ArrayLike, prompt: ArrayLike, cached: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Count the tokens of each row in three ways.

    completion: those sampled, as Singhi et al. 2025 count them. prompts: the prompt's as well. cached: the prompt's
    as well, but for those that were read from the prefix cache and cost nothing.

    Args:
        completion: tokens sampled, ≥ 0, any shape.
        prompt: tokens in the prompt, ≥ 0; NaN where unknown.
        cached: of these, read from the cache; NaN where unknown.

    Returns:
        Tokens by way; NaN where a count that is needed is unknown.

    Example:
        >>> {way: tokens.tolist() for way, tokens in counted([50, 60], [200, 200], [np.nan, 192]).items()}
        {'completion': [50.0, 60.0], 'prompts': [250.0, 260.0], 'cached': [nan, 68.0]}
    """
    sampled, read, held = (np.asarray(tokens, dtype=float) for tokens in (completion, prompt, cached))
    return {"completion": sampled, "prompts": sampled + read, "cached": sampled + read - held}


def verification_ratios(solutions: Mapping[str, ArrayLike], verifications: Mapping[str, ArrayLike]) -> dict[str, float]:
    """λ by way of counting, from `counted` solutions and verifications; NaN where a row does not say its tokens.

    Raises:
        DataError: as `verification_ratio`.

    Example:
        >>> verification_ratios(counted([400], [100], [np.nan]), counted([300], [700], [600]))
        {'completion': 0.75, 'prompts': 2.0, 'cached': nan}
    """
    return {
        way: float("nan")
        if np.isnan(solutions[way]).any() or np.isnan(verifications[way]).any()
        else verification_ratio(solutions[way], verifications[way])
        for way in solutions
    }
