"""The names of search-and-learn's files and folders: the approach, the settings of a search, and n.

    best_of_n_completions.jsonl, and bon_completions.jsonl from before January 2025, when every approach's file had it
    MATH-500--T-0.8--top_p-1.0--n-4--m-4--iters-40--look-0--seed-0--agg_strategy--last (a revision on the Hub)

Source: github.com/huggingface/search-and-learn at 6f81cac (src/sal/config.py, utils/data.py), and before 64862dd.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.parsing.printable import format_error_value

BEST_OF_N = "best_of_n"

APPROACH_STRATEGIES = {BEST_OF_N: None, "beam_search": "beam", "dvts": "dvts"}
"""The tool's approaches, and the names of searches here; None if completions are independent."""

APPROACH_PATTERN = re.compile(
    r"(?P<before>\w+_)?(?P<approach>best_of_n|bon|beam_search|dvts)(?:_completions)?(?:_n_?[0-9]+)?(?:_completions)?",
    re.ASCII,
)

SEARCH_SETTING_CODES = {"beam_width": "m", "lookahead": "look", "seed": "seed"}
"""Settings of a search, with their codes in the names of the revisions that the tool publishes."""


def infer_approach(path: Path) -> str:
    """Return the approach in the name of a file or its folder.

    A word joined to ``beam_search`` or ``dvts`` names another search, such as a speculative one. A word before
    ``best_of_n`` is part of the file's own name: the content shows whether its completions are independent.

    Raises:
        DataError: neither name contains an approach, or it is another approach than those of the tool.
    """
    known = f"best_of_n, beam_search and dvts are known, as in {BEST_OF_N}_completions.jsonl"
    for part in (path.name, path.resolve().parent.name):
        for word in re.findall(r"\w+", part):
            if not any(name in word for name in APPROACH_STRATEGIES) and not word.startswith("bon_completions"):
                continue
            found = APPROACH_PATTERN.fullmatch(word)
            approach = found and found["approach"].replace("bon", BEST_OF_N)
            if found is None or approach is None or (found["before"] and approach != BEST_OF_N):
                raise DataError(f"'{path}': the approach {format_error_value(word)} is unknown; {known}.")
            return approach
    raise DataError(
        f"'{path}': neither the name of the file nor that of its folder says how the completions were made, so it is "
        f"unknown whether they are independent; name the file as the tool does: {known}."
    )


def parse_search_settings(path: Path) -> dict[str, Any]:
    """Return a search's settings in the name of a file or its folder; None where it gives none."""
    return {name: parse_coded_number(rf"--{code}-", path) for name, code in SEARCH_SETTING_CODES.items()}


def parse_aggregate(path: Path) -> str | None:
    """Return how step scores become one in a search's own choice, as the name of a file or its folder says.

    >>> parse_aggregate(Path("n-4--seed-0--agg_strategy-min/best_of_n_completions.jsonl"))
    'min'
    """
    found = re.search(r"--agg_strategy--?(last|min|prod)(?![a-z])", join_names(path))
    return found and found[1]


def infer_n(path: Path, fewest: int, largest_k: int) -> int:
    """Return the n that a search was asked for.

    It is in the name of the file or its folder. Otherwise it is the fewest completions of a problem, since the tool
    repeats completions until there are n, unless the columns ``pred_maj@k`` rule this out: k is each power of two up to
    n.

    Args:
        path: the file.
        fewest: completions of the problem with the fewest.
        largest_k: the largest k of the columns ``pred_maj@k``; 0 without any.

    >>> [infer_n(Path(name), 5, 4) for name in ("beam_search_completions.jsonl", "beam_search_n16.jsonl")]
    [5, 16]
    >>> infer_n(Path("beam_search_completions.jsonl"), 9, 4)
    4
    """
    named = parse_coded_number(r"(?:--n-|_n_?)", path)
    if named is not None:
        return named
    return fewest if not largest_k or largest_k <= fewest < 2 * largest_k else largest_k


def parse_coded_number(before: str, path: Path) -> int | None:
    """Return the number after a pattern in the name of a file or its folder; None if there is none."""
    found = re.search(rf"{before}([0-9]{{1,9}})(?![0-9])", join_names(path))
    return found and int(found[1])


def join_names(path: Path) -> str:
    """Return the names of a file and its folder."""
    return f"{path.resolve().parent.name}/{path.name}"
