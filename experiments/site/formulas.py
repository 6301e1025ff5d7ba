"""Formulas of the pages as MathML, which browsers draw without a script."""

from __future__ import annotations

from typing import Any

from latex2mathml.converter import convert


def draw_formula(source: str, language: str, css_class: str, options: Any, md: Any, **settings: Any) -> str:
    """Return the MathML of a fenced block of LaTeX, as the extension superfences calls it."""
    return f'<div class="{css_class}">{convert(source, display="block")}</div>'
