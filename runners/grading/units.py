"""Units and their conversion, so that 5 m equals 500 cm and differs from 5 km."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction

Dimension = tuple[tuple[str, int], ...]
"""Base units with their powers; () for a pure number such as a percentage."""

DEGREE_UNIT = "degree"
"""A degree is π/180, which is not a fraction, so callers apply that factor themselves."""

# base unit: {factor: names}
UNITS: dict[str, dict[str, str]] = {
    "metre": {
        "1": "m meter metre", "1/1000": "mm millimeter millimetre", "1/100": "cm centimeter centimetre",
        "1/10": "dm decimeter decimetre", "1000": "km kilometer kilometre", "127/5000": "in inch inche",
        "381/1250": "ft foot feet", "1143/1250": "yd yard", "201168/125": "mi mile",
    },
    "gram": {"1": "g gram", "1/1000": "mg milligram", "1000": "kg kilogram"},
    "pound": {"1": "lb lbs pound", "1/16": "oz ounce"},
    "second": {
        "1": "s sec second", "60": "min minute", "3600": "h hr hour", "86400": "day", "604800": "week wk",
    },
    "year": {"1": "yr year", "1/12": "month"},
    "litre": {"1": "l liter litre", "1/1000": "ml milliliter millilitre"},
    "dollar": {"1": "$ dollar usd buck", "1/100": "cent ¢"},
    "euro": {"1": "€ eur euro"},
    "pound sterling": {"1": "£ gbp"},
    "": {
        "1": "unit radian rad", "1/100": "% percent percentage pct", "1000": "thousand", "1000000": "million",
        "1000000000": "billion",
    },
    DEGREE_UNIT: {"1": "° degree deg"},
}  # fmt: skip

UNIT_NAMES: dict[str, tuple[Fraction, str]] = {
    name: (Fraction(factor), base)
    for base, scales in UNITS.items()
    for factor, names in scales.items()
    for name in names.split()
}
UNIT_ABBREVIATIONS = {
    "mph": "mile per hour",
    "kmh": "km per hour",
    "kph": "km per hour",
    "kmph": "km per hour",
    "sq": "square",
}
POWER_WORDS = {"square": 2, "cubic": 3}
UNIT_WORD_PATTERN = re.compile(r"\$|€|£|¢|%|°|/|[a-zA-Z]+|\^?-?\d", re.ASCII)


def parse_unit(text: str) -> tuple[Fraction, Dimension] | None:
    """Return a unit's factor to base units and its dimension; None if the text is not a unit.

    An unknown word is a base unit of its own: apples differ from pears.

    >>> parse_unit("square centimeters")
    (Fraction(1, 10000), (('metre', 2),))
    >>> (parse_unit("km/h") == parse_unit("kilometers per hour"), parse_unit("cents"), parse_unit("apples"),
    ... parse_unit("of the 3 x + 1"))
    (True, (Fraction(1, 100), (('dollar', 1),)), (Fraction(1, 1), (('apple', 1),)), None)
    """
    name = text.strip().lower().rstrip(".").replace("{", "").replace("}", "").replace("\\", "")
    words = UNIT_WORD_PATTERN.findall(" ".join(UNIT_ABBREVIATIONS.get(word, word) for word in name.split(" ")))
    if not words or "".join(words) != re.sub(
        r"\s", "", " ".join(UNIT_ABBREVIATIONS.get(w, w) for w in name.split(" "))
    ):
        return None
    scale, powers, sign, power, last = Fraction(1), Counter[str](), 1, 1, None
    for word in words:
        if word in ("per", "/"):
            sign = -1
        elif word in POWER_WORDS:
            power = POWER_WORDS[word]
        elif word.lstrip("^-").isdigit():
            if last is None:
                return None
            factor, base, before = last  # the unit was counted with the power `before`; add the difference
            more = sign * int(word.lstrip("^")) - before
            scale, last = scale * factor**more, None
            powers[base] += more
        else:
            if (found := find_unit(word)) is None and len(word) < 3:
                return None
            factor, base = found or (Fraction(1), word.removesuffix("s"))
            last = (factor, base, sign * power)
            scale *= factor ** (sign * power)
            powers[base] += sign * power
            power = 1
    return scale, tuple(sorted((base, n) for base, n in powers.items() if base and n))


def find_unit(word: str) -> tuple[Fraction, str] | None:
    """Return a unit's factor and base, given its singular or plural; None if it is not in the table."""
    return UNIT_NAMES.get(word) or UNIT_NAMES.get(word.removesuffix("s")) or UNIT_NAMES.get(word.removesuffix("es"))
