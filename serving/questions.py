"""The questions to be answered: a file, or one question as text."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from isocompute.errors import ConfigError, DataError
from isocompute.runners.config.tasks import FileTask
from isocompute.runners.documents import NotJSONError, parse_json
from isocompute.runners.grading.golds import choose_task_grader
from isocompute.runners.grading.registry import GRADERS
from isocompute.runners.parsing.printable import describe_reason
from isocompute.runners.storage.parquet_sizes import PARQUET_ERRORS
from isocompute.runners.table_lines import check_column_count
from isocompute.runners.tasks import Problem, Task, load_task
from isocompute.runners.tasks.files import decode_csv_lines, decode_text, read_task_file

FILE_ENDINGS = (".csv", ".jsonl", ".json", ".ndjson", ".parquet")
"""Endings of files of questions."""

ID_COLUMNS = ("id", "problem_id", "name")
"""The columns that name a question, in order of preference."""

TYPED = "questions given as text"
"""Stands for the file of questions that were given as text."""

COLUMN_KEYS = ("question", "answer", "id")
"""The names under which columns are found."""


@dataclass(frozen=True)
class Questions:
    """Questions as a run holds them.

    Args:
        block: the task's block for the manifest.
        task: the problems, their grader and origin.
    """

    block: FileTask
    task: Task


def read_questions(
    source: str | os.PathLike[str] | Sequence[str],
    grader: str | None = None,
    usual: FileTask | None = None,
    columns: Mapping[str, str] | None = None,
) -> Questions:
    """Read questions; the right answers may be missing, and where they are known, outcomes are graded.

    Args:
        source: a CSV, JSON-lines or Parquet file, or else the text of one question, or several texts.
        grader: name of the grader that says which answers are equal; chosen by the right answers if None.
        usual: the block of a file with the same columns; the columns are ``question``, ``answer`` and ``id`` if None.
        columns: a file's column → its name here, ``question``, ``answer`` or ``id``.

    Raises:
        ConfigError: there is no such file, the grader is unknown, or a column has no such name.
        DataError: the file cannot be read, holds no question, or a row lacks one or repeats an id.
    """
    if grader is not None:
        GRADERS.find(grader)
    if not isinstance(source, str | os.PathLike):
        return read_typed_questions(source, grader)
    if isinstance(source, str) and not is_question_file(source):
        return read_typed_questions([source], grader)
    path = os.fspath(source)
    if "://" not in path and not Path(path).is_file():
        what = "is a folder" if Path(path).is_dir() else "does not exist"
        raise ConfigError(f"The file of questions '{path}' {what}; give a CSV, JSON-lines or Parquet file, or a text.")
    names = list_file_columns(path)
    block = choose_columns(path, names, usual, columns or {})
    block = block.model_copy(update={"path": path, "unanswered": True, "grader": grader or block.grader})
    if block.choices and block.grader not in (None, "letter"):
        block = block.model_copy(update={"grader": None})
    task = load_task(block)
    return Questions(block.model_copy(update={"grader": task.grader}), task)


def read_typed_questions(texts: Sequence[str], grader: str | None) -> Questions:
    """Return questions that were given as texts, with numbers from 1 as ids.

    Raises:
        DataError: there is none, or one is empty or no text.
    """
    for number, text in enumerate(texts, start=1):
        if not isinstance(text, str) or not text.strip():
            which = "The question" if len(texts) == 1 else f"Question {number}"
            raise DataError(f"{which} is empty or no text; give a text, or a file of questions.")
    if not texts:
        raise DataError("There are no questions; give a text, or a file of questions.")
    name = grader or choose_task_grader([], TYPED)
    problems = [Problem(str(number), "typed", text, None) for number, text in enumerate(texts, start=1)]
    origin = {"sha256": sha256("\n".join(texts).encode()).hexdigest()}
    return Questions(FileTask(path=TYPED, unanswered=True, grader=name), Task(problems, name, origin))


def is_question_file(source: str) -> bool:
    """Return whether a source names a file: it exists, or it is one word with the ending of a table; "" names none.

    >>> [is_question_file(each) for each in ("questions.csv", "What is 2 + 2?", "s3://bucket/q.parquet", "")]
    [True, False, True, False]
    """
    is_one_word = not any(c.isspace() for c in source)
    if is_one_word and PurePosixPath(source).suffix.lower() in FILE_ENDINGS:
        return True
    try:
        return bool(source) and Path(source).exists()
    except (OSError, ValueError):  # longer than a name may be, or with a null character
        return False


def choose_columns(path: str, names: list[str], usual: FileTask | None, columns: Mapping[str, str]) -> FileTask:
    """Return the block of a file whose columns have these names.

    Raises:
        ConfigError: a column is missing, or is given an unknown name.
    """
    block = usual or FileTask(path=path)
    absent = {key: None for key in ("name", "subject", "level") if getattr(block, key) not in (None, *names)}
    block = block.model_copy(update={"problems": None, **absent})
    found: dict[str, str] = {}
    for column, name in columns.items():
        if name not in COLUMN_KEYS:
            raise ConfigError(f"--columns {column}={name}: a column is one of {', '.join(COLUMN_KEYS)}.")
        if column not in names:
            raise ConfigError(f"--columns {column}={name}: {path} has no column '{column}'; it has {', '.join(names)}.")
        found["name" if name == "id" else name] = column
    if "name" not in found and block.name is None:
        free = (name for name in ID_COLUMNS if name in names and name not in found.values())
        if (ids := next(free, None)) is not None:
            found["name"] = ids
    return block.model_copy(update=found)


def list_file_columns(path: str) -> list[str]:
    """Return the names of a file's columns; of JSON lines the keys of the first object.

    Raises:
        ConfigError: the file cannot be read.
        DataError: it is not in the format of its ending, or is empty.
    """
    content, ending = read_task_file(path), PurePosixPath(path).suffix.lower()
    if ending == ".parquet":
        try:
            return list(pq.read_schema(pa.BufferReader(content)).names)
        except PARQUET_ERRORS as error:
            raise DataError(f"{path} cannot be read as Parquet: {describe_reason(error)}.") from None
    if ending == ".csv":
        try:
            names = next(csv.reader(decode_csv_lines(path, content), strict=True), [])
        except csv.Error as error:
            raise DataError(f"{path}: not CSV: {error}.") from None
        check_column_count(names, path)
    else:
        try:
            first = parse_json(next(decode_text(path, content), "{}"), f"{path}, line 1")
        except NotJSONError:
            first = None
        if not isinstance(first, dict):
            raise DataError(f"{path}, line 1 is not a JSON object.")
        names = list(first)
    if not names:
        raise DataError(f"{path} holds no questions.")
    return names
