"""The format of search-and-learn: completions with a process reward model's scores, a line for each problem.

    best_of_n_completions.jsonl, beam_search_completions.jsonl, dvts_completions.jsonl
    problem, answer, unique_id … of the dataset; completions, scores, pred, completion_tokens, agg_scores, pred_maj@k …

The completions of Best-of-N are independent, and become solutions with step scores. Those of a beam search or of DVTS
are not independent: they share their beginnings, and were selected by their scores. For these only the search's
selection is imported, as a row of `searches`; its tokens are unknown, since the tool writes 0 (beam) or -1 (DVTS).

Before January 2025 the completions of Best-of-N were stored under other problems, see `interleaving`.
Source: github.com/huggingface/search-and-learn at 6f81cac (search/*.py, utils/score.py, utils/data.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.fields import read_text_field, read_text_list_field
from isocompute.runners.imports.rows import ImportedMetadata, ImportedProblem, ImportedRow, ImportedSearch
from isocompute.runners.imports.search_and_learn_names import (
    APPROACH_STRATEGIES,
    BEST_OF_N,
    infer_approach,
    infer_n,
    parse_aggregate,
    parse_search_settings,
)
from isocompute.runners.imports.search_and_learn_pools import (
    choose_batches,
    find_largest_k,
    read_batch_solutions,
    read_choices,
    take_batches,
)
from isocompute.runners.imports.source import ImportSource


def read_search_and_learn_rows(source: ImportSource) -> Iterator[ImportedRow]:
    """Yield the rows of a file, or of all .jsonl files of a folder, which may be several approaches to one task.

    Raises:
        DataError: a file's approach is unknown, or a line does not hold the expected data; the message says which.
    """
    approaches = {path: infer_approach(path) for path in source.find_files(".jsonl")}
    if source.deinterleave and BEST_OF_N not in approaches.values():
        raise DataError(f"'{source.path}' holds no Best-of-N; only its completions were ever interleaved.")
    aggregates = [aggregate for path in approaches if (aggregate := parse_aggregate(path))]
    if aggregates:
        yield ImportedMetadata(aggregate=aggregates[0])
    problems = KnownProblems()
    for path, approach in approaches.items():
        strategy = APPROACH_STRATEGIES[approach]
        if strategy is None:
            yield from read_best_of_n_file(source, path, problems)
        else:
            yield from read_search_file(source, path, strategy, problems)


class KnownProblems:
    """The problems of the lines so far, which several files may share."""

    def __init__(self) -> None:
        self.contents: dict[str, tuple[str | None, str | None]] = {}
        self.solved: set[str] = set()

    def read_problem(self, number: int, where: str, row: dict[str, Any]) -> tuple[str, list[ImportedProblem]]:
        """Return the name of a line's problem, and its row unless an earlier line had it.

        Raises:
            DataError: an earlier line has another question or answer under the same name.
        """
        name = read_text_field(row, "unique_id", where) or str(number)
        content = (
            read_text_field(row, "problem", where),
            read_text_field(row, "answer", where) or read_text_field(row, "solution", where),
        )
        if name in self.contents and self.contents[name] != content:
            raise DataError(f"{where}: the problem '{name}' has another question or answer in another line.")
        if name in self.contents:
            return name, []
        self.contents[name] = content
        level = row.get("level") if isinstance(row.get("level"), int) else None
        return name, [ImportedProblem(name, where, *content, read_text_field(row, "subject", where), level)]


def read_best_of_n_file(source: ImportSource, path: Path, problems: KnownProblems) -> Iterator[ImportedRow]:
    """Yield the solutions of a file of Best-of-N, and the tool's own choices among them.

    Raises:
        DataError: a line does not hold the expected data, or a problem appears twice.
    """
    batches = choose_batches(source, path)
    number = 0
    for lines in take_batches(source.read_json_lines(path), batches.size):
        names = []
        for where, row in lines:
            number += 1
            name, rows = problems.read_problem(number, where, row)
            if name in problems.solved:
                raise DataError(f"{where}: the problem '{name}' appears twice.")
            problems.solved.add(name)
            names.append(name)
            yield from rows
        yield from read_batch_solutions(names, lines)
        if batches.size == 1:
            yield from read_choices(names[0], *lines[0])


def read_search_file(source: ImportSource, path: Path, strategy: str, problems: KnownProblems) -> Iterator[ImportedRow]:
    """Yield the searches of a file, with the n that was asked for: a line may hold more beams.

    Raises:
        DataError: a line does not hold the expected data.
    """
    counts, largest_k = list[int](), 0
    for where, row in source.scan_json_lines(path):
        counts.append(len(read_text_list_field(row, "completions", where)))
        largest_k = max(largest_k, find_largest_k(row))
    if not counts:
        return
    n, settings = infer_n(path, min(counts), largest_k), parse_search_settings(path)
    if min(counts) < max(counts) or n != counts[0]:
        source.notes.append(
            f"'{path.name}' holds {min(counts):,} to {max(counts):,} completions of a problem; {n:,} is taken as the n "
            "that the search was asked for."
        )
    for number, (where, row) in enumerate(source.read_json_lines(path), start=1):
        name, rows = problems.read_problem(number, where, row)
        yield from rows
        yield ImportedSearch(name, where, strategy, n, **settings, text=read_selected_completion(row, where))


def read_selected_completion(row: dict[str, Any], where: str) -> str:
    """Return the completion that a search selected.

    Raises:
        DataError: it is missing.
    """
    pred = read_text_field(row, "pred", where)
    if pred is None:
        raise DataError(f"{where}: 'pred', the selected completion, is missing.")
    return pred
