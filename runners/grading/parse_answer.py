r"""What an answer in LaTeX says: numbers with their units, lists and points, regions, equations, words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard

import sympy
from sympy import S

from isocompute.runners.grading.expression import Unreadable
from isocompute.runners.grading.latex import enclosed, spell, split
from isocompute.runners.grading.quantities import Quantity, quantity


@dataclass(frozen=True)
class Words:
    """A text that is compared as text, without its case."""

    text: str


@dataclass(frozen=True)
class Many:
    """Several answers: in order within round, square or angle brackets, in any order within braces or none."""

    items: tuple[Answer, ...]
    brackets: str = ""

    @property
    def ordered(self) -> bool:
        """Whether the order of the items counts."""
        return self.brackets not in ("", "{}")


@dataclass(frozen=True)
class Region:
    """A set of real numbers, and the variable that it was given for, if one was named."""

    set: sympy.Set
    variable: str | None = None


@dataclass(frozen=True)
class Relation:
    """An equation, or an inequality in several variables: ``difference`` stands in it to nothing, as 2 > 0."""

    sign: str
    difference: sympy.Expr


@dataclass(frozen=True)
class Named:
    """A value with the name that was put before it: x = 5, f(x) = x², (x, y) = (1, 2)."""

    name: str
    value: Answer
    relation: Relation | None = None


Answer = Words | Quantity | Many | Region | Relation | Named

SETS = {
    r"\mathbb{R}": S.Reals, r"\mathbb{Z}": S.Integers, r"\mathbb{N}": S.Naturals, r"\mathbb{Q}": S.Rationals,
    r"\mathbb{C}": S.Complexes, r"\emptyset": S.EmptySet,
}  # fmt: skip
JOINED = r"\cup", r"\cap", r"\setminus"
COMPARED = "=", "<", ">", r"\le", r"\ge", r"\ne", r"\approx", r"\equiv"
MIRRORED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
INEQUALITY = {
    "<": sympy.StrictLessThan,
    ">": sympy.StrictGreaterThan,
    r"\le": sympy.LessThan,
    r"\ge": sympy.GreaterThan,
}

OR = re.compile(r"\\lor(?![a-zA-Z])|\\text ?\{ ?,? ?or ?\}|(?<![a-zA-Z\\])or(?![a-zA-Z])")
AND = re.compile(r",? ?(?:\\land(?![a-zA-Z])|\\text ?\{ ?,? ?and ?\}|(?<![a-zA-Z\\])and(?![a-zA-Z]))|;")
GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!,?\d)", re.ASCII)
NAME = re.compile(
    r"[a-zA-Z]'*(?:_\{?\w+\}?)?(?:\([a-z](?:, ?[a-z])*\))?|[A-Z]{2,4}|\([a-z](?:, ?[a-z])+\)"
    r"|\\(?:angle|triangle|overline|text|vec|[a-z]*theta|alpha|beta|gamma|phi|lambda|mu|sigma|Delta)(?![a-zA-Z])[^=]*"
)
CLOCK = re.compile(r"\d:\d\d(?:\\text|[ {])*[ap]\.?m", re.IGNORECASE)
WHEN = r"\\text ?\{ ?(?:if|for|when|otherwise|else)? ?\}|(?<![a-zA-Z\\])(?:if|for|when|otherwise|else)(?![a-zA-Z])"


@lru_cache(maxsize=4096)
def read(text: str) -> Answer:
    r"""Read an answer.

    >>> read(r"\{1, 2\}").items[1].value, read("x > 3").set, read(r"5 \text{ cm}").value, read("no solution").text
    (2, Interval.open(3, oo), 1/20, 'no solution')

    Raises:
        Refused: it holds a number too large to be worked out.
    """
    spelt = spell(text)
    try:
        return answer(re.sub(r"^\\approx ?", "", spelt))
    except Unreadable:
        return Words(words(spelt))


def answer(text: str) -> Answer:
    """Read what the loosest signs in a text join, and so on down to an expression."""
    text = text.strip(" ")
    while (pair := enclosed(text)) and (pair[0], pair[2]) == ("{", "}"):
        text = pair[1]
    if OR.search(text):
        return either([answer(part) for part in OR.split(text)])
    if not re.search(r"[(\[{][^()\[\]{}]*,", text):  # (12,102) is a pair
        text = GROUPED.sub(lambda m: m[0].replace(",", ""), text)
    parts = [part for cut in AND.split(text) for part in split(cut, ",", ";")[0] if part.strip()]
    if len(parts) > 1:
        return both([answer(part) for part in parts])
    pieces, signs = split(text, *COMPARED, r"\in", r"\notin")
    if signs:
        return related([piece.strip() for piece in pieces], signs)
    pieces, signs = split(text, *JOINED)
    if signs:
        return joined([region(answer(piece)) for piece in pieces], signs)
    if text.replace(" ", "") in SETS:
        return Region(SETS[text.replace(" ", "")])
    if pair := enclosed(text):
        return bracketed(*pair, text)
    if r"\pm" in text or r"\mp" in text:
        return flat([answer(signed(text, plus)) for plus in (True, False)])
    if function := re.fullmatch(r"\\begin\{cases\}(.*)\\end\{cases\}", text):
        return cases(function[1])
    pieces = split(text, ":")[0]
    pieces = re.split(r"\\text ?\{ ?to ?\}", text) if len(pieces) == 1 else pieces
    if len(pieces) > 1 and not CLOCK.search(text):
        return ratio([number(piece.strip()) for piece in pieces])
    return quantity(text)


def either(parts: list[Answer]) -> Answer:
    """Join answers of which any may hold: regions to one, others to a list."""
    regions = [part for part in parts if isinstance(part, Region)]
    if len(regions) == len(parts):
        return Region(sympy.Union(*(part.set for part in regions)), common(regions))
    return flat(parts)


def both(parts: list[Answer]) -> Answer:
    """Join answers that stand side by side: conditions on one variable are met together, others are a list."""
    regions = [part for part in parts if isinstance(part, Region)]
    if len(regions) == len(parts) and common(regions):
        return Region(sympy.Intersection(*(part.set for part in regions)), common(regions))
    return flat(parts)


def common(regions: list[Region]) -> str | None:
    """Return the variable that all regions were given for; None if they differ."""
    names = {part.variable for part in regions}
    return names.pop() if len(names) == 1 else None


def flat(parts: list[Answer], brackets: str = "") -> Many:
    """Make one list or set of answers, some of which are lists themselves."""
    return Many(tuple(item for part in parts for item in (part.items if is_list(part) else (part,))), brackets)


def is_list(part: Answer) -> TypeGuard[Many]:
    """Whether an answer is a list without brackets."""
    return isinstance(part, Many) and part.brackets == ""


def signed(text: str, plus: bool) -> str:
    r"""Choose the upper or the lower signs of \pm and \mp.

    >>> signed(r"1 \pm x \mp y", plus=False)
    '1 - x + y'
    """
    upper, lower = ("+", "-") if plus else ("-", "+")
    return re.sub(r"\\mp(?![a-zA-Z])", lower, re.sub(r"\\pm(?![a-zA-Z])", upper, text))


def bracketed(opening: str, inside: str, closing: str, text: str) -> Answer:
    """Read what stands in one pair of brackets: a set, a point or an interval, or an expression in parentheses."""
    kind = {r"\{": "{", r"\}": "}", r"\langle": "<", r"\rangle": ">"}
    brackets = kind.get(opening, opening) + kind.get(closing, closing)
    if brackets == "{}":
        condition = split(inside, r"\mid", "|", ":")[0]
        if len(condition) == 2:
            return answer(condition[1])
        return flat([answer(part) for part in split(inside, ",", ";")[0] if part.strip()], brackets)
    parts = split(inside, ",", ";")[0]
    if len(parts) > 1 and brackets in ("()", "[]", "(]", "[)", "<>"):
        return Many(tuple(answer(part) for part in parts), brackets)
    return answer(inside) if brackets == "()" else quantity(text)


def related(sides: list[str], signs: list[str]) -> Answer:
    """Read a chain of equations or inequalities."""
    if signs == [r"\in"]:
        return Named(sides[0], answer(sides[1]))
    if signs == [r"\notin"]:
        return Region(S.Reals - region(answer(sides[1])))
    if set(signs) <= {"=", r"\approx", r"\equiv"}:
        return equation(sides)
    if r"\approx" in signs or r"\equiv" in signs or "=" in signs:
        raise Unreadable(" ".join(sides))
    values = [number(side) for side in sides]
    variables = set[sympy.Symbol]().union(*(value.free_symbols for value in values))
    steps = list(zip(values, signs, values[1:], strict=False))
    if len(variables) != 1:
        if len(steps) != 1:
            raise Unreadable(" ".join(sides))
        left, sign, right = steps[0]
        return Relation(sign, left - right)
    (variable,) = variables
    return Region(sympy.Intersection(*(solved(*step, variable) for step in steps)), str(variable))


def solved(left: sympy.Expr, sign: str, right: sympy.Expr, variable: sympy.Symbol) -> sympy.Set:
    """Solve an inequality in one real variable."""
    real = sympy.Symbol("x", real=True)
    left, right = (side.subs(variable, real).doit() for side in (left, right))
    try:
        if sign == r"\ne":
            return S.Reals - sympy.solveset(left - right, real, S.Reals)
        return sympy.solveset(INEQUALITY[sign](left, right), real, S.Reals)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # the solver raises what it likes
        raise Unreadable(sign) from error


def equation(sides: list[str]) -> Answer:
    """Read an equation: of a name it tells the value, without variables it is its last side."""
    sides = [pair[1] if (pair := enclosed(side)) and pair[0] == "{" else side for side in sides]
    if len(sides) == 2 and NAME.fullmatch(sides[1]) and not NAME.fullmatch(sides[0]):
        sides = sides[::-1]
    try:
        relation = Relation("=", number(sides[0]) - number(sides[-1]))
    except Unreadable:
        relation = None
    if NAME.fullmatch(sides[0]):
        return Named(sides[0].replace(" ", ""), answer(sides[-1]), relation)
    if relation is None:
        raise Unreadable("=".join(sides))
    return relation if relation.difference.free_symbols else answer(sides[-1])


def joined(sets: list[sympy.Set], signs: list[str]) -> Region:
    r"""Join sets by \cup, \cap and \setminus, from left to right."""
    whole = sets[0]
    for sign, part in zip(signs, sets[1:], strict=True):
        whole = {r"\cup": sympy.Union, r"\cap": sympy.Intersection, r"\setminus": sympy.Complement}[sign](whole, part)
    return Region(whole)


def region(said: Answer) -> sympy.Set:
    """Return an answer as a set of real numbers: (1, 2] is an interval now, and {1, 2} two numbers.

    Raises:
        Unreadable: it is none.
    """
    if isinstance(said, Named):
        return region(said.value)
    if isinstance(said, Region):
        return said.set
    if isinstance(said, Many) and all(isinstance(item, Quantity) for item in said.items):
        values = [item.value.doit() for item in said.items if isinstance(item, Quantity)]
        if not said.ordered:
            return sympy.FiniteSet(*values)
        if len(values) == 2 and said.brackets != "<>" and all(value.is_extended_real for value in values):
            return sympy.Interval(*values, said.brackets[0] == "(", said.brackets[1] == ")")
    raise Unreadable(type(said).__name__)


def number(text: str) -> sympy.Expr:
    """Read an expression that is no matrix.

    Raises:
        Unreadable: it is none.
    """
    value = quantity(text).value
    if not isinstance(value, sympy.Expr):
        raise Unreadable(text)
    return value


def ratio(values: list[sympy.Expr]) -> Answer:
    """Return a ratio: of two numbers their quotient, of more a list of each over the first."""
    quotients = [value / values[0] for value in values]
    if len(values) == 2:
        return Quantity(1 / quotients[1], 1 / quotients[1])
    return Many(tuple(Quantity(value, value) for value in quotients), "::")


def cases(rows: str) -> Answer:
    r"""Read a function that is given piece by piece.

    Raises:
        Unreadable: a row is not a value and a condition.
    """
    pieces: list[tuple[sympy.Expr, sympy.Basic | bool]] = []
    for row in split(rows, r"\\")[0]:
        if not row.strip():
            continue
        value, *conditions = split(row, "&" if "&" in row else ",")[0]
        said = re.sub(WHEN, "", " ".join(conditions)).strip(" ,.")
        condition = answer(said) if said else Region(S.Reals)
        if len(conditions) != 1 or not isinstance(condition, Region):
            raise Unreadable(row)
        variable = sympy.Symbol(condition.variable or "x")
        pieces.append((number(value.strip(" ,")), condition.set.as_relational(variable) if said else True))
    function = sympy.Piecewise(*pieces)
    return Quantity(function, function)


def words(text: str) -> str:
    r"""Return a text in words as it is compared: no markup, case, stop or article.

    >>> words(r"\text{(B)}"), words(r"\text{an ellipse}."), words("4:30 p.m.")
    ('b', 'ellipse', '4:30 pm')
    """
    bare = re.sub(r"\\text(?![a-zA-Z])|[{}(),!\"$]|\.(?!\d)", "", text)
    bare = " ".join(bare.replace("\\", " ").casefold().split())
    return re.sub(r"^(?:an?|the) ", "", bare)
