"""The policy that answers questions, from its name and a budget."""

from __future__ import annotations

import math

from isocompute.errors import BudgetError, ConfigError
from isocompute.fits.policies.policy import Policy
from isocompute.fits.policies.registry import STOP_RULES
from isocompute.planner.budget import format_compute
from isocompute.planner.profile import Profile
from isocompute.runners.parsing.printable import format_error_value

MOST_SOLUTIONS_OF_POLICY = 10_000
"""The most solutions that a policy may sample of a question, whatever the budget."""


def build_policy(name: str, threshold: float | None, budget: float, profile: Profile, has_verifier: bool) -> Policy:
    """Return a policy whose full budget is what a budget pays for.

    Args:
        name: the rule.
        threshold: the value of its parameter at which it stops; ``certain`` needs none.
        budget: the most compute of a question, in x.
        profile: gives λ.
        has_verifier: whether there is a model that verifies.

    Raises:
        ConfigError: the rule is unknown, has no threshold, or verifies without a verifier or a known λ.
        BudgetError: the budget does not pay for one solution.
    """
    if name not in STOP_RULES:
        raise ConfigError(f"The policy {format_error_value(name)} is unknown; there are: {', '.join(STOP_RULES)}.")
    rule, lam = STOP_RULES[name], None
    if rule.is_weighted:
        if not has_verifier:
            raise ConfigError(f"The policy {name} verifies solutions, and no verifier is given.")
        if profile.lam is None:
            raise ConfigError(
                f"The policy {name} needs λ, the cost of a verification, which the profile does not have."
            )
        lam = profile.lam
    price = 1 + (lam or 0.0)
    most = min(math.floor(budget / price * (1 + 1e-12)), MOST_SOLUTIONS_OF_POLICY)
    if most < 1:
        raise BudgetError(
            f"The budget is {format_compute(budget)}, and one solution of the policy {name} costs "
            f"{format_compute(price)}; give at least that."
        )
    if threshold is None and name != "certain":
        raise ConfigError(f"The policy {name} needs --threshold, the {rule.parameter}.")
    return Policy(name, float(most) if threshold is None else threshold, most, lam)


def describe_policy(policy: Policy) -> str:
    """Return a policy with its numbers in words."""
    verified = ", each verified once" if policy.verifications else ""
    return f"{policy.rule} at {policy.threshold:g}, at most {policy.solutions} solutions{verified}"
