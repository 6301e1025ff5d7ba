"""A certificate over problems that stopping early changes few answers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import DataError
from isocompute.fits.arrays import Floats, Ints
from isocompute.fits.groups import code_problem_groups
from isocompute.fits.policies.estimate import PolicyEstimate
from isocompute.fits.policies.threshold_choice import ThresholdChoice, describe_choice

_SHUFFLES = 40  # orders of the problems over which a bet is averaged
_MOST_STAKE = 0.75  # share of the capital that an adaptive bet may lose on one problem
_SEED = 0  # of the shuffles, which do not depend on the data


def certify_threshold(
    estimate: PolicyEstimate, delta: float, confidence: float = 0.95, clusters: ArrayLike | None = None
) -> ThresholdChoice:
    """Choose the cheapest threshold of which it is certified that P(answer ≠ the full budget's answer) ≤ δ.

    Learn then test (Angelopoulos et al. 2021, arXiv 2110.01052) with a fixed sequence: the thresholds are tested from
    the most careful to the least, each at the level 1 - confidence, until one fails; the last that passes is chosen.
    The probability, over draws of the problems, that the chosen threshold changes more than a share δ of answers is at
    most 1 - confidence. It holds for any number of problems and of orders, for new problems from the same source, and
    for no single problem. The test is that of `measure_evidence`.

    Of each threshold, the setting with the largest limit is tested; the full budget is that of the pool. The
    thresholds' own order is the order of care; which of its ends is the careful one is read from the compute of both. A
    threshold that never stops changes no answer, yet needs as many problems as any other to be certified.

    Args:
        estimate: the rule under several settings, on problems that were not used to learn the rule.
        delta: δ, in (0, 1).
        confidence: 1 - the probability of a wrong certificate, in (0, 1).
        clusters: (P,) label of each problem's cluster; None if all problems are independent. A cluster counts once,
            with the mean over its problems.

    Returns:
        The choice; without a threshold if none can be certified, with the number of problems that would be needed.

    Raises:
        DataError: δ or the confidence outside (0, 1), or labels of another length.

    Example:
        >>> from isocompute.fits import Pool
        >>> from isocompute.fits.policies.orders import draw_orders
        >>> from isocompute.fits.policies.replay import estimate_stop_rule
        >>> from isocompute.fits.policies.rules.window import WINDOW
        >>> pool = Pool([[0, 0, 0, 0]] * 60, [0] * 60)
        >>> found = estimate_stop_rule(pool, WINDOW, [2, 3, 4], draw_orders(pool, draws=8, seed=0))
        >>> certify_threshold(found, 0.05).threshold
        2.0
        >>> certify_threshold(found, 0.01).reason
        '60 problems certify no threshold for 1 %: without any different answer it takes 299.'
    """
    for name, value in (("delta", delta), ("confidence", confidence)):
        if not 0 < value < 1:
            raise DataError(f"{name} must lie between 0 and 1; got {value}.")
    differs = average_clusters(1 - estimate.same, clusters)
    alpha, count = 1 - confidence, len(differs)
    unit = "problems" if clusters is None else "clusters of problems"
    needed = count_problems_to_certify(delta, confidence)
    if count < needed:
        found = f"without any different answer it takes {needed}"
        return _refuse(estimate, f"{count} {unit} certify no threshold for {100 * delta:g} %: {found}.")
    chosen = None
    for position in list_most_careful_first(estimate):
        evidence = measure_evidence(differs[:, position], delta, alpha)
        if evidence < 1 / alpha:
            break
        chosen = int(position)
    if chosen is not None:
        return describe_choice(estimate, chosen)
    more = "no number would at that rate"
    if evidence > 1:
        more = f"about {math.ceil(count * math.log(1 / alpha) / math.log(evidence))} would at that rate"
    found = f"{estimate.thresholds[position]:g}, {100 * differs[:, position].mean():.2g} % of answers differ; {more}"
    return _refuse(
        estimate, f"{count} {unit} certify no threshold for {100 * delta:g} %: at the most careful, {found}."
    )


def count_problems_to_certify(delta: float, confidence: float = 0.95) -> int:
    """Return how many problems certify δ if no answer differs: the smallest n with (1 - δ)ⁿ ≤ 1 - confidence.

    >>> count_problems_to_certify(0.01), count_problems_to_certify(0.05)
    (299, 59)
    """
    return math.ceil(math.log1p(-confidence) / math.log1p(-delta))


def measure_evidence(values: ArrayLike, delta: float, alpha: float = 0.05) -> float:
    """Measure the evidence that the mean of values in [0, 1] is below δ, as the capital won by betting on it.

    From a capital of 1, a bet λ on a problem with the value x multiplies the capital by 1 - λ(x - δ), 0 ≤ λ ≤ 1/(1-δ).
    If the mean is δ or more, the expected capital is at most 1, so that it reaches 1/α with a probability of at most α
    (Waudby-Smith & Ramdas 2024, J. R. Stat. Soc. B 86, section 4). The evidence is the mean of two bets:
    - all on no difference, λ = 1/(1-δ). Its capital is Π(1 - xᵢ) / (1-δ)ⁿ. It has the smallest share of the starting
      capital that reaches 1/α if all values are 0, (1-δ)ⁿ/α.
    - the predictable bet of their equation 26, λ = √(2 log(1/α) / (n·σ²)) where σ² is the variance so far, at most
      0.75/(1-δ). It depends on the order of the problems, so it is the mean over 40 shuffles of the sorted values.

    It needs no distribution. Where values are spread out, as the shares of orders that change an answer are, it
    certifies more often than the Hoeffding-Bentkus bound, and about as often where they are 0 or 1.

    Args:
        values: (n,) in [0, 1].
        delta: δ, in (0, 1).
        alpha: α, in (0, 1): the level for which the bets are set; it is valid at every level.

    Example:
        >>> round(measure_evidence([0.0] * 299, 0.01), 2), round(measure_evidence([0.0] * 298 + [1.0], 0.01), 2)
        (20.09, 0.02)
    """
    x = np.sort(np.asarray(values, dtype=float))
    n = len(x)
    share = min(1.0, (1 - delta) ** n / alpha)
    with np.errstate(divide="ignore"):
        all_in = np.exp(np.log1p(-x).sum() - n * np.log1p(-delta))
    if share == 1.0:
        return float(all_in)
    orders = np.random.default_rng(_SEED).permuted(np.tile(x, (_SHUFFLES, 1)), axis=1)
    count = np.arange(2, n + 2)  # one value of 0 with the variance δ/4 is taken as seen before the first problem
    mean = np.cumsum(orders, axis=1) / count
    variance = (delta / 4 + np.cumsum((orders - mean) ** 2, axis=1)) / count
    before = np.column_stack([np.full(_SHUFFLES, delta / 4), variance[:, :-1]])
    stake = np.minimum(np.sqrt(2 * np.log(1 / alpha) / (n * before)), _MOST_STAKE / (1 - delta))
    adaptive = np.exp(np.log1p(-stake * (orders - delta)).sum(axis=1)).mean()
    return float(share * all_in + (1 - share) * adaptive)


def list_most_careful_first(estimate: PolicyEstimate) -> Ints:
    """Return the positions of the thresholds in their own order, begun at the end that costs more compute.

    Of the settings with one threshold it is the position of that with the largest limit.
    """
    order = np.lexsort((-estimate.limits, estimate.thresholds))
    order = order[np.append(True, np.diff(estimate.thresholds[order]) > 0)]
    low, high = estimate.compute.mean(axis=0)[order[[0, -1]]]
    return np.asarray(order[::-1] if high >= low else order)


def average_clusters(values: Floats, clusters: ArrayLike | None = None) -> Floats:
    """Return (n, …) the mean over the problems of each cluster, for (P, …) values; the values without clusters.

    >>> average_clusters(np.array([0.0, 1.0, 1.0]), clusters=["a", "a", "b"])
    array([0.5, 1. ])
    """
    if clusters is None:
        return values
    groups = code_problem_groups(len(values), clusters=clusters)
    sums = np.zeros((groups.clusters, *values.shape[1:]))
    np.add.at(sums, groups.cluster, values)
    return np.asarray(sums / groups.sizes.reshape(-1, *(1,) * (values.ndim - 1)))


def _refuse(estimate: PolicyEstimate, reason: str) -> ThresholdChoice:
    return ThresholdChoice(estimate.rule, None, reason=reason)
