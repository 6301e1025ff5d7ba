"""The classes of equal answers to one problem, which votes are counted over."""

from __future__ import annotations

from collections.abc import Iterable

from isocompute.errors import DataError
from isocompute.runners.grading.extraction import LONGEST_BARE_TEXT, has_stated_answer
from isocompute.runners.grading.graders import Grader


class AnswerClasses:
    """The classes of a problem's answers, each with a representative.

    The gold's canonical form represents its class; the first answer seen represents each other class. Whether an answer
    is right depends only on the answer and the gold; without a gold it is unknown. The other classes depend on the
    order of answers where equality is not transitive: 5 equals both 5 cm and 5 m, which differ from each other.

    Args:
        grader: decides which answers are equal.
        gold: the right answer, as the task gives it; None if it is unknown.
        seen: the representatives so far, in order.

    Raises:
        DataError: the grader cannot read the right answer.

    >>> from isocompute.runners.grading import load_grader_by_name
    >>> classes = AnswerClasses(load_grader_by_name("numeric"), "3.50")
    >>> [classes.grade(text) for text in ["so it is 3.5", "or 7", "I do not know"]]
    [('7/2', True), ('7', False), (None, False)]
    """

    def __init__(self, grader: Grader, gold: str | None, seen: Iterable[str] = ()) -> None:
        self.grader = grader
        self._given_gold = None if gold is None else gold.strip()
        self.gold = None if gold is None else grader.normalise_answer(gold)
        if self.gold is None and gold is not None:
            raise DataError(f"The grader '{grader.name}' cannot read the right answer '{gold:.60}'.")
        self._representatives: dict[str, str] = {}
        self._comparable_answers: list[str] = []
        if self.gold is not None:
            self._add_class(self.gold)
        for answer in seen:
            self._add_class(answer)

    def grade(self, text: str) -> tuple[str | None, bool | None]:
        """Return the representative of a solution's answer, and whether it is right; None without a gold."""
        answer, is_right = self._find_representative(self.grader.extract_answer(text))
        return answer, None if self.gold is None else is_right

    def grade_answer(self, answer: str) -> tuple[str | None, bool]:
        """Return the representative of an answer that another tool logged, and whether it is right.

        If the tool logged a whole text as the answer, or a statement such as "The answer is 7", the answer is read in
        it.
        """
        plain = self.grader.normalise_answer(answer)
        if answer.strip() == self._given_gold or (plain is not None and plain == self.gold):
            return self.gold, True
        is_text = "\n" in answer or len(answer) > LONGEST_BARE_TEXT or has_stated_answer(answer)
        found = self.grader.extract_answer(answer) if is_text else None
        return self._find_representative(found or plain)

    def _find_representative(self, answer: str | None) -> tuple[str | None, bool]:
        if answer is None:
            return None, False
        if answer not in self._representatives:
            self._find_class(answer)
        representative = self._representatives[answer]
        return representative, representative == self.gold

    def _find_class(self, answer: str) -> None:
        """Find the class of a new answer."""
        judge = self.grader.comparer
        among = [
            other
            for other in self._comparable_answers
            if not (self.grader.is_settled(answer) and self.grader.is_settled(other))
        ]
        if judge is None or not among:
            self._add_class(answer)
            return
        judgement = judge.find_first_equal(answer, among)
        if judgement.equal is not None:
            self._representatives[answer] = self._representatives[among[judgement.equal]]
        elif judgement.refused is None:
            self._add_class(answer)
        else:  # a class of its own; neither it nor the wrong answer at which it was refused is compared again
            self._representatives[answer] = answer
            if judgement.refused >= 0 and self._representatives[among[judgement.refused]] != self.gold:
                self._comparable_answers.remove(among[judgement.refused])

    def _add_class(self, answer: str) -> None:
        """Add a class for an answer that has none."""
        if answer not in self._representatives:
            self._representatives[answer] = answer
            self._comparable_answers.append(answer)
