"""Names that are numbers, written as whole numbers in one place and as decimals in another."""

from __future__ import annotations

import re

NUMBER_NAME_PATTERN = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?", re.ASCII)
WHOLE_NAME_PATTERN = re.compile(r"(-?\d{1,15})(?:\.0{1,15})?", re.ASCII)


class NumberNames:
    """The names of a column so far: as long as all are numbers, 1 and 1.0 are one name, in the first spelling.

    >>> names = NumberNames()
    >>> [names.resolve_name(name) for name in ("1", "1.0", "2.0", "2", "1.5", "a", "3", "3.0")]
    ['1', '1', '2.0', '2.0', '1.5', 'a', '3', '3.0']
    """

    def __init__(self) -> None:
        self._spellings: dict[tuple[str, str], str] = {}
        self._are_numbers = True

    def resolve_name(self, name: str, group: str = "") -> str:
        """Return a name in its first spelling; the same name in another group is another."""
        self._are_numbers = self._are_numbers and NUMBER_NAME_PATTERN.fullmatch(name) is not None
        whole = WHOLE_NAME_PATTERN.fullmatch(name)
        if not self._are_numbers or whole is None:
            return name
        return self._spellings.setdefault((group, whole[1]), name)
