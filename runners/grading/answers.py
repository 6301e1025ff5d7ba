r"""Parsed answers: numbers with units, words, lists, sets, relations, names, times, ratios and residues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

import sympy

from isocompute.runners.grading.expression import UnreadableExpressionError
from isocompute.runners.grading.quantities import Quantity


@dataclass(frozen=True)
class WordAnswer:
    """A text that is compared as text, ignoring case."""

    text: str


@dataclass(frozen=True)
class AnswerList:
    """Several answers: ordered within round, square or angle brackets, unordered within braces or without brackets."""

    items: tuple[ParsedAnswer, ...]
    brackets: str = ""

    @property
    def is_ordered(self) -> bool:
        """True if the order of the items matters."""
        return self.brackets not in ("", "{}")


@dataclass(frozen=True)
class RealSet:
    """A set of real numbers, with its variable if one was named."""

    numbers: sympy.Set
    variable: str | None = None


@dataclass(frozen=True)
class Relation:
    """An equation, or an inequality in several variables: ``difference`` is related to 0 by ``sign``."""

    sign: str
    difference: sympy.Expr


@dataclass(frozen=True)
class NamedValue:
    """A value with its name: x = 5, f(x) = x², (x, y) = (1, 2)."""

    name: str
    value: ParsedAnswer
    relation: Relation | None = None


@dataclass(frozen=True)
class ClockTime:
    """A time of day or a duration, hours first."""

    parts: tuple[int, ...]


@dataclass(frozen=True)
class Residue:
    """A whole number modulo another."""

    value: sympy.Expr
    modulus: int


@dataclass(frozen=True)
class Ratio:
    """A ratio of two or more numbers, as each over the first that is not 0."""

    parts: tuple[sympy.Expr, ...]


ParsedAnswer = WordAnswer | Quantity | AnswerList | RealSet | Relation | NamedValue | ClockTime | Residue | Ratio


def join_alternatives(parts: list[ParsedAnswer]) -> ParsedAnswer:
    """Join answers of which any may hold: regions to their union, others to a list."""
    regions = [part for part in parts if isinstance(part, RealSet)]
    if len(regions) == len(parts):
        return RealSet(sympy.Union(*(part.numbers for part in regions)), find_common_variable(regions))
    return flatten_answers(parts)


def join_conjuncts(parts: list[ParsedAnswer]) -> ParsedAnswer:
    """Join answers side by side: conditions on one variable to their intersection, others to a list."""
    regions = [part for part in parts if isinstance(part, RealSet)]
    if len(regions) == len(parts) and find_common_variable(regions):
        return RealSet(sympy.Intersection(*(part.numbers for part in regions)), find_common_variable(regions))
    return flatten_answers(parts)


def find_common_variable(regions: list[RealSet]) -> str | None:
    """Return the common variable of all regions; None if they differ."""
    names = {part.variable for part in regions}
    return names.pop() if len(names) == 1 else None


def flatten_answers(parts: list[ParsedAnswer], brackets: str = "") -> AnswerList:
    """Return one list or set of answers, with bare lists among them flattened."""
    return AnswerList(
        tuple(item for part in parts for item in (part.items if is_bare_list(part) else (part,))), brackets
    )


def is_bare_list(part: ParsedAnswer) -> TypeGuard[AnswerList]:
    """Return whether an answer is a list without brackets."""
    return isinstance(part, AnswerList) and part.brackets == ""


def combine_sets(sets: list[sympy.Set], signs: list[str]) -> RealSet:
    r"""Combine sets by \cup, \cap and \setminus, from left to right."""
    whole = sets[0]
    for sign, part in zip(signs, sets[1:], strict=True):
        whole = {r"\cup": sympy.Union, r"\cap": sympy.Intersection, r"\setminus": sympy.Complement}[sign](whole, part)
    return RealSet(whole)


def to_real_set(said: ParsedAnswer) -> sympy.Set:
    """Return an answer as a set of real numbers: (1, 2] as an interval, {1, 2} as two numbers.

    Raises:
        UnreadableExpressionError: it is not a set of real numbers.
    """
    if isinstance(said, NamedValue):
        return to_real_set(said.value)
    if isinstance(said, RealSet):
        return said.numbers
    if isinstance(said, AnswerList) and all(isinstance(item, Quantity) for item in said.items):
        values = [item.value.doit() for item in said.items if isinstance(item, Quantity)]
        if not said.is_ordered:
            return sympy.FiniteSet(*values)
        if len(values) == 2 and said.brackets != "<>" and all(value.is_extended_real for value in values):
            return sympy.Interval(*values, said.brackets[0] == "(", said.brackets[1] == ")")
    raise UnreadableExpressionError(type(said).__name__)


def compute_ratio(values: list[sympy.Expr]) -> Ratio:
    """Return a ratio of numbers.

    Raises:
        UnreadableExpressionError: all are 0.
    """
    first = next((value for value in values if value != 0), None)
    if first is None:
        raise UnreadableExpressionError("0")
    return Ratio(tuple(value / first for value in values))
