"""Formatting of foreign text and values for display: on one line, and cut short."""

from __future__ import annotations

from isocompute.terminal import make_printable


def format_one_line(text: str, longest: int = 300) -> str:
    """Return a text of a model or a server on one line, without characters that move a terminal's cursor."""
    line = make_printable(text, keep="")
    return line if len(line) <= longest else f"{line[:longest]}…"


def format_error_value(value: object) -> str:
    """Return a value's representation for an error, cut short."""
    text = quote_value(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def describe_reason(error: BaseException) -> str:
    """Return why a library failed: the first line of its message without the full stop, or else its kind of error.

    >>> describe_reason(ValueError("it is short.\\nRead the manual.")), describe_reason(ValueError())
    ('it is short', 'ValueError')
    >>> describe_reason(ValueError("The name is invalid:\\n  it has blanks"))
    'The name is invalid: it has blanks'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1]).rstrip(".")


def format_count(count: int, noun: str) -> str:
    """Return a number of things in words.

    >>> format_count(1, "problem"), format_count(1200, "problem")
    ('1 problem', '1,200 problems')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def format_short_number(number: float | None) -> str:
    """Return a number with three digits and a unit.

    >>> [format_short_number(n) for n in (None, 7, 999.6, 12_345, 999_999, 8.03e9)]
    ['?', '7', '1k', '12.3k', '1M', '8.03B']
    """
    if number is None:
        return "?"
    for unit in ("", "k", "M", "B", "T"):
        if float(f"{number:.3g}") < 1000 or unit == "T":
            return f"{float(f'{number:.3g}'):g}{unit}"
        number /= 1000
    raise AssertionError


def quote_value(value: object) -> str:
    """Return a value as Python writes it, for an error.

    Python writes no whole number of more than 4,300 digits, which a file can hold in hexadecimal; and an object of
    another package may fail to be written.

    >>> quote_value("a"), quote_value([10**5000])
    ("'a'", 'a number of thousands of digits')
    """
    try:
        return repr(value)
    except ValueError:
        return "a number of thousands of digits"
    except Exception:  # noqa: BLE001 - an object's own method can raise any error
        return f"a {type(value).__name__}"
