"""What is asked: problems from the lab's generator or from a file of one's own."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

from isocompute.errors import ConfigError, DataError
from isocompute.runners.grading import canonical
from isocompute.runners.lab import problems as lab


@dataclass(frozen=True)
class Problem:
    """A question with its right answer in canonical form."""

    problem_id: str
    task: str
    question: str
    gold: str
    subject: str | None = None
    level: int | None = None


def lab_problems(count: int, levels: list[int], seed: int) -> list[Problem]:
    """Generate problems of the lab that no model has learnt from, spread evenly over the levels, no two alike.

    The first problems of a longer list are those of a shorter one.

    >>> [p.problem_id for p in lab_problems(3, [1, 5], seed=0)]
    ['lab-0-1-0', 'lab-0-5-0', 'lab-0-1-1']
    """
    if wrong := [level for level in levels if level not in lab.LEVELS]:
        raise ConfigError(f"task.levels: the lab has no level {wrong[0]}; it has {', '.join(map(str, lab.LEVELS))}.")
    if len(set(levels)) < len(levels):
        raise ConfigError(f"task.levels: a level stands twice in {levels}.")
    streams = {level: random.Random(f"lab/{seed}/{level}") for level in levels}
    problems: list[Problem] = []
    seen: set[str] = set()
    for i in range(count):
        level = levels[i % len(levels)]
        problem = unseen(level, streams[level], seen)
        seen.add(problem.question)
        name = f"lab-{seed}-{level}-{i // len(levels)}"
        problems.append(Problem(name, "lab", problem.question, str(problem.answer), "arithmetic", level))
    return problems


def unseen(level: int, rng: random.Random, seen: set[str]) -> lab.Problem:
    """Draw a held-out problem of a level that is not among the questions seen.

    Raises:
        ConfigError: none turned up in a hundred thousand draws.
    """
    for _ in range(100_000):
        problem = lab.sample(level, rng)
        if problem.question not in seen and lab.held_out(problem):
            return problem
    raise ConfigError(f"task.problems: level {level} of the lab has not that many different problems; ask for fewer.")


def file_problems(path: str, question: str, answer: str, name: str | None, count: int | None) -> list[Problem]:
    """Read problems from a JSON-lines file.

    Args:
        path: the file; one object a line.
        question: key of the question.
        answer: key of the right answer; of a text with ``####``, what follows it.
        name: key of the problem's name; the line number if not given.
        count: how many, from the top; all if not given.

    Raises:
        ConfigError: the file is not there.
        DataError: a line is no object, lacks a key, or names a problem twice.
    """
    file = Path(path).expanduser()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"task.path: '{path}' cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text.") from None
    problems: dict[str, Problem] = {}
    for number, line in enumerate(lines[:count], start=1):
        try:
            row = json.loads(line)
            identity, asked, gold = (
                (str(row[name]) if name else str(number)),
                str(row[question]),
                str(row[answer]),
            )
        except KeyError as error:
            raise DataError(f"{path}, line {number}: there is no key {error}; it has {', '.join(row)}.") from None
        except (ValueError, TypeError, RecursionError):
            raise DataError(f"{path}, line {number} is not a JSON object.") from None
        right = canonical(gold.rpartition("####")[2])
        if right is None:
            raise DataError(f"{path}, line {number}: the answer under '{answer}' is empty or too long.")
        if identity in problems:
            raise DataError(f"{path}, line {number}: the name '{identity}' stands twice.")
        problems[identity] = Problem(identity, file.stem, asked, right)
    if not problems:
        raise DataError(f"{path} holds no problems.")
    return list(problems.values())
