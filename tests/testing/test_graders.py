"""Every grader of isocompute passes the suite that it ships."""

from __future__ import annotations

from isocompute.runners import grading
from isocompute.testing import GraderSuite


class TestBoxedNumber(GraderSuite):
    right = (("so \\boxed{3.50}", "7/2"), ("\\boxed{red}", "red"))
    wrong = (("3.5", "3.5"), ("\\boxed{4}", "3.5"), ("\\boxed{Red}", "green"))

    def load(self):
        return grading.load_grader_by_name("boxed-number")


class TestMath(GraderSuite):
    right = (("The answer is $\\frac{1}{2}$.", "0.5"), ("\\boxed{x^2 + 2x + 1}", "(x+1)^2"))
    wrong = (("\\boxed{3}", "4"), ("\\boxed{x+1}", "x+2"))

    def load(self):
        return grading.load_grader_by_name("math")


class TestLetter(GraderSuite):
    right = (("The answer is (B).", "B"), ("\\boxed{c}", "C"))
    wrong = (("The answer is (B).", "A"),)

    def load(self):
        return grading.load_grader_by_name("letter")


class TestNumeric(GraderSuite):
    right = (("so 3 + 4 = 7.0", "7"), ("The answer is 1,200.", "1200"))
    wrong = (("The answer is 8.", "7"),)

    def load(self):
        return grading.load_grader_by_name("numeric")


class TestExact(GraderSuite):
    right = (("The answer is abc", "abc"),)
    wrong = (("The answer is abc", "abd"),)

    def load(self):
        return grading.load_grader_by_name("exact")


def test_no_grader_is_left_out():
    suites = (TestBoxedNumber, TestMath, TestLetter, TestNumeric, TestExact)
    loaded = [suite().load() for suite in suites]
    assert [grader.name for grader in loaded] == list(grading.GRADERS.own)
    for grader in loaded:
        grader.close()
