r"""Single LaTeX expressions: parsing by math-verify's parser into SymPy, and comparison.

This module and those that import it (`parse_answer`, `equality`) load SymPy and run on hostile input. They are used
only in `comparison_worker`.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import TypeAlias

import sympy
from latex2sympy2_extended import NormalizationConfig, latex2sympy
from latex2sympy2_extended.latex2sympy2 import ConversionConfig
from math_verify import verify
from sympy import MatrixBase
from sympy.core.function import AppliedUndef

from isocompute.runners.grading.canonical import parse_rational

Expression: TypeAlias = sympy.Expr | MatrixBase

PARSER_NORMALISATION = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=False, boxed="none", equations=False
)
PARSER_CONVERSION = ConversionConfig(lowercase_symbols=False)

MOST_BITS = 200_000
"""Numbers with more binary digits than this are not evaluated."""

EVALUATION_DIGITS = 80
"""Decimal digits to which values are evaluated."""
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = sympy.Float("1e-35"), sympy.Float("1e-60")
"""Relative and absolute differences up to which values are equal."""


class UnreadableExpressionError(Exception):
    """The text is not an expression."""


class ExpressionTooLargeError(Exception):
    """The expression is too large to evaluate."""


def parse_expression(text: str) -> Expression:
    r"""Parse an expression, with exact decimals and mixed numbers.

    >>> [parse_expression(text).doit() for text in (r"1\frac{4}{5}", "0.1", r"0.3\overline{18}", "2(6)")]
    [9/5, 1/10, 7/22, 12]

    Raises:
        UnreadableExpressionError: the text is not an expression.
        ExpressionTooLargeError: it holds a number too large to evaluate.
    """
    if (value := parse_rational(text)) is not None:
        return sympy.Rational(value)
    try:
        read = latex2sympy(
            normalise_expression(text), normalization_config=PARSER_NORMALISATION, conversion_config=PARSER_CONVERSION
        )
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # the parser raises any exception
        raise UnreadableExpressionError(text) from error
    if isinstance(read, sympy.FiniteSet) and len(read) == 1:  # braces around the whole
        (read,) = read
    if not isinstance(read, (sympy.Expr, MatrixBase)):
        raise UnreadableExpressionError(text)
    bound_value_bits(read)
    if read.has(sympy.zoo, sympy.nan):
        raise UnreadableExpressionError(text)
    return read.doit().as_explicit() if isinstance(read, sympy.MatrixExpr) else read


DECIMAL_PATTERN = re.compile(
    r"(?<![\d.])(\d*)\.(?=\d|\\overline|\\bar)(\d*)(?:\\(?:overline|bar) ?\{(\d+)\})?", re.ASCII
)
MIXED_NUMBER_PATTERN = re.compile(
    r"(?<![\d^_.}/])(\d+) ?(?:\\frac ?\{ ?(\d+) ?\} ?\{ ?(\d+) ?\}|(?<= )(\d+) ?/ ?(\d+))(?![\d!^])", re.ASCII
)
DEGREES_PATTERN = re.compile(r"(\d+|\{?\\frac\{\d+\}\{\d+\}\}?|\([^()]*\)) ?\^ ?\{? ?\\circ ?\}?", re.ASCII)
IMAGINARY_UNIT_PATTERN = re.compile(r"\\(?:begin|end)\{[a-z]+\}|\\vec\{[ijk]\}|\\[a-zA-Z]+|i")


def normalise_expression(text: str) -> str:
    r"""Rewrite notation that the parser misreads: mixed numbers, decimals, degrees, the imaginary unit, products.

    >>> normalise_expression(r"-2\frac{1}{3} + 0.5i")
    '-(2+\\frac{1}{3}) + {\\frac{5}{10}}{I}'

    Raises:
        UnreadableExpressionError: two numbers are side by side.
    """
    # Digit groups, powers of ten, \over and \choose, \frac with arguments without braces, subscripts.
    text = re.sub(r"(?<=\d) (?=\d{3}(?![\d/]))", "", text)
    text = re.sub(r"(\d(?:\.\d+)?) ?[eE]([+-]?\d+)(?![\w.])", r"\1\\cdot 10^{\2}", text)
    text = re.sub(r"(?:^|(?<=\{))([^{}]*)\\over(?![a-zA-Z])([^{}]*)(?=\}|$)", r"\\frac{\1}{\2}", text)
    text = re.sub(r"(?:^|(?<=\{))([^{}]*)\\choose(?![a-zA-Z])([^{}]*)(?=\}|$)", r"\\binom{\1}{\2}", text)
    text = re.sub(r"\\frac ?(\d) ?(?=\{)", r"\\frac{\1}", text)
    text = re.sub(r"(\\frac ?\{[^{}]*\}) ?(\d)", r"\1{\2}", text)
    text = re.sub(r"\\frac ?(\d) ?(\d)", r"\\frac{\1}{\2}", text)
    text = re.sub(r"_ ?(?:(\d+)(?= )|([a-z]))", r"_{\1\2}", text)
    text = re.sub(r"\\sqrt ?\[(\d*[13579])\] ?\{ ?-(\d+)\}", r"(-\\sqrt[\1]{\2})", text)  # the real root
    text = MIXED_NUMBER_PATTERN.sub(lambda m: rf"({m[1]}+\frac{{{m[2] or m[4]}}}{{{m[3] or m[5]}}})", text)
    text = DECIMAL_PATTERN.sub(lambda m: convert_decimal_to_fraction(*m.groups()), text)
    text = DEGREES_PATTERN.sub(r"(\\frac{\\pi}{180}\\cdot \1)", text)
    text = re.sub(r"(?<![\^_\d])(\d+) ?(?=\()", r"\1\\cdot ", wrap_parenthesised_roots(text))
    if not re.search(r"_\{? ?i ?=", text):  # there i is an index
        text = IMAGINARY_UNIT_PATTERN.sub(lambda m: "{I}" if m[0] == "i" else m[0], text)
    if re.search(r"\d \d", text):
        raise UnreadableExpressionError(text)
    return text


def convert_decimal_to_fraction(whole: str, decimals: str, repeating: str | None) -> str:
    r"""Return a decimal as a LaTeX fraction; a repeating part becomes the sum of its series.

    >>> convert_decimal_to_fraction("0", "3", "18")
    '{\\frac{315}{990}}'
    """
    value, scale = int(whole + decimals or "0"), 10 ** len(decimals)
    if repeating is not None:
        nines = 10 ** len(repeating) - 1
        value, scale = value * nines + int(repeating), scale * nines
    return rf"{{\frac{{{value}}}{{{scale}}}}}"


def wrap_parenthesised_roots(text: str) -> str:
    r"""Put braces around a parenthesis under a root, which the parser would take for a separate factor.

    >>> wrap_parenthesised_roots(r"\sqrt(2(x+1))y")
    '\\sqrt{2(x+1)}y'
    """
    for _ in range(text.count(r"\sqrt(") + text.count(r"\sqrt (")):
        start = re.search(r"\\sqrt ?\(", text)
        if start is None:
            break
        depth, end = 1, start.end()
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        if depth:
            raise UnreadableExpressionError(text)
        text = f"{text[: start.start()]}\\sqrt{{{text[start.end() : end - 1]}}}{text[end:]}"
    return text


def bound_value_bits(value: sympy.Basic | MatrixBase) -> float:
    """Return a bound on the binary digits of an expression's value, without evaluating it.

    >>> bound_value_bits(sympy.Pow(2, 2005, evaluate=False))
    4010.0

    Raises:
        ExpressionTooLargeError: there are more than `MOST_BITS`.
    """
    if isinstance(value, MatrixBase):
        return max(map(bound_value_bits, value), default=1.0)
    parts = [bound_value_bits(part) for part in value.args]
    bits = float(max(parts, default=2.0))
    if isinstance(value, sympy.Rational):
        bits = float(abs(value.p).bit_length() + value.q.bit_length() - 1)
    elif isinstance(value, sympy.Pow):
        bits = parts[0] * estimate_magnitude(value.exp, parts[1])
    elif isinstance(value, sympy.factorial):
        argument = estimate_magnitude(value.args[0], parts[0])
        bits = argument * math.log2(argument + 2)
    elif isinstance(value, (sympy.Add, sympy.Mul)):
        bits = float(sum(parts))
    if bits > MOST_BITS:
        raise ExpressionTooLargeError
    return bits


def estimate_magnitude(value: sympy.Expr, bits: float) -> float:
    """Return the approximate size of a number, infinite beyond 64 bits; 1 for other expressions."""
    if not value.is_number:
        return 1.0
    return math.inf if bits > 64 else float(abs(value.evalf(5)))


COMPARISON_POINTS = (
    (Fraction(13, 7), Fraction(29, 9), Fraction(17, 31), Fraction(41, 11)),
    (Fraction(3, 11), Fraction(5, 13), Fraction(8, 17), Fraction(2, 23)),
    (Fraction(-19, 8), Fraction(7, 3), Fraction(-3, 14), Fraction(-31, 9)),
    (Fraction(-2, 7), Fraction(-9, 5), Fraction(-23, 6), Fraction(11, 12)),
    (Fraction(3), Fraction(5), Fraction(2), Fraction(7)),
    (Fraction(8), Fraction(3), Fraction(6), Fraction(4)),
)
"""Points at which expressions in variables are compared: for each point, the values of the first variables."""


def is_equal_expression(one: Expression, other: Expression) -> bool:
    r"""Return whether two expressions have the same value wherever both values are real.

    Rational numbers are compared exactly, other constants to 35 digits, and expressions in variables to 35 digits at
    `COMPARISON_POINTS`, where different expressions agree only by chance. Expressions without values there are compared
    by math-verify.

    >>> (is_equal_expression(parse_expression("x^2-y^2"), parse_expression("(x-y)(x+y)")),
    ... is_equal_expression(parse_expression(r"\sqrt{x^2}"), parse_expression("x")))
    (True, False)

    Raises:
        ExpressionTooLargeError: one is too large to evaluate.
    """
    if isinstance(one, MatrixBase) or isinstance(other, MatrixBase):
        if not (isinstance(one, MatrixBase) and isinstance(other, MatrixBase)) or one.shape != other.shape:
            return False
        return all(is_equal_expression(a, b) for a, b in zip(one, other, strict=True))
    if one == other:
        return True
    if one.has(AppliedUndef) or other.has(AppliedUndef):
        return is_symbolically_equal(one, other)
    variables = sorted(one.free_symbols | other.free_symbols, key=str)
    if not variables:
        one, other = one.doit(), other.doit()
        if isinstance(one, sympy.Rational) and isinstance(other, sympy.Rational):
            return bool(one == other)
        return is_close_value(one.evalf(EVALUATION_DIGITS), other.evalf(EVALUATION_DIGITS))
    imaginary = one.has(sympy.I) or other.has(sympy.I)
    compared = 0
    for point in COMPARISON_POINTS:
        at = {variable: sympy.Rational(point[i % 4] + i // 4) for i, variable in enumerate(variables)}
        a, b = one.evalf(EVALUATION_DIGITS, subs=at), other.evalf(EVALUATION_DIGITS, subs=at)
        if not (a.is_finite and b.is_finite) or not (imaginary or (a.is_real and b.is_real)):
            continue
        if not is_close_value(a, b):
            return False
        compared += 1
    return compared > 1 or is_symbolically_equal(one, other)


def is_close_value(a: sympy.Expr, b: sympy.Expr) -> bool:
    """Return whether two evaluated values are equal up to rounding."""
    if not (a.is_finite and b.is_finite):
        return bool(a == b and a in (sympy.oo, -sympy.oo))
    apart, large = abs(a - b), max(abs(a), abs(b))
    return bool(apart <= max(RELATIVE_TOLERANCE * large, ABSOLUTE_TOLERANCE))


def is_symbolically_equal(one: Expression, other: Expression) -> bool:
    """Return whether math-verify finds two expressions equal."""
    return bool(verify(one, other, timeout_seconds=None))
