"""The JSON of ``difficulty``."""

from __future__ import annotations

from isocompute.api.json_schema.blocks import CommandJson, Fraction, Interval, JsonBlock, build_interval, replace_nan
from isocompute.fits.choice.compute_optimal import LevelChoice, PolicyAccuracy
from isocompute.planner.difficulty_study import DifficultyStudy
from isocompute.planner.policies.level_policies import LevelPolicy, LevelSpending


class ReachedJson(JsonBlock):
    """The accuracy that choices reach at one budget; null where no strategy can be afforded."""

    accuracy: Fraction | None
    """Mean over problems, each under choices made without it."""
    interval: Interval | None
    """95 % interval of the accuracy."""
    optimistic: Fraction | None
    """Mean over the problems that the choice was made on; the excess is the luck of the best choice."""


class LevelJson(ReachedJson):
    """One level of difficulty at one budget."""

    level: int
    """The level; 1 is the easiest."""
    share: Fraction
    """Share of the problems."""
    run: str | None
    """The strategy and allocation to run; null where none can be afforded."""
    one_for_all: Fraction | None
    """Accuracy on the same problems with one choice for all levels."""


class SpendingJson(JsonBlock):
    """Accuracy and spent compute of a policy on the problems of a level."""

    level: int | None
    """The level; 1 is the easiest. Null for all problems."""
    share: Fraction
    """Share of the problems."""
    accuracy: Fraction
    """Mean over problems, each under thresholds chosen on others."""
    interval: Interval | None
    """95 % interval of the accuracy."""
    compute: float
    """Mean compute, in x."""
    compute_interval: Interval | None
    """95 % interval of the mean compute over problems."""


class LevelPolicyJson(JsonBlock):
    """A rule that stops early, for a mean compute within a budget. It does not know the level, nor pay for it."""

    rule: str
    """Name of the rule."""
    threshold: float
    """The threshold chosen on all problems."""
    limit: int
    """The most solutions that were chosen with it."""
    whole: SpendingJson
    """On all problems."""
    levels: list[SpendingJson]
    """On those of each level."""


class DifficultyBudgetJson(JsonBlock):
    """One budget."""

    x: float
    """Compute per problem in x, the charge included."""
    by_difficulty: ReachedJson
    """With a choice for each level."""
    one_for_all: ReachedJson
    """With one choice for all levels at the whole budget: what a plan expects of its choice."""
    one_for_all_run: str | None
    """That choice: its strategy and allocation."""
    gain: float | None
    """Accuracy by difficulty minus one for all, paired; null where no strategy can be afforded."""
    gain_interval: Interval | None
    """95 % interval of the gain."""
    levels: list[LevelJson]
    policies: list[LevelPolicyJson]
    """Rules that stop early, the most accurate first; those whose full budget is at most half of this one are left out.
    Empty where none was measured."""


class DifficultyJson(CommandJson):
    """``difficulty … --json``: what a choice for each level of difficulty reaches."""

    source: str
    """The run or the profile."""
    bins: str
    """The measure of difficulty: oracle, estimate, agreement, score or level."""
    in_practice: bool
    """True if a problem's level can be found without its right answer."""
    problems: int
    """Number of problems."""
    charge: float
    """Cost of finding the level, in x, which every budget has to pay."""
    samples: int
    """Solutions that the level is estimated from, the first of those that a strategy over the pool uses."""
    budgets: list[DifficultyBudgetJson]
    warnings: list[str]
    """Limits of the study, in sentences."""


def build_difficulty_json(study: DifficultyStudy) -> DifficultyJson:
    """Return a study of difficulty as JSON."""
    return DifficultyJson(
        source=study.name,
        bins=study.kind,
        in_practice=study.in_practice,
        problems=study.problems,
        charge=study.charge,
        samples=study.samples,
        budgets=[build_difficulty_budget(study, i) for i in range(len(study.policy.budgets))],
        warnings=study.warnings,
    )


def build_difficulty_budget(study: DifficultyStudy, i: int) -> DifficultyBudgetJson:
    """Return what is reached at one of the budgets."""
    found = study.policy
    return DifficultyBudgetJson(
        x=float(found.budgets[i]),
        by_difficulty=build_reached(found.by_difficulty, i),
        one_for_all=build_reached(found.one_for_all, i),
        one_for_all_run=found.one_for_all_choices[i],
        gain=replace_nan(found.gain[i]),
        gain_interval=build_interval(found.gain_low[i], found.gain_high[i]),
        levels=[build_level(level, i) for level in found.levels],
        policies=[build_level_policy(each) for each in study.policies if each.budget == found.budgets[i]],
    )


def build_level(level: LevelChoice, i: int) -> LevelJson:
    """Return one level at one of the budgets."""
    return LevelJson(
        level=level.level,
        share=level.problem_share,
        run=level.choices[i],
        **vars(build_reached(level.by_difficulty, i)),
        one_for_all=replace_nan(level.one_for_all[i]),
    )


def build_level_policy(policy: LevelPolicy) -> LevelPolicyJson:
    """Return a policy by level as JSON."""
    whole, *levels = (build_spending(part) for part in (policy.whole, *policy.levels))
    return LevelPolicyJson(rule=policy.rule, threshold=policy.threshold, limit=policy.limit, whole=whole, levels=levels)


def build_spending(part: LevelSpending) -> SpendingJson:
    """Return what a policy reaches and spends on a level."""
    intervals = {name: build_interval(*getattr(part, name)) for name in ("interval", "compute_interval")}
    return SpendingJson(
        level=part.level, share=part.problem_share, accuracy=part.accuracy, compute=part.compute, **intervals
    )


def build_reached(reached: PolicyAccuracy, i: int) -> ReachedJson:
    """Return the accuracy at one of the budgets."""
    return ReachedJson(
        accuracy=replace_nan(reached.accuracy[i]),
        interval=build_interval(reached.low[i], reached.high[i]),
        optimistic=replace_nan(reached.optimistic[i]),
    )
