"""The request for a plan: a budget in some unit, a cost model with its settings, a target and a latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from isocompute.errors import BudgetError, ConfigError
from isocompute.planner.budget import LARGEST_BUDGET, Budget, has_no_unit
from isocompute.planner.costs.devices import get_device
from isocompute.planner.costs.models import COUNTED_MODELS, MODEL_UNITS, PRICED_MODELS, UNIT_MODELS, check_cost_model
from isocompute.planner.costs.prices import PriceTable, load_litellm_prices, parse_prices, read_prices
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.costs.target import read_target
from isocompute.planner.profile import COUNTING_WAYS, Profile, check_costs
from isocompute.runners.parsing.printable import format_error_value

LARGEST_WHOLE_NUMBER = 10**12
WHOLE_NUMBERS = {"problems": "the number of problems", "batch": "the batch"}


@dataclass(frozen=True)
class PlanRequest:
    """The request for a plan.

    Args:
        budget: the budget; None if a target or a latency is the only limit.
        model: name of the cost model; None for the profile's own way of counting tokens.
        settings: prices, device and batch.
        lam: λ as a number, or a way of counting tokens; None for the profile's.
        rho: ρ; None for the profile's.
        problems: number of problems of the job, for which budgets are totals; None for budgets per problem.
        target: the accuracy to reach.
        latency: seconds until an answer.
        is_asked: whether the cost model was asked for; if not, it is that of the budget's unit.
    """

    budget: Budget | None
    model: str | None = None
    settings: CostSettings = field(default_factory=CostSettings)
    lam: float | str | None = None
    rho: float | None = None
    problems: int | None = None
    target: float | None = None
    latency: float | None = None
    is_asked: bool = False

    def name_model(self, profile: Profile) -> str:
        """Return the name of the cost model; a profile's own way of counting tokens if none was asked for."""
        if self.model is not None:
            return self.model
        way = self.lam if isinstance(self.lam, str) and self.lam in COUNTING_WAYS else profile.counting
        return next(name for name, counted in COUNTED_MODELS.items() if counted == way)


def build_request(
    budget: Budget | None,
    *,
    cost: str | None = None,
    prices: str | Mapping[str, Any] | None = None,
    device: str | None = None,
    batch: int | None = None,
    problems: int | None = None,
    target: float | str | None = None,
    latency: float | str | None = None,
    lam: float | str | None = None,
    rho: float | None = None,
) -> PlanRequest:
    """Check what a user asks for, and read the prices.

    Args:
        budget: the budget.
        cost: name of a cost model; the one of the budget's unit if not given.
        prices: a price file, or its content.
        device: name of a device.
        batch: number of requests that are decoded together.
        problems: number of problems of the job.
        target: the accuracy to reach, such as 0.6 or ``60%``.
        latency: seconds until an answer, as a number or as ``20 s``.
        lam: λ as a number, or a way of counting tokens.
        rho: ρ.

    Raises:
        BudgetError: a target or a latency cannot be read, or nothing limits the plan.
        ConfigError: arguments that do not fit together, or a cost model or device that is not known.
        DataError: the prices cannot be read.
    """
    if budget is None and target is None and latency is None:
        raise BudgetError("A plan needs a budget such as 128x, a target such as 0.6, or a latency such as 20 s.")
    count = check_whole_number(problems, "problems")
    check_costs(lam, rho)
    model = choose_cost_model(budget, cost, lam, rho)
    settings = complete_settings(read_settings(prices, device, batch), model)
    return PlanRequest(
        budget=budget,
        model=model,
        settings=settings,
        lam=lam,
        rho=rho,
        problems=count,
        target=None if target is None else read_target(target),
        latency=None if latency is None else read_latency(latency),
        is_asked=cost is not None,
    )


def read_settings(prices: object = None, device: str | None = None, batch: int | None = None) -> CostSettings:
    """Read the settings of cost models.

    Args:
        prices: a price file, or its content.
        device: name of a device.
        batch: number of requests that are decoded together.

    Raises:
        ConfigError: the device is not known, or the batch is not a whole number.
        DataError: the prices cannot be read.
    """
    count = check_whole_number(batch, "batch")
    table = read_price_table(prices)
    return CostSettings(table, None if device is None else get_device(device), count)


def complete_settings(settings: CostSettings, model: str | None) -> CostSettings:
    """Return settings with public prices where a cost model needs prices and none are given.

    Raises:
        ConfigError: the cost model needs a device, or there are no public prices.
    """
    if settings.device is None and model == "kv":
        raise ConfigError("The cost model kv needs a device: --device h100 (device= in Python).")
    if settings.prices is None and model == "dollars":
        return replace(settings, prices=load_litellm_prices())
    return settings


def choose_cost_model(
    budget: Budget | None, cost: str | None, lam: float | str | None, rho: float | None
) -> str | None:
    """Return the cost model of a budget; None for the profile's own way of counting tokens.

    Raises:
        ConfigError: the model does not price the budget's unit, or λ or ρ is given for a model that has its own.
    """
    unit = None if budget is None else budget.unit
    model = None if cost is None else check_cost_model(cost)
    if budget is not None and budget.model is not None:
        if model not in (None, budget.model):
            raise ConfigError(f"The budget '{budget.text}' is priced by {budget.model}, and the cost model is {model}.")
        model = budget.model
    if unit in (None, "x", "s"):
        model = model or (UNIT_MODELS["s"] if unit == "s" else None)
    elif model is None:
        model = None if unit == "tokens" else UNIT_MODELS[str(unit)]
    elif MODEL_UNITS[model] != ("FLOPs" if unit == "gpu-hours" else unit):
        fitting = [name for name in MODEL_UNITS if MODEL_UNITS[name] == ("FLOPs" if unit == "gpu-hours" else unit)]
        raise ConfigError(
            f"A budget in {unit} is priced by {' or '.join(fitting)}; the cost model {model} prices "
            f"{MODEL_UNITS[model]}."
        )
    if model in PRICED_MODELS and (lam is not None or rho is not None):
        name = "λ (--lambda, lam=)" if lam is not None else "ρ (--rho, rho=)"
        raise ConfigError(f"{name} and the cost model {model} both say what a request costs; leave one of them out.")
    if model in COUNTED_MODELS and lam is not None and lam != COUNTED_MODELS[str(model)]:
        raise ConfigError(
            f"λ (--lambda, lam=) is given as {format_error_value(lam)} and the cost model as "
            f"{model}; leave one of them out."
        )
    return model


def read_price_table(prices: object) -> PriceTable | None:
    """Return the prices in a file, or in a mapping that has its content; None without.

    Raises:
        DataError: they cannot be read.
    """
    if prices is None or isinstance(prices, PriceTable):
        return prices
    if isinstance(prices, Mapping):
        return parse_prices(dict(prices), "prices")
    return read_prices(str(prices))


def check_whole_number(value: object, name: str) -> int | None:
    """Return a whole number of at least 1, or None.

    Raises:
        ConfigError: it is neither.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(
            f"{name} is {format_error_value(value)}; {WHOLE_NUMBERS[name]} must be a whole number of at least 1."
        )
    if value > LARGEST_WHOLE_NUMBER:
        raise ConfigError(
            f"{name} is {format_error_value(value)}; {WHOLE_NUMBERS[name]} must be at most {LARGEST_WHOLE_NUMBER:,}."
        )
    return value


def read_latency(latency: object) -> float:
    """Return a latency in seconds, from a number or a text such as ``20 s``.

    Raises:
        BudgetError: it is neither.

    >>> read_latency("20 s"), read_latency("20"), read_latency(1.5)
    (20.0, 20.0, 1.5)
    """
    if isinstance(latency, str):
        parsed = Budget.parse(f"{latency} s" if has_no_unit(latency) else latency)
        if parsed.unit == "s":
            return parsed.multiple
    elif isinstance(latency, int | float) and not isinstance(latency, bool) and 0 < latency <= LARGEST_BUDGET:
        return float(latency)
    raise BudgetError(f"The latency {format_error_value(latency)} must be seconds above zero, such as 20 s.")
