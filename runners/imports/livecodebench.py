"""The format of LiveCodeBench: ``SCENARIO_N_TEMPERATURE_eval_all.json``, a list with an object for each problem.

    question_id, question_content, difficulty, platform …, output_list, code_list (or pred_list), graded_list, pass@1

`graded_list` says of each program whether it passed all tests, and `pass@1` is its mean. Programs are right or wrong as
logged; they are never compared with each other, so that votes are unknown. Source:
github.com/LiveCodeBench/LiveCodeBench at 28fef95 (lcb_runner/benchmarks/*.py, lcb_runner/runner/main.py). Tokens are
not logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.fields import (
    read_flag_field,
    read_name_field,
    read_probability_field,
    read_text_field,
    require_field,
)
from isocompute.runners.imports.rows import (
    PROGRAMS_NOTE,
    ImportedMetadata,
    ImportedProblem,
    ImportedRow,
    ImportedSolution,
)
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.parsing.printable import format_error_value

SCENARIO_PATTERN = re.compile(r"(?:Scenario\.)?(codegeneration|selfrepair|testoutputprediction|codeexecution)_")

DIFFICULTY_LEVELS = {"easy": 1, "medium": 2, "hard": 3}


def read_livecodebench_rows(source: ImportSource) -> Iterator[ImportedRow]:
    """Yield the rows of one file.

    Raises:
        DataError: there are several files, or an object does not hold the expected data; the message says which.
    """
    files = source.find_files(".json", ".jsonl", pattern="*_eval_all*.json*")
    if len(files) > 1:
        raise DataError(f"'{source.path}' holds several evaluations; name one: {', '.join(f.name for f in files)}.")
    scenario = SCENARIO_PATTERN.match(files[0].name)
    yield ImportedMetadata(task=f"livecodebench-{scenario[1]}" if scenario else "livecodebench")
    source.notes.append(PROGRAMS_NOTE)
    for where, row in source.read_json_lines(files[0]):
        if "graded_list" not in row:
            raise DataError(f"{where}: 'graded_list' is missing; the file to import is named …_eval_all.json.")
        name = name_livecodebench_problem(row, where)
        question, subject = (read_text_field(row, key, where) for key in ("question_content", "platform"))
        level = DIFFICULTY_LEVELS.get(str(row.get("difficulty")).lower())
        yield ImportedProblem(name, where, question, None, subject, level)
        yield from read_livecodebench_solutions(name, row, where)


def name_livecodebench_problem(row: dict[str, Any], where: str) -> str:
    """Return a problem's name: that of the question, or in code execution and test prediction of the test in it."""
    if row.get("function_name") is not None and row.get("id") is not None:
        return read_name_field(row, "id", where)
    question, test = read_name_field(row, "question_id", where), read_text_field(row, "test_id", where)
    return question if test is None else f"{question}/{test}"


def read_livecodebench_solutions(name: str, row: dict[str, Any], where: str) -> Iterator[ImportedSolution]:
    """Yield the solutions of a problem.

    Raises:
        DataError: lists have different lengths, or ``pass@1`` is not the mean of ``graded_list``.
    """
    graded = require_field(row, "graded_list", where)
    if not isinstance(graded, list):
        raise DataError(f"{where}: 'graded_list' must be a list of true and false; it is {format_error_value(graded)}.")
    texts = row.get("output_list")
    if texts is None:
        texts = row.get("code_list")
    if texts is not None and (not isinstance(texts, list) or len(texts) != len(graded)):
        raise DataError(f"{where}: 'output_list' must be a list of {len(graded):,} texts, as many as in 'graded_list'.")
    rights = [
        read_flag_field({"graded_list": each}, "graded_list", f"{where}, sample {i}") for i, each in enumerate(graded)
    ]
    logged = read_probability_field(row, "pass@1", where)
    right_count = sum(map(bool, rights))
    if logged is not None and graded and abs(right_count / len(graded) - logged) > 1e-6:
        raise DataError(
            f"{where}: 'pass@1' is {logged:g}, but 'graded_list' has {right_count:,} of {len(graded):,} right."
        )
    for i, right in enumerate(rights):
        here = f"{where}, sample {i}"
        text = None if texts is None else read_text_field({"output_list": texts[i]}, "output_list", here)
        yield ImportedSolution(name, here, text, correct=right, unjudged="not graded" if right is None else None)
