"""The format of large_language_monkeys: a YAML file for each problem, or JSON objects with the same keys.

    question, samples, gt_answer (mathematics only), is_corrects (once evaluated)
    orig_dset_split, orig_dset_idx (in the published collection, which is JSON)

Source: github.com/ScalingIntelligence/large_language_monkeys at ed2bdb0 (generate/*.py, evaluate/*.py). Tokens and
verdicts are not logged. For code and proofs there is no right answer, only whether each sample passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.fields import read_flag_field, read_text_field, read_text_list_field
from isocompute.runners.imports.packed import get_file_ending, strip_file_ending
from isocompute.runners.imports.rows import ImportedProblem, ImportedRow, ImportedSolution
from isocompute.runners.imports.source import ImportSource, require_block
from isocompute.runners.parsing.printable import format_error_value


def read_monkeys_rows(source: ImportSource) -> Iterator[ImportedRow]:
    """Yield the rows of a folder of YAML, or of a file of YAML or JSON.

    Raises:
        DataError: a file does not hold the expected data; the message says which.
    """
    for name, where, content in read_problem_blocks(source):
        samples = read_text_list_field(content, "samples", where)
        passed = content.get("is_corrects")
        if passed is not None and (not isinstance(passed, list) or len(passed) != len(samples)):
            raise DataError(f"{where}: 'is_corrects' must hold yes or no for each of the {len(samples):,} samples.")
        yield ImportedProblem(
            name, where, read_text_field(content, "question", where), read_text_field(content, "gt_answer", where)
        )
        for i, sample in enumerate(samples):
            here = f"{where}, sample {i}"
            correct = None if passed is None else read_flag_field({"is_corrects": passed[i]}, "is_corrects", here)
            yield ImportedSolution(name, here, sample, correct=correct)


def read_problem_blocks(source: ImportSource) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the keys of each problem, with its name and location."""
    for path in source.find_files(".yaml", ".yml", ".jsonl", ".json"):
        ending = get_file_ending(path)
        if ending in (".yaml", ".yml"):
            yield strip_file_ending(path), str(path), source.read_yaml(path)
        elif ending == ".jsonl":
            for number, (where, content) in enumerate(source.read_json_lines(path), start=1):
                yield name_monkeys_problem(content, number, where), where, content
        else:
            problems = source.read_json(path)
            if not isinstance(problems, list):
                raise DataError(f"{path} must hold a list of problems; it is {format_error_value(problems)}.")
            for number, content in enumerate(problems, start=1):
                where = f"{path}, problem {number}"
                yield name_monkeys_problem(require_block(content, where), number, where), where, content


def name_monkeys_problem(content: dict[str, Any], number: int, where: str) -> str:
    """Return a problem's name: its split and its index there, or else its number in the file."""
    parts = [read_text_field(content, key, where) for key in ("orig_dset_split", "orig_dset_idx")]
    return "-".join(part for part in parts if part) if parts[1] else str(number)
