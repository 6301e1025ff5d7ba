"""The policy that answers questions: by name and threshold, or as a plan measured it."""

from __future__ import annotations

import math
from pathlib import PurePosixPath

from isocompute.errors import BudgetError, ConfigError
from isocompute.fits.policies.policy import VALUE, Policy
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.fits.policies.value_model import ValueModel
from isocompute.planner.budget import format_compute
from isocompute.planner.plan import Plan
from isocompute.planner.policies.plan_policies import PolicyOption
from isocompute.runners.parsing.printable import format_error_value

MOST_SOLUTIONS_OF_POLICY = 10_000
"""The most solutions that a policy may sample of a question, whatever the budget."""


def is_policy_file(policy: str) -> bool:
    """Return whether a policy is named by its file.

    >>> is_policy_file("policy.json"), is_policy_file("beta")
    (True, False)
    """
    return PurePosixPath(policy).suffix.lower() == ".json"


def check_rule(name: str, lam: float | None, has_verifier: bool) -> None:
    """Raise unless a rule is known and can be carried out.

    Raises:
        ConfigError: it is not, or it verifies without a verifier or a known λ.
    """
    if name not in STOP_RULES:
        if name == VALUE:
            raise ConfigError(
                "The policy value is learnt: it comes from a profile that has it, without a threshold, or from a file "
                "of isocompute policies RUN --rule value -o policy.json."
            )
        raise ConfigError(
            f"The policy {format_error_value(name)} is unknown; there are: {', '.join((*STOP_RULES, VALUE))}, and "
            "files of isocompute policies RUN -o policy.json."
        )
    if STOP_RULES[name].is_weighted and not has_verifier:
        raise ConfigError(f"The policy {name} verifies solutions, and no verifier is given.")
    if STOP_RULES[name].is_weighted and lam is None:
        raise ConfigError(f"The policy {name} needs λ, the cost of a verification, which the profile does not have.")


def build_policy(name: str, threshold: float, budget: float, lam: float | None, has_verifier: bool) -> Policy:
    """Return a policy whose full budget is what a budget pays for.

    Args:
        name: the rule.
        threshold: the value of its parameter at which it stops.
        budget: the most compute of a question, in x.
        lam: λ; None if it is unknown.
        has_verifier: whether there is a model that verifies.

    Raises:
        ConfigError: the rule is unknown, or verifies without a verifier or a known λ.
        BudgetError: the budget does not pay for one solution.
    """
    check_rule(name, lam, has_verifier)
    price = 1 + (lam or 0.0) if STOP_RULES[name].is_weighted else 1.0
    most = min(math.floor(budget / price * (1 + 1e-12)), MOST_SOLUTIONS_OF_POLICY)
    if most < 1:
        raise BudgetError(
            f"The budget is {format_compute(budget)}, and one solution of the policy {name} costs "
            f"{format_compute(price)}; give at least that."
        )
    return Policy(name, threshold, most, lam if STOP_RULES[name].is_weighted else None)


def choose_measured_policy(name: str, plan: Plan, has_verifier: bool) -> tuple[Policy, PolicyOption]:
    """Return a rule at the threshold and limit whose mean compute is within a plan's budget, and what the plan says.

    Raises:
        ConfigError: the rule is unknown, cannot be carried out, or was not measured within the budget.
    """
    option = next((each for each in plan.policies if each.rule == name), None)
    if name != VALUE or option is None:
        check_rule(name, plan.lam, has_verifier)
    if option is None:
        raise ConfigError(
            f"The profile '{plan.profile_name}' has no measurement of the policy {name} within "
            f"{format_compute(plan.budget)}; give --threshold (threshold= in Python), the "
            f"{STOP_RULES[name].parameter}."
        )
    if not can_carry_out(option, has_verifier):
        raise ConfigError(f"The policy {name} of the profile verifies solutions, and no verifier is given.")
    lam = plan.lam if option.most_verifications else None
    if option.answer_model is not None:
        model = ValueModel.from_dict(option.answer_model)
        return Policy(name, option.threshold, option.limit, lam, model), option
    # Profiles without limits have that of the full budget, also where the threshold is the limit.
    most = min(option.limit, math.ceil(option.threshold)) if STOP_RULES[name].is_limit else option.limit
    return Policy(name, option.threshold, most, lam), option


def can_carry_out(option: PolicyOption, has_verifier: bool) -> bool:
    """Return whether a measured rule is known here, and has the verifier that it needs."""
    is_known = option.rule in STOP_RULES or (option.rule == VALUE and option.answer_model is not None)
    return is_known and (has_verifier or not option.most_verifications)


def describe_policy(policy: Policy) -> str:
    """Return a policy with its numbers in words."""
    times = {0: "", 1: ", each verified once"}.get(policy.verifications, f" × {policy.verifications} verifications")
    return f"{policy.rule} at {policy.threshold:g}, at most {policy.solutions} solutions{times}"
