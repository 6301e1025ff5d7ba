"""The lab's task: integer arithmetic in several steps, at five levels of difficulty.

A problem is a start value and a chain of operations, in words:

    Start with 47, add 38, times 6, minus 129.

A solution works through it with one step a line. Each line has the result's digits, ones first, before the number
itself, and the last line is the boxed answer. A verification works the problem again and compares the digits of its
own answer with those of the solution's, up to the first that differ.

    47+38: 5,8 = 85                 47+38: 5,8 = 85
    85*6: 0,1,5 = 510               85*6: 0,1,5 = 510
    510-129: 1,8,3 = 381            510-129: 1,8,3 = 381
    \\boxed{381}                     3=3,8=8,1=1
                                    Correct? Yes

This module uses no model. It generates problems, the reference solutions that a solver is trained on, and the reference
verifications and correct lines that a verifier and a PRM are trained on.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from hashlib import blake2b
from itertools import zip_longest

from isocompute.runners.grading import extract_boxed_answer, extract_lab_answer

LARGEST_LAB_VALUE = 999
"""Every intermediate value lies in 0 … this."""

OPERATOR_WORDS = {"+": "add", "-": "minus", "*": "times"}
WORD_OPERATORS = {word: operator for operator, word in OPERATOR_WORDS.items()}

QUESTION_PATTERN = re.compile(r"Start with ([0-9]{1,3})((?:, (?:add|minus|times) [0-9]{1,3})+)\.")


@dataclass(frozen=True)
class LabLevel:
    """The number and the range of operations in the problems of one level."""

    operation_count: int
    largest_start: int
    """The start value is drawn from 1 … this."""
    largest_operand: int
    """Terms that are added or subtracted are drawn from 1 … this."""
    largest_factor: int
    """Factors are drawn from 2 … this."""


LAB_LEVELS = {
    1: LabLevel(operation_count=2, largest_start=20, largest_operand=20, largest_factor=3),
    2: LabLevel(operation_count=3, largest_start=50, largest_operand=99, largest_factor=5),
    3: LabLevel(operation_count=4, largest_start=99, largest_operand=300, largest_factor=9),
    4: LabLevel(operation_count=6, largest_start=300, largest_operand=600, largest_factor=9),
    5: LabLevel(operation_count=8, largest_start=300, largest_operand=900, largest_factor=9),
}


@dataclass(frozen=True)
class LabProblem:
    """A start value and the operations on it, applied from left to right.

    >>> p = LabProblem(47, (("+", 38), ("*", 6), ("-", 129)))
    >>> p.question
    'Start with 47, add 38, times 6, minus 129.'
    >>> p.answer
    381
    >>> print(p.solution)
    47+38: 5,8 = 85
    85*6: 0,1,5 = 510
    510-129: 1,8,3 = 381
    \\boxed{381}
    """

    start: int
    operations: tuple[tuple[str, int], ...]

    @property
    def question(self) -> str:
        """The problem in words."""
        return f"Start with {self.start}" + "".join(f", {OPERATOR_WORDS[o]} {n}" for o, n in self.operations) + "."

    @property
    def answer(self) -> int:
        """The value after the last operation."""
        value = self.start
        for operator, number in self.operations:
            value = apply_operation(value, operator, number)
        return value

    @property
    def solution(self) -> str:
        """The reference solution, one step a line, ending in the boxed answer."""
        value, lines = self.start, []
        for operator, number in self.operations:
            result = apply_operation(value, operator, number)
            lines.append(f"{value}{operator}{number}: {format_working(result)} = {result}")
            value = result
        return "\n".join([*lines, f"\\boxed{{{value}}}"])


def apply_operation(value: int, operator: str, number: int) -> int:
    """Return ``value operator number``."""
    if operator == "+":
        return value + number
    return value - number if operator == "-" else value * number


def format_working(result: int) -> str:
    """Return the digits of a result in the order of the working, ones first: 381 → '1,8,3'."""
    return ",".join(reversed(str(result)))


def sample_lab_problem(level: int, rng: random.Random) -> LabProblem:
    """Draw one problem of a level, with every intermediate value in 0 … `LARGEST_LAB_VALUE`."""
    shape = LAB_LEVELS[level]
    start = value = rng.randint(1, shape.largest_start)
    operations: list[tuple[str, int]] = []
    while len(operations) < shape.operation_count:
        operator = rng.choice("+-*")
        number = rng.randint(2, shape.largest_factor) if operator == "*" else rng.randint(1, shape.largest_operand)
        if 0 <= (result := apply_operation(value, operator, number)) <= LARGEST_LAB_VALUE and result != value:
            operations.append((operator, number))
            value = result
    return LabProblem(start, tuple(operations))


def parse_lab_question(question: str) -> LabProblem | None:
    """Return the problem that a question states; None if it is no question of the lab.

    >>> parse_lab_question("Start with 47, add 38, times 6.")
    LabProblem(start=47, operations=(('+', 38), ('*', 6)))
    """
    if (match := QUESTION_PATTERN.fullmatch(question)) is None:
        return None
    phrases = (phrase.split() for phrase in match[2].removeprefix(", ").split(", "))
    return LabProblem(int(match[1]), tuple((WORD_OPERATORS[word], int(number)) for word, number in phrases))


def is_held_out(problem: LabProblem) -> bool:
    """Return whether a problem is held out for measurements: a tenth of all, by a hash of the question.

    Models are trained only on the others, so no run of the lab holds a problem that a model has seen.
    """
    return blake2b(problem.question.encode(), digest_size=8).digest()[0] % 10 == 0


def derive_expected_lines(problem: LabProblem, solution: str) -> list[str]:
    """Return the correct text of each line of a solution, given the lines before it.

    So a slip counts against one line only, and correct lines that continue from it are correct. A line is empty if
    there is no correct text: the line before has no number, the value leaves 0 … `LARGEST_LAB_VALUE`, or the solution
    has ended.

    >>> p = LabProblem(47, (("+", 38), ("*", 6)))
    >>> derive_expected_lines(p, "47+38: 6,8 = 86\\n86*6: 6,1,5 = 516\\n\\\\boxed{516}")
    ['47+38: 5,8 = 85', '86*6: 6,1,5 = 516', '\\\\boxed{516}']
    """
    value, lines = str(problem.start), []
    operations = iter(problem.operations)
    for line in solution.split("\n"):
        is_value = value.isascii() and value.isdecimal() and len(value) <= 3
        if (step := next(operations, None)) is not None:
            result = apply_operation(int(value), *step) if is_value else -1
            lines.append(
                f"{value}{step[0]}{step[1]}: {format_working(result)} = {result}"
                if 0 <= result <= LARGEST_LAB_VALUE
                else ""
            )
            value = line.rpartition(" = ")[2]
        else:
            lines.append(f"\\boxed{{{value}}}" if is_value else "")
            value = ""
    return lines


def write_verification(problem: LabProblem, solution: str) -> str:
    """Return the reference verification of a solution: the problem worked again, and the two answers compared.

    >>> p = LabProblem(47, (("+", 38), ("*", 6)))
    >>> print(write_verification(p, "47+38: 5,8 = 85\\n85*6: 0,2,5 = 520\\n\\\\boxed{520}"))
    47+38: 5,8 = 85
    85*6: 0,1,5 = 510
    5=5,1=2
    Correct? No
    """
    right = extract_lab_answer(solution) == str(problem.answer)
    steps = problem.solution.rpartition("\n")[0]
    return (
        f"{steps}\n{compare_digits(str(problem.answer), extract_boxed_answer(solution) or '')}\nCorrect? "
        f"{'Yes' if right else 'No'}"
    )


def compare_digits(number: str, other: str) -> str:
    """Return a number's digits paired with those of another, up to the first that differ.

    >>> compare_digits("510", "51")
    '5=5,1=1,0=-'
    """
    pairs = []
    for digit, claimed in zip_longest(number, other[:4], fillvalue="-"):
        pairs.append(f"{digit}={claimed if claimed in '0123456789-' else '?'}")
        if digit != claimed:
            break
    return ",".join(pairs)
