r"""Parsing of LaTeX answers: numbers with units, lists and points, regions, equations, words."""

from __future__ import annotations

import re
from functools import lru_cache

import sympy
from sympy import S

from isocompute.runners.grading.answers import (
    AnswerList,
    ClockTime,
    NamedValue,
    ParsedAnswer,
    RealSet,
    Relation,
    Residue,
    WordAnswer,
    combine_sets,
    compute_ratio,
    flatten_answers,
    join_alternatives,
    join_conjuncts,
    to_real_set,
)
from isocompute.runners.grading.expression import UnreadableExpressionError
from isocompute.runners.grading.latex import match_outer_brackets, normalise_latex, split_at_separators
from isocompute.runners.grading.quantities import Quantity, parse_quantity
from isocompute.runners.grading.set_builder import build_rule_set
from isocompute.runners.grading.words import normalise_words

NAMED_SETS = {
    r"\mathbb{R}": S.Reals, r"\mathbb{Z}": S.Integers, r"\mathbb{N}": S.Naturals, r"\mathbb{Q}": S.Rationals,
    r"\mathbb{C}": S.Complexes, r"\emptyset": S.EmptySet,
}  # fmt: skip
SET_OPERATORS = r"\cup", r"\cap", r"\setminus"
RELATION_SIGNS = "=", "<", ">", r"\le", r"\ge", r"\ne", r"\approx", r"\equiv"
MIRRORED_SIGNS = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
INEQUALITY_CLASSES = {
    "<": sympy.StrictLessThan,
    ">": sympy.StrictGreaterThan,
    r"\le": sympy.LessThan,
    r"\ge": sympy.GreaterThan,
}

OR_PATTERN = re.compile(r"\\lor(?![a-zA-Z])|\\text ?\{ ?,? ?or ?\}|(?<![a-zA-Z\\])or(?![a-zA-Z])")
AND_PATTERN = re.compile(r",? ?(?:\\land(?![a-zA-Z])|\\text ?\{ ?,? ?and ?\}|(?<![a-zA-Z\\])and(?![a-zA-Z]))|;")
GROUPED_DIGITS_PATTERN = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!,?\d)", re.ASCII)
VALUE_NAME_PATTERN = re.compile(
    r"[a-zA-Z]'*(?:_\{?\\?\w+\}?)?(?:\^\{-1\})?(?:\([a-z](?:, ?[a-z])*\))?|[A-Z]{2,4}|\([a-z](?:, ?[a-z])+\)"
    r"|\\(?:angle|triangle|overline|text|vec|[a-z]*theta|alpha|beta|gamma|phi|lambda|mu|sigma|Delta)(?![a-zA-Z])[^=]*"
)
CLOCK_TIME_PATTERN = re.compile(r"\d:\d\d(?:\\text|[ {])*[ap]\.?m", re.IGNORECASE)
CLOCK_PATTERN = re.compile(r"\d{1,2}(?: ?:\d\d){1,2}")
RESIDUE_PATTERN = re.compile(
    r"(?:[a-zA-Z] ?(?:\\equiv|=) ?)?([^=,;<>]+?) ?(?:\( ?)?(?:\\p?mod|\\text ?\{ ?mod ?\}|mod)"
    r" ?\{? ?(\d{1,30}) ?\}? ?\)?"
)
REMAINDER_PATTERN = re.compile(
    r"(\d{1,30}) ?,? ?(?:\\text ?\{ ?(?:R|r|rem|(?:with )?(?:a )?remainder(?: of)?)\.? ?\}|R|r|remainder) ?(\d{1,30})"
)
MEASURE_PATTERN = re.compile(
    r"\|[^|=]+\||\[[A-Z]{2,}\]|\([A-Z]{2,}\)|[A-Za-z]{1,4} ?\([^()=]*\)|[a-zA-Z]{2,4}|[a-z] ?/ ?[a-z]"
    r"|[-+]?\d*[a-zA-Z](?: ?[-+] ?\d*[a-zA-Z])+|\\(?:det|gcd|lcm|deg|dim|max|min|log|arg|sup|inf)(?![a-zA-Z])[^=]*"
    r"|\\frac ?\{?[a-zA-Z]\}? ?\{?[a-zA-Z]\}?|\\frac ?\{[A-Za-z\[\]| ]+\} ?\{[A-Za-z\[\]| ]+\}"
)
CONDITION_WORD_PATTERN = (
    r"\\text ?\{ ?(?:if|for|when|otherwise|else)? ?\}|(?<![a-zA-Z\\])(?:if|for|when|otherwise|else)(?![a-zA-Z])"
)


@lru_cache(maxsize=4096)
def parse_answer(text: str) -> ParsedAnswer:
    r"""Parse an answer.

    >>> (parse_answer(r"\{1, 2\}").items[1].value, parse_answer("x > 3").numbers, parse_answer(r"5 \text{ cm}").value,
    ... parse_answer("an ellipse").text)
    (2, Interval.open(3, oo), 1/20, 'ellipse')

    Raises:
        ExpressionTooLargeError: it holds a number too large to evaluate.
    """
    spelt = normalise_latex(text)
    try:
        return parse_answer_part(re.sub(r"^\\approx ?", "", spelt))
    except UnreadableExpressionError:
        return WordAnswer(normalise_words(spelt))


def parse_answer_part(text: str) -> ParsedAnswer:
    """Parse a text by its loosest operators first, recursively down to expressions."""
    text = text.strip(" ")
    if re.search(r"\d\.\d* ?\\ldots", text):
        raise UnreadableExpressionError(text)
    if text == r"\ldots":
        return WordAnswer(text)
    if division := REMAINDER_PATTERN.fullmatch(text):
        return AnswerList(tuple(parse_quantity(part) for part in division.groups()), "R")
    if residue := RESIDUE_PATTERN.fullmatch(text):
        return Residue(parse_scalar(residue[1]), int(residue[2]))
    while (pair := match_outer_brackets(text)) and (pair[0], pair[2]) == ("{", "}"):
        text = pair[1]
    if OR_PATTERN.search(text):
        return join_alternatives([parse_answer_part(part) for part in OR_PATTERN.split(text)])
    if not re.search(r"[(\[{][^()\[\]{}]*,", text):  # (12,102) is a pair
        text = GROUPED_DIGITS_PATTERN.sub(lambda m: m[0].replace(",", ""), text)
    parts = split_conjuncts(text)
    if len(parts) > 1:
        return join_conjuncts([parse_answer_part(part) for part in parts])
    pieces, signs = split_at_separators(text, *RELATION_SIGNS, r"\in", r"\notin")
    if signs:
        return parse_relation_chain([piece.strip() for piece in pieces], signs)
    pieces, signs = split_at_separators(text, *SET_OPERATORS)
    if signs:
        return combine_sets([to_real_set(parse_answer_part(piece)) for piece in pieces], signs)
    if text.replace(" ", "") in NAMED_SETS:
        return RealSet(NAMED_SETS[text.replace(" ", "")])
    if pair := match_outer_brackets(text):
        return parse_bracketed_answer(*pair, text)
    if r"\pm" in text or r"\mp" in text:
        return flatten_answers([parse_answer_part(choose_signs(text, plus)) for plus in (True, False)])
    if function := re.fullmatch(r"\\begin\{cases\}(.*)\\end\{cases\}", text):
        return parse_cases(function[1])
    pieces = split_at_separators(text, ":")[0]
    pieces = re.split(r"\\text ?\{ ?to ?\}", text) if len(pieces) == 1 else pieces
    if CLOCK_PATTERN.fullmatch(":".join(piece.strip() for piece in pieces)):
        return ClockTime(tuple(int(piece) for piece in pieces))
    if len(pieces) > 1 and not CLOCK_TIME_PATTERN.search(text):
        return compute_ratio([parse_scalar(piece.strip()) for piece in pieces])
    return parse_quantity(text)


def choose_signs(text: str, plus: bool) -> str:
    r"""Return a text with the upper or the lower signs of \pm and \mp.

    >>> choose_signs(r"1 \pm x \mp y", plus=False)
    '1 - x + y'
    """
    upper, lower = ("+", "-") if plus else ("-", "+")
    return re.sub(r"\\mp(?![a-zA-Z])", lower, re.sub(r"\\pm(?![a-zA-Z])", upper, text))


def parse_bracketed_answer(opening: str, inside: str, closing: str, text: str) -> ParsedAnswer:
    """Parse the content of one pair of brackets: a set, a point or interval, or an expression in parentheses."""
    kind = {r"\{": "{", r"\}": "}", r"\langle": "<", r"\rangle": ">"}
    brackets = kind.get(opening, opening) + kind.get(closing, closing)
    if brackets == "{}":
        condition = split_at_separators(inside, r"\mid", "|", ":")[0]
        if len(condition) == 2:
            return parse_set_builder(*condition)
        return flatten_answers(
            [parse_answer_part(part) for part in split_at_separators(inside, ",", ";")[0] if part.strip()], brackets
        )
    parts = split_at_separators(inside, ",", ";")[0]
    if len(parts) > 1 and brackets in ("()", "[]", "(]", "[)", "<>"):
        return AnswerList(tuple(parse_answer_part(part) for part in parts), brackets)
    return parse_answer_part(inside) if brackets == "()" else parse_quantity(text)


def parse_set_builder(rule: str, condition: str) -> ParsedAnswer:
    """Parse {rule | condition}: a variable, perhaps with its domain, or an expression, and where it holds.

    Raises:
        UnreadableExpressionError: the condition is not on the one variable of the rule.
    """
    head, signs = split_at_separators(rule, r"\in")
    said = [parse_answer_part(part) for part in split_conjuncts(condition)]
    said += [parse_answer_part(rule)] if signs else []
    domains, names = [], set[str | None]()
    for part in said:
        domains.append(to_real_set(part))
        names.add(part.name if isinstance(part, NamedValue) else part.variable if isinstance(part, RealSet) else None)
    if len(names) != 1:
        raise UnreadableExpressionError(rule)
    variable = sympy.Symbol(names.pop() or "x")
    return RealSet(build_rule_set(parse_scalar(head[0].strip()), variable, sympy.Intersection(*domains)))


def split_conjuncts(text: str) -> list[str]:
    """Return the parts of a text between commas, semicolons and the word "and"."""
    return [part for cut in AND_PATTERN.split(text) for part in split_at_separators(cut, ",", ";")[0] if part.strip()]


def parse_relation_chain(sides: list[str], signs: list[str]) -> ParsedAnswer:
    """Parse a chain of equations or inequalities."""
    if signs == [r"\in"]:
        return NamedValue(sides[0], parse_answer_part(sides[1]))
    if signs == [r"\notin"]:
        return RealSet(S.Reals - to_real_set(parse_answer_part(sides[1])))
    if set(signs) <= {"=", r"\approx", r"\equiv"}:
        return parse_equation(sides)
    if r"\approx" in signs or r"\equiv" in signs or "=" in signs:
        raise UnreadableExpressionError(" ".join(sides))
    values = [parse_scalar(side) for side in sides]
    variables = set[sympy.Symbol]().union(*(value.free_symbols for value in values))
    steps = list(zip(values, signs, values[1:], strict=False))
    if len(variables) != 1:
        if len(steps) != 1:
            raise UnreadableExpressionError(" ".join(sides))
        left, sign, right = steps[0]
        return Relation(sign, left - right)
    (variable,) = variables
    return RealSet(sympy.Intersection(*(solve_inequality(*step, variable) for step in steps)), str(variable))


def solve_inequality(left: sympy.Expr, sign: str, right: sympy.Expr, variable: sympy.Symbol) -> sympy.Set:
    """Return the solutions of an inequality in one real variable."""
    real = sympy.Symbol("x", real=True)
    left, right = (side.subs(variable, real).doit() for side in (left, right))
    try:
        if sign == r"\ne":
            return S.Reals - sympy.solveset(left - right, real, S.Reals)
        return sympy.solveset(INEQUALITY_CLASSES[sign](left, right), real, S.Reals)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # the solver raises any exception
        raise UnreadableExpressionError(sign) from error


def parse_equation(sides: list[str]) -> ParsedAnswer:
    """Parse an equation: a name's value, the last side if there are no variables, else a relation."""
    sides = [pair[1] if (pair := match_outer_brackets(side)) and pair[0] == "{" else side for side in sides]
    if len(sides) == 2 and VALUE_NAME_PATTERN.fullmatch(sides[1]) and not VALUE_NAME_PATTERN.fullmatch(sides[0]):
        sides = sides[::-1]
    try:
        relation = Relation("=", parse_scalar(sides[0]) - parse_scalar(sides[-1]))
    except UnreadableExpressionError:
        relation = None
    if VALUE_NAME_PATTERN.fullmatch(sides[0]) or MEASURE_PATTERN.fullmatch(sides[0]):
        return NamedValue(sides[0].replace(" ", ""), parse_answer_part(sides[-1]), relation)
    if relation is None:
        raise UnreadableExpressionError("=".join(sides))
    return relation if relation.difference.free_symbols else parse_answer_part(sides[-1])


def parse_scalar(text: str) -> sympy.Expr:
    """Parse an expression that is not a matrix.

    Raises:
        UnreadableExpressionError: it is a matrix, or not an expression.
    """
    value = parse_quantity(text).value
    if not isinstance(value, sympy.Expr):
        raise UnreadableExpressionError(text)
    return value


def parse_cases(rows: str) -> ParsedAnswer:
    r"""Parse a piecewise function.

    Raises:
        UnreadableExpressionError: a row is not a value and a condition.
    """
    pieces: list[tuple[sympy.Expr, sympy.Basic | bool]] = []
    for row in split_at_separators(rows, r"\\")[0]:
        if not row.strip():
            continue
        value, *conditions = split_at_separators(row, "&" if "&" in row else ",")[0]
        said = re.sub(CONDITION_WORD_PATTERN, "", " ".join(conditions)).strip(" ,.")
        condition = parse_answer_part(said) if said else RealSet(S.Reals)
        if len(conditions) != 1 or not isinstance(condition, RealSet):
            raise UnreadableExpressionError(row)
        variable = sympy.Symbol(condition.variable or "x")
        pieces.append((parse_scalar(value.strip(" ,")), condition.numbers.as_relational(variable) if said else True))
    function = sympy.Piecewise(*pieces)
    return Quantity(function, function)
