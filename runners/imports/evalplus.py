"""The format of EvalPlus: ``…_eval_results.json``, the programs of HumanEval+ or MBPP+ with their tests' outcomes.

    eval: TASK_ID: [{solution, base_status, plus_status, …}]                                        since 0.2.2
    eval: TASK_ID: {nfiles, base: [[status, …], …], plus: [[status, …], …]}                          before
    pass_at_k: base: {pass@1 …}, plus: {pass@1 …}                                                    since 0.3.1

A program is right by the scorer ``base`` if it passes the tests of the original benchmark, and by ``plus`` if it also
passes those that EvalPlus adds. The tool reports both; its leaderboard ranks by ``plus``, which is taken unless only
base tests were run. An outcome is null if the tests were not run (``--base-only``), or if the process that ran them was
killed, which the tool counts as failed. Programs are right or wrong as logged; they are never compared with each other.
Source: github.com/evalplus/evalplus at 26d6d00, and at its tags v0.1.7 and v0.2.2 (evalplus/evaluate.py,
evalplus/eval/__init__.py, evalplus/codegen.py). Tokens are not logged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.fields import read_block_field, read_probability_field, read_text_field
from isocompute.runners.imports.rows import (
    PROGRAMS_NOTE,
    ImportedMetadata,
    ImportedProblem,
    ImportedRow,
    ImportedSolution,
)
from isocompute.runners.imports.source import ImportSource, require_block
from isocompute.runners.parsing.printable import format_error_value

PASS_STATUSES = ("pass", "success")
"""The outcome of tests that are all passed, in newer and in older versions."""

KNOWN_STATUSES = (*PASS_STATUSES, "fail", "failed", "timeout", "timed out")
"""Outcomes of a program's tests; None if its process was killed."""

MODEL_PATTERN = re.compile(r"(.+)_[a-z-]+_temp_[0-9.]+")
"""The beginning of a file's name: the model, with -- for each /, its backend, and the temperature."""

TaskResult = tuple[str | None, str | None, str | None]
"""The text of a program, and the outcomes of its base tests and of the added ones."""

EVALPLUS_SCORERS = ("plus", "base")


def read_evalplus_rows(source: ImportSource) -> Iterator[ImportedRow]:
    """Yield the rows of one file.

    Raises:
        DataError: there are several files, the tests asked for were not run, or an entry is not as expected.
    """
    files = source.find_files(".json", pattern="*eval_results.json")
    if len(files) > 1:
        raise DataError(f"'{source.path}' holds several evaluations; name one: {', '.join(f.name for f in files)}.")
    path = files[0]
    log = require_block(source.read_json(path), str(path))
    tasks = log.get("eval")
    if not isinstance(tasks, dict):
        raise DataError(f"{path}: 'eval' must be a block of tasks; it is {format_error_value(tasks)}.")
    results = {name: list_task_results(tasks[name], f"{path}, {name}") for name in tasks}
    has_plus = is_plus_evaluation(log, results, str(path))
    scorer = choose_evalplus_scorer(has_plus, source.scorer, str(path))
    dataset = next(iter(tasks), "").partition("/")[0].lower()
    model = MODEL_PATTERN.match(path.name)
    task = f"{dataset}{'+' if scorer == 'plus' else ''}" if dataset else None
    yield ImportedMetadata(task, model and model[1].replace("--", "/"))
    for name, each in results.items():
        yield ImportedProblem(name, f"{path}, {name}")
        for i, (text, base, plus) in enumerate(each):
            is_right = base in PASS_STATUSES and (scorer == "base" or plus in PASS_STATUSES)
            yield ImportedSolution(name, f"{path}, {name}, solution {i}", text, correct=is_right)
    source.notes += [PROGRAMS_NOTE, *describe_evalplus_scorer(log, scorer, str(path))]
    source.notes += describe_missing_outcomes(results, scorer, has_plus)


def list_task_results(results: Any, where: str) -> list[TaskResult]:
    """Return the text of each program of a task, and the outcomes of its base tests and of the added ones.

    Raises:
        DataError: the entry has neither of the two forms, or an unknown outcome.
    """
    found: list[tuple[str | None, Any, Any]]
    if isinstance(results, dict):
        base, plus = results.get("base"), results.get("plus") or []
        if not isinstance(base, list) or not isinstance(plus, list) or (plus and len(plus) != len(base)):
            raise DataError(f"{where}: 'base' and 'plus' must be lists with an entry for each program.")
        pairs = zip(base, plus or [[None]] * len(base), strict=True)
        found = [(None, *(each[0] if isinstance(each, list) and each else each for each in pair)) for pair in pairs]
    elif isinstance(results, list) and all(isinstance(each, dict) and "base_status" in each for each in results):
        found = [
            (read_text_field(each, "solution", where), each["base_status"], each.get("plus_status")) for each in results
        ]
    else:
        raise DataError(f"{where} must list programs with a 'base_status'; it is {format_error_value(results)}.")
    for i, (_, *statuses) in enumerate(found):
        if wrong := [status for status in statuses if status is not None and status not in KNOWN_STATUSES]:
            raise DataError(
                f"{where}, solution {i}: the outcome of tests must be pass, fail or timeout; it is "
                f"{format_error_value(wrong[0])}."
            )
    return found


def is_plus_evaluation(log: dict[str, Any], results: dict[str, list[TaskResult]], where: str) -> bool:
    """Return whether the added tests were run; if not, every ``plus_status`` is null."""
    block = read_block_field(read_block_field(log, "pass_at_k", where), "plus", where)
    return bool(block) or any(plus is not None for each in results.values() for _, _, plus in each)


def choose_evalplus_scorer(has_plus: bool, wanted: str | None, where: str) -> str:
    """Return the tests that say right or wrong: those asked for, or else all that were run.

    Raises:
        DataError: they are unknown, or were not run.
    """
    if wanted is not None and wanted not in EVALPLUS_SCORERS:
        raise DataError(f"{where}: there is no scorer '{wanted}'; there are: {', '.join(EVALPLUS_SCORERS)}.")
    if wanted == "plus" and not has_plus:
        raise DataError(f"{where}: the added tests were not run, so there is no scorer 'plus'; there is: base.")
    return wanted or ("plus" if has_plus else "base")


def describe_evalplus_scorer(log: dict[str, Any], scorer: str, where: str) -> list[str]:
    """Return sentences on the tests that say right or wrong, and on the log's own number."""
    tests = "all tests, base and added (plus)" if scorer == "plus" else "the base tests"
    block = read_block_field(read_block_field(log, "pass_at_k", where), scorer, where)
    logged = read_probability_field(block, "pass@1", where)
    own = "" if logged is None else f"; the log's pass@1 of them is {logged:.3f}"
    return [f"Right is what passes {tests}{own}; --scorer base or plus (scorer= in Python) chooses."]


def describe_missing_outcomes(results: dict[str, list[TaskResult]], scorer: str, has_plus: bool) -> list[str]:
    """Return sentences on programs whose added tests have no outcome, although they pass the base tests."""
    if not has_plus:
        return ["The added tests (plus) were not run: every plus_status is null."]
    outcomes = [plus for each in results.values() for _, base, plus in each if base in PASS_STATUSES]
    if scorer != "plus" or None not in outcomes:
        return []
    return [
        f"The added tests have no outcome (plus_status is null) for {outcomes.count(None):,} of {len(outcomes):,} "
        "programs that pass the base tests, as when a process is killed; these count as wrong, as in the tool's own "
        "pass@1. If they were not run, --scorer base (scorer= in Python) judges all programs by the base tests."
    ]
