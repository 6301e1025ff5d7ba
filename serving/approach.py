"""The approach to questions: a plan's fixed allocation, a rule at the plan's threshold, or a policy file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isocompute.errors import BudgetError, ConfigError
from isocompute.fits.policies.policy import Policy
from isocompute.planner.budget import Budget
from isocompute.planner.costs.request import build_request
from isocompute.planner.plan import Plan
from isocompute.planner.policies.policy_file import read_policy_file
from isocompute.planner.priced_plan import make_priced_plan
from isocompute.planner.profile import Profile
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.config.sweep_reading import build_sweep
from isocompute.runners.config.tasks import FileTask
from isocompute.serving.fixed_allocation import FixedStrategy, build_fixed_sweep, list_carried_strategies
from isocompute.serving.policy_choice import build_policy, choose_measured_policy, describe_policy, is_policy_file
from isocompute.serving.sampling_settings import SamplingSettings


@dataclass(frozen=True)
class SolveRequest:
    """A request for answers.

    Args:
        questions: a file of questions, the text of one, or several texts.
        run: the run that the rows go into.
        profile: the profile.
        budget: compute of a question: of an allocation, of a policy on average, and at most of a policy whose threshold
            is given; None only with a policy file.
        policy: name of a rule, or a policy file; the plan's recommended allocation if None.
        threshold: the rule's; the profile's for the budget if None.
        config: a sweep file, a run or a mapping with models and prompts; those of the profile if None.
        engine: the engine to use instead.
        urls: addresses of servers.
        prices: prices of tokens, for budgets in dollars.
        columns: a file's column → ``question``, ``answer`` or ``id``.
        answers: where the table of answers goes; ``answers.csv`` in the run's folder if None.
        width: solutions of a question that a policy samples side by side.
        seed: of all draws.
        keep_going: whether to go on even if none of the first answers can be read.
    """

    questions: str | os.PathLike[str] | Sequence[str]
    run: str
    profile: Profile
    budget: Budget | None
    policy: str | None = None
    threshold: float | None = None
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None
    engine: str | None = None
    urls: Sequence[str] = ()
    prices: str | Mapping[str, Any] | None = None
    columns: Mapping[str, str] | None = None
    answers: str | None = None
    width: int = 1
    seed: int = 0
    keep_going: bool = False


@dataclass(frozen=True)
class Approach:
    """A fixed strategy or a policy that is carried out, and what is expected of it.

    Args:
        fixed: the strategy with its numbers; None of a policy.
        policy: the policy; None of a fixed strategy.
        budget: the compute of a question that was asked for, in x; None of a policy file.
        expected_accuracy: accuracy to expect on new problems; None if it was not measured.
        expected_compute: mean compute of a question to expect, in x; None likewise.
        notes: sentences for the reader.
    """

    fixed: FixedStrategy | None
    policy: Policy | None
    budget: float | None
    expected_accuracy: float | None = None
    expected_compute: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The strategy or the rule."""
        return self.fixed.name if self.fixed is not None else self._require_policy().rule

    @property
    def settings(self) -> str:
        """Its numbers, in words."""
        if self.fixed is not None:
            return self.fixed.settings
        return describe_policy(self._require_policy()).partition(" ")[2]

    def build_sweep(self, settings: SamplingSettings, request: SolveRequest, task: FileTask) -> Sweep:
        """Return the sweep that bounds the rows.

        Args:
            settings: models and prompts.
            request: gives the run and the seed.
            task: the block of the questions.
        """
        if self.fixed is not None:
            return build_sweep(build_fixed_sweep(settings, self.fixed, request.run, task, request.seed))
        policy, content = self._require_policy(), dict(settings.content)
        content |= {"run": request.run, "seed": request.seed, "solutions": policy.solutions}
        content |= {"task": task.model_dump(mode="json", exclude_defaults=True)}
        content.pop("scorer", None)
        if policy.verifications:
            content["verifications"] = policy.verifications
        else:
            content.pop("verifier", None)
        return build_sweep(content)

    def _require_policy(self) -> Policy:
        assert self.policy is not None, "either a policy or a fixed allocation is carried out"
        return self.policy


def choose_approach(request: SolveRequest, settings: SamplingSettings) -> Approach:
    """Choose what is carried out.

    Raises:
        ConfigError: the policy is unknown, nothing can be carried out, or two arguments do not fit together.
        DataError: the policy file or the prices cannot be read.
        BudgetError: there is no budget, or it does not pay for one solution.
    """
    has_verifier = settings.sweep.verifier is not None
    if request.policy is not None and is_policy_file(request.policy):
        return take_policy_file(request, settings)
    if request.budget is None:
        raise BudgetError("Give a budget, such as 32x; only a policy file has its own.")
    prices = os.fspath(request.prices) if isinstance(request.prices, os.PathLike) else request.prices
    priced = build_request(request.budget, prices=prices)
    plan = make_priced_plan(request.profile, priced)
    if request.policy is None:
        if request.threshold is not None:
            raise ConfigError(
                "--threshold (threshold= in Python) belongs to a policy; name one with --policy (policy=)."
            )
        plan, notes = choose_feasible_plan(plan, request.profile, settings, priced)
        best = plan.recommendation
        fixed = FixedStrategy(best.strategy, best.numbers, request.profile.odds_exponent or 1.0)
        return Approach(fixed, None, plan.budget, plan.expected_accuracy, best.compute, notes)
    if request.threshold is not None:
        policy = build_policy(request.policy, request.threshold, plan.budget, plan.lam, has_verifier)
        return Approach(None, policy, plan.budget)
    policy, option = choose_measured_policy(request.policy, plan, has_verifier)
    return Approach(None, policy, plan.budget, option.accuracy, option.compute)


def choose_feasible_plan(
    plan: Plan, profile: Profile, settings: SamplingSettings, priced: Any
) -> tuple[Plan, tuple[str, ...]]:
    """Return a plan whose recommendation can be carried out with these models, and a note if it is another one."""
    carried, first = list_carried_strategies(profile, settings), plan.recommendation
    if first.strategy in carried:
        return plan, ()
    strategies = {name: profile.strategies[name] for name in carried}
    limited = profile.model_copy(update={"strategies": strategies, "extrapolations": {}, "policies": {}})
    plan = make_priced_plan(limited, priced)
    best = plan.recommendation
    note = (
        f"The plan recommends {first.strategy} {first.settings}, which cannot be carried out with these models; "
        f"carried out is the best that can: {best.strategy} {best.settings}."
    )
    return plan, (note,)


def take_policy_file(request: SolveRequest, settings: SamplingSettings) -> Approach:
    """Return the approach of a policy file, which has its own threshold and full budget.

    Raises:
        ConfigError: a budget or a threshold is given beside it, or there is no verifier.
        DataError: it cannot be read.
    """
    assert request.policy is not None, "the caller knows that it is a file"
    if request.budget is not None or request.threshold is not None:
        raise ConfigError(f"The policy file '{request.policy}' has its own budget and threshold; leave both out.")
    content = read_policy_file(request.policy)
    policy = content.to_policy()
    if policy.verifications and settings.sweep.verifier is None:
        raise ConfigError(f"The policy {policy.rule} verifies solutions, and no verifier is given.")
    notes = []
    for role, model in (("solver", settings.sweep.solver), ("verifier", settings.sweep.verifier)):
        learnt = content.models.get(role)
        if model is not None and learnt is not None and learnt.name not in (None, model.model):
            notes.append(f"The policy was learnt with the {role} '{learnt.name}', and '{model.model}' is used.")
    measured = content.measured
    return Approach(None, policy, None, measured.accuracy, measured.compute, tuple(notes))
