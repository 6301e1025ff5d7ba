r"""Numbers in words, digits and simple LaTeX, read exactly: 1,234.50, 2\frac{1}{2}, 2^3, 1.2e3, 1.5 million, twelve.

A text is read whole: what follows the number must be a unit or an explanation. A text that holds several numbers, a
range or a choice is not one number. Everything runs in time linear in the text, and nothing is evaluated as code.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from isocompute.runners.grading.dates import parse_date
from isocompute.runners.grading.extraction import LONGEST_BARE_TEXT, LONGEST_SHORT_ANSWER, find_stated_answer
from isocompute.runners.grading.notation import SUPERSCRIPT_PATTERN, SUPERSCRIPTS

MOST_DIGITS = 60
"""Digits of the longest number that is read."""
MOST_VALUE_BITS = 4000
"""Binary digits of the largest value that is computed."""

NUMBER_WORDS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
MULTIPLES = {
    "dozen": 12, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "score": 20,
    "k": 10**3,
}  # fmt: skip
FRACTION_CHARACTERS = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5",
    "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
}  # fmt: skip

DIGITS = r"(?:\d{1,3}(?:,\d{3}){1,20}(?![\d,]*\d)|\d{1,60})"
NUMBER_PATTERN = re.compile(
    rf"(?P<based>[0-9a-zA-Z]{{1,40}})_\{{? ?(?P<base>\d\d?) ?\}}?(?![\w.])"
    rf"|(?P<number>{DIGITS}(?:\.\d{{1,60}})?|\.\d{{1,60}}|\d{{1,60}}\.(?!\d))(?:[eE](?P<exponent>[-+]?\d{{1,3}})(?![\w.]))?"
)
LOOSE_NUMBER_PATTERN = re.compile(
    rf"(?<![\w.,/^_{{])[-+−]?(?:{DIGITS}(?:\.\d{{1,60}})?(?:/\d{{1,60}})?|\.\d{{1,60}})(?![/\d])(?!\.\d)"
)
LEAD_PATTERN = re.compile(
    r"(?:\s|[=≈~:$€£¥]|\\approx|\\(?:left|right)|about |approximately |approx\.? |roughly |around |exactly |only |"
    r"just |simply |nearly |almost |equal to |a total of |USD |EUR |Rs\.? ?)+",
    re.IGNORECASE,
)
CONCLUSION_WORD = (
    r"(?:=|≈|\\approx|\b(?:so|thus|hence|therefore)\b"
    r"|\b(?:which (?:is|equals|makes|gives)|making|giving|i\.e\.)(?=:?,? (?:about |approximately )?[$€£]?-?\.?\d))"
)
CONCLUSION_PATTERN = re.compile(rf"{CONCLUSION_WORD}(?!.*{CONCLUSION_WORD})", re.IGNORECASE)
EXPLANATION_PATTERN = re.compile(
    r"[\s,;]*(?:\(|(?:because|since|as|per|for|if|when|given|that|in|after|by|from|instead|rather|not|with|left|more|less|"
    r"but|at|on)\b|of\b(?! \d)|and (?:not|that|this|the|it|so)\b|to (?:the|be|make|get|pay|have)\b)",
    re.IGNORECASE,
)
UNIT_PATTERN = re.compile(
    r"(?:[\s~.!,;:)\]}*/·°%$€£¥'\"-]|\^ ?\{? ?\\circ ?\}?|[a-zA-Zµμ][a-zA-Zµμ²³.'-]*+(?: ?\^ ?\{?-?\d\}?)?+)*+"
)


class NotANumberError(Exception):
    """The text is not a number."""


def parse_number(text: str) -> Fraction | None:
    r"""Return the one number that a text says, without its unit; None if it says none, or several.

    >>> texts = ["1,234.50 dollars", r"2\frac{1}{2}", "1.2 x 10^3", "1.5 million", "twelve", "12 since 7 > 5", "5kg"]
    >>> [str(parse_number(text)) for text in texts]
    ['2469/2', '5/2', '1200', '1500000', '12', '12', '5']
    >>> [parse_number(text) for text in ["10-20", "5 or 6", "seven dwarfs and 3 bears", "12:30", "2024-01-01"]]
    [None, None, None, None, None]
    """
    if len(text) > LONGEST_SHORT_ANSWER:
        return None
    said = clean_number_text(text)
    if (found := CONCLUSION_PATTERN.search(said)) and found.start() and re.search(r"\d", said[found.end() :]):
        return parse_number(said[found.end() :])
    said = LEAD_PATTERN.sub("", said, count=1) if LEAD_PATTERN.match(said) else said
    if parse_date(said) is not None:
        return None
    try:
        value, rest = read_expression(said)
    except NotANumberError:
        return read_only_number(said)
    return value if is_unit_or_explanation(rest) and not is_range(said, rest) else None


def extract_number(text: str) -> str | None:
    """Return the part of a text that is its number: its last box or ``####`` line, statement, or else last number.

    >>> extract_number("She pays 3 * $4.50 = $13.50 for them.\\n#### 13.50")
    '13.50'
    >>> extract_number("The answer is $1,234.50 per month."), extract_number("so 3 + 4 makes 7")
    ('$1,234.50 per month', '7')
    """
    found = find_stated_answer(text, LONGEST_SHORT_ANSWER)
    if found is not None:
        return found
    bare = text.strip()
    is_number = len(bare) <= LONGEST_BARE_TEXT and "\n" not in bare and parse_number(bare) is not None
    return bare if is_number else find_last_number(text)


def find_last_number(text: str) -> str | None:
    """Return the last number of a text, with its exponent or its fraction."""
    found = None
    for found in LOOSE_NUMBER_PATTERN.finditer(text):  # noqa: B007 - the last one counts
        pass
    return None if found is None else found[0]


def clean_number_text(text: str) -> str:
    """Return a text with each sign written in one way, and without markup."""
    text = "".join((FRACTION_CHARACTERS.get(c) and f" {FRACTION_CHARACTERS[c]}") or c for c in text)
    text = SUPERSCRIPT_PATTERN.sub(lambda m: f"^{{{m[0].translate(SUPERSCRIPTS)}}}", text)
    text = "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else c for c in text)
    text = text.replace("−", "-").replace("⁄", "/").replace("\\$", "$").replace("\\%", "%").replace("√", r"\sqrt ")
    text = re.sub(r"\\(?:text|textbf|mathrm|mathbf|mbox|operatorname)(?![a-zA-Z]) ?\{([^{}]*)\}", r" \1 ", text)
    text = re.sub(r"\\(?:left|right|displaystyle|bf|rm)(?![a-zA-Z])|\\!|\*\*(?!\d)|[$`]", "", text)
    text = re.sub(r"\\[(\[)\]]", "", text)
    text = re.sub(r"\{ ?, ?\}", ",", text)
    text = re.sub(r"\\[,;: ]|~|\\q?quad(?![a-zA-Z])", " ", text)
    text = re.sub(r"(?<=\d)[ '](?=\d{3}(?![\d/]))", ",", text)
    return text.strip().strip("*_\"'").strip()


def read_expression(text: str) -> tuple[Fraction, str]:
    """Return the value of the arithmetic expression that a text begins with, and the rest.

    Raises:
        NotANumberError: it does not begin with one.
    """
    words = read_number_words(text)
    if words is not None:
        return words
    value, rest = read_sum(text.lstrip())
    scaled = re.match(r"[\s-]*([a-zA-Z]+)\b", rest)
    while scaled and scaled[1].lower() in MULTIPLES and (scaled[1] != "k" or not rest[0].isspace()):
        value, rest = value * MULTIPLES[scaled[1].lower()], rest[scaled.end() :]
        scaled = re.match(r"[\s-]*([a-zA-Z]+)\b", rest)
    ordinal = re.match(r"(?:st|nd|rd|th)\b", rest)
    return value, rest[ordinal.end() :] if ordinal else rest


def read_number_words(text: str) -> tuple[Fraction, str] | None:
    """Return the value of the number words that a text begins with, such as "two hundred and five", and the rest."""
    total, current, end, seen = 0, 0, 0, False
    for found in re.finditer(r"[\s-]*([a-zA-Z]+)", text[:200]):
        if found.start() != end:
            break
        word = found[1].lower()
        if word in NUMBER_WORDS:
            current, seen = current + NUMBER_WORDS[word], True
        elif word in MULTIPLES and seen and word != "k":
            scale = MULTIPLES[word]
            total, current = (total + current * scale, 0) if scale >= 1000 else (total, current * scale)
        elif not (word == "and" and seen and text[found.end() :].lstrip().split(" ")[0].lower() in NUMBER_WORDS):
            break
        end = found.end()
    return (Fraction(total + current), text[end:]) if seen else None


def read_sum(text: str, depth: int = 0) -> tuple[Fraction, str]:
    """Read terms joined by + and -."""
    value, rest = read_product(text, depth)
    while found := re.match(r" ?([-+])(?= ?[\d(\\.])", rest):
        term, rest = read_product(rest[found.end() :].lstrip(), depth)
        value = check_size(value + term if found[1] == "+" else value - term)
    return value, rest


def read_product(text: str, depth: int) -> tuple[Fraction, str]:
    """Read factors joined by signs of multiplication and division; a mixed number is a sum."""
    value, rest = read_power(text, depth)
    mixed = re.match(r" (\d{1,30})/(\d{1,30})(?![\d/.])", rest)
    if mixed and value.denominator == 1 and int(mixed[2]):
        part = Fraction(int(mixed[1]), int(mixed[2]))
        return (value + part if value >= 0 else value - part), rest[mixed.end() :]
    if re.match(r" ?\\[dtc]?frac", rest) and value.denominator == 1:
        part, rest = read_power(rest.lstrip(), depth)
        return (value + part if value >= 0 else value - part), rest
    while found := re.match(r" ?(?:(\*|×|·|\\times|\\cdot|x(?= ?10\b))|(/|÷|\\div))(?= ?[-\d(\\.])", rest):
        factor, rest = read_power(rest[found.end() :].lstrip(), depth)
        if found[2] and not factor:
            raise NotANumberError
        value = check_size(value / factor if found[2] else value * factor)
    return value, rest


def read_power(text: str, depth: int) -> tuple[Fraction, str]:
    """Read a signed number, fraction, root or parenthesis, with its exponent."""
    if depth > 20:
        raise NotANumberError
    sign = 1
    while text[:1] in ("+", "-"):
        sign, text = (-sign if text[0] == "-" else sign), text[1:].lstrip(" $€£")
    value, rest = read_atom(text, depth)
    if found := re.match(r" ?(?:\^|\*\*) ?(?:\{ ?(-?\d{1,4}) ?\}|(-?\d{1,4}))", rest):
        exponent = int(found[1] or found[2])
        if not value and exponent < 0:
            raise NotANumberError
        if abs(exponent) * (value.numerator.bit_length() + value.denominator.bit_length()) > MOST_VALUE_BITS:
            raise NotANumberError
        value, rest = value**exponent, rest[found.end() :]
    return sign * value, rest


def read_atom(text: str, depth: int) -> tuple[Fraction, str]:
    """Read a number, a fraction, a root or a parenthesis."""
    if fraction := re.match(r"\\[dtc]?frac ?(?:(\d) ?(\d)|(\d)(?= ?\{))?", text):
        if fraction[1]:
            return divide_exactly(Fraction(int(fraction[1])), Fraction(int(fraction[2]))), text[fraction.end() :]
        above, rest = (
            (Fraction(int(fraction[3])), text[fraction.end() :])
            if fraction[3]
            else read_group(text[fraction.end() :], depth)
        )
        below, rest = read_group(rest, depth)
        return divide_exactly(above, below), rest
    if root := re.match(r"\\sqrt ?(\d{1,60})?", text):
        inside, rest = (
            (Fraction(int(root[1])), text[root.end() :]) if root[1] else read_group(text[root.end() :], depth)
        )
        return take_root(inside), rest
    if text[:1] in ("(", "{"):
        return read_group(text, depth)
    found = NUMBER_PATTERN.match(text)
    if found is None:
        raise NotANumberError
    rest = text[found.end() :]
    if found["based"]:
        try:
            return Fraction(int(found["based"], int(found["base"]))), rest
        except ValueError:
            raise NotANumberError from None
    if re.match(r"[.,:]\d", rest) or re.match(r"_", rest):
        raise NotANumberError
    value = Fraction(found["number"].replace(",", "").rstrip(".") or "x")
    return value * Fraction(10) ** int(found["exponent"] or 0), rest


def read_group(text: str, depth: int) -> tuple[Fraction, str]:
    """Read an expression in round or curly brackets."""
    text = text.lstrip()
    if text[:1] not in ("(", "{"):
        raise NotANumberError
    value, rest = read_sum(text[1:].lstrip(), depth + 1)
    rest = rest.lstrip()
    if rest[:1] != {"(": ")", "{": "}"}[text[0]]:
        raise NotANumberError
    return value, rest[1:]


def divide_exactly(above: Fraction, below: Fraction) -> Fraction:
    """Return a quotient."""
    if not below:
        raise NotANumberError
    return above / below


def take_root(value: Fraction) -> Fraction:
    """Return the square root of a square."""
    if value < 0:
        raise NotANumberError
    above, below = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if above**2 != value.numerator or below**2 != value.denominator:
        raise NotANumberError
    return Fraction(above, below)


def check_size(value: Fraction) -> Fraction:
    """Return a value that is not too large."""
    if value.numerator.bit_length() + value.denominator.bit_length() > MOST_VALUE_BITS:
        raise NotANumberError
    return value


def is_unit_or_explanation(rest: str) -> bool:
    """Return whether what follows a number is nothing, a unit, or an explanation, and not another number."""
    if EXPLANATION_PATTERN.match(rest):
        return True
    head, *_ = re.split(r"[,;.](?=\s)|\s\(|\bbecause\b|\bsince\b|\bper\b", rest, maxsplit=1)
    return (
        not re.search(r"(?<![\^{a-zA-Z-])(?<!\^ )\d", head)
        and UNIT_PATTERN.fullmatch(head.rstrip()) is not None
        and not (re.match(r"[\s,]*(?:or|and)\b", rest, re.IGNORECASE))
    )


def is_range(said: str, rest: str) -> bool:
    """Return whether an expression is two whole numbers with a dash, such as 10-20."""
    return re.fullmatch(r"[\d,.]+ ?[-–—] ?[\d,.]+", said[: len(said) - len(rest)].strip() or "x") is not None


def read_only_number(text: str) -> Fraction | None:
    """Return the only number of a sentence that does not begin with one; None if there is none or several."""
    found = list(re.finditer(r"(?<![\w.,/^_{}-])(?:[-+](?=[\d.]))?[$€£]?(?=\.?\d)", text))
    if len(found) != 1 or re.search(r"\bnot\b|n't\b|\bno\b", text[: found[0].start()]):
        return None
    try:
        value, rest = read_expression(text[found[0].start() :].lstrip("$€£"))
    except NotANumberError:
        return None
    return value if is_unit_or_explanation(rest) else None
