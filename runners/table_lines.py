"""The lines of a table, within limits that hold before they are split into fields."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sized

from isocompute.errors import DataError

LONGEST_LINE = 2**26
"""The most characters of a line."""

MOST_FIELDS = 2**22
"""The most commas, semicolons or tabs of a line, whether they separate fields or stand in a text."""

MOST_BLANK_LINES = 1_000_000
"""The most empty lines of a file in which most lines are empty."""

MOST_TABLE_COLUMNS = 10_000
"""The most columns."""


def read_csv_lines(text: io.TextIOBase, where: str, delimiter: str = ",") -> Iterator[str]:
    """Yield the lines of a file, with their ends unchanged.

    Args:
        text: the file.
        where: its name, for errors.
        delimiter: what separates its columns.

    Raises:
        DataError: a line is too long, has too many fields, or most lines are empty.
        UnicodeDecodeError: it is not text in its encoding.
    """
    number = blank = 0
    while line := text.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise DataError(f"{where}, line {number} has more than {LONGEST_LINE:,} characters, the most that is read.")
        if len(line) > MOST_FIELDS and line.count(delimiter) > MOST_FIELDS:
            raise DataError(f"{where}, line {number} has more than {MOST_FIELDS:,} fields, the most that is read.")
        if line.isspace():
            blank += 1
            require_few_blank_lines(blank, number, where)
        yield line


def require_few_blank_lines(blank: int, lines: int, where: str) -> None:
    """Raise if a file consists of empty lines, of which a small compressed one can hold a billion.

    >>> require_few_blank_lines(2_000_000, 3_000_000, "t.csv")
    Traceback (most recent call last):
    isocompute.errors.DataError: t.csv has more than 1,000,000 empty lines, and they are most of its lines.
    """
    if blank > MOST_BLANK_LINES and 2 * blank > lines:
        raise DataError(f"{where} has more than {MOST_BLANK_LINES:,} empty lines, and they are most of its lines.")


def check_column_count(names: Sized, where: str) -> None:
    """Raise if a table has too many columns.

    >>> check_column_count(range(20_000), "t.csv")
    Traceback (most recent call last):
    isocompute.errors.DataError: t.csv has 20,000 columns; the most that is read is 10,000.
    """
    if len(names) > MOST_TABLE_COLUMNS:
        raise DataError(f"{where} has {len(names):,} columns; the most that is read is {MOST_TABLE_COLUMNS:,}.")
