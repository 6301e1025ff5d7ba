"""The format of search-and-learn: completions with a process reward model's scores, a line for each problem.

    best_of_n_completions.jsonl, beam_search_completions.jsonl, dvts_completions.jsonl
    problem, answer, unique_id … of the dataset; completions, scores, pred, completion_tokens

The completions of Best-of-N are independent, and become solutions with step scores. Those of a beam search or of DVTS
are not independent: they share their beginnings, and were selected by their scores. For these only the search's
selection is imported, as a row of `searches`; its tokens are unknown, since the tool writes 0 (beam) or -1 (DVTS).
Source: github.com/huggingface/search-and-learn at 6f81cac (search/*.py, utils/data.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.fields import read_count_field, read_text_field, read_text_list_field
from isocompute.runners.imports.rows import ImportedProblem, ImportedRow, ImportedSearch, ImportedSolution
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.parsing.printable import format_error_value

APPROACH_STRATEGIES = {"best_of_n": None, "beam_search": "beam", "dvts": "dvts"}
"""The tool's approaches, and the names of searches here; None if completions are independent."""

SEARCH_SETTING_CODES = {"beam_width": "m", "lookahead": "look", "seed": "seed"}
"""Settings of a search, with their codes in the names of the revisions that the tool publishes."""


def read_search_and_learn_rows(source: ImportSource) -> Iterator[ImportedRow]:
    """Yield the rows of a file, or of all .jsonl files of a folder, which may be several approaches to one task.

    Raises:
        DataError: a file's approach is unknown, or a line does not hold the expected data; the message says which.
    """
    problems: dict[str, tuple[str | None, str | None]] = {}
    solved: set[str] = set()
    for path in source.find_files(".jsonl"):
        strategy, settings = APPROACH_STRATEGIES[infer_approach(path)], parse_search_settings(path)
        for number, (where, row) in enumerate(source.read_json_lines(path), start=1):
            name = read_text_field(row, "unique_id", where) or str(number)
            content = (
                read_text_field(row, "problem", where),
                read_text_field(row, "answer", where) or read_text_field(row, "solution", where),
            )
            if name not in problems:
                level = row.get("level") if isinstance(row.get("level"), int) else None
                yield ImportedProblem(name, where, *content, read_text_field(row, "subject", where), level)
            if problems.setdefault(name, content) != content:
                raise DataError(f"{where}: the problem '{name}' has another question or answer in another line.")
            if strategy is not None:
                n = len(read_text_list_field(row, "completions", where))
                yield ImportedSearch(name, where, strategy, n, **settings, text=read_selected_completion(row, where))
            elif name in solved:
                raise DataError(f"{where}: the problem '{name}' appears twice.")
            else:
                solved.add(name)
                yield from read_best_of_n_solutions(name, row, where)


def infer_approach(path: Path) -> str:
    """Return the approach in the name of a file or its folder.

    Raises:
        DataError: neither name contains an approach.
    """
    for part in (path.name, path.resolve().parent.name):
        if approaches := [name for name in APPROACH_STRATEGIES if name in part]:
            return approaches[0]
    file_names = ", ".join(f"{name}_completions.jsonl" for name in APPROACH_STRATEGIES)
    raise DataError(
        f"'{path}': neither the name of the file nor that of its folder says how the completions were made, so it is "
        f"unknown whether they are independent; name the file as the tool does: {file_names}."
    )


def parse_search_settings(path: Path) -> dict[str, Any]:
    """Return a search's settings in the name of a file or its folder."""
    names = f"{path.resolve().parent.name}/{path.name}"
    matches = {
        name: re.search(rf"--{short}-([0-9]{{1,9}})(?![0-9])", names) for name, short in SEARCH_SETTING_CODES.items()
    }
    return {name: match and int(match[1]) for name, match in matches.items()}


def read_best_of_n_solutions(name: str, row: dict[str, Any], where: str) -> Iterator[ImportedRow]:
    """Yield the solutions of Best-of-N."""
    completions = read_text_list_field(row, "completions", where)
    scores, tokens = row.get("scores"), row.get("completion_tokens")
    for key, values in (("scores", scores), ("completion_tokens", tokens)):
        if values is not None and (not isinstance(values, list) or len(values) != len(completions)):
            raise DataError(
                f"{where}: '{key}' must be a list with one for each of the {len(completions):,} completions; it is "
                f"{format_error_value(values)}. The output of beam search or DVTS is not Best-of-N."
            )
    if tokens and not any(tokens) and any(completions):
        raise DataError(f"{where}: 'completion_tokens' are all 0, as beam search writes them; this is not Best-of-N.")
    for i, completion in enumerate(completions):
        here = f"{where}, completion {i}"
        yield ImportedSolution(
            name,
            here,
            completion,
            completion_tokens=read_count_field({"completion_tokens": tokens[i]}, "completion_tokens", here)
            if tokens
            else None,
            step_scores=check_step_scores(scores[i], here) if scores else None,
        )


def check_step_scores(scores: Any, where: str) -> list[float]:
    """Return the scores of a completion's steps.

    Raises:
        DataError: they are not numbers.
    """
    numbers = isinstance(scores, list) and all(isinstance(score, int | float) and abs(score) < 1e30 for score in scores)
    if not numbers:
        raise DataError(f"{where}: 'scores' must be numbers, one per step; they are {format_error_value(scores)}.")
    return [float(score) for score in scores]


def read_selected_completion(row: dict[str, Any], where: str) -> str:
    """Return the completion that a search selected.

    Raises:
        DataError: it is missing.
    """
    pred = read_text_field(row, "pred", where)
    if pred is None:
        raise DataError(f"{where}: 'pred', the selected completion, is missing.")
    return pred
