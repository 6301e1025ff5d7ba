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
        "1": "unit radian rad", "1/100": "% percent percentage pct", "12": "dozen", "20": "score", "100": "hundred",
        "1000": "thousand", "1000000": "million", "1000000000": "billion", "1000000000000": "trillion",
    },
    DEGREE_UNIT: {"1": "° degree deg"},
}  # fmt: skip

SYMBOLS = {
    "N": "kg m/s^2", "J": "kg m^2/s^2", "W": "kg m^2/s^3", "Pa": "kg/m/s^2", "Hz": "/s", "A": "ampere", "C": "ampere s",
    "V": "kg m^2/s^3/ampere", "Ω": "kg m^2/s^3/ampere^2", "Omega": "kg m^2/s^3/ampere^2", "F": "farad", "T": "tesla",
    "H": "henry", "Wb": "weber", "K": "kelvin", "M": "molar", "mol": "mole", "eV": "electronvolt", "L": "litre",
    "g": "gram", "m": "metre", "s": "second", "B": "byte", "cal": "calorie", "bar": "bar", "Bq": "becquerel",
}  # fmt: skip
"""Symbols whose case counts, each as other units; those without a conversion are units of their own."""
PREFIXES = {
    "n": Fraction(1, 10**9), "μ": Fraction(1, 10**6), "mu": Fraction(1, 10**6), "m": Fraction(1, 1000),
    "c": Fraction(1, 100), "d": Fraction(1, 10), "k": Fraction(1000), "M": Fraction(10**6), "G": Fraction(10**9),
    "T": Fraction(10**12), "p": Fraction(1, 10**12),
}  # fmt: skip
SCALE_WORDS = {name: int(factor) for factor, names in UNITS[""].items() if factor.isdigit() for name in names.split()}
"""Words after a number that multiply it, with their factors; those of 1 say nothing."""
NO_UNITS = frozenset(
    """
    squared cubed half halves third thirds fourth fourths quarter quarters fifth fifths sixth sixths seventh sevenths
    eighth eighths ninth ninths tenth tenths hundredth hundredths thousandth thousandths not remainder less fewer more
    or and is times factorial mod modulo minus plus over than if when where
    """.split()  # noqa: SIM905 - a list of words is read as a list
)
"""Words after a number that change its value, so that they are no units."""
IDLE_WORDS = frozenset({"chance", "probability", "likelihood", "likely", "exactly", "total", "altogether"})
"""Words after a unit that say nothing."""

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
UNIT_WORD_PATTERN = re.compile(r"\$|€|£|¢|%|°|/|[a-zA-Zμ]+|\^?-?\d", re.ASCII)


def parse_unit(text: str) -> tuple[Fraction, Dimension] | None:
    """Return a unit's factor to base units and its dimension; None if the text is not a unit.

    An unknown word is a base unit of its own: apples differ from pears.

    >>> parse_unit("square centimeters")
    (Fraction(1, 10000), (('metre', 2),))
    >>> (parse_unit("km/h") == parse_unit("kilometers per hour"), parse_unit("cents"), parse_unit("apples"),
    ... parse_unit("of the 3 x + 1"))
    (True, (Fraction(1, 100), (('dollar', 1),)), (Fraction(1, 1), (('apple', 1),)), None)
    """
    said = (
        re.sub(r"\\[ ,;:]|~|\\cdot|·", " ", text)
        .strip()
        .rstrip(".")
        .replace("{", "")
        .replace("}", "")
        .replace("\\", "")
    )
    said = re.sub(r"\bper cent\b", "percent", re.sub(r"(?<=[a-zA-Z])\.(?=\s)", "", said)).replace("µ", "μ")
    if (symbol := convert_symbol(said)) is not None:
        return symbol
    said = " ".join(UNIT_ABBREVIATIONS.get(word, word) for word in said.lower().split())
    words = UNIT_WORD_PATTERN.findall(said)
    if not words or "".join(words) != re.sub(r"\s", "", said) or NO_UNITS.intersection(words):
        return None
    words = [word for word in words if word not in IDLE_WORDS] or words
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


def convert_symbol(text: str) -> tuple[Fraction, Dimension] | None:
    """Return factor and dimension of a symbol with its prefix, such as kN or nm; None for other texts.

    >>> convert_symbol("N") == parse_unit("kg m/s^2"), convert_symbol("nm"), convert_symbol("kn")
    (True, (Fraction(1, 1000000000), (('metre', 1),)), None)
    """
    prefix, symbol = next(
        (
            (prefix, text[len(prefix) :].lstrip(" "))
            for prefix in ("", *PREFIXES)
            if text.startswith(prefix) and text[len(prefix) :].lstrip(" ") in SYMBOLS
        ),
        (None, ""),
    )
    if prefix is None:
        return None
    base = parse_unit(SYMBOLS[symbol])
    return None if base is None else (PREFIXES.get(prefix, Fraction(1)) * base[0], base[1])


def find_unit(word: str) -> tuple[Fraction, str] | None:
    """Return a unit's factor and base, given its singular or plural; None if it is not in the table."""
    return UNIT_NAMES.get(word) or UNIT_NAMES.get(word.removesuffix("s")) or UNIT_NAMES.get(word.removesuffix("es"))
