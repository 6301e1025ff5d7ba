"""Problems, and how they are read from the rows of a table."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from isocompute.errors import DataError
from isocompute.limits import require_text_length
from isocompute.runners.parsing.printable import format_error_value
from isocompute.terminal import has_surrogates

LEVEL_PATTERN = re.compile(r"[+-]?[0-9]{1,9}")

OPTION_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Problem:
    """A question with its right answer as the task gives it; the task's grader makes the answer canonical.

    The fields are the columns of the table `problems`; the right answer is None if it is unknown.
    """

    problem_id: str
    task: str
    question: str
    gold: str | None
    subject: str | None = None
    level: int | None = None
    cluster: str | None = None


@dataclass(frozen=True)
class ProblemColumns:
    """The columns of a table that make a problem.

    Args:
        question: the question.
        answer: the right answer; in a text with ``####``, the part after it. With `choices` it holds the letter or the
            text of the right option, or is itself one of the columns in `choices`.
        name: the problem's name, unique in the table; the row's number, from 1, if not given.
        subject: the subject.
        level: difficulty, a whole number.
        choices: the columns that hold an option each, or the one column that holds a list of them.
        unanswered: whether the right answer, and its column, may be missing.
    """

    question: str = "question"
    answer: str = "answer"
    name: str | None = None
    subject: str | None = None
    level: str | None = None
    choices: tuple[str, ...] = ()
    unanswered: bool = False

    @property
    def required_columns(self) -> list[str]:
        """The columns that a table must have."""
        optional = {"choices", "unanswered"} | ({"answer"} if self.unanswered else set())
        named = (getattr(self, field.name) for field in fields(self) if field.name not in optional)
        return list(dict.fromkeys(column for column in (*named, *self.choices) if column is not None))

    def find_present(self, names: Collection[str]) -> list[str]:
        """Return the columns that are read from a table with these names."""
        required = self.required_columns
        return [*required, self.answer] if self.answer in names and self.answer not in required else required


def read_problem_rows(
    task: str, rows: Iterable[tuple[str, Mapping[str, Any]]], columns: ProblemColumns, seed: int = 0
) -> list[Problem]:
    """Read problems from the rows of a table.

    Args:
        task: the task's name.
        rows: each row with its location, in words for an error.
        columns: names of the columns.
        seed: shuffles the options of multiple choice if the right one has a column of its own.

    Raises:
        DataError: a row lacks something, or repeats a problem's name; the message says where.
    """
    problems: dict[str, Problem] = {}
    for number, (where, row) in enumerate(rows, start=1):
        if missing := [column for column in columns.required_columns if column not in row]:
            raise DataError(f"{where}: there is no key '{missing[0]}'; it has {', '.join(map(str, row))}.")
        name = str(number) if columns.name is None else read_required_cell(row, columns.name, where)
        if name in problems:
            raise DataError(f"{where}: the {columns.name} '{name}' appears twice.")
        question = read_required_cell(row, columns.question, where)
        gold: str | None = None
        if columns.choices:
            question, gold = format_multiple_choice(question, row, columns, f"{task}/{seed}/{name}", where)
        elif not is_unanswered(row, columns, where):
            gold = read_required_cell(row, columns.answer, where).rpartition("####")[2].strip()
            if not gold:
                raise DataError(f"{where}: the answer under '{columns.answer}' is empty.")
        subject = None if columns.subject is None else read_text_cell(row, columns.subject, where)
        level = None if columns.level is None else read_integer_cell(row, columns.level, where)
        problems[name] = Problem(name, task, question, gold, subject, level)
    return list(problems.values())


def is_unanswered(row: Mapping[str, Any], columns: ProblemColumns, where: str) -> bool:
    """Return whether a row has no right answer, and needs none."""
    return columns.unanswered and (columns.answer not in row or read_text_cell(row, columns.answer, where) is None)


def require_columns(where: str, columns: ProblemColumns, names: list[str]) -> None:
    """Raise unless a table has each of the required columns exactly once.

    Raises:
        DataError: the message names the column, and the columns that exist.
    """
    for column in columns.required_columns:
        if (times := names.count(column)) != 1:
            count = "no column" if not times else "more than one column"
            raise DataError(f"{where}: there is {count} '{column}'; it has {', '.join(names) or 'none'}.")


def read_text_cell(row: Mapping[str, Any], column: str, where: str) -> str | None:
    """Return the text of a cell; None if it is empty.

    Raises:
        DataError: it holds neither text nor a number, or the text is too long.
    """
    value = row[column]
    if isinstance(value, str):
        require_text_length(value, f"{where}: '{column}'")
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
        raise DataError(f"{where}: '{column}' must be text or a number; it is {format_error_value(value)}.")
    if isinstance(value, str) and has_surrogates(value):
        raise DataError(f"{where}: '{column}' has half of a surrogate pair, which is not valid text.")
    return str(value)


def read_required_cell(row: Mapping[str, Any], column: str, where: str) -> str:
    """Return the text of a cell that must not be empty.

    Raises:
        DataError: it is empty, or holds neither text nor a number.
    """
    value = read_text_cell(row, column, where)
    if value is None:
        raise DataError(f"{where}: '{column}' is empty.")
    return value


def read_integer_cell(row: Mapping[str, Any], column: str, where: str) -> int | None:
    """Return the whole number of a cell; None if it is empty.

    Raises:
        DataError: it is not a whole number of at most nine digits.
    """
    value = read_text_cell(row, column, where)
    if value is None:
        return None
    if not LEVEL_PATTERN.fullmatch(value.strip()):
        value = format_error_value(row[column])
        raise DataError(f"{where}: '{column}' must be a whole number of at most nine digits; it is {value}.")
    return int(value)


def format_multiple_choice(
    question: str, row: Mapping[str, Any], columns: ProblemColumns, draw: str, where: str
) -> tuple[str, str | None]:
    """Return the question with its options below, and the letter of the right option; None if it is unknown.

    Options keep their order, unless the right one has a column of its own: it would always be in the same place, so the
    options are shuffled then. The order depends only on ``draw``.

    >>> row = {"best": "four", "bad": "five"}
    >>> print(*format_multiple_choice("2+2?", row, ProblemColumns(answer="best", choices=("bad", "best")), "t/0/1",
    ... "t"), sep="\\n")
    2+2?
    <BLANKLINE>
    (A) four
    (B) five
    A

    Raises:
        DataError: there are fewer than two options or more than letters, two are alike, or the answer matches none.
    """
    options = read_choice_options(row, columns.choices, where)
    right: str | None
    if columns.answer not in columns.choices and is_unanswered(row, columns, where):
        right = None
    elif columns.answer in columns.choices:
        right = read_required_cell(row, columns.answer, where).strip()
        random.Random(draw).shuffle(options)
    else:
        right = resolve_option(read_required_cell(row, columns.answer, where).strip(), options, where, columns.answer)
    lettered = "\n".join(f"({letter}) {option}" for letter, option in zip(OPTION_LETTERS, options, strict=False))
    return f"{question.rstrip()}\n\n{lettered}", None if right is None else OPTION_LETTERS[options.index(right)]


def read_choice_options(row: Mapping[str, Any], choices: tuple[str, ...], where: str) -> list[str]:
    """Return the options of a problem.

    Raises:
        DataError: there are fewer than two or more than letters, or two are alike.
    """
    cells = row
    if len(choices) == 1:
        if not isinstance(options_cell := row[choices[0]], list):
            raise DataError(
                f"{where}: '{choices[0]}' must hold a list of options; it is {format_error_value(options_cell)}. If "
                "each option has its own column, name all of them."
            )
        cells = {f"{choices[0]}[{i}]": option for i, option in enumerate(options_cell)}
        choices = tuple(cells)
    options = [read_required_cell(cells, column, where).strip() for column in choices]
    if not 2 <= len(options) <= len(OPTION_LETTERS):
        raise DataError(f"{where}: a problem has 2 to {len(OPTION_LETTERS)} options; this one has {len(options)}.")
    if len(set(options)) < len(options):
        duplicate = next(option for option in options if options.count(option) > 1)
        raise DataError(f"{where}: the option {format_error_value(duplicate)} appears twice.")
    return options


def resolve_option(answer: str, options: list[str], where: str, column: str) -> str:
    """Return the option that an answer names by its text or by its letter, ``B`` or ``(b)``.

    Raises:
        DataError: it names none, or its text is one option and its letter another.
    """
    letter = answer.removeprefix("(").removesuffix(")").upper()
    place = OPTION_LETTERS.find(letter) if len(letter) == 1 else -1
    lettered = options[place] if 0 <= place < len(options) else None
    if answer in options and lettered not in (None, answer):
        raise DataError(
            f"{where}: the answer {format_error_value(answer)} under '{column}' is the text of one option and the "
            "letter of another."
        )
    if answer in options:
        return answer
    if lettered is None:
        raise DataError(
            f"{where}: the answer {format_error_value(answer)} under '{column}' is neither an option nor a letter "
            f"from A to {OPTION_LETTERS[len(options) - 1]}."
        )
    return lettered
