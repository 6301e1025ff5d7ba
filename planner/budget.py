"""Budgets in the form that users write them: ``128x``, ``3.2M tokens``, ``2e15 FLOPs``, ``$0.02``, ``20 s``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from isocompute.errors import BudgetError

BUDGET_PATTERN = re.compile(
    r"\s*(?P<sign>\$?)\s*(?P<number>[+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,30})?(?:e[+-]?\d{1,3})?)\s*"
    r"(?P<unit>[^\s\d,._](?:.*\S)?)?\s*",
    re.ASCII | re.IGNORECASE,
)

UNIT_PATTERNS = {
    "x": re.compile(r"x"),
    "x-plateau": re.compile(r"x-plateau"),
    "tokens": re.compile(r"(?P<scale>[kmbgt]?) ?tokens?"),
    "FLOPs": re.compile(r"(?P<scale>[kmbgtpez]?) ?flops?"),
    "$": re.compile(r"\$|dollars?|usd"),
    "s": re.compile(r"s|sec|seconds?"),
    "gpu-hours": re.compile(r"gpu[- ](?:h|hours?)"),
}
"""The ways to write each unit, in lower case; a scale is a prefix such as M for million."""

SCALES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18, "z": 1e21}

LARGEST_BUDGET, LARGEST_BUDGETS = 1e18, {"FLOPs": 1e36}
"""The largest amounts of budgets, of all units and of some."""

COST_WORDS = {
    "prompts": "with prompts",
    "cached": "with uncached prompts",
    "kv": "with KV reads",
    "seconds": "until the answer",
}
"""By cost model, words that are added to an amount whose unit does not say it all."""

_WORDED_UNITS = {"prompts": "tokens", "cached": "tokens", "kv": "FLOPs", "seconds": "s"}

JOB_UNITS = ("tokens", "FLOPs", "$", "gpu-hours")
"""The units that are totals of a job where a number of problems is given; x and seconds are of one problem."""


@dataclass(frozen=True)
class Budget:
    """A budget: compute per problem, or of a job.

    ``128x`` is the compute of 128 solutions. ``128x-plateau`` is 128 times the compute at which self-consistency
    flattens, which is what "128x" means in Singhi et al. 2025. The other units are priced by a cost model, see
    `isocompute.planner.costs`.

    Args:
        multiple: the number before the unit.
        of_plateau: whether the unit is SC's plateau rather than one solution.
        unit: ``x``, ``tokens``, ``FLOPs``, ``$``, ``s`` (latency of one answer) or ``gpu-hours``.
        model: the cost model that the words after the unit name, such as "with prompts"; None without them.
    """

    multiple: float
    of_plateau: bool = False
    unit: str = "x"
    model: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Parse a budget.

        Raises:
            BudgetError: the text is not a number with a known unit, or the number is not above zero.

        >>> Budget.parse("128x")
        Budget(multiple=128.0, of_plateau=False, unit='x')
        >>> Budget.parse("4x-plateau").to_solutions(plateau=32)
        128.0
        >>> Budget.parse("46,690 tokens with prompts").model, Budget.parse("19.6 s until the answer").text
        ('prompts', '19.6 s until the answer')
        >>> Budget.parse("3.2M tokens").text, Budget.parse("$1,200").text, Budget.parse("2 PFLOPs").text
        ('3.2M tokens', '$1,200', '2e+15 FLOPs')
        """
        match = BUDGET_PATTERN.fullmatch(text)
        if match is None:
            raise BudgetError(f"The budget '{text}' cannot be read; write it as 128x, 128x-plateau, $0.02 or 20 s.")
        number, written = float(match["number"].replace(",", "")), (match["unit"] or "")
        if match["sign"]:
            written = f"$ {written}" if written else "$"
        written, model = split_cost_words(written)
        unit, scale = find_budget_unit(written)
        if unit is None:
            unit_text = f"the unit '{written}'" if written else "no unit"
            raise BudgetError(
                f"The budget '{text}' has {unit_text}; write {number:g}x (solutions' worth), {number:g}x-plateau "
                "(times SC's plateau), or an amount of tokens, FLOPs, $, s or gpu-hours."
            )
        if not number > 0:
            one = "; 1x is one solution" if unit.startswith("x") else ""
            raise BudgetError(f"The budget '{text}' must be above zero{one}.")
        if number * scale > (most := LARGEST_BUDGETS.get(unit, LARGEST_BUDGET)):
            raise BudgetError(f"The budget '{text}' is too large; the most is {most:g}.")
        return cls(number * scale, unit == "x-plateau", "x" if unit == "x-plateau" else unit, model)

    @property
    def text(self) -> str:
        """The budget as `parse` reads it."""
        if self.of_plateau:
            return f"{self.multiple:,.6g}x-plateau"
        words = "" if self.model is None else f" {COST_WORDS[self.model]}"
        return f"{format_amount(self.multiple, self.unit)}{words}"

    def to_solutions(self, plateau: float | None) -> float:
        """Return the budget in x, the compute of one solution.

        Args:
            plateau: the compute at which SC flattens, in x; None if it is unknown.

        Raises:
            BudgetError: the budget does not pay for one solution, is a multiple of an unknown plateau, or has another
                unit than x.
        """
        if self.unit != "x":
            raise BudgetError(f"The budget '{self.text}' must be in solutions' worth, such as 128x.")
        if self.of_plateau and plateau is None:
            raise BudgetError(
                f"SC's plateau is unknown, as SC was measured at one solution only; write {self.multiple:g}x "
                "(solutions' worth)."
            )
        x = self.multiple * (plateau or 1) if self.of_plateau else self.multiple
        if x < 1:
            raise BudgetError(f"A budget of {x:.12g}x does not pay for one solution; the least is 1x.")
        return x


def split_cost_words(written: str) -> tuple[str, str | None]:
    """Split words such as "with prompts" from a unit, and return the unit and the cost model that they name.

    >>> split_cost_words("M tokens with uncached prompts"), split_cost_words("with prompts"), split_cost_words("x")
    (('M tokens', 'cached'), ('with prompts', None), ('x', None))
    """
    plain = " ".join(written.split())
    for model, words in COST_WORDS.items():
        unit = plain[: -len(words)].strip()
        pattern = UNIT_PATTERNS[_WORDED_UNITS[model]]
        if plain.lower().endswith(words.lower()) and pattern.fullmatch(unit.lower()):
            return unit, model
    return written, None


def find_budget_unit(written: str) -> tuple[str | None, float]:
    """Return the unit that a text means, and the factor of its prefix; None for an unknown one.

    >>> find_budget_unit("M tokens"), find_budget_unit("PFLOPs"), find_budget_unit("gpu hours"), find_budget_unit("h")
    (('tokens', 1000000.0), ('FLOPs', 1000000000000000.0), ('gpu-hours', 1.0), (None, 1.0))
    """
    plain = " ".join(written.lower().split())
    for unit, pattern in UNIT_PATTERNS.items():
        if (match := pattern.fullmatch(plain)) is not None:
            return unit, SCALES[match.groupdict().get("scale") or ""]
    return None, 1.0


def format_amount(amount: float, unit: str, digits: int = 6) -> str:
    """Return an amount in the form in which a budget is typed.

    Args:
        amount: the amount.
        unit: ``x``, ``tokens``, ``FLOPs``, ``$``, ``s`` or ``gpu-hours``.
        digits: significant digits.

    >>> [format_amount(*pair) for pair in ((1184, "x"), (9137.2, "tokens"), (3.2e6, "tokens"), (0.02, "$"), (20, "s"))]
    ['1,184x', '9,137.2 tokens', '3.2M tokens', '$0.02', '20 s']
    """
    if unit == "tokens":
        for scale, prefix in ((1e9, "B"), (1e6, "M")):
            if amount >= scale:
                return f"{_format_number(amount / scale, digits)}{prefix} tokens"
    if unit == "FLOPs":
        return f"{amount:.{digits}g} FLOPs"
    number = _format_number(amount, digits)
    return f"${number}" if unit == "$" else f"{number}x" if unit == "x" else f"{number} {unit}"


def has_no_unit(text: str) -> bool:
    """Return whether a text is a number without a unit.

    >>> has_no_unit("20"), has_no_unit("1,200.5"), has_no_unit("20 s"), has_no_unit("$20")
    (True, True, False, False)
    """
    match = BUDGET_PATTERN.fullmatch(text)
    return match is not None and not match["sign"] and not match["unit"]


def round_up(amount: float, digits: int) -> float:
    """Return an amount rounded up to some significant digits, so that typed back it still pays for the same.

    >>> round_up(0.0213412, 4), round_up(1184.2, 4), round_up(12.5, 4)
    (0.02135, 1185.0, 12.5)
    """
    if amount <= 0 or not math.isfinite(amount):
        return amount
    places = digits - 1 - math.floor(math.log10(amount))
    rounded = round(amount, places)
    if rounded >= amount * (1 - 1e-12):
        return rounded
    return round(rounded + 10.0**-places, places)


def _format_number(number: float, digits: int) -> str:
    """Return a number with some significant digits and thousands separators."""
    text = f"{number:,.{digits}g}"
    if "e" not in text or number < 1:
        return text
    return f"{float(text.replace(',', '')):,.0f}" if number < 1e15 else text


def format_compute(x: float) -> str:
    """Return compute in x for a sentence: three significant digits below 100x, four below 1,000x, then whole numbers.

    >>> format_compute(4.151), format_compute(52.9113), format_compute(8), format_compute(126.52)
    ('4.15x', '52.9x', '8x', '126.5x')
    """
    return f"{x:.3g}x" if x < 99.95 else f"{x:.4g}x" if x < 999.95 else f"{x:,.0f}x"


def format_cost(x: float) -> str:
    """Return a cost in x like `format_compute`, rounded up, so that typed back as a budget it pays for the same.

    >>> format_cost(127.34), format_cost(24.96), format_cost(1184.2), format_cost(8)
    ('127.4x', '25x', '1,185x', '8x')
    """
    return format_compute(round_up(x, 3 if x < 99.95 else 4 if x < 999.95 else max(4, math.floor(math.log10(x)) + 1)))
