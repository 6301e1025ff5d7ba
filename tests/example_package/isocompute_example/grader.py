"""A grader whose answer is the last whole number in the text."""

import re

from isocompute.runners.grading import Grader, GraderEntry


def read_last_number(text):
    numbers = re.findall(r"\d+", text)
    return numbers[-1] if numbers else None


def make_canonical(answer):
    return str(int(answer)) if re.fullmatch(r"\d{1,100}", answer) else None


def make_last_number():
    return Grader("last-number", "last-number/1", read_last_number, make_canonical)


LAST_NUMBER = GraderEntry("isocompute_example.grader:make_last_number", "the last whole number in the text")
