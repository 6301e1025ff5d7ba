"""Problems with fewer solutions than others: of every problem as many solutions are used as the shortest one has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from isocompute.errors import ConfigError, DataError
from isocompute.runners.parsing.printable import format_error_value

MOST_NAMED = 5
"""Problems that a sentence names at most."""
MOST_CHOICES = 3
"""Numbers of solutions that a sentence proposes at most."""


def propose_fewest_solutions(counts: Iterable[int]) -> list[tuple[int, int]]:
    """Return the numbers of solutions with which more solutions are used in all, and how many problems have as many.

    Args:
        counts: the number of solutions of each problem.

    Returns:
        Up to `MOST_CHOICES` pairs (solutions, problems that have them), those that use most, by their solutions.

    >>> propose_fewest_solutions([2] + 19 * [32]), propose_fewest_solutions([2, 3]), propose_fewest_solutions([1, 8, 9])
    ([(32, 19)], [], [(8, 2), (9, 1)])
    """
    times = Counter(counts)
    kept, choices = 0, []
    for count in sorted(times, reverse=True):
        kept += times[count]
        choices.append((count, kept))
    used = {solutions: solutions * problems for solutions, problems in choices}
    better = [choice for choice in choices if used[choice[0]] > used[min(times)]]
    return sorted(sorted(better, key=lambda choice: -used[choice[0]])[:MOST_CHOICES])


def describe_cut_problems(counts: Iterable[int]) -> list[str]:
    """Return a sentence if a few short problems cut the others, with the numbers that would leave them out.

    >>> describe_cut_problems([2, 32, 32])
    ['Short problems cut the others to 2 solutions: --problems-with 32 keeps 2 of 3 problems.']
    """
    numbers = list(counts)
    if not (choices := propose_fewest_solutions(numbers)):
        return []
    first, *rest = [f"{solutions:,} keeps {problems:,} of {len(numbers):,} problems" for solutions, problems in choices]
    proposed = ", ".join([first, *(text.removesuffix(" problems") for text in rest)])
    return [f"Short problems cut the others to {min(numbers):,} solutions: --problems-with {proposed}."]


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
    named = ", ".join(f"'{name}'" for name in short[:MOST_NAMED])
    more = f" and {len(short) - MOST_NAMED:,} more" if len(short) > MOST_NAMED else ""
    verb = "is" if len(short) == 1 else "are"
    return (
        f"{len(short):,} of {problems:,} problems {verb} left out, with fewer than {fewest:,} solutions: {named}{more}."
    )
