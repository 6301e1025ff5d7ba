"""The plan of a request: a fixed allocation, or a policy within the budget."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from isocompute.errors import IsocomputeError
from isocompute.fits.choice.recommendation import EQUIVALENCE_MARGIN
from isocompute.fits.policies.policy import Policy
from isocompute.planner.budget import Budget, format_compute
from isocompute.planner.costs.request import build_request
from isocompute.planner.costs.usage import measure_usage
from isocompute.planner.plan import Plan
from isocompute.planner.policies.policy_file import PolicyFile
from isocompute.planner.priced_plan import make_priced_plan
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.registry import STRATEGIES
from isocompute.serving.endpoint.allocation import Decider, FixedAllocation
from isocompute.serving.endpoint.errors import ApiError
from isocompute.serving.endpoint.ledger import Prices
from isocompute.serving.endpoint.options import AUTO, FIXED, OFF, Options, refuse_option
from isocompute.serving.policy_choice import build_policy, can_carry_out, choose_measured_policy

MOST_PLANS = 256
"""Plans that are kept; a budget is rounded down to three digits, so that few are made."""

SERVED_NEEDS = {"verifier": "verifications", "scorer": "scores"}
"""Role → what its server gives to strategies that need it."""

PUBLISHED_THRESHOLDS = {"beta": 0.95, "weighted-beta": 0.95, "doubling": 0.75, "window": 5.0}
"""Rule → the threshold of its publication, for a rule without one; ``certain`` has none to choose."""


@dataclass(frozen=True)
class Spending:
    """The way in which a request's compute is spent.

    Args:
        decider: decides the steps and the answer.
        name: its name and numbers.
        most: the most compute, in x, if every call is as long as it is on average; None if λ is unknown.
        mean: the compute on average over the profile's problems, in x; None if it was not measured.
        calls: the number of calls on average, likewise.
        accuracy: the accuracy to expect, 0 … 1; None if it is not known.
        notes: what the client should know.
    """

    decider: Decider
    name: str
    most: float | None
    mean: float | None
    calls: float | None
    accuracy: float | None
    notes: tuple[str, ...] = ()


SINGLE_CALL = Spending(FixedAllocation("sc", 1), OFF, 1.0, 1.0, 1.0, None)
"""One call, that is passed through."""


@dataclass(frozen=True)
class Defaults:
    """The choices of the server where a request does not say.

    Args:
        budget: compute of a request.
        policy: a rule, ``auto``, ``fixed`` or ``off``.
        threshold: the rule's.
        most_budget: the most compute that a request may ask for, in x.
        prices, device, batch: settings of the cost models, as of ``isocompute plan``.
    """

    budget: Budget
    policy: str = AUTO
    threshold: float | None = None
    most_budget: float = 256.0
    prices: str | None = None
    device: str | None = None
    batch: int | None = None


@dataclass
class PlanBook:
    """The plans of a server, made from its profile and kept.

    Args:
        profile: the measurements.
        roles: the roles that have a server.
        defaults: what is done where a request does not say.
        policy_file: a policy from a file; requests may name its rule.
    """

    profile: Profile
    roles: Collection[str]
    defaults: Defaults
    policy_file: PolicyFile | None = None
    _plans: OrderedDict[Options, asyncio.Future[Plan]] = field(default_factory=OrderedDict)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "plans"))

    def __post_init__(self) -> None:
        known = self.profile.strategies
        self.profile = keep_served_strategies(self.profile, self.roles)
        self.left_out = [name for name in known if name not in self.profile.strategies]
        """The strategies of the profile that the servers here cannot carry out."""

    async def find_spending(self, options: Options) -> Spending:
        """Return how a request's compute is spent; a plan is made in a thread, once.

        Raises:
            ApiError: 400, the budget or the target cannot be met.
        """
        if self.choose_policy(options) == OFF:
            return SINGLE_CALL
        key = round_options(options)
        if key not in self._plans:
            self._plans[key] = asyncio.get_running_loop().run_in_executor(self._thread, self.make_plan, key)
            while len(self._plans) > MOST_PLANS:
                self._plans.popitem(last=False)
        self._plans.move_to_end(key)
        return self.make_spending(await asyncio.shield(self._plans[key]), options)

    def choose_policy(self, options: Options) -> str:
        """Return the name of a request's policy.

        Raises:
            ApiError: 400, a threshold is given, and the policy is no rule.
        """
        chosen = options.policy or self.defaults.policy
        if options.threshold is not None and chosen in (AUTO, FIXED, OFF):
            raise refuse_option("isocompute.threshold", f"belongs to a rule, and the policy is {chosen}; name a rule")
        return chosen

    def make_spending(self, plan: Plan, options: Options) -> Spending:
        """Return how the budget of a plan is spent.

        Raises:
            ApiError: 400, the policy cannot be carried out.
        """
        chosen = self.choose_policy(options)
        if chosen == FIXED:
            return self.describe_allocation(plan)
        try:
            if chosen == AUTO:
                return self.choose_cheapest(plan)
            return self.describe_policy(chosen, options.threshold, plan)
        except IsocomputeError as error:
            raise ApiError(400, str(error), param="isocompute.policy", code="no_policy") from None

    def make_plan(self, options: Options) -> Plan:
        """Return the plan of a request's budget or target.

        Raises:
            ApiError: 400, there is none, or the budget is larger than the server allows.
        """
        try:
            plan = self.compute_plan(options)
        except IsocomputeError as error:
            param = "isocompute.target" if options.target is not None else "isocompute.budget"
            raise ApiError(400, str(error), param=param, code="no_plan") from None
        most = self.defaults.most_budget
        if plan.budget > most * (1 + 1e-9):
            raise ApiError(
                400,
                f"The budget is {format_compute(plan.budget)}; this server allows at most {format_compute(most)} a "
                "request.",
                param="isocompute.budget",
                code="budget_too_large",
            )
        return plan

    def compute_plan(self, options: Options) -> Plan:
        """Return the plan, whatever the server allows."""
        defaults = self.defaults
        budget = options.budget or (defaults.budget if options.target is None else Budget(defaults.most_budget))
        request = build_request(
            budget,
            prices=defaults.prices,
            device=defaults.device,
            batch=defaults.batch,
            target=options.target,
        )
        return make_priced_plan(self.profile, request)

    def describe_allocation(self, plan: Plan) -> Spending:
        """Return the plan's recommendation."""
        best = plan.recommendation
        S, V = best.numbers["S"], best.numbers.get("V", 0)
        trust = self.profile.odds_exponent or 1.0
        decider = FixedAllocation(best.strategy, S, V, trust)
        most = compute_most(S, V, self.profile.lam, self.rho if decider.is_scored else 0.0)
        name, calls = f"{best.strategy} {best.settings}", float(S + S * V + S * decider.is_scored)
        return Spending(decider, name, most, best.compute, calls, plan.expected_accuracy)

    def choose_cheapest(self, plan: Plan) -> Spending:
        """Return the cheapest of the allocation and the measured rules, within half a point of the most accurate."""
        options = [self.describe_allocation(plan)]
        for option in plan.policies:
            if can_carry_out(option, "verifier" in self.roles):
                options.append(self.describe_measured(option.rule, plan))
        known = [option for option in options if option.accuracy is not None and option.mean is not None]
        if not known:
            return options[0]
        most = max(option.accuracy or 0.0 for option in known)
        near = [option for option in known if (option.accuracy or 0.0) >= most - EQUIVALENCE_MARGIN]
        return min(near, key=lambda option: option.mean or 0.0)

    def describe_policy(self, rule: str, threshold: float | None, plan: Plan) -> Spending:
        """Return a policy for the plan's budget.

        Without a threshold the profile's is taken, at which the mean compute is within the budget. With one, or if the
        profile did not measure the rule, the budget is the most compute.

        Raises:
            ApiError: 400, the rule is learnt and its file was not given.
            ConfigError: the rule verifies, and there is no verifier.
            BudgetError: the budget does not pay for one solution.
        """
        if self.policy_file is not None and rule == self.policy_file.rule:
            return self.describe_file(self.policy_file, threshold, plan)
        if threshold is None and rule == self.defaults.policy:
            threshold = self.defaults.threshold
        if threshold is None and any(option.rule == rule for option in plan.policies):
            return self.describe_measured(rule, plan)
        notes: list[str] = []
        if threshold is None and rule in PUBLISHED_THRESHOLDS:
            threshold = PUBLISHED_THRESHOLDS[rule]
            notes.append(f"The threshold {threshold:g} of {rule} is the published one, not learnt on this task.")
        lam, has_verifier = self.profile.lam, "verifier" in self.roles
        policy = build_policy(rule, 1.0 if threshold is None else threshold, plan.budget, lam, has_verifier)
        if threshold is None:  # `certain`, whose threshold is the full budget
            policy = replace(policy, threshold=float(policy.solutions))
        return self._build_spending(policy, None, None, None, notes)

    def describe_measured(self, rule: str, plan: Plan) -> Spending:
        """Return a rule at the profile's threshold for a mean budget.

        Raises:
            ConfigError: it cannot be carried out.
        """
        policy, option = choose_measured_policy(rule, plan, "verifier" in self.roles)
        calls = option.solutions + option.verifications
        return self._build_spending(policy, option.compute, calls, option.accuracy, [])

    def describe_file(self, file: PolicyFile, threshold: float | None, plan: Plan) -> Spending:
        """Return the policy of a file: as it was measured, if its mean compute is within the plan's budget.

        Otherwise, or with another threshold, the budget is the most compute, and limits its solutions.

        Raises:
            ApiError: 400, it verifies, and there is no verifier.
            DataError: it cannot be carried out.
        """
        policy = file.to_policy()
        if policy.verifications and "verifier" not in self.roles:
            raise ApiError(
                400, f"The policy {file.rule} verifies, and there is no verifier.", param="isocompute.policy"
            )
        measured = file.measured
        if threshold is None and measured.compute <= plan.budget * (1 + 1e-12):
            calls = measured.solutions + measured.verifications
            return self._build_spending(policy, measured.compute, calls, measured.accuracy, [])
        notes: list[str] = []
        if threshold is not None:
            policy = replace(policy, threshold=threshold)
            notes.append(f"The policy was measured with the threshold {file.threshold:g}.")
        price = 1 + (policy.lam or 0.0) * policy.verifications_per_solution
        most = max(1, math.floor(plan.budget / price * (1 + 1e-12)))
        if most < policy.solutions:
            notes.append(
                f"The policy was measured with at most {policy.solutions} solutions; the budget pays for {most}."
            )
            policy = replace(policy, solutions=most)
        return self._build_spending(policy, None, None, None, notes)

    def _build_spending(
        self, policy: Policy, mean: float | None, calls: float | None, accuracy: float | None, notes: list[str]
    ) -> Spending:
        most = compute_most(policy.solutions, policy.verifications_per_solution, self.profile.lam)
        name = f"{policy.rule} {policy.threshold:g} within S={policy.solutions}"
        return Spending(policy, name, most, mean, calls, accuracy, tuple(notes))

    @property
    def rho(self) -> float | None:
        """ρ, the cost of scoring a solution in solutions; None if it is unknown."""
        return self.profile.rhos.get("completion")

    def read_prices(self) -> Prices:
        """Return what the tokens of each role cost, from the profile; a scorer has those of the solutions it reads."""
        tokens = {}
        for role, usage in measure_usage(self.profile).items():
            if usage.completion is not None and usage.completion.mean() > 0:
                tokens[role] = float(usage.completion.mean())
        tokens |= {"scorer": tokens["solver"]} if "solver" in tokens else {}
        return Prices(tokens, {"solver": 1.0, "verifier": self.profile.lam, "scorer": self.rho})


def compute_most(solutions: float, verifications: float, lam: float | None, rho: float | None = 0.0) -> float | None:
    """Return the compute of S solutions with V verifications each, S(1 + λV + ρ); None if what is needed is unknown.

    >>> compute_most(4, 2, 0.5), compute_most(4, 0, None, 1.5)
    (8.0, 10.0)
    """
    if rho is None or (verifications and lam is None):
        return None
    return float(solutions * (1 + (lam or 0.0) * verifications + rho))


def keep_served_strategies(profile: Profile, roles: Collection[str]) -> Profile:
    """Return a profile with the strategies alone that the servers can carry out.

    >>> from isocompute.planner.profile import read_profile
    >>> list(keep_served_strategies(read_profile("lab"), ["solver"]).strategies)
    ['sc']
    """
    needs = {"solutions"} | {need for role, need in SERVED_NEEDS.items() if role in roles}
    kept = {name: part for name, part in profile.strategies.items()
            if name in STRATEGIES and STRATEGIES[name].needs in needs}  # fmt: skip
    return profile.model_copy(update={"strategies": kept})


def round_options(options: Options) -> Options:
    """Return what a plan depends on, with the budget rounded down to three digits and the target up.

    >>> round_options(Options(Budget(16.557), deadline=3.0, target=0.5001)).budget, round_options(Options()).target
    (Budget(multiple=16.5, of_plateau=False, unit='x'), None)
    """
    budget, target = options.budget, options.target
    if budget is not None:
        digits = min(2 - math.floor(math.log10(budget.multiple)), 308)  # 10**309 is no float
        scale = 10.0**digits
        rounded = math.floor(budget.multiple * scale * (1 + 1e-12)) / scale if 0 < scale < math.inf else budget.multiple
        budget = replace(budget, multiple=rounded or budget.multiple)
    if target is not None:
        target = min(math.ceil(target * 1000 - 1e-9) / 1000, 0.999)
    return Options(budget, target=target)
