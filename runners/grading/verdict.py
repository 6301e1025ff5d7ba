"""What a verification's verdict is."""

from __future__ import annotations

import re

VERDICT = re.compile(r"\b(?:correct|verdict)\b[^\n]{0,40}?[:?]\W{0,8}(yes|no)\b", re.IGNORECASE)


def verdict_of(text: str) -> float | None:
    """Return the verdict of a verification, 1.0 for yes and 0.0 for no; None if it gives none.

    The last one counts, wherever it stands.

    >>> verdict_of("47+38: 5,8 ok\\nCorrect? Yes")
    1.0
    >>> verdict_of("Is the answer correct (Yes/No)? **No**")
    0.0
    >>> verdict_of("85*6: 0,1") is None
    True
    """
    found = VERDICT.findall(text)
    return None if not found else float(found[-1].lower() == "yes")
