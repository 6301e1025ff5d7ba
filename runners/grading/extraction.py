r"""Extraction of a text's answer: the last box, ``####`` line or statement such as "the answer is 5".

A model's text is hostile: every pattern here runs in time linear in the text, and nothing is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST_SHORT_ANSWER = 200
"""Characters of the longest answer that is read as a number or a word."""

LONGEST_STATEMENT = 1300
"""Characters that are looked at after the beginning of a statement."""

LONGEST_BARE_TEXT = 120
"""Characters of the longest text of one line that is its own answer."""

MOST_BARE_WORDS = 3
"""The most words of such a text if it has no number or sign, so that "I do not know" is no answer."""

MOST_BOXES = 100
"""The most boxes that are looked at, from a text's end."""

MOST_STATEMENTS = 100
"""The most statements that are looked at, from a text's end."""

BOX_PATTERN = re.compile(r"\\(?:f|frame)?box(?:ed)?(?![a-zA-Z]) ?(?=[{\w.+-])")
ADJACENT_BOX_PATTERN = re.compile(r"[\s$.\\(\[\])]{0,8}(?:,|and|or|&)?[\s$\\(\[]{0,8}", re.IGNORECASE)
STATEMENT_PATTERN = re.compile(
    r"\b(?:answers?|(?:correct|right|best) (?:option|choice|letter))\b[^\n.!?;]{0,40}?"
    r"(?:\b(?:is|are|equals|would be|will be|must be|should be|comes? (?:out )?to)\b|[:=>])"
    r"|\bI (?:choose|pick|select)\b",
    re.IGNORECASE,
)
FRONT_STATEMENT_PATTERN = re.compile(
    r"(\$[^$\n]{1,200}\$|\\\([^\n]{1,200}?\\\)|(?<!\S)\S{1,60}) (?:is|are) (?:the|our|my) "
    r"(?:final |correct |right |best ){0,3}(?:answer|choice|option)\b"
)
CHINESE_STATEMENT_PATTERN = re.compile("答案(?:是|为)?[：:]?")
HASH_PATTERN = re.compile(r"^[ \t]{0,8}####(?!#)", re.MULTILINE)
HEADING_PATTERN = re.compile(r"^[#*_ \t]{0,8}(?:final )?answers?[*_ \t:]{0,8}$", re.IGNORECASE | re.MULTILINE)
SENTENCE_END_PATTERN = re.compile(r"[.!?](?:\s|$)|[。！？]")
CLAUSE_PATTERN = re.compile(
    r"(?:\W{0,4})(?:(?:that|this|it|we|to|also|indeed|therefore|thus|simply|now|clearly|always|still) ){0,2}"
    r"(?:correct|right|wrong|incorrect|reasonable|consistent|valid|verified|plausible|sensible|obtained|found|given|"
    r"computed|calculated|derived|based|because|since|as|by|in|on|to|from|that|when|where|how|what|which|why|unclear|"
    r"close|within|positive|negative|unique|likely|an? (?:integer|number|positive|whole)|not (?:an?|the|possible)|"
    r"add|subtract|multiply|divide|take|use|compute|calculate|find|note|consider|let|first|we|you|i|it|supported|"
    r"confirmed|simplified|expressed|rounded|supposed|expected|independent|equivalent)\b",
    re.IGNORECASE,
)
EMPHASIS_PATTERN = re.compile(r"(\*\*|__|`).+\1", re.DOTALL)
OUTER_MARKS = "*_`\"'“”‘’ \t"


def read_box(text: str, start: int, longest: int) -> tuple[int, str] | None:
    """Return the end and the content of the box whose content begins at ``start``; None if it does not end."""
    if text[start : start + 1] != "{":
        bare = re.match(r"[-+]?[\w.]{1,40}", text[start : start + 41])
        return None if bare is None else (start + bare.end(), bare[0].rstrip("."))
    depth = 0
    for i in range(start, min(len(text), start + longest + 2)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return i + 1, text[start + 1 : i]
    return None


def extract_boxed_answer(text: str, longest: int = LONGEST_SHORT_ANSWER) -> str | None:
    r"""Return the content of the last \boxed{…}, with balanced braces; None without one.

    >>> extract_boxed_answer(r"so \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    """
    start = text.rfind("\\boxed{")
    found = None if start < 0 else read_box(text, start + len("\\boxed"), longest)
    return None if found is None else found[1]


def find_last_box(text: str, longest: int) -> tuple[int, str] | None:
    r"""Return place and content of the last box, with those right before it, as in \boxed{1} and \boxed{2}."""
    place, contents = None, list[str]()
    next_start = 0
    for found in reversed(list(BOX_PATTERN.finditer(text))[-MOST_BOXES:]):
        box = read_box(text, found.end(), longest)
        if box is None or not box[1].strip(" ~\n\t"):
            continue
        if place is None:
            place = found.start()
        elif box[0] > next_start or not ADJACENT_BOX_PATTERN.fullmatch(text[box[0] : next_start]):
            break
        contents.insert(0, box[1])
        next_start = found.start()
    if place is None:
        return None
    contents = list(dict.fromkeys(contents))
    return place, contents[0] if len(contents) == 1 else ", ".join(contents)


def find_statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield place and text of each ``####`` line and each statement of an answer, in order."""
    starts = [(found.start(), found.end(), False) for found in STATEMENT_PATTERN.finditer(text)]
    starts += [(found.start(), found.end(), False) for found in CHINESE_STATEMENT_PATTERN.finditer(text)]
    starts += [(found.start(), found.end(), True) for found in HASH_PATTERN.finditer(text)]
    starts += [(found.start(), found.end(), True) for found in HEADING_PATTERN.finditer(text)]
    fronts = {found.start(): found[1] for found in FRONT_STATEMENT_PATTERN.finditer(text)}
    starts += [(place, 0, False) for place, said in fronts.items() if re.search(r"[$\\\d]|^\W?[A-Z]\W?$", said)]
    for place, start, is_line in sorted(starts)[-MOST_STATEMENTS:]:
        if start == 0:
            yield place, fronts[place].strip(OUTER_MARKS + ",.;:")
            continue
        rest = text[start : start + LONGEST_STATEMENT].lstrip("*_: \t>")
        is_below = rest[:1] == "\n" and (is_line or text[start - 1] == ":" or text[start - 2 : start] == "is")
        below = re.sub(r"^(?:\\\[|\$\$)\s*", "", rest.strip()) if is_below else rest
        line = below.partition("\n")[0]
        if is_line or not is_below or len(line) <= LONGEST_BARE_TEXT:
            yield place, cut_sentence(line)


def cut_sentence(line: str) -> str:
    """Return a line up to the end of its first sentence, without outer quotes and markdown."""
    said = SENTENCE_END_PATTERN.split(line, maxsplit=1)[0]
    return re.sub(r"</?\w{1,12}>", " ", said).strip(OUTER_MARKS).removesuffix(".").strip(OUTER_MARKS)


def extract_stated_answer(text: str, longest: int = LONGEST_SHORT_ANSWER) -> str | None:
    r"""Return what the last statement of an answer says; statements such as "the answer is correct" are passed over.

    >>> extract_stated_answer("**Answer:** 5 cm. That is all.")
    '5 cm'
    >>> extract_stated_answer(r"Without tax the answer is 50. With tax the answer is $\frac{1}{2}$. I hope so.")
    '$\\frac{1}{2}$'
    """
    found = find_last_statement(text, longest)
    return None if found is None else found[1]


def find_last_statement(text: str, longest: int) -> tuple[int, str] | None:
    """Return place and content of the last statement of an answer."""
    last = None
    for place, said in find_statements(text):
        if 0 < len(said) <= longest and not CLAUSE_PATTERN.match(said):
            last = (place, said)
    return last


def find_stated_answer(text: str, longest: int) -> str | None:
    """Return a text's last box or statement; None without either.

    A box counts before a statement in words, since texts explain what they have boxed; only a ``####`` line after it
    takes its place.
    """
    box, statement = find_last_box(text, longest), find_last_statement(text, longest)
    if box is not None and not (statement and statement[0] > box[0] and HASH_PATTERN.match(text, statement[0])):
        return box[1]
    return None if statement is None else statement[1]


def has_stated_answer(text: str) -> bool:
    r"""Return whether a short text is not an answer itself, but holds one in a box, a statement or emphasis.

    >>> [has_stated_answer(t) for t in ("The answer is 7", "Answer: B", r"\boxed{7}", "**7**", "7")]
    [True, True, True, True, False]
    """
    said = find_stated_answer(text, LONGEST_STATEMENT)
    if said is None:
        return EMPHASIS_PATTERN.fullmatch(text.strip()) is not None
    return said.count("{") == said.count("}")


def extract_final_answer(text: str, longest: int = LONGEST_SHORT_ANSWER) -> str | None:
    r"""Return a text's answer: its last box or statement; a short text of one line is its own answer.

    >>> [extract_final_answer(t) for t in (r"It is \boxed{4}. The answer is right.", "x = 5", "#### 18")]
    ['4', 'x = 5', '18']
    """
    found = find_stated_answer(text, longest)
    if found is not None:
        return found
    bare = text.strip()
    if len(bare) > LONGEST_BARE_TEXT or re.search("\n|box", bare) or not re.search(r"\w", bare):
        return None
    is_sentence = len(bare.split()) > MOST_BARE_WORDS and not re.search(r"[\d\\$=]", bare)
    return None if is_sentence else bare.strip(OUTER_MARKS)
