"""The limits of a plan, in sentences: what was not measured, and how much few problems leave open."""

from __future__ import annotations

from scipy.special import ndtri

from isocompute.fits.cost import compute_allocation_cost
from isocompute.planner.budget import format_compute
from isocompute.planner.compare import FEWEST_FOR_PROBABILITY, Comparison
from isocompute.planner.extrapolate import RISE_THRESHOLD, measure_last_rise
from isocompute.planner.profile import Profile, Searches
from isocompute.planner.strategies.options import (
    describe_unplaced_strategies,
    list_scored_options,
    list_strategy_options,
    list_unknown_strategies,
    list_unplaced_strategies,
)
from isocompute.planner.strategies.search_sizes import find_neighbours
from isocompute.planner.strategy_option import EQUIVALENCE_POINTS, find_cheaper_option

MIN_PROBLEMS = 30
"""With fewer problems, the simulated tasks count for more than what was measured."""


def collect_plan_warnings(
    profile: Profile, x: float, lam: float | None, compared: Comparison, is_extrapolated: bool, is_limit: bool = True
) -> list[str]:
    """Return the warnings of a plan, in sentences.

    Args:
        profile: the measurements.
        x: the budget, in x.
        lam: λ; None if it is unknown.
        compared: the strategies within the budget.
        is_extrapolated: whether the accuracy of more votes than measured is extrapolated.
        is_limit: whether compute is what limits the plan, so that a budget beyond the measured costs is warned of.
    """
    sentences = list(profile.warnings)
    # Budgets and strategies outside of what was measured.
    most_solutions = profile.self_consistency.solutions[-1]
    if is_limit and x > most_solutions:
        known = "extrapolated only" if is_extrapolated else "unknown"
        sentences.append(
            f"SC was measured up to {format_compute(most_solutions)}; at {format_compute(x)} its best value up to "
            f"there is used; the effect of more votes is {known}.{describe_rise(profile, len(compared.options) > 1)}"
        )
    sentences += describe_uninformative_selectors(compared) + describe_interpolated_sizes(profile, compared)
    if is_limit:
        sentences += describe_unused_budget(compared, x) + describe_limits(compared)
    sentences += describe_scorer_limits(profile, x, is_limit)
    if profile.genrm is None:
        if len(list_strategy_options(profile, lam)) == 1 and not list_unplaced_strategies(profile):
            sentences.append("The profile has no verifications: only SC can be planned.")
    elif lam is not None:
        S, V = profile.genrm.solutions[-1], profile.genrm.verifications[-1]
        largest_cost = float(compute_allocation_cost(S, V, lam))
        if is_limit and x > largest_cost:
            sentences.append(
                f"GenRM was measured up to S={S}, V={V}, which is {format_compute(largest_cost)}; at "
                f"{format_compute(x)} its best value up to there is used."
            )
        if compute_allocation_cost(profile.genrm.solutions[0], profile.genrm.verifications[0], lam) > x:
            least = format_compute(1 + lam)
            sentences.append(f"GenRM cannot be afforded at {format_compute(x)}: one verified solution costs {least}.")
        if profile.lam is not None and lam != profile.lam:
            sentences.append(f"λ = {lam:g} was given; the profile's is {profile.lam:.3g}.")
    else:
        sentences.append(
            "λ, the cost of a verification in solutions, is unknown, so GenRM has no cost and only SC is "
            "planned; --lambda (lam= in Python) sets it."
        )
    # Few problems.
    if not profile.per_problem:
        sentences.append(
            "The profile holds only means over problems: no interval or probability can be given, and "
            "the allocation is chosen on the reported accuracies."
        )
    elif profile.independent_problems == 1:
        only = "problem" if profile.problems == 1 else "cluster of problems"
        sentences.append(
            f"There is only one {only}: nothing was held out, so the allocation is chosen on the reported accuracy, "
            "and no interval is given."
        )
    else:
        sentences += describe_few_problems(profile, len(compared.options))
    if (cheaper := find_cheaper_option(compared.options)) is not None:
        assert cheaper.gap is not None, "it is not the recommendation"
        sentences.append(
            f"{cheaper.strategy} {cheaper.settings} is {100 * cheaper.gap:.1f} points behind, which may be chance, "
            f"and costs {format_compute(cheaper.compute)}."
        )
    return sentences


def describe_unused_budget(compared: Comparison, x: float) -> list[str]:
    """Return a sentence if the recommendation uses half of the budget or less, although more was measured."""
    best = compared.options[0]
    if 2 * best.compute > x or best.at_limit:
        return []
    return [
        f"{best.strategy} {best.settings} uses {format_compute(best.compute)} of {format_compute(x)}: of what was "
        f"measured and may be recommended, no dearer allocation is better by more than {EQUIVALENCE_POINTS:g} points."
    ]


def describe_uninformative_selectors(compared: Comparison) -> list[str]:
    """Return a sentence on the strategies whose verdicts or scores were not shown to tell right from wrong."""
    names = [option.strategy for option in compared.options if not option.is_informative]
    if not names:
        return []
    return [
        f"Not recommended: {', '.join(names)}. What was measured does not show that the verdicts or scores they pay "
        "for tell right solutions from wrong ones: given two solutions, they choose no better than chance would."
    ]


def describe_interpolated_sizes(profile: Profile, compared: Comparison) -> list[str]:
    """Return sentences on the sizes of searches that were not run: between which they lie, and how far off they may be.

    Args:
        profile: the measurements.
        compared: the strategies within the budget.
    """
    described = []
    for option in compared.options:
        part = profile.strategies.get(option.strategy)
        neighbours = find_neighbours(part, option.numbers) if isinstance(part, Searches) else None
        if option.interpolation_error is not None and neighbours is not None:
            low, high = neighbours
            error = 100 * ndtri(0.975) * option.interpolation_error
            described.append(
                f"{option.strategy} {option.plain_settings} (between N={low} and N={high}, ±{error:.1f} points)"
            )
    if not described:
        return []
    only = len(described) == 1
    sentences = [
        f"Not run: {', '.join(described)}. Accuracy and cost are interpolated in log N; the interval of the accuracy "
        "includes what the interpolation may be off by."
    ]
    if compared.options[0].interpolated:
        rests = "The recommendation rests on it" if only else "The recommendation rests on the first"
        sentences.append(f"{rests}: run that size before relying on it; isocompute next RUN says how.")
    return sentences


def describe_limits(compared: Comparison) -> list[str]:
    """Return a sentence on the strategies that take the largest number measured, although the budget pays for more."""
    limited = [
        f"{option.strategy} {' '.join(f'{name}={option.numbers[name]}' for name in option.at_limit)}"
        for option in compared.options
        if option.at_limit and option.strategy != "sc"
    ]
    return [f"The most that was measured is used, and more may be better: {', '.join(limited)}."] if limited else []


def describe_few_problems(profile: Profile, strategies: int) -> list[str]:
    """Return sentences on what few independent problems do to expectations and probabilities.

    Args:
        profile: the measurements, with at least two independent problems.
        strategies: number of strategies that are compared.
    """
    count, sentences = profile.independent_problems, []
    only = f"Only {count} {'problems' if profile.clusters is None else 'clusters of problems'}"
    # Expectations are shrunk where there is a choice between allocations.
    if count < MIN_PROBLEMS and (strategies > 1 or profile.has_votes):
        sentences.append(f"{only}: what is expected rests more on simulated tasks than on the measurement.")
    if count < FEWEST_FOR_PROBABILITY and strategies > 1:
        sentences.append(
            f"{only}: P(best), the probability that a strategy is the best, takes {FEWEST_FOR_PROBABILITY} or more."
        )
    return sentences


def describe_rise(profile: Profile, has_others: bool) -> str:
    """Say whether SC still rises at the end of its measured range, and by how much in the last doubling.

    Args:
        profile: the measurements.
        has_others: whether SC is compared with other strategies.
    """
    rise = measure_last_rise(profile.self_consistency)
    if rise < RISE_THRESHOLD:
        return ""
    rose = f" It still rose by {100 * rise:.1f} points in the last doubling"
    if not has_others:
        return f"{rose}."
    return f"{rose}, so the comparison at this budget is not at equal compute and favours the others."


def describe_scorer_limits(profile: Profile, x: float, is_limit: bool = True) -> list[str]:
    """Return sentences on strategies that are unknown or unpriced, and on scored ones outside their measured costs."""
    sentences = []
    if names := list_unknown_strategies(profile):
        sentences.append(f"The profile has strategies that are unknown here and left out: {', '.join(names)}.")
    sentences += describe_unplaced_strategies(profile)
    short = []
    for options in list_scored_options(profile):
        if x < options.lowest_cost:
            sentences.append(
                f"{options.strategy} cannot be afforded at {format_compute(x)}: {options.label_allocation(0)} costs "
                f"{format_compute(options.lowest_cost)}."
            )
        elif is_limit and x > options.highest_cost:
            size = f"{options.label_allocation(-1)}, which is {format_compute(options.highest_cost)}"
            short.append(f"{options.strategy} was measured up to {size}")
    if short:
        whose = "its best value" if len(short) == 1 else "the best value of each"
        sentences.append(f"{'; '.join(short)}; at {format_compute(x)} {whose} up to there is used.")
    return sentences
