"""Markdown from values: text as it is, code, and tables."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence


def escape_text(text: str) -> str:
    """Return text without the characters that Markdown or HTML would read.

    >>> escape_text("<x> [y]")
    '&lt;x&gt; &#91;y&#93;'
    """
    escaped = html.escape(text, quote=False)
    return re.sub(r"[|*_`\[\]{}\\]", lambda found: f"&#{ord(found[0])};", escaped)


def write_code(text: object) -> str:
    """Return text as code, which may stand in a table.

    >>> write_code("int | None")
    '<code>int &#124; None</code>'
    """
    return f"<code>{escape_text(str(text))}</code>"


def write_prose(text: str) -> str:
    """Return a docstring's text as one paragraph, in which only what stands in backticks is marked, as code.

    >>> write_prose("a | b, and ``c[0]``")
    'a &#124; b, and <code>c&#91;0&#93;</code>'
    """
    parts = re.split(r"``(.+?)``|`([^`]*)`", " ".join(text.split()))
    return "".join(
        escape_text(part) if i % 3 == 0 else write_code(part) for i, part in enumerate(parts) if part is not None
    )


def write_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the cells are Markdown on one line."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"
