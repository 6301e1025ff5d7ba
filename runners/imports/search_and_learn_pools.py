"""Best-of-N in search-and-learn's files: solutions with step scores, and the answers that the tool chose among them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np

from isocompute.errors import DataError
from isocompute.runners.grading import extract_boxed_answer
from isocompute.runners.grading.extraction import extract_stated_answer
from isocompute.runners.grading.golds import extract_gold_answer
from isocompute.runners.imports.fields import read_count_field, read_text_field, read_text_list_field
from isocompute.runners.imports.interleaving import Batches, infer_batches, locate_completions
from isocompute.runners.imports.rows import ImportedChoice, ImportedSolution
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.parsing.printable import format_error_value

CHOICE_STRATEGIES = {"maj": "sc", "naive": "bon", "weighted": "prm-weighted"}
"""The strategies whose answers the tool stores as ``pred_maj@k`` and so on, by their names here."""

LOGGED_CHOICE_KEY_PATTERN = re.compile(rf"pred_(?:{'|'.join(CHOICE_STRATEGIES)})@([0-9]{{1,9}})")

Line = tuple[str, dict[str, Any]]
"""A line's location and its content."""


def choose_batches(source: ImportSource, path: Path) -> Batches:
    """Return the batches whose completions are put back under their own problems: of one problem unless asked for.

    Raises:
        DataError: it was asked for, and the completions are not interleaved, or the batches cannot be told, or the file
            does not hold all of their lines.
    """
    found = find_batches(source, path)
    if not source.deinterleave:
        if found is not None and found.size > 1:
            remedy = (
                "import the whole file"
                if found.is_cut
                else "--deinterleave (deinterleave= in Python) puts each back under its own"
            )
            source.notes.append(
                f"The completions of '{path.name}' are stored under other problems, in batches of {found.size:,}, as "
                f"search-and-learn did before January 2025, so every number here is wrong; {remedy}."
            )
        return Batches(1)
    if found is None:
        raise DataError(
            f"'{path}': the answers do not tell in batches of how many problems the completions are interleaved, so "
            "they cannot be put back under their own problems."
        )
    if found.size == 1:
        raise DataError(
            f"'{path}': each completion is stored under its own problem; "
            "import it without --deinterleave (deinterleave= in Python)."
        )
    if found.is_cut:
        raise DataError(
            f"'{path}' is a part of a file: its completions are interleaved in batches of {found.size:,} problems, of "
            "which it lacks some, so that not all can be put back; import the whole file."
        )
    source.notes.append(
        f"The completions of '{path.name}' were put back under their own problems, in batches of {found.size:,}. Their "
        "scores are left out, because the reward model read them with other questions."
    )
    return found


def find_batches(source: ImportSource, path: Path) -> Batches | None:
    """Return the batches in which a file's completions are interleaved; None if its answers do not tell."""
    codes: defaultdict[str | None, int] = defaultdict(lambda: len(codes))
    codes[None] = -1
    answers, golds = list[list[int]](), list[int]()
    for where, row in source.scan_json_lines(path):
        texts = read_text_list_field(row, "completions", where)
        gold = read_text_field(row, "answer", where) or read_text_field(row, "solution", where)
        answers.append([codes[read_plain_answer(text)] for text in texts])
        golds.append(codes[remove_spaces(extract_gold_answer(gold))])
    if not answers or not answers[0] or len({len(line) for line in answers}) > 1:
        return None
    return infer_batches(np.array(answers), np.array(golds))


def read_plain_answer(text: str) -> str | None:
    """Return a text's answer without spaces, fast; it is not compared with the right one by a grader."""
    return remove_spaces(extract_boxed_answer(text) or extract_stated_answer(text))


def remove_spaces(answer: str | None) -> str | None:
    """Return an answer without spaces; None if nothing is left."""
    return "".join(answer.split()) or None if answer else None


def take_batches(lines: Iterable[Line], size: int) -> Iterator[list[Line]]:
    """Yield lines in lists of a size; the last may be shorter."""
    rest = iter(lines)
    while batch := list(islice(rest, size)):
        yield batch


def read_batch_solutions(names: Sequence[str], lines: Sequence[Line]) -> Iterator[ImportedSolution]:
    """Yield the solutions of a batch, each under the problem that it solves, in the order in which they were sampled.

    In a batch of several problems the scores are left out.
    """
    stored = [list(read_line_solutions(name, row, where)) for name, (where, row) in zip(names, lines, strict=True)]
    if len(lines) == 1:
        yield from stored[0]
        return
    owners, _ = locate_completions(len(lines), len(stored[0]), Batches(len(lines)))
    solutions = [solution for line in stored for solution in line]
    for owner, name in enumerate(names):
        for place in np.flatnonzero(owners == owner):
            found = solutions[place]
            yield ImportedSolution(name, found.where, found.text, completion_tokens=found.completion_tokens)


def read_line_solutions(name: str, row: dict[str, Any], where: str) -> Iterator[ImportedSolution]:
    """Yield the solutions of a line.

    Raises:
        DataError: its lists do not fit each other, or it is the output of a search.
    """
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
            step_scores=read_step_scores(scores[i], here) if scores else None,
        )


def read_step_scores(scores: Any, where: str) -> list[float] | None:
    """Return the scores of a completion's steps, NaN where one is missing; None if all are.

    >>> read_step_scores([0.5, None], "here"), read_step_scores(None, "here")
    ([0.5, nan], None)

    Raises:
        DataError: they are not numbers.
    """
    if scores is None:
        return None
    steps: list[Any] = [nan if score is None else score for score in scores] if isinstance(scores, list) else [None]
    if not all(type(score) in (int, float) and (isnan(score) or abs(score) < 1e30) for score in steps):
        raise DataError(f"{where}: 'scores' must be numbers, one per step; they are {format_error_value(scores)}.")
    return [float(score) for score in steps]


def find_largest_k(row: dict[str, Any]) -> int:
    """Return the largest k of the columns ``pred_maj@k`` and the like; 0 without any."""
    return max((int(found[1]) for key in row if (found := LOGGED_CHOICE_KEY_PATTERN.fullmatch(key))), default=0)


def read_choices(name: str, where: str, row: dict[str, Any]) -> Iterator[ImportedChoice]:
    """Yield the answers that the tool chose among the first k completions, for the largest k of a line."""
    k = find_largest_k(row)
    for column, strategy in CHOICE_STRATEGIES.items():
        answer = read_text_field(row, f"pred_{column}@{k}", where)
        if answer is not None:
            yield ImportedChoice(name, where, strategy, k, answer)
