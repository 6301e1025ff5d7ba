r"""Equality of parsed answers."""

from __future__ import annotations

import sympy

from isocompute.runners.grading.expression import (
    COMPARISON_POINTS,
    UnreadableExpressionError,
    is_close_value,
    is_equal_expression,
)
from isocompute.runners.grading.extraction import parse_choice_letter
from isocompute.runners.grading.latex import normalise_latex
from isocompute.runners.grading.parse_answer import (
    MIRRORED_SIGNS,
    AnswerList,
    NamedValue,
    ParsedAnswer,
    RealSet,
    Relation,
    WordAnswer,
    normalise_words,
    parse_answer,
    to_real_set,
)
from isocompute.runners.grading.quantities import Quantity


def is_equal_answer(one: str, other: str) -> bool:
    r"""Return whether two answers are equal.

    >>> (is_equal_answer(r"\frac{1}{2}", "50\\%"), is_equal_answer("(1, 2)", "(2, 1)"),
    ... is_equal_answer(r"x = 1 \text{ or } x = -2", "-2, 1"))
    (True, False, True)

    Raises:
        ExpressionTooLargeError: one holds a number too large to evaluate.
    """
    a, b = parse_answer(one), parse_answer(other)
    if isinstance(a, WordAnswer) or isinstance(b, WordAnswer):
        chosen = parse_choice_letter(one)  # D and (D) 12 are the same choice
        return normalise_words(normalise_latex(one)) == normalise_words(normalise_latex(other)) or (
            chosen in (one, other) and chosen == parse_choice_letter(other)
        )
    return is_equal_parsed_answer(a, b)


def is_equal_parsed_answer(a: ParsedAnswer, b: ParsedAnswer) -> bool:
    """Return whether two parsed answers are equal, at most one of which consists of words."""
    if isinstance(a, WordAnswer) or isinstance(b, WordAnswer):
        return a == b
    if isinstance(a, NamedValue) or isinstance(b, NamedValue):
        return is_equal_named_value(a, b)
    if isinstance(a, Relation) or isinstance(b, Relation):
        return isinstance(a, Relation) and isinstance(b, Relation) and is_equal_relation(a, b)
    if isinstance(a, RealSet) or isinstance(b, RealSet):
        return is_equal_real_set(a, b)
    if isinstance(a, AnswerList) and isinstance(b, AnswerList):
        return is_equal_list(a, b)
    for many, single in ((a, b), (b, a)):
        if isinstance(many, AnswerList):
            return not many.is_ordered and len(many.items) == 1 and is_equal_parsed_answer(many.items[0], single)
    assert isinstance(a, Quantity)
    assert isinstance(b, Quantity)
    return is_equal_quantity(a, b)


def is_equal_quantity(a: Quantity, b: Quantity) -> bool:
    """Return whether two numbers are equal; a unit may be left out, and a pure number such as 50 % evaluated."""
    if a.dimension is not None and b.dimension is not None:
        return a.dimension == b.dimension and is_equal_expression(a.value, b.value)
    if is_equal_expression(a.unitless_value, b.unitless_value):
        return True
    return () in (a.dimension, b.dimension) and is_equal_expression(a.value, b.value)


def is_equal_list(a: AnswerList, b: AnswerList) -> bool:
    """Return whether two lists are equal: in order if both have brackets of one kind, else as sets."""
    if a.is_ordered and b.is_ordered:
        kind = a.brackets == b.brackets or {a.brackets, b.brackets} == {"()", "<>"}
        return kind and len(a.items) == len(b.items) and all(map(is_equal_parsed_answer, a.items, b.items))
    if a.is_ordered or b.is_ordered:
        ordered, other = (a, b) if a.is_ordered else (b, a)
        return len(other.items) == 1 and is_equal_parsed_answer(other.items[0], ordered)
    return all(any(is_equal_parsed_answer(x, y) for y in b.items) for x in a.items) and all(
        any(is_equal_parsed_answer(x, y) for x in a.items) for y in b.items
    )


def is_equal_named_value(a: ParsedAnswer, b: ParsedAnswer) -> bool:
    """Return whether named values are equal; a name may be left out, and an equation rearranged."""
    if isinstance(a, NamedValue) and isinstance(b, NamedValue):
        if a.name == b.name and is_equal_parsed_answer(a.value, b.value):
            return True
        return a.relation is not None and b.relation is not None and is_equal_relation(a.relation, b.relation)
    named, other = (a, b) if isinstance(a, NamedValue) else (b, a)
    assert isinstance(named, NamedValue)
    if isinstance(other, Relation):
        return named.relation is not None and is_equal_relation(named.relation, other)
    if isinstance(other, AnswerList) and not isinstance(named.value, AnswerList) and len(other.items) > 1:
        return False
    return is_equal_parsed_answer(named.value, other)


def is_equal_real_set(a: ParsedAnswer, b: ParsedAnswer) -> bool:
    """Return whether two answers are the same set of numbers, with the same variable if both name one."""
    if isinstance(a, RealSet) and isinstance(b, RealSet) and a.variable and b.variable and a.variable != b.variable:
        return False
    try:
        one, other = to_real_set(a), to_real_set(b)
    except UnreadableExpressionError:
        return False
    if one == other:
        return True
    return bool(one.symmetric_difference(other).is_empty)


def is_equal_relation(a: Relation, b: Relation) -> bool:
    """Return whether two relations hold at the same points: one is a multiple of the other, mirrored if negative."""
    variables = sorted(a.difference.free_symbols, key=str)
    if set(variables) != b.difference.free_symbols:
        return False
    ratio = None
    for point in COMPARISON_POINTS:
        at = {variable: sympy.Rational(point[i % 4] + i // 4) for i, variable in enumerate(variables)}
        quotient = (a.difference / b.difference).evalf(50, subs=at)
        if not quotient.is_finite or quotient == 0 or not quotient.is_real:
            return False
        if ratio is not None and not is_close_value(ratio, quotient):
            return False
        ratio = quotient
    assert ratio is not None
    return b.sign == (a.sign if ratio > 0 else MIRRORED_SIGNS.get(a.sign, a.sign))
