r"""Numbers in LaTeX with a unit, a currency or a base."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sympy

from isocompute.runners.grading.expression import Expression, UnreadableExpressionError, parse_expression
from isocompute.runners.grading.units import DEGREE_UNIT, SCALE_WORDS, Dimension, parse_unit


@dataclass(frozen=True)
class Quantity:
    """A value in base units and its dimension; ``unitless_value`` is the number as written, without its unit."""

    value: Expression
    unitless_value: Expression
    dimension: Dimension | None = None


BASED_NUMBER_PATTERN = re.compile(r"(-?)([0-9][0-9A-Za-z]*) ?_ ?\{? ?(?:\\text\{ ?)?(\d\d?|[a-z]+) ?\}*")
NUMBER_BASES = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "twelve": 12,
    "sixteen": 16,
}  # fmt: skip
UNIT_SUFFIX_PATTERN = re.compile(
    r"(?P<micro>\\mu ?)?\\text ?\{(?P<text>(?:[^{}]|\{[^{}]*\})*)\} ?(?P<power>\^ ?\{? ?-?\d ?\}?)?$"
    r"|(?<=[\d)} ])(?P<ohm>(?:\\mu|[kM])? ?\\Omega)$"
    r"|(?P<sign>\\?[%$])$"
    r"|\^ ?\{? ?(?P<degree>\\circ) ?\}? ?(?:\\text ?\{ ?(?P<scale>[CFK]|Celsius|Fahrenheit) ?\}|(?P<letter>[CF]))?$"
    r"|(?<=[\d)} ])(?P<plain>(?<![a-z] )(?:[a-zA-Z]{3,}|[a-z]{2}(?![a-z])|m(?=/))[a-zA-Z ./]*(?:\^ ?\{?\d\}?)?)$"
)
CURRENCY_PATTERN = re.compile(r"(\\?\$|\\text ?\{ ?[€£] ?\}|(?:USD|EUR)(?![a-zA-Z])) ?(.*)")
FUNCTION_CALL_PATTERN = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc|log|ln)(?![a-zA-Z])")
LATEX_WORD_PATTERN = re.compile(r"\\text(?![a-zA-Z])|(?<![a-zA-Z\\])(?<!\\begin\{)(?<!\\end\{)[a-zA-Z]{3,}(?![a-zA-Z])")
FUNCTION_NAMES = {"sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "max", "min", "gcd", "lcm", "det"}


def parse_quantity(text: str) -> Quantity:
    r"""Parse an expression, with its unit or base if it has one.

    >>> parse_quantity(r"5 \text{ cm}").value, parse_quantity("204_5").value, parse_quantity(r"x+1").dimension
    (1/20, 54, None)

    Raises:
        UnreadableExpressionError: it is not a quantity.
        ExpressionTooLargeError: it holds a number too large to evaluate.
    """
    if (compound := parse_compound(text)) is not None:
        return compound
    if said := BASED_NUMBER_PATTERN.fullmatch(text):
        sign, digits, base = (
            said[1],
            said[2].upper(),
            NUMBER_BASES.get(said[3]) or (int(said[3]) if said[3].isdigit() else 0),
        )
        if base > 1 and all(int(digit, 36) < base for digit in digits):
            bare = parse_expression(sign + digits) if digits.isdigit() else sympy.Symbol(digits)
            return Quantity(sympy.Integer(int(sign + digits, base)), bare, ())
    if said := CURRENCY_PATTERN.fullmatch(text):
        return parse_number_with_unit(said[2], re.sub(r"\\text|[\\{} ]", "", said[1]))
    if (
        (said := UNIT_SUFFIX_PATTERN.search(text))
        and said.start()
        and not (said["degree"] and FUNCTION_CALL_PATTERN.search(text))
    ):
        degrees = {"C": "celsius", "F": "fahrenheit", "K": "kelvin"}.get(
            (said["scale"] or said["letter"] or "")[:1], "degree"
        )
        name = said["text"] or said["plain"] or said["sign"] or said["ohm"] or degrees
        name = f"μ{name.strip()}" if said["micro"] else name
        try:
            return parse_number_with_unit(text[: said.start()], name.removeprefix("\\") + (said["power"] or ""))
        except UnreadableExpressionError:
            pass
    if not re.fullmatch("[a-z]{3}", text) and not FUNCTION_NAMES.issuperset(
        LATEX_WORD_PATTERN.findall(text)
    ):  # abc is a product
        raise UnreadableExpressionError(text)
    value = parse_expression(text)
    return Quantity(value, value)


COMPOUND_PART_PATTERN = re.compile(
    r"\s*(?:\\text ?\{ ?and ?\}|and)?\s*(\d+(?:\.\d+)?)\s*"
    r"(?:\\text ?\{([^{}]*)\}|('{1,2}|\")|([a-zA-Z]{2,}\.?))\s*,?"
)


def parse_compound(text: str) -> Quantity | None:
    r"""Parse a quantity in several units of one kind; None for other texts.

    >>> parse_compound(r"2 \text{ hours } 30 \text{ minutes}").unitless_value, parse_compound("5' 6''").unitless_value
    (5/2, 11/2)
    """
    parts, end = [], 0
    while found := COMPOUND_PART_PATTERN.match(text, end):
        unit = {"'": "foot", "''": "inch", '"': "inch"}.get(found[3]) or found[2] or found[4]
        parts.append((sympy.Rational(found[1]), parse_unit(re.sub(r"\band\b", "", unit))))
        end = found.end()
    if len(parts) < 2 or end != len(text):
        return None
    (_, first), *_ = parts
    if first is None or not first[1] or any(unit is None or unit[1] != first[1] for _, unit in parts):
        return None
    value = sum((number * sympy.Rational(unit[0]) for number, unit in parts if unit), start=sympy.Integer(0))
    return Quantity(value, value / sympy.Rational(first[0]), first[1])


def parse_number_with_unit(text: str, name: str) -> Quantity:
    """Parse a number with a unit.

    Raises:
        UnreadableExpressionError: the number or the unit cannot be read.
    """
    if (words := name.strip().split(maxsplit=1)) and SCALE_WORDS.get(words[0].lower(), 1) > 1:
        scaled = parse_quantity(text.strip())
        if scaled.dimension is not None or not isinstance(scaled.value, sympy.Expr):
            raise UnreadableExpressionError(text)
        text = str(sympy.nsimplify(scaled.value * SCALE_WORDS[words[0].lower()], rational=True))
        if len(words) == 1:
            value = parse_expression(text)
            return Quantity(value, value, ())
        name = words[1]
    said, found = parse_quantity(text.strip()), parse_unit(name)
    if found is None or said.dimension is not None or not isinstance(said.unitless_value, sympy.Expr):
        raise UnreadableExpressionError(text)
    scale, dimension = found
    if dimension == ((DEGREE_UNIT, 1),):
        return Quantity(said.unitless_value * sympy.pi / 180, said.unitless_value, ())
    value = said.unitless_value * sympy.Rational(scale)
    if not dimension and value.is_extended_real and 0 <= said.unitless_value <= 1:
        return Quantity(value, value, ())  # a bare 0.5 is a share, so it must not equal 0.5 %
    return Quantity(value, said.unitless_value, dimension)
