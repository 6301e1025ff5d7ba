r"""A number in LaTeX with its unit, its currency, or the base of its digits."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sympy

from isocompute.runners.grading.expression import Expression, Unreadable, expression
from isocompute.runners.grading.units import DEGREE, Dimension, unit


@dataclass(frozen=True)
class Quantity:
    """A value in base units and of a dimension; ``bare`` is its number when the unit is left out."""

    value: Expression
    bare: Expression
    dimension: Dimension | None = None


BASED = re.compile(r"(-?)([0-9][0-9A-Z]*) ?_ ?\{? ?(?:\\text\{ ?)?(\d\d?|[a-z]+) ?\}*")
BASES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "twelve": 12,
    "sixteen": 16,
}  # fmt: skip
UNIT = re.compile(
    r"\\text ?\{(?P<text>[^{}]*)\} ?(?P<power>\^ ?\{? ?-?\d ?\}?)?$"
    r"|(?P<sign>\\?[%$])$"
    r"|\^ ?\{? ?(?P<degree>\\circ) ?\}? ?(?:\\text ?\{ ?(?P<scale>[CF]) ?\})?$"
    r"|(?<=[\d)} ])(?P<plain>(?<![a-z] )(?:[a-zA-Z]{3,}|[a-z]{2}(?![a-z]))[a-zA-Z ./]*(?:\^ ?\{?\d\}?)?)$"
)
CURRENCY = re.compile(r"(\\?\$|\\text ?\{ ?[€£] ?\}|(?:USD|EUR)(?![a-zA-Z])) ?(.*)")
CALLED = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc|log|ln)(?![a-zA-Z])")
WORD = re.compile(r"\\text(?![a-zA-Z])|(?<![a-zA-Z\\])(?<!\\begin\{)(?<!\\end\{)[a-zA-Z]{3,}(?![a-zA-Z])")
FUNCTIONS = {"sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "max", "min", "gcd", "lcm", "det"}


def quantity(text: str) -> Quantity:
    r"""Read an expression, with its unit or its base if it has one.

    >>> quantity(r"5 \text{ cm}").value, quantity("204_5").value, quantity(r"x+1").dimension
    (1/20, 54, None)

    Raises:
        Unreadable: it is none.
        Refused: it holds a number too large to be worked out.
    """
    if said := BASED.fullmatch(text):
        sign, digits, base = said[1], said[2], BASES.get(said[3]) or (int(said[3]) if said[3].isdigit() else 0)
        if base > 1 and all(int(digit, 36) < base for digit in digits):
            bare = expression(sign + digits) if digits.isdigit() else sympy.Symbol(digits)
            return Quantity(sympy.Integer(int(sign + digits, base)), bare, ())
    if said := CURRENCY.fullmatch(text):
        return measured(said[2], re.sub(r"\\text|[\\{} ]", "", said[1]))
    if (said := UNIT.search(text)) and said.start() and not (said["degree"] and CALLED.search(text)):
        name = said["text"] or said["plain"] or said["sign"] or f"degree {said['scale'] or ''}"
        try:
            return measured(text[: said.start()], name.removeprefix("\\") + (said["power"] or ""))
        except Unreadable:
            pass
    if not re.fullmatch("[a-z]{3}", text) and not FUNCTIONS.issuperset(WORD.findall(text)):  # abc is a product
        raise Unreadable(text)
    value = expression(text)
    return Quantity(value, value)


def measured(text: str, name: str) -> Quantity:
    """Read a number with a unit.

    Raises:
        Unreadable: either is none.
    """
    said, found = quantity(text.strip()), unit(name)
    if found is None or said.dimension is not None or not isinstance(said.bare, sympy.Expr):
        raise Unreadable(text)
    scale, dimension = found
    if dimension == ((DEGREE, 1),):
        return Quantity(said.bare * sympy.pi / 180, said.bare, ())
    value = said.bare * sympy.Rational(scale)
    if not dimension and value.is_extended_real and 0 <= said.bare <= 1:
        return Quantity(value, value, ())  # 0.5 without a sign is a share itself, and not half a per cent
    return Quantity(value, said.bare, dimension)
