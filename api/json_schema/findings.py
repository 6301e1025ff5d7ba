"""The JSON of crossovers, allocation laws, strategies within a budget, and the power of a comparison."""

from __future__ import annotations

from typing import Any, Literal

from isocompute.api.json_schema.blocks import Fraction, Interval, JsonBlock, Never, name_infinity
from isocompute.fits.laws.allocation import AllocationLaw, AllocationLaws
from isocompute.fits.laws.crossover import Crossover
from isocompute.fits.power import PROBLEM_LIMIT
from isocompute.planner.compare import Comparison
from isocompute.planner.findings import Findings
from isocompute.planner.power import StrategyPower
from isocompute.planner.strategy_option import StrategyOption


class OptionJson(JsonBlock):
    """A strategy at its best allocation within the budget."""

    strategy: str
    """The strategy, such as ``sc``, ``genrm``, ``weighted`` or ``beam+weighted``."""
    numbers: dict[str, int]
    """The allocation: S solutions with V verifications each; of a search N slots, width M and lookahead k."""
    solutions: int | None
    """S; null for a search."""
    verifications: int | None
    """V, 0 for a strategy without verifications; null for a search."""
    compute: float
    """Cost of the allocation per problem, in x (one solution's generation)."""
    accuracy: float
    """Expected accuracy on new problems."""
    measured_accuracy: float
    """Mean over the measured problems at the same allocation; interpolated if it was not run."""
    interpolated: bool
    """True of a size of a search between those that were run: it was not run, and is interpolated in log N."""
    interpolation_error: Fraction | None
    """Standard deviation of what the accuracy may lie off its interpolation, which the interval includes; null if the
    allocation was run, or follows from sampled solutions."""
    interval: Interval | None
    """95 % interval of the expected accuracy; null without per-problem values."""
    probability_best: Fraction | None
    """Probability that no other strategy is better by more than ``equivalence_points``; null also without votes,
    and with fewer than five independent problems."""
    probability_highest: Fraction | None
    """Probability that no other strategy is better at all; null likewise."""
    equivalence_points: float
    """Points of accuracy within which strategies are equivalent, so that the cheapest is recommended."""
    at_limit: list[str]
    """Numbers that are the largest measured, although the budget would pay for more."""
    is_informative: bool
    """False if the verdicts or scores that it pays for were not shown to tell right solutions from wrong ones; such a
    strategy is not recommended. True where it pays for none."""
    lead: float | None
    """Expected accuracy minus that of SC at its best allocation within the budget; null if no SC is within the
    latency."""
    lead_interval: Interval | None
    """95 % interval of the lead; null likewise, and without per-problem values."""


class AlternativeJson(OptionJson):
    """Another strategy at its best allocation, compared with the recommended one."""

    gap: float
    """Expected accuracy of the recommendation minus this one's; below zero if this one is better and dearer."""
    gap_interval: Interval | None
    """95 % interval of the gap; null without per-problem values."""


class ExpectedJson(JsonBlock):
    """The accuracy to expect of the recommendation on new problems."""

    accuracy: float
    """Mean over new problems, 0 … 1."""
    interval: Interval | None
    """95 % interval; null without per-problem values."""


class CrossoverJson(JsonBlock):
    """The budget from which a strategy stays at or above SC, to the end of the measured range."""

    x: float | Never
    """The budget in x; "never" if the strategy is behind SC at the end of the range."""
    plateau_multiple: float | Never | None
    """The budget divided by SC's plateau; null if the plateau is unknown."""
    interval: tuple[float | Never, float | Never] | None
    """95 % interval of the budget; null without per-problem values."""
    probability: Fraction | None
    """Probability that the strategy is at least even with SC at the end of the range."""
    measured_to: float
    """The end of the measured range, in x."""


class LawJson(JsonBlock):
    """S_opt ∝ C^a and V_opt ∝ C^b, fitted in one way."""

    a: float
    """Exponent of S."""
    b: float
    """Exponent of V."""
    a_interval: Interval | None
    """95 % interval of a; null without per-problem values."""
    b_interval: Interval | None
    """95 % interval of b."""
    difference_interval: Interval | None
    """95 % interval of a - b."""
    S_prefactor: float
    """S_opt = S_prefactor · C^a."""
    V_prefactor: float
    """V_opt = V_prefactor · C^b."""
    S_opt: list[float]
    """The best S at each budget."""
    V_opt: list[float]
    """The best V at each budget."""
    edge_budgets: list[float]
    """Budgets whose optimum lies at an edge of the measured grid, so that it is only a bound."""
    a_without_edges: float | None
    """a without those budgets; null if fewer than three are left."""
    b_without_edges: float | None
    """b without those budgets."""
    identity: float
    """a + wb - 1, which is 0 where S and V together spend the budget; w = λV / (1 + λV)."""
    share: Fraction | None
    """Share of the bootstrap replicates in which the fit was possible."""


class LawsJson(JsonBlock):
    """The allocation law, fitted in three ways."""

    budgets: list[float]
    """The budgets that the law is fitted on, in x."""
    grid: LawJson
    """Fitted to the best measured cells."""
    smooth: LawJson
    """Fitted to the optima of the smoothed surface."""
    censored: LawJson | None
    """The same with optima at an edge as bounds; null if fewer than three are inside the grid."""
    notes: list[str]
    """Limits of the fits, in sentences."""


class StrategyLawJson(JsonBlock):
    """The law of one strategy: S_opt = S_prefactor · C^a, V_opt = V_prefactor · C^b; null where it is unknown."""

    budgets: list[float]
    """The budgets C that the law is fitted on, in x."""
    a: float | None
    """Exponent of S."""
    b: float | None
    """Exponent of V."""
    S_prefactor: float | None
    """The best S at C = 1."""
    V_prefactor: float | None
    """The best V at C = 1."""
    a_interval: Interval | None
    """95 % interval of a; null without per-problem values, or if all replicates have the same."""
    b_interval: Interval | None
    """95 % interval of b; null likewise."""
    S_prefactor_interval: Interval | None
    """95 % interval of S_prefactor; null likewise."""
    V_prefactor_interval: Interval | None
    """95 % interval of V_prefactor; null likewise."""
    edges: list[str]
    """The edge of the grid that the optimum of each budget lies on, such as ``V lower``; "" inside."""
    optima: int
    """The number of budgets, each with an optimum."""
    at_edge: int
    """The number of optima at an edge, which are bounds only."""
    unknown_reason: str | None
    """A sentence on why the law is unknown; null if it is known."""


class PowerJson(JsonBlock):
    """The number of problems that it takes to distinguish the best other strategy from SC."""

    x: float
    """The budget of the comparison."""
    strategy: str
    """The best strategy beside SC."""
    against: str
    """The strategy it is compared with."""
    gap: float
    """Mean difference of the accuracies."""
    standard_deviation: float
    """Standard deviation of the difference over problems."""
    problems: int
    """The number of measured problems, or of clusters where problems are in clusters."""
    needed: int | Literal["over 1000000"] | None
    """Problems or clusters that give the test its power at the measured gap; null if the differences do not vary."""
    needed_interval: tuple[int | Literal["over 1000000"] | None, int | Literal["over 1000000"] | None]
    """The same at the ends of the 95 % interval of gap / standard deviation, the fewer first."""
    smallest_gap: float | None
    """The gap that the measured number of problems detects; null if the differences do not vary."""
    power: Fraction
    """Probability of detecting the gap."""


def build_option(option: StrategyOption) -> OptionJson:
    """Return a strategy at its best allocation, with its gap to the recommendation if it is an alternative."""
    return (OptionJson if option.gap is None else AlternativeJson).convert(option)


def build_expected(compared: Comparison) -> ExpectedJson:
    """Return the accuracy to rely on, of the recommended strategy."""
    return ExpectedJson(accuracy=compared.expected_accuracy, interval=compared.interval)


def build_crossovers(found: Findings) -> dict[str, CrossoverJson]:
    """Return the crossover of each strategy with SC."""
    return {name: build_crossover(crossed, found.plateau) for name, crossed in found.crossovers.items()}


def build_crossover(found: Crossover, plateau: float | None) -> CrossoverJson:
    """Return one crossover."""
    ends = None if found.interval is None else (name_infinity(found.interval[0]), name_infinity(found.interval[1]))
    return CrossoverJson(
        x=name_infinity(found.budget),
        plateau_multiple=None if plateau is None else name_infinity(found.budget / plateau),
        interval=ends,
        probability=found.probability,
        measured_to=float(found.budgets[-1]),
    )


def build_laws(laws: AllocationLaws) -> LawsJson:
    """Return the allocation laws."""
    return LawsJson(
        budgets=laws.budgets.tolist(),
        grid=build_law(laws.grid, laws),
        smooth=build_law(laws.smooth, laws),
        censored=None if laws.censored is None else build_law(laws.censored, laws),
        notes=list(laws.notes),
    )


def build_law(law: AllocationLaw, laws: AllocationLaws) -> LawJson:
    """Return one of the laws, with the budgets at an edge of the grid and the exponents without them."""
    inside = law.inner_exponents or (None, None)
    return LawJson(
        a=law.a,
        b=law.b,
        a_interval=law.solutions.interval,
        b_interval=law.verifications.interval,
        difference_interval=law.difference_interval,
        S_prefactor=law.solutions.prefactor,
        V_prefactor=law.verifications.prefactor,
        S_opt=law.S_opt.tolist(),
        V_opt=law.V_opt.tolist(),
        edge_budgets=laws.budgets[law.is_at_edge].tolist(),
        a_without_edges=inside[0],
        b_without_edges=inside[1],
        identity=law.identity,
        share=law.replicate_share,
    )


def build_strategy_law(laws: AllocationLaws) -> StrategyLawJson:
    """Return the law of a strategy that is to be used, with optima at an edge as bounds."""
    law = laws.usable
    S, V = (None, None) if law is None else (law.solutions, law.verifications)
    at = law or laws.smooth
    return StrategyLawJson(
        budgets=laws.budgets.tolist(),
        a=S and S.exponent,
        b=V and V.exponent,
        S_prefactor=S and S.prefactor,
        V_prefactor=V and V.prefactor,
        a_interval=S and S.interval,
        b_interval=V and V.interval,
        S_prefactor_interval=S and S.prefactor_interval,
        V_prefactor_interval=V and V.prefactor_interval,
        edges=list(at.edges),
        optima=len(at.edges),
        at_edge=int(at.is_at_edge.sum()),
        unknown_reason=laws.unknown_reason,
    )


def build_power(found: StrategyPower) -> PowerJson:
    """Return the power of the comparison; a number of problems beyond the limit is said as such."""
    test = found.paired

    def name_limit(needed: int | None) -> int | str | None:
        return f"over {PROBLEM_LIMIT}" if needed is None and test.standard_deviation > 0 else needed

    fields = {name: getattr(test, name) for name in ("gap", "standard_deviation", "problems", "smallest_gap", "power")}
    return PowerJson.model_validate(
        {"x": found.budget, "strategy": found.strategy, "against": found.baseline, **fields}
        | {"needed": name_limit(test.needed), "needed_interval": tuple(map(name_limit, test.needed_interval))}
    )


def build_findings_fields(found: Findings) -> dict[str, Any]:
    """Return the crossovers and the laws, which `PlanJson` and `FitJson` share."""
    genrm = found.genrm_crossover
    return {
        "crossover": None if genrm is None else build_crossover(genrm, found.plateau),
        "crossovers": build_crossovers(found),
        "laws": None if found.laws is None else build_laws(found.laws),
        "published_note": found.published_note,
        "laws_by_strategy": {name: build_strategy_law(laws) for name, laws in found.laws_by_strategy.items()},
    }
