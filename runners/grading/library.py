r"""math-verify as it is, as a second grader to compare with.

This module is used only in `comparison_worker`, since it parses hostile texts.
"""

from __future__ import annotations

from math_verify import parse, verify


def is_equal_by_library(gold: str, text: str) -> bool:
    r"""Return whether math-verify, called plainly, takes a text as right.

    >>> is_equal_by_library(r"\frac{1}{2}", r"so it is \boxed{0.5}"), is_equal_by_library("7", "The answer is 8.")
    (True, False)
    """
    return bool(
        verify(parse(f"${gold}$", parsing_timeout=None), parse(text, parsing_timeout=None), timeout_seconds=None)
    )
