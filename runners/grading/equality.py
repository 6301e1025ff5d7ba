r"""Whether two answers are equal."""

from __future__ import annotations

import sympy

from isocompute.runners.grading.expression import POINTS, Unreadable, near, same
from isocompute.runners.grading.extraction import choice
from isocompute.runners.grading.latex import spell
from isocompute.runners.grading.parse_answer import (
    MIRRORED,
    Answer,
    Many,
    Named,
    Region,
    Relation,
    Words,
    read,
    region,
    words,
)
from isocompute.runners.grading.quantities import Quantity


def equal(one: str, other: str) -> bool:
    r"""Whether two answers say the same.

    >>> equal(r"\frac{1}{2}", "50\\%"), equal("(1, 2)", "(2, 1)"), equal(r"x = 1 \text{ or } x = -2", "-2, 1")
    (True, False, True)

    Raises:
        Refused: one holds a number too large to be worked out.
    """
    a, b = read(one), read(other)
    if isinstance(a, Words) or isinstance(b, Words):
        chosen = choice(one)  # D and (D) 12 are the same choice
        return words(spell(one)) == words(spell(other)) or (chosen in (one, other) and chosen == choice(other))
    return alike(a, b)


def alike(a: Answer, b: Answer) -> bool:
    """Whether two answers, neither of which is in words alone, say the same."""
    if isinstance(a, Words) or isinstance(b, Words):
        return a == b
    if isinstance(a, Named) or isinstance(b, Named):
        return alike_named(a, b)
    if isinstance(a, Relation) or isinstance(b, Relation):
        return isinstance(a, Relation) and isinstance(b, Relation) and equivalent(a, b)
    if isinstance(a, Region) or isinstance(b, Region):
        return alike_regions(a, b)
    if isinstance(a, Many) and isinstance(b, Many):
        return alike_many(a, b)
    for many, single in ((a, b), (b, a)):
        if isinstance(many, Many):
            return not many.ordered and len(many.items) == 1 and alike(many.items[0], single)
    assert isinstance(a, Quantity)
    assert isinstance(b, Quantity)
    return alike_quantities(a, b)


def alike_quantities(a: Quantity, b: Quantity) -> bool:
    """Whether two numbers are the same; a unit may be left out, and a pure number such as 50 % worked out."""
    if a.dimension is not None and b.dimension is not None:
        return a.dimension == b.dimension and same(a.value, b.value)
    if same(a.bare, b.bare):
        return True
    return () in (a.dimension, b.dimension) and same(a.value, b.value)


def alike_many(a: Many, b: Many) -> bool:
    """Whether two lists hold the same: place by place in brackets of one kind, or else each somewhere in the other."""
    if a.ordered and b.ordered:
        kind = a.brackets == b.brackets or {a.brackets, b.brackets} == {"()", "<>"}
        return kind and len(a.items) == len(b.items) and all(map(alike, a.items, b.items))
    if a.ordered or b.ordered:
        ordered, other = (a, b) if a.ordered else (b, a)
        return len(other.items) == 1 and alike(other.items[0], ordered)
    return all(any(alike(x, y) for y in b.items) for x in a.items) and all(
        any(alike(x, y) for x in a.items) for y in b.items
    )


def alike_named(a: Answer, b: Answer) -> bool:
    """Whether named values are the same: a name may be left out, and an equation be written another way."""
    if isinstance(a, Named) and isinstance(b, Named):
        if a.name == b.name and alike(a.value, b.value):
            return True
        return a.relation is not None and b.relation is not None and equivalent(a.relation, b.relation)
    named, other = (a, b) if isinstance(a, Named) else (b, a)
    assert isinstance(named, Named)
    if isinstance(other, Relation):
        return named.relation is not None and equivalent(named.relation, other)
    if isinstance(other, Many) and not isinstance(named.value, Many) and len(other.items) > 1:
        return False
    return alike(named.value, other)


def alike_regions(a: Answer, b: Answer) -> bool:
    """Whether two answers are the same set of numbers, and of the same variable where both name one."""
    if isinstance(a, Region) and isinstance(b, Region) and a.variable and b.variable and a.variable != b.variable:
        return False
    try:
        one, other = region(a), region(b)
    except Unreadable:
        return False
    if one == other:
        return True
    return bool(one.symmetric_difference(other).is_empty)


def equivalent(a: Relation, b: Relation) -> bool:
    """Whether two relations hold at the same points: one is the other times a number, which may turn its sign."""
    variables = sorted(a.difference.free_symbols, key=str)
    if set(variables) != b.difference.free_symbols:
        return False
    ratio = None
    for point in POINTS:
        at = {variable: sympy.Rational(point[i % 4] + i // 4) for i, variable in enumerate(variables)}
        quotient = (a.difference / b.difference).evalf(50, subs=at)
        if not quotient.is_finite or quotient == 0 or not quotient.is_real:
            return False
        if ratio is not None and not near(ratio, quotient):
            return False
        ratio = quotient
    assert ratio is not None
    return b.sign == (a.sign if ratio > 0 else MIRRORED.get(a.sign, a.sign))
