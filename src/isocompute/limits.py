"""The memory that work may be planned to take: it is counted before the work begins, and refused with the figure."""

from __future__ import annotations

import os

from isocompute.errors import ConfigError, DataError, IsocomputeError

MEMORY_VARIABLE = "ISOCOMPUTE_MEMORY_GIB"
"""The environment variable that raises every limit of memory."""

WORK_GIB = 8.0
"""GiB that the rows of a sweep, and the tables of a run, may take."""

DOCUMENT_GIB = 1.0
"""GiB that one document of a file or an archive, and one array, may take once it is read."""

LONGEST_TEXT = 2**22
"""Characters of the longest text of a model, or of a question, that is read: some million tokens."""

MOST_GIB = 1e6


def require_memory(needed: float, what: str, usual: float = WORK_GIB, error: type[IsocomputeError] = DataError) -> None:
    """Raise if work would take more memory than its limit.

    Args:
        needed: the bytes that it would take.
        what: the work, as the subject of a sentence.
        usual: the limit in GiB; a higher one in `MEMORY_VARIABLE` replaces it.
        error: what is raised.

    Raises:
        IsocomputeError: it would take more.

    >>> require_memory(2**30, "A table of 3 rows")
    >>> require_memory(2**40, "A table of 3 rows")
    Traceback (most recent call last):
    isocompute.errors.DataError: A table of 3 rows would take 1,024 GiB of memory; the limit is 8 GiB, and the \
environment variable ISOCOMPUTE_MEMORY_GIB raises it.
    """
    if not fits_memory(needed, usual):
        limit = max(usual, read_memory_variable())
        raise error(
            f"{what} would take {describe_gib(needed)} of memory; the limit is {limit:,g} GiB, and the environment "
            f"variable {MEMORY_VARIABLE} raises it."
        )


def require_text_length(text: str, what: str) -> None:
    """Raise if a text is longer than `LONGEST_TEXT`.

    Args:
        text: the text.
        what: what it is, as the subject of a sentence.

    Raises:
        DataError: it is longer.

    >>> require_text_length("a" * 2**23, "a.jsonl, line 3: 'question'")
    Traceback (most recent call last):
    isocompute.errors.DataError: a.jsonl, line 3: 'question' has 8,388,608 characters; the most is 4,194,304.
    """
    if len(text) > LONGEST_TEXT:
        raise DataError(f"{what} has {len(text):,} characters; the most is {LONGEST_TEXT:,}.")


def fits_memory(needed: float, usual: float = WORK_GIB) -> bool:
    """Return whether work stays within its limit of memory, see `require_memory`."""
    return needed <= max(usual, read_memory_variable()) * 2**30


def read_memory_variable() -> float:
    """Return the GiB in `MEMORY_VARIABLE`; 0 if it is not set.

    Raises:
        ConfigError: it holds no number of GiB.
    """
    text = os.environ.get(MEMORY_VARIABLE, "0")
    try:
        limit = float(text)
    except ValueError:
        limit = -1.0
    if not 0 <= limit <= MOST_GIB:
        raise ConfigError(f"{MEMORY_VARIABLE} is '{text}'; it must be a number of GiB, such as 16.")
    return limit


def describe_gib(size: float) -> str:
    """Return bytes in GiB with three significant digits.

    >>> describe_gib(1.5 * 2**30), describe_gib(298 * 2**30), describe_gib(1e30)
    ('1.5 GiB', '298 GiB', '9.31e+20 GiB')
    """
    gib = size / 2**30
    return f"{gib:,.0f} GiB" if 100 <= gib < 1e9 else f"{gib:.3g} GiB"
