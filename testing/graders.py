"""Tests that every grader must pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import pytest

from isocompute.runners.grading import AnswerClasses, Grader


class GraderSuite:
    """Tests of a grader.

    Attributes:
        right: pairs of a solution's text and a gold answer that it gives.
        wrong: pairs of a solution's text and a gold answer that it does not give.
    """

    right: ClassVar[Sequence[tuple[str, str]]]
    wrong: ClassVar[Sequence[tuple[str, str]]]

    def load(self) -> Grader:
        """Load the grader under test; called once for all tests."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def grader(cls) -> Iterator[Grader]:
        """Yield the grader, and close it after the tests."""
        with cls().load() as loaded:
            yield loaded

    def test_its_title_begins_with_its_name_and_a_version(self, grader: Grader) -> None:
        name, slash, version = grader.title.partition("/")
        assert (name, slash) == (grader.name, "/")
        assert version

    def test_right_answers_are_right_and_wrong_ones_wrong(self, grader: Grader) -> None:
        assert self.right
        assert self.wrong
        for text, gold in self.right:
            assert AnswerClasses(grader, gold).grade(text)[1], (text, gold)
        for text, gold in self.wrong:
            assert not AnswerClasses(grader, gold).grade(text)[1], (text, gold)

    def test_a_canonical_answer_stays_as_it_is(self, grader: Grader) -> None:
        for text, gold in (*self.right, *self.wrong):
            for answer in (grader.extract_answer(text), grader.normalise_answer(gold)):
                assert answer is None or grader.normalise_answer(answer) == answer

    def test_a_text_that_says_nothing_has_no_answer(self, grader: Grader) -> None:
        assert grader.extract_answer("") is None
        assert grader.extract_answer(" \n\t") is None

    def test_equal_answers_are_one_class_whatever_came_between(self, grader: Grader) -> None:
        for text, gold in self.right:
            classes = AnswerClasses(grader, gold)
            first = classes.grade(text)
            for other, _ in self.wrong:
                classes.grade(other)
            assert classes.grade(text) == first == (classes.gold, True)
