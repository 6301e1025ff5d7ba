r"""Equality of parsed answers."""

from __future__ import annotations

import re

import sympy

from isocompute.runners.grading.answers import (
    AnswerList,
    ClockTime,
    NamedValue,
    ParsedAnswer,
    Ratio,
    RealSet,
    Relation,
    Residue,
    WordAnswer,
    compute_ratio,
    to_real_set,
)
from isocompute.runners.grading.dates import parse_date
from isocompute.runners.grading.expression import (
    COMPARISON_POINTS,
    UnreadableExpressionError,
    is_close_value,
    is_equal_expression,
)
from isocompute.runners.grading.latex import normalise_latex
from isocompute.runners.grading.letters import parse_choice_letter
from isocompute.runners.grading.parse_answer import MIRRORED_SIGNS, parse_answer
from isocompute.runners.grading.quantities import Quantity
from isocompute.runners.grading.set_builder import has_rule
from isocompute.runners.grading.words import is_plain_words, normalise_word_list, normalise_words


def is_equal_answer(one: str, other: str) -> bool:
    r"""Return whether two answers are equal.

    >>> (is_equal_answer(r"\frac{1}{2}", "50\\%"), is_equal_answer("(1, 2)", "(2, 1)"),
    ... is_equal_answer(r"x = 1 \text{ or } x = -2", "-2, 1"))
    (True, False, True)

    Raises:
        ExpressionTooLargeError: one holds a number too large to evaluate.
    """
    if is_same_choice(one, other):
        return True
    if is_plain_words(one) and is_plain_words(other):  # "stop" and "post" would be the same product of variables
        return normalise_words(one) == normalise_words(other)
    date, other_date = parse_date(one), parse_date(other)
    if date is not None or other_date is not None:  # 2024-01-01 would be the difference 2022
        return date == other_date
    for grouped, listed in ((one, other), (other, one)):
        if is_list_of_groups(grouped, listed):
            grouped, listed = (re.sub(r", ?", ", ", text) for text in (grouped, listed))
            return is_equal_parsed_answer(parse_answer(grouped), parse_answer(listed))
    a, b = parse_answer(one), parse_answer(other)
    if isinstance(a, WordAnswer) or isinstance(b, WordAnswer):
        chosen = parse_choice_letter(one)  # D and (D) 12 are the same choice
        said, heard = normalise_latex(one), normalise_latex(other)
        return (
            normalise_words(said) == normalise_words(heard)
            or (normalise_word_list(said) == normalise_word_list(heard) and len(normalise_word_list(said)) > 1)
            or (chosen in (one, other) and chosen == parse_choice_letter(other))
        )
    return is_equal_parsed_answer(a, b)


CHOICE_LETTER_PATTERN = re.compile(r"\(?([A-E])\)?", re.IGNORECASE)


def is_same_choice(one: str, other: str) -> bool:
    """Return whether both answers are the same letter of a choice; c, C and (C) are, since most such letters are.

    >>> [is_same_choice("C", other) for other in ("c", "(C)", "D", "2c")]
    [True, True, False, False]
    """
    chosen, same = CHOICE_LETTER_PATTERN.fullmatch(one), CHOICE_LETTER_PATTERN.fullmatch(other)
    return chosen is not None and same is not None and chosen[1].upper() == same[1].upper()


GROUPS_PATTERN = re.compile(r"\d{3}(?:,\d{3})+", re.ASCII)


def is_list_of_groups(one: str, other: str) -> bool:
    """Return whether 150,160 is a list of numbers, as the other answer is, and not one number with grouped digits."""
    if not GROUPS_PATTERN.fullmatch(one):
        return False
    if re.fullmatch(r"\d{3}(?:, \d{3})+", other, re.ASCII):
        return True
    return one.count(",") > 1 and one != other and GROUPS_PATTERN.fullmatch(other) is not None


def is_equal_parsed_answer(a: ParsedAnswer, b: ParsedAnswer) -> bool:
    """Return whether two parsed answers are equal, at most one of which consists of words."""
    if isinstance(a, WordAnswer) or isinstance(b, WordAnswer):
        return a == b
    if isinstance(a, ClockTime | Ratio) or isinstance(b, ClockTime | Ratio):
        return is_equal_ratio(a, b)
    if isinstance(a, Residue) or isinstance(b, Residue):
        return is_equal_residue(a, b)
    if isinstance(a, AnswerList) and isinstance(b, AnswerList):
        return is_equal_list(a, b)
    if isinstance(a, NamedValue) or isinstance(b, NamedValue):
        return is_equal_named_value(a, b)
    if isinstance(a, Relation) or isinstance(b, Relation):
        return isinstance(a, Relation) and isinstance(b, Relation) and is_equal_relation(a, b)
    if isinstance(a, RealSet) or isinstance(b, RealSet):
        return is_equal_real_set(a, b)
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


def is_equal_ratio(a: ParsedAnswer, b: ParsedAnswer) -> bool:
    """Return whether ratios, or a ratio and a quotient, are equal; 12:00 and 1:00 are times, which differ.

    A time whose minutes begin with 0 is no ratio, but 12:30 may be one.
    """
    if isinstance(a, ClockTime) and isinstance(b, ClockTime):
        return a == b
    if any(isinstance(x, ClockTime) and min(x.parts[1:]) < 10 for x in (a, b)):
        return False
    if isinstance(a, ClockTime | Ratio) and isinstance(b, ClockTime | Ratio):
        left, right = (
            compute_ratio([sympy.Integer(part) for part in x.parts]) if isinstance(x, ClockTime) else x for x in (a, b)
        )
        return len(left.parts) == len(right.parts) and all(map(is_equal_expression, left.parts, right.parts))
    ratio, other = (a, b) if isinstance(a, Ratio) else (b, a)
    if not isinstance(ratio, Ratio) or not isinstance(other, Quantity) or len(ratio.parts) != 2 or ratio.parts[1] == 0:
        return False
    return is_equal_expression(ratio.parts[0] / ratio.parts[1], other.value)


def is_equal_residue(a: ParsedAnswer, b: ParsedAnswer) -> bool:
    """Return whether residues are congruent by the same modulus; the modulus may be left out."""
    if isinstance(a, Residue) and isinstance(b, Residue):
        return a.modulus == b.modulus and (a.value - b.value) % a.modulus == 0
    residue, other = (a, b) if isinstance(a, Residue) else (b, a)
    assert isinstance(residue, Residue)
    if isinstance(other, NamedValue):
        other = other.value
    return isinstance(other, Quantity) and is_equal_expression(residue.value, other.unitless_value)


def collect_names(answers: AnswerList) -> dict[str, ParsedAnswer] | None:
    """Return the values of a list by their names, if each has a name of its own, such as x=2, y=3; else None."""
    named = [item for item in answers.items if isinstance(item, NamedValue)]
    values = {item.name: item.value for item in named}
    return values if len(values) == len(answers.items) > 1 else None


def is_equal_list(a: AnswerList, b: AnswerList) -> bool:
    """Return whether two lists are equal.

    In order if both have brackets of one kind, or if only one names its values, as in x=2, y=3 and (2, 3); by name if
    both do; as sets if one has braces; else as lists in any order, in which 2, 2, 5 differs from 2, 5, 5.
    """
    named, other_named = collect_names(a), collect_names(b)
    if named is not None and other_named is not None:
        return named.keys() == other_named.keys() and all(
            is_equal_parsed_answer(value, other_named[name]) for name, value in named.items()
        )
    if (named is not None or other_named is not None) and "{}" not in (a.brackets, b.brackets):
        return len(a.items) == len(b.items) and all(map(is_equal_parsed_answer, a.items, b.items))
    if a.is_ordered and b.is_ordered:
        kind = a.brackets == b.brackets or {a.brackets, b.brackets} == {"()", "<>"}
        return kind and len(a.items) == len(b.items) and all(map(is_equal_parsed_answer, a.items, b.items))
    if a.is_ordered or b.is_ordered:
        ordered, other = (a, b) if a.is_ordered else (b, a)
        return len(other.items) == 1 and is_equal_parsed_answer(other.items[0], ordered)
    if WordAnswer(r"\ldots") in (*a.items, *b.items):
        return len(a.items) == len(b.items) and all(map(is_equal_parsed_answer, a.items, b.items))
    if "{}" in (a.brackets, b.brackets):
        return all(any(is_equal_parsed_answer(x, y) for y in b.items) for x in a.items) and all(
            any(is_equal_parsed_answer(x, y) for x in a.items) for y in b.items
        )
    left = list(b.items)
    for x in a.items:
        place = next((i for i, y in enumerate(left) if is_equal_parsed_answer(x, y)), None)
        if place is None:
            return False
        del left[place]
    return not left


def is_equal_named_value(a: ParsedAnswer, b: ParsedAnswer) -> bool:
    """Return whether named values are equal; a name may be left out, and an equation rearranged."""
    if isinstance(a, NamedValue) and isinstance(b, NamedValue):
        if (a.name == b.name or isinstance(a.value, RealSet)) and is_equal_parsed_answer(a.value, b.value):
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
    if has_rule(one) or has_rule(other):
        return False
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
