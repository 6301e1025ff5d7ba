"""The policy file of a rule that was compared on a run."""

from __future__ import annotations

import math

from isocompute.errors import ConfigError, DataError
from isocompute.fits.choice.recommendation import EQUIVALENCE_MARGIN
from isocompute.planner.policies.comparison import PolicyComparison
from isocompute.planner.policies.policy_file import Guarantee, LearntOn, MeasuredPolicy, PolicyFile
from isocompute.planner.policies.policy_rows import PolicyRow
from isocompute.runners.parsing.printable import format_error_value


def find_best_row(comparison: PolicyComparison) -> PolicyRow:
    """Return the cheapest rule of those whose accuracy is within the equivalence margin of the highest."""
    highest = max(row.accuracy for row in comparison.rows)
    near = [row for row in comparison.rows if row.accuracy >= highest - EQUIVALENCE_MARGIN]
    return min(near, key=lambda row: row.compute)


def build_policy_file(comparison: PolicyComparison, rule: str | None = None) -> PolicyFile:
    """Return the policy file of a rule, with the setting chosen on all problems and its held-out measurements.

    Args:
        comparison: the comparison.
        rule: name of the rule; that of `find_best_row` if not given.

    Raises:
        ConfigError: the rule was not compared.
        DataError: the same answers are asked for, and there are too few problems to promise them.
    """
    rows = {row.rule: row for row in comparison.rows}
    if rule is not None and rule not in rows:
        raise ConfigError(f"rule must be one of {', '.join(rows)}; got {format_error_value(rule)}.")
    row = find_best_row(comparison) if rule is None else rows[rule]
    goal = comparison.goal
    if row.is_certified is False:
        raise DataError(
            f"{comparison.problems} problems do not certify P(another answer) ≤ {100 * (goal.same_answer or 0):g} % "
            f"for {row.rule}, so no policy is written; choose a mean budget, or measure more problems."
        )
    pool = comparison.pool_shape
    return PolicyFile(
        rule=row.rule,
        parameter=row.parameter,
        threshold=row.threshold,
        solutions=row.limit,
        full_solutions=row.most_solutions,
        verifications=row.most_verifications,
        lam=comparison.lam if row.most_verifications else None,
        cost_model=comparison.cost_model,
        grader=comparison.grader,
        task=comparison.task,
        models=comparison.profile.models,
        answer_model=comparison.answer_models.get(row.rule),
        learnt_on=LearntOn(
            run=comparison.name,
            problems=comparison.problems,
            digest=comparison.digest,
            solutions=pool[0],
            verifications=pool[1],
        ),
        measured=describe_measured_row(row, comparison.width),
        guarantee=None
        if goal.same_answer is None
        else Guarantee(delta=goal.same_answer, confidence=goal.confidence, certified=True),
    )


def describe_measured_row(row: PolicyRow, width: int) -> MeasuredPolicy:
    """Return the measurements of a rule as a policy file holds them."""
    low, high = (None if math.isinf(end) else end for end in row.saving_fixed_interval)
    return MeasuredPolicy(
        accuracy=row.accuracy,
        accuracy_interval=row.interval,
        compute=row.compute,
        compute_interval=row.compute_interval,
        percentile_95=row.percentile_95,
        solutions=row.solutions,
        verifications=row.verifications,
        depth=row.depth,
        width=width,
        same_answer=row.same_answer,
        drawing_error=row.drawing_error,
        saving_full=row.saving_full,
        saving_fixed=None if math.isinf(row.saving_fixed) else row.saving_fixed,
        saving_fixed_interval=(low, high),
    )
