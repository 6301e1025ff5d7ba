"""The format of sc-genrm-scaling: the YAML trees of Singhi et al. 2025, or the arrays behind their figures.

    …/0.yaml                                 prompt, question, samples, gt_answer
    …/problem_0/solution_0.yaml              prompt, verifications: [{verification, p(yes), p(no)}]

Both kinds of folder may be anywhere below the named one. Source: github.com/nishadsinghi/sc-genrm-scaling at
1d310ee (generate_solutions.py, generate_verifications.py). Tokens are not logged.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.fields import read_probability_field, read_text_field, read_text_list_field
from isocompute.runners.imports.folders import get_natural_key
from isocompute.runners.imports.rows import ImportedProblem, ImportedRow, ImportedSolution, ImportedVerification
from isocompute.runners.imports.sc_genrm_arrays import read_array_rows
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.parsing.verdicts import parse_verdict

PROBLEM_FILE_PATTERN = re.compile(r"([0-9]{1,9})\.yaml", re.ASCII)
PROBLEM_FOLDER_PATTERN = re.compile(r"problem_([0-9]{1,9})", re.ASCII)
SOLUTION_FILE_PATTERN = re.compile(r"solution_([0-9]{1,9})\.yaml", re.ASCII)


def read_sc_genrm_rows(source: ImportSource) -> Iterator[ImportedRow]:
    """Yield the rows of a tree of YAML, or of an .npz file.

    Raises:
        DataError: there is no such tree, or a file does not hold the expected data; the message says which.
    """
    if source.path.is_file():
        yield from read_array_rows(source)
        return
    solved, verified = find_yaml_trees(source.path)
    files = source.count_files([path for path in solved.iterdir() if PROBLEM_FILE_PATTERN.fullmatch(path.name)])
    verifications = (
        {path.stem: find_verification_files(source, verified / f"problem_{path.stem}") for path in files}
        if verified
        else {}
    )
    for path in files:
        solutions = yield from read_sc_genrm_solutions(source, path)
        for solution, file in verifications.pop(path.stem, {}).items():
            if solution >= solutions:
                raise DataError(f"{file} verifies solution {solution}, but {path} has {solutions:,} samples.")
            yield from read_sc_genrm_verifications(source, file, path.stem, solution)


def find_yaml_trees(top: Path) -> tuple[Path, Path | None]:
    """Return the folder of the solutions, and that of the verifications if there is one.

    Raises:
        DataError: there is no folder of solutions, or more than one of a kind.
    """
    solution_folders, verification_folders = [], []
    for folder, subfolders, names in os.walk(top):
        if any(PROBLEM_FILE_PATTERN.fullmatch(name) for name in names):
            solution_folders.append(Path(folder))
        if any(PROBLEM_FOLDER_PATTERN.fullmatch(name) for name in subfolders):
            verification_folders.append(Path(folder))
        # os.walk then skips the problem folders.
        subfolders[:] = sorted(name for name in subfolders if not PROBLEM_FOLDER_PATTERN.fullmatch(name))
    if len(solution_folders) != 1 or len(verification_folders) > 1:
        found = (
            "; ".join(map(str, sorted(solution_folders if len(solution_folders) != 1 else verification_folders)))
            or "none"
        )
        what = (
            "solutions (0.yaml, 1.yaml …)" if len(solution_folders) != 1 else "verifications (problem_0, problem_1 …)"
        )
        raise DataError(f"'{top}' must hold one folder of {what}; it holds: {found}.")
    numbers = {
        match[1] for path in solution_folders[0].iterdir() if (match := PROBLEM_FILE_PATTERN.fullmatch(path.name))
    }
    for path in sorted(verification_folders[0].iterdir(), key=get_natural_key) if verification_folders else ():
        if (match := PROBLEM_FOLDER_PATTERN.fullmatch(path.name)) and match[1] not in numbers:
            raise DataError(f"'{path}' verifies a problem that has no {match[1]}.yaml in '{solution_folders[0]}'.")
    return solution_folders[0], verification_folders[0] if verification_folders else None


def find_verification_files(source: ImportSource, folder: Path) -> dict[int, Path]:
    """Return the files of verifications of one problem, by the solution's number."""
    if not folder.is_dir():
        return {}
    found = source.count_files([path for path in folder.iterdir() if SOLUTION_FILE_PATTERN.fullmatch(path.name)])
    return {int(SOLUTION_FILE_PATTERN.fullmatch(path.name)[1]): path for path in found}  # type: ignore[index]


def read_sc_genrm_solutions(source: ImportSource, path: Path) -> Generator[ImportedRow, None, int]:
    """Yield a problem and its solutions; return the number of solutions."""
    content = source.read_yaml(path)
    where = str(path)
    question = read_text_field(content, "question" if "question" in content else "problem", where)
    samples = read_text_list_field(content, "samples", where)
    gold = read_text_field(content, "gt_answer", where)
    if gold is None:
        raise DataError(f"{where}: 'gt_answer', the right answer, is missing.")
    yield ImportedProblem(path.stem, where, question, gold)
    for i, sample in enumerate(samples):
        yield ImportedSolution(path.stem, f"{where}, sample {i}", sample)
    return len(samples)


def read_sc_genrm_verifications(source: ImportSource, path: Path, problem: str, solution: int) -> Iterator[ImportedRow]:
    """Yield the verifications of one solution, with the verdicts in their texts."""
    verifications = source.read_yaml(path).get("verifications")
    if not isinstance(verifications, list):
        raise DataError(f"{path}: 'verifications' must be a list; it is {format_error_value(verifications)}.")
    for i, verification in enumerate(verifications):
        where = f"{path}, verification {i}"
        if not isinstance(verification, dict) or read_text_field(verification, "verification", where) is None:
            raise DataError(
                f"{where} must be a block with a text under 'verification'; it is {format_error_value(verification)}."
            )
        text = read_text_field(verification, "verification", where) or ""
        yield ImportedVerification(
            problem, solution, where, text, parse_verdict(text), compute_sc_genrm_p_yes(verification, where)
        )


def compute_sc_genrm_p_yes(verification: dict[str, Any], where: str) -> float | None:
    """Return p(yes) / (p(yes) + p(no)); a value of -1 stands for a token that was not among the likeliest.

    >>> compute_sc_genrm_p_yes({"p(yes)": 0.75, "p(no)": 0.25}, "here"), compute_sc_genrm_p_yes({"p(yes)": -1.0,
    ... "p(no)": 1.0}, "here")
    (0.75, 0.0)
    """
    unlisted = {key: None for key in ("p(yes)", "p(no)") if verification.get(key) in (-1, None)}
    yes, no = (read_probability_field({**verification, **unlisted}, key, where) for key in ("p(yes)", "p(no)"))
    if yes is None:
        return None if no is None else 1 - no
    if no is None:
        return yes
    return yes / (yes + no) if yes + no else None
