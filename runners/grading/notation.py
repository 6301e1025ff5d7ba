r"""Plain text and Unicode in answers, written as LaTeX: ``√10``, ``x >= 5``, ``sin(x)``, ``3·10⁸``, ``¾``, ``]1, 2[``.

Each rule rewrites one notation and is applied to the text of an answer before LaTeX commands are unified.
"""

from __future__ import annotations

import re

UNICODE_TO_LATEX = {
    "−": "-", "–": "-", "—": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ", "÷": r"\div ",
    "±": r"\pm ", "∓": r"\mp ", "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ", "≦": r"\le ", "≧": r"\ge ",
    "≠": r"\ne ", "≈": r"\approx ", "∞": r"\infty ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∉": r"\notin ",
    "∅": r"\emptyset ", "∖": r"\setminus ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}",
    "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "°": r"^\circ ", "º": r"^\circ ", "π": r"\pi ", "θ": r"\theta ",
    "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ", "λ": r"\lambda ", "φ": r"\phi ",
    "Ω": r"\Omega ", "µ": r"\mu ", "μ": r"\mu ", "∠": r"\angle ", "⌊": r"\lfloor ", "⌋": r"\rfloor ",
    "⌈": r"\lceil ", "⌉": r"\rceil ", "€": r"\text{€}", "£": r"\text{£}", "’": "'", "′": "'", "″": "''", "”": '"',
    "“": '"', "⟨": r"\langle ", "⟩": r"\rangle ", "…": r"\ldots ", "⋯": r"\ldots ", "⁄": "/", "∕": "/", "√": r"\sqrt ",
    "∛": r"\sqrt[3] ", "✓": "", "✔": "", "∣": "|", "≡": r"\equiv ", "∧": r"\land ", "∨": r"\lor ",
    "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
    "⅕": r"\frac{1}{5}", "⅖": r"\frac{2}{5}", "⅗": r"\frac{3}{5}", "⅘": r"\frac{4}{5}", "⅙": r"\frac{1}{6}",
    "⅚": r"\frac{5}{6}", "⅐": r"\frac{1}{7}", "⅛": r"\frac{1}{8}", "⅜": r"\frac{3}{8}", "⅝": r"\frac{5}{8}",
    "⅞": r"\frac{7}{8}", "⅑": r"\frac{1}{9}", "⅒": r"\frac{1}{10}",
}  # fmt: skip
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni")
SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙᵢ", "0123456789+-()ni")
SUPERSCRIPT_PATTERN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ]+")
SUBSCRIPT_PATTERN = re.compile("[₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙᵢ]+")

PLAIN_FUNCTION_NAMES = "arcsin arccos arctan sinh cosh tanh sin cos tan cot csc log ln gcd lcm"
PLAIN_FUNCTION_PATTERN = re.compile(
    rf"(?<![a-zA-Z\\])(?:({PLAIN_FUNCTION_NAMES.replace(' ', '|')})(?= ?[({{^_\d\\]| [a-zA-Z]|[a-z](?![a-z]))"
    r"|(sec|max|min|det)(?=\())"
)
REAL_NUMBERS_PATTERN = re.compile(
    r"(?:(?:the )?set of )?(?:(?:all|any|every|each) )?(?:of the )?reals?(?: (?:numbers?|values?))?"
    r"(?: (?:of|for) [a-z])?|all reals"
)
NO_SOLUTION_PATTERN = re.compile(
    r"(?:there (?:are|is) )?no (?:real )?(?:solutions?|roots?)(?: exists?)?|(?:the )?(?:empty|null) set"
)
LEAD_IN_PATTERN = re.compile(
    r"^(?:\\text ?\{)?[\s*]*(?:the |so |thus |therefore |hence )*(?:final |correct )?answer(?: is|:| =)+:?\s*(\})?\s*",
    re.IGNORECASE,
)
LEAD_CLAUSE_PATTERN = re.compile(
    r"^(?:\\text ?\{)?(?:the|our|its|their|there) (?:[^{}=\d]|\}|\\text ?\{){0,80}?"
    r"(?: |\{)(?:is|are|equals?)(?: |: ?)(\}?) ?(?=[-+$\\(\[\d]|\}$)",
    re.IGNORECASE,
)
LEAD_OUT_PATTERN = re.compile(
    r"\s*(?:\\text ?\{)?\s*(?:is|are) (?:the |our )?(?:only |final |correct )*(?:solutions?|answers?)\.?\s*\}?$"
)
ALIGNED_PATTERN = re.compile(r"\\begin\{(aligned|align\*?|gathered|split)\}((?:(?!\\begin).)*?)\\end\{\1\}", re.DOTALL)
FRENCH_INTERVAL_PATTERN = re.compile(r"([\[\](])([^\[\]()]+[,;][^\[\]()]+)([\[\])])")
CONSTANT_DOMAIN_PATTERN = re.compile(r",\s*([abkmC])\s*\\in\s*\\mathbb ?\{? ?R ?\}?\s*$")
RENAMED_DOMAIN_PATTERN = re.compile(
    r",?\s*(?:\\text ?\{[^{}]*\}|\\forall|where|for|with)?\s*([a-zA-Z])\s*\\in\s*\\mathbb ?\{? ?Z ?\}?\s*$"
)


def normalise_notation(text: str) -> str:
    r"""Return an answer with plain text and Unicode written as LaTeX.

    >>> [normalise_notation(t) for t in ("√10", "x >= 5", "3·10⁸", "sin(x)", "abs(x-1)", "]1, 2[", "2, 4, ...")]
    ['\\sqrt{10}', 'x \\ge  5', '3\\cdot 10^{8}', '\\sin(x)', '|x-1|', '(1, 2)', '2, 4, \\ldots ']
    """
    text = "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else c for c in text)
    text = SUPERSCRIPT_PATTERN.sub(lambda m: f"^{{{m[0].translate(SUPERSCRIPTS)}}}", text)
    text = SUBSCRIPT_PATTERN.sub(lambda m: f"_{{{m[0].translate(SUBSCRIPTS)}}}", text)
    text = "".join(UNICODE_TO_LATEX.get(c, c) for c in text)
    text = re.sub(r"\.\.\.+|\\(?:dots|cdots|dotsc|dotsb|hdots)(?![a-zA-Z])", r"\\ldots ", text)
    text = re.sub(r">=|=>", r"\\ge ", re.sub(r"<=|=<", r"\\le ", re.sub(r"!=|/=|<>", r"\\ne ", text)))
    text = normalise_wording(normalise_decimals(text))
    text = normalise_roots(text)
    text = normalise_functions(text)
    text = normalise_intervals(text)
    text = ALIGNED_PATTERN.sub(lambda m: join_rows(m[2]), text)
    text = re.sub(r"\\text ?\{ ?\(? ?base ?(\d+) ?\)? ?\}|\(base (\d+)\)", lambda m: f"_{{{m[1] or m[2]}}}", text)
    text = re.sub(r"\^ ?(?:\{ ?\\(?:text|mathrm|rm) ?\{? ?o ?\}? ?\}|\\text ?\{ ?o ?\})", r"^\\circ ", text)
    text = re.sub(r"\\checkmark|\\blacksquare|\\square", "", text)
    return re.sub(r"(?<=\d)'(?=\d{3}(?!\d))", "", text)


def normalise_decimals(text: str) -> str:
    r"""Return a text in which the repeating part of a decimal has a bar.

    >>> [normalise_decimals(t) for t in (r"0.333\ldots", r"0.1\dot{6}", r"0.\dot{1}2\dot{3}", r"1.4\ldots")]
    ['0.\\overline{3}', '0.1\\overline{6}', '0.\\overline{123}', '1.4\\ldots']
    """
    text = re.sub(r"\\dot ?\{?(\d)\}?(\d*)\\dot ?\{?(\d)\}?", r"\\overline{\1\2\3}", text)
    text = re.sub(r"(?<=[\d.])\\dot ?\{?(\d)\}?", r"\\overline{\1}", text)
    return re.sub(r"(?<!\d)(\d{0,20}\.\d{0,20}?)(\d{1,9}?)\2+ ?\\ldots", r"\1\\overline{\2}", text)


def normalise_wording(text: str) -> str:
    """Return an answer without words such as "the answer is", and with sets in words as symbols."""
    text = LEAD_OUT_PATTERN.sub("", LEAD_IN_PATTERN.sub("", text, count=1))
    text = LEAD_CLAUSE_PATTERN.sub("", text, count=1)
    if text.count("{") < text.count("}") and text.endswith("}") and not text.endswith(r"\}"):
        text = text[:-1]  # the lead-in was inside of \text{…}
    words = re.sub(r"\\(?:text|mathrm|textbf)(?![a-zA-Z])|[{}.$]|\\[ ,]", " ", text).casefold()
    words = " ".join(words.split())
    if REAL_NUMBERS_PATTERN.fullmatch(words) and "real" in words:
        return r"\mathbb{R}"
    if NO_SOLUTION_PATTERN.fullmatch(words):
        return r"\emptyset"
    text = re.sub(r"^\\text ?\{ ?(-?[\d.,]*\d)( [^{}]*)\}$", r"\1\\text{\2}", text)  # \text{5 ways}
    return re.sub(r"^\\text ?\{ ?([\d:]+) ?\}$", r"\1", text)


def normalise_roots(text: str) -> str:
    r"""Return a text in which a root of several digits or of a word has braces.

    >>> normalise_roots(r"2\sqrt13 + sqrt(5)/cbrt(2)")
    '2\\sqrt{13} + \\sqrt(5)/\\sqrt[3]{2}'
    """
    text = re.sub(r"(?<![a-zA-Z\\])sqrt(?![a-zA-Z])", r"\\sqrt", text)
    text = replace_calls(text, "cbrt", r"\sqrt[3]{", "}")
    text = re.sub(r"\\sqrt(\[\w+\])? ?(\d+(?:\.\d+)?)", r"\\sqrt\1{\2}", text)
    return re.sub(r"\\sqrt(\[\w+\])? +([a-zA-Z])", r"\\sqrt\1{\2}", text)


def normalise_functions(text: str) -> str:
    """Return a text whose plain function names are commands."""
    text = re.sub(r"\\exp ?(?=\()", "exp", text)
    text = replace_calls(replace_calls(text, "exp", "e^{", "}"), "abs", "|", "|")
    return PLAIN_FUNCTION_PATTERN.sub(lambda m: f"\\{m[0]}", text)


def replace_calls(text: str, name: str, opening: str, closing: str) -> str:
    """Return a text in which each ``name(…)`` is written between two other signs."""
    pattern = re.compile(rf"(?<![a-zA-Z\\]){name} ?\(")
    for _ in range(text.count(name)):
        found = pattern.search(text)
        if found is None:
            break
        depth, end = 1, found.end()
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        if depth:
            break
        text = f"{text[: found.start()]}{opening}{text[found.end() : end - 1]}{closing}{text[end:]}"
    return text


def normalise_intervals(text: str) -> str:
    r"""Return a text with open intervals as (a, b), unions as \cup, and sets that are left out as \setminus."""
    if re.search(r"(?:^|\\cup|\\in) ?\]|\[ ?(?:$|\\cup|\\text)", text):
        text = FRENCH_INTERVAL_PATTERN.sub(
            lambda m: f"{'(' if m[1] in '](' else '['}{m[2].replace(';', ',')}{')' if m[3] in '[)' else ']'}", text
        )
    text = re.sub(r"(?<=[)\]}]) ?U ?(?=[(\[{\\])", r"\\cup ", text)
    return re.sub(r"(\\mathbb ?\{? ?[RZNQC] ?\}?) ?(?:-|\\backslash|/) ?(?=\\\{|\\lbrace|\{)", r"\1\\setminus ", text)


def join_rows(rows: str) -> str:
    r"""Return the rows of an aligned block as one line.

    >>> join_rows(r" x &= 7 \\ y &= 2 ")
    'x = 7, y = 2'
    """
    return ", ".join(row for part in rows.split(r"\\") if (row := " ".join(part.replace("&", " ").split())))


def rename_parameter(text: str) -> str:
    r"""Return a general solution with its whole-number parameter called k, and without its domain.

    >>> rename_parameter(r"x=\frac{\pi}{4}+n\pi, n \in \mathbb{Z}"), rename_parameter(r"2n+\pi")
    ('x=\\frac{\\pi}{4}+k\\pi', '2k+\\pi')
    """
    constant = CONSTANT_DOMAIN_PATTERN.search(text)
    if constant is not None and not find_letter(text, "c"):
        return re.sub(
            rf"(?<![a-zA-Z\\]){constant[1]}(?![a-zA-Z(])|(?<![a-zA-Z\\]){constant[1]}(?=[xyz](?![a-zA-Z]))", "c", text
        )
    found = RENAMED_DOMAIN_PATTERN.search(text)
    if found is not None and found.start():
        head, letter = text[: found.start()], found[1]
        if letter != "k" and find_letter(head, "k"):
            return text
        return re.sub(rf"(?<![a-zA-Z\\]){letter}(?![a-zA-Z])", "k", head) if find_letter(head, letter) else text
    if r"\pi" in text and not find_letter(text, "k"):
        used = [letter for letter in "nml" if find_letter(text, letter)]
        if len(used) == 1:
            return re.sub(rf"(?<![a-zA-Z\\]){used[0]}(?![a-zA-Z])", "k", text)
    return text


def find_letter(text: str, letter: str) -> bool:
    """Return whether a letter stands alone in a text."""
    return re.search(rf"(?<![a-zA-Z\\]){letter}(?![a-zA-Z])", text) is not None
