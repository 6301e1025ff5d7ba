"""Tells a model that writes nothing at all from one that now and then writes an empty text.

An empty text may be an honest answer: a model may end at once. A whole batch of empty texts is none. It is what a
broken checkpoint, a wrong chat template or a server's fault looks like, and rows with status ok would be counted as
wrong answers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

from isocompute.runners.engines import Completion, Request
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE, RunTable

SILENT_BATCH_SIZE, SILENT_BATCH_PROBLEMS = 32, 4
"""Empty texts in a row, and of how many problems, after which they count as failures. To one problem a model may well
have nothing to say, and its solutions come next to each other."""

SCAN_BATCH_ROWS = 1000
"""Rows of a run that are looked at together."""

EngineOutcome = tuple[Request, Completion]


def reject_silent_batches(outcomes: Iterator[EngineOutcome], spoken: set[str]) -> Iterator[EngineOutcome]:
    """Pass on what an engine yields; turn empty texts into failures where the model writes nothing else.

    Each table is looked at by itself. A completion that is ok and whose text is blank is held back. A text that is
    not blank clears those that are held: they are passed on as they are. `SILENT_BATCH_SIZE` blank texts in a row, of
        `SILENT_BATCH_PROBLEMS` problems, are passed on as failures, and so are those that follow them without a text
        between. At the end of the stream, what is held is ok if the table is among ``spoken``, and failed if it is not.
        A completion that failed is passed on at once; it says nothing about the model's texts, so it neither ends a row
        of blank ones nor is part of it.

    Holding back stops nothing. Whoever reads adds requests only for solutions that say something; a blank solution is
    never verified. So the engine waits for nothing that could follow from a completion that is held.

    If the engine fails, or whoever reads stops, what is held is lost. Those rows are missing in the run, and the next
    start asks for them again.

    Args:
        outcomes: requests with their completions, as an engine's ``run`` yields them; closed when this one is.
        spoken: names of the tables in which the run holds a text that is not blank; such tables are added to it.
    """
    held: defaultdict[str, list[EngineOutcome]] = defaultdict(list)
    row: Counter[str] = Counter()
    problems: defaultdict[str, set[str]] = defaultdict(set)
    try:
        for request, completion in outcomes:
            table = request.key[0].name
            if completion.status != "ok":
                yield request, completion
            elif (completion.text or "").strip():
                spoken.add(table)
                row[table] = 0
                problems[table].clear()
                yield from held.pop(table, ())
                yield request, completion
            else:
                row[table] += 1
                problems[table].add(request.key[1])
                held[table].append((request, completion))
                if row[table] >= SILENT_BATCH_SIZE and len(problems[table]) >= SILENT_BATCH_PROBLEMS:
                    yield from mark_blank_completions(held.pop(table), SILENT_BATCH_SIZE)
        for table, blank in held.items():
            yield from blank if table in spoken else mark_blank_completions(blank, len(blank))
    finally:
        if (close := getattr(outcomes, "close", None)) is not None:
            close()


def mark_blank_completions(blank: list[EngineOutcome], count: int) -> Iterator[EngineOutcome]:
    """Turn completions without text into failures; their counts of tokens stay as the engine reported them.

    Args:
        blank: requests with their completions.
        count: how many empty texts came in a row.
    """
    texts = "the only text is empty" if count == 1 else f"every one of {count} texts in a row is empty"
    for request, completion in blank:
        yield request, replace(completion, text=None, status=f"the model wrote nothing: {texts}")


def find_tables_with_text(run: Run) -> set[str]:
    """Return the names of the tables in which a run holds a text that is ok and not blank.

    Parts are read until such a text is found, which is most often in the first rows.

    Raises:
        DataError: a part is damaged.
        RunError: the disk or the store does not give a part.
    """
    return {table.name for table in (SOLUTIONS_TABLE, VERIFICATIONS_TABLE) if any(_scan_row_texts(run, table))}


def _scan_row_texts(run: Run, table: RunTable) -> Iterator[bool]:
    """Say of each row of a table whether its text is ok and not blank."""
    for path in run.list_parts(table):
        for rows in run.read_part(table, path, ["text", "status"]).to_batches(max_chunksize=SCAN_BATCH_ROWS):
            for text, status in zip(rows["text"].to_pylist(), rows["status"].to_pylist(), strict=True):
                yield status == "ok" and bool((text or "").strip())
