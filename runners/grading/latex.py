r"""Normalisation of spelling in LaTeX and plain-text answers.

Nothing here parses an answer: `clean_latex` removes formatting, `normalise_latex` writes each sign in one way, and
`split_at_separators` cuts at signs outside of brackets.
"""

from __future__ import annotations

import re
import unicodedata

from isocompute.runners.grading.notation import normalise_notation, rename_parameter

LONGEST_MATH_ANSWER = 1000
"""Characters of the longest answer in mathematics that is read."""

INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn"}
"""Unicode categories of invisible characters: controls, direction marks, lone surrogates …"""

FORMATTING_PATTERN = re.compile(
    r"\\(?:left|right|middle)(?![a-zA-Z])\.?|\\(?:[bB]igg?[lrm]?|displaystyle|textstyle|limits|nolimits|large|Large|LARGE|huge|Huge|small|tiny|normalsize"
    r"|footnotesize|scriptsize|boldmath)(?![a-zA-Z])"
    r"|(?<=\d),\\!\s*(?=\d{3}(?!\d))|(?<!\\)\\!\s*|\\(?:phantom|hspace|vspace)\{[^{}]*\}"
)
LATEX_BLANKS_PATTERN = re.compile(r"(?:\s|(?<!\\)\\[ ,;:>]|~|\\q?quad(?![a-zA-Z]))+")
OUTER_MARKS_PATTERN = re.compile(r"^(\*\*|\*|__|`|\"|“)([^*_`\"]+)(?:\1|”)$")
MATH_DELIMITERS_PATTERN = re.compile(r"\$([^$]*)\$|\\\((.*)\\\)|\\\[(.*)\\\]", re.DOTALL)


def clean_latex(text: str) -> str:
    r"""Return an answer without formatting; empty if nothing is left or it is too long.

    >>> clean_latex(r"$ \displaystyle \left( \dfrac{1}{2},\, x \right) $.")
    '(\\frac{1}{2}, x)'
    """
    if len(text) > LONGEST_MATH_ANSWER:
        return ""
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFC", "".join(c for c in text if c in "\n\t" or not is_invisible_character(c)))
    before = None
    while text != before:
        before = text
        text = FORMATTING_PATTERN.sub("", text)
        text = re.sub(r"\\[dtc](?=(?:frac|binom)(?![a-zA-Z]))", r"\\", text)
        text = LATEX_BLANKS_PATTERN.sub(" ", text).strip()
        text = re.sub(r"(?<=[(\[]) | (?=[)\],])", "", text)
        text = re.sub(r"(?<!\\)\\$|(?<!\.)\.$", "", text).rstrip()
        text = OUTER_MARKS_PATTERN.sub(r"\2", text).strip()
        if wrapped := MATH_DELIMITERS_PATTERN.fullmatch(text):
            text = wrapped[1] or wrapped[2] or wrapped[3] or ""
    return text


def is_invisible_character(character: str) -> bool:
    """Return whether a character is invisible."""
    return unicodedata.category(character) in INVISIBLE_CATEGORIES


COMMAND_SYNONYMS = {
    r"\leqslant": r"\le", r"\leq": r"\le", r"\geqslant": r"\ge", r"\geq": r"\ge", r"\neq": r"\ne", r"\lt": "<",
    r"\gt": ">", r"\bigcup": r"\cup", r"\bigcap": r"\cap", r"\varnothing": r"\emptyset", r"\backslash": r"\setminus",
    r"\lbrace": r"\{", r"\rbrace": r"\}", r"\lbrack": "[", r"\rbrack": "]", r"\lvert": "|", r"\rvert": "|",
    r"\vert": "|", r"\ast": "*", r"\colon": ":", r"\vee": r"\lor", r"\wedge": r"\land", r"\dots": r"\ldots",
    r"\mbox": r"\text", r"\textbf": r"\text", r"\textit": r"\text", r"\textrm": r"\text", r"\textsf": r"\text",
    r"\texttt": r"\text", r"\textnormal": r"\text", r"\mathrm": r"\text", r"\mathit": r"\text",
    r"\operatorname": r"\text",
    r"\mathsf": r"\text", r"\mathtt": r"\text", r"\hat": r"\vec", r"\boldsymbol": r"\mathbf", r"\bm": r"\mathbf",
    r"\degree": r"^\circ", r"\bmod": r"\mod", r"\fbox": r"\boxed", r"\overrightarrow": r"\vec",
}  # fmt: skip

MATRIX_PATTERN = re.compile(
    r"[(\[]\s*\\begin\{(?:matrix|smallmatrix|array)\}(?:\{[clr|]*\})?(.*?)\\end\{(?:matrix|smallmatrix|array)\}\s*[)\]]"
    r"|\\begin\{([pb]matrix)\}(.*?)\\end\{[pb]matrix\}",
    re.DOTALL,
)
VECTOR_PATTERN = re.compile(
    r"\\(?:mathbf|vec) ?\{ ?(?:\\?([ijk])(?:math)?|\\(?:vec|mathbf) ?(?:\{ ?)?\\?([ijk])(?:math)? ?(?:\} ?)?)\}"
)
FUNCTION_NAME_PATTERN = re.compile(r"\\text ?\{ ?((?:arc)?(?:sin|cos|tan|cot|sec|csc)|ln|log|det|gcd|lcm|max|min) ?\}")


def normalise_latex(text: str) -> str:
    r"""Return a cleaned answer with each sign, command and matrix written in one way.

    >>> normalise_latex(r"x ≤ 2 \text{ or } x \geqslant 3π")
    'x \\le 2 \\text{ or } x \\ge 3\\pi'
    """
    text = rename_parameter(normalise_notation(text))
    text = re.sub(r"\\[a-zA-Z]+", lambda m: COMMAND_SYNONYMS.get(m[0], m[0]), text)
    text = re.sub(r"\\(?:text)?color\{[^{}]*\}|\\boxed(?=\{)|\\(?:rm|bf|it)(?![a-zA-Z])", "", text)
    text = re.sub(r"\\text ?\{ ?(\\[$%]|[-+]?[\d.,/]+|i|e|\\pi) ?\}", r"\1", text)  # \text{7}, \mathrm{i}
    text = FUNCTION_NAME_PATTERN.sub(r"\\\1 ", text)
    text = VECTOR_PATTERN.sub(lambda m: rf"\vec{{{m[1] or m[2]}}}", text)
    text = re.sub(r"\\mathbf ?(?=\{)", "", text)
    text = MATRIX_PATTERN.sub(
        lambda m: rf"\begin{{pmatrix}}{trim_matrix_rows(m[1] or m[3] or '')}\end{{pmatrix}}", text
    )
    text = re.sub(r"\{\s*,\s*\}", ",", text)
    text = re.sub(r"(?<![a-zA-Z\\])pi(?![a-zA-Z])", r"\\pi", text)
    text = re.sub(r"(?<![a-zA-Z\\])(?:infinity|inf)(?![a-zA-Z])|\\text\{\s*infinity\s*\}", r"\\infty", text)
    text = text.replace("**", "^")
    return LATEX_BLANKS_PATTERN.sub(" ", text).strip()


def trim_matrix_rows(rows: str) -> str:
    r"""Return a matrix's rows without trailing row separators."""
    return re.sub(r"(?:\\\\|\\hline|\s)+$", "", rows)


OPENING_BRACKETS = {"(", "[", "{", r"\{", r"\langle", r"\lfloor", r"\lceil"}
CLOSING_BRACKETS = {")", "]", "}", r"\}", r"\rangle", r"\rfloor", r"\rceil"}
LATEX_TOKEN_PATTERN = re.compile(r"\\(?:begin|end)\{[a-zA-Z]+\*?\}|\\[a-zA-Z]+|\\.|.", re.DOTALL)


def tokenise_latex(text: str) -> list[str]:
    r"""Return the commands and characters of a LaTeX text; joined they are the text again.

    >>> tokenise_latex(r"\frac{x}2")
    ['\\frac', '{', 'x', '}', '2']
    """
    return LATEX_TOKEN_PATTERN.findall(text)


def split_at_separators(text: str, *separators: str) -> tuple[list[str], list[str]]:
    r"""Return the pieces of a text between separators outside of all brackets, and the separators.

    Brackets need not match in kind: ``(1, 2]`` is an interval.

    >>> split_at_separators(r"(1, 2] \cup \{3\}, 4", ",", r"\cup")
    (['(1, 2] ', ' \\{3\\}', ' 4'], ['\\cup', ','])
    """
    pieces, cuts, depth = [""], [], 0
    for token in tokenise_latex(text):
        if token in OPENING_BRACKETS or token.startswith(r"\begin{"):
            depth += 1
        elif token in CLOSING_BRACKETS or token.startswith(r"\end{"):
            depth -= 1
        if depth == 0 and token in separators:
            cuts.append(token)
            pieces.append("")
        else:
            pieces[-1] += token
    return pieces, cuts


def match_outer_brackets(text: str) -> tuple[str, str, str] | None:
    r"""Return the opening bracket, the content and the closing bracket if one pair encloses the whole text, else None.

    >>> match_outer_brackets(r"\{1, 2\}"), match_outer_brackets("(1)(2)")
    (('\\{', '1, 2', '\\}'), None)
    """
    parts, depth = tokenise_latex(text), 0
    if len(parts) < 2 or parts[0] not in OPENING_BRACKETS or parts[-1] not in CLOSING_BRACKETS:
        return None
    for place, token in enumerate(parts):
        depth += (token in OPENING_BRACKETS or token.startswith(r"\begin{")) - (
            token in CLOSING_BRACKETS or token.startswith(r"\end{")
        )
        if depth == 0:
            return (parts[0], "".join(parts[1:-1]).strip(), parts[-1]) if place == len(parts) - 1 else None
    return None
