"""Problems with fewer solutions than others: how many of each problem are used, and which problems are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from isocompute.errors import ConfigError, DataError
from isocompute.runners.parsing.printable import format_error_value

MOST_NAMED = 5
"""Problems that a sentence names at most."""
LEAST_KEPT = 0.75
"""No number of rows per problem is chosen that leaves out more than a quarter of the problems."""


def choose_pool_size(counts: ArrayLike) -> int:
    """Return the number of rows per problem, n, with which most rows are used.

    A problem with c rows uses min(c, n) of them, and n - min(c, n) of its places hold rows again, which counts against
    n: the sum of 2·min(c, n) - n over the problems with c ≥ n/2 is maximised. The others are left out, at most a
    quarter of all. Of equal sums the smallest n wins.

    Args:
        counts: the number of rows of each problem.

    >>> choose_pool_size([1] + 39 * [32]), choose_pool_size([31, 32, 30]), choose_pool_size([8, 8, 32, 32])
    (32, 31, 8)
    """
    each = np.asarray(counts, dtype=np.int64)
    sizes = np.unique(each)
    allowed = sizes[[np.mean(2 * each >= n) >= LEAST_KEPT for n in sizes]]
    return int(allowed[np.argmax([np.maximum(2 * np.minimum(each, n) - n, 0).sum() for n in allowed])])


def describe_few_solutions(counts: Mapping[str, int]) -> list[str]:
    """Return a sentence on the problems that a fit leaves out, and on how to keep them.

    Args:
        counts: the number of solutions of each problem.

    >>> describe_few_solutions({"p0": 2, "p1": 32, "p2": 32, "p3": 30})
    ... # doctest: +NORMALIZE_WHITESPACE
    ["1 of 4 problems has fewer than half of 32 solutions, and a fit leaves it out: 'p0'. --problems-with 2 keeps it,
    with 2 solutions of each problem."]
    """
    size = choose_pool_size(list(counts.values())) if counts else 0
    short = [name for name, count in counts.items() if 2 * count < size]
    if not short:
        return []
    has, it = ("has", "it") if len(short) == 1 else ("have", "them")
    fewest, share = min(counts.values()), f"{len(short):,} of {len(counts):,} problems"
    used = f"{fewest:,} solution{'' if fewest == 1 else 's'}"
    return [
        f"{share} {has} fewer than half of {size:,} solutions, and a fit leaves {it} out: {name_problems(short)}. "
        f"--problems-with {fewest} keeps {it}, with {used} of each problem."
    ]


def check_fewest_solutions(number: object) -> int | None:
    """Return the number of solutions that a problem must have; None if any will do.

    Raises:
        ConfigError: it is not a whole number, 1 or more.
    """
    if number is None or (isinstance(number, int) and not isinstance(number, bool) and number >= 1):
        return number
    raise ConfigError(
        f"--problems-with (problems_with) must be a whole number, 1 or more; it is {format_error_value(number)}."
    )


def find_short_problems(counts: Mapping[str, int], fewest: int, where: str) -> list[str]:
    """Return the problems with fewer solutions than asked for.

    Args:
        counts: the number of solutions of each problem.
        fewest: the number of solutions that a problem must have.
        where: description of the source, for errors.

    Raises:
        DataError: all have fewer.
    """
    short = [name for name, count in counts.items() if count < fewest]
    if counts and len(short) == len(counts):
        raise DataError(f"No problem of {where} has {fewest:,} solutions; the most is {max(counts.values()):,}.")
    return short


def describe_short_problems(short: list[str], problems: int, fewest: int) -> str:
    """Return a sentence on the problems that were left out.

    >>> describe_short_problems(["p0"], 20, 32)
    "1 of 20 problems is left out, with fewer than 32 solutions: 'p0'."
    """
    verb = "is" if len(short) == 1 else "are"
    left_out = f"{len(short):,} of {problems:,} problems {verb} left out, with fewer than {fewest:,} solutions"
    return f"{left_out}: {name_problems(short)}."


def name_problems(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are.

    >>> name_problems(list("abcdefg"))
    "'a', 'b', 'c', 'd', 'e' and 2 more"
    """
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:MOST_NAMED]) + more
