"""The answers to one problem as classes of equal ones: what votes are counted over."""

from __future__ import annotations

from collections.abc import Iterable

from isocompute.runners.grading.canonical import is_number
from isocompute.runners.grading.graders import Grader


class Classes:
    """The classes of a problem's answers, each of which goes by its representative.

    The right answer represents its class, the first that was seen each other one. Whether an answer is right depends
    on it and the right answer alone. Which other class it falls into depends on the order where equality is not
    transitive: 5 is both 5 cm and 5 m, and these are not each other.

    Args:
        grader: says what is equal.
        gold: the right answer in the grader's canonical form.
        seen: the representatives so far, in the order in which they came.

    >>> from isocompute.runners.grading.graders import load
    >>> classes = Classes(load("numeric"), "7/2")
    >>> [classes.grade(text) for text in ["so it is 3.5", "or 7", "I do not know"]]
    [('7/2', True), ('7', False), (None, False)]
    """

    def __init__(self, grader: Grader, gold: str, seen: Iterable[str] = ()) -> None:
        self.grader, self.gold = grader, gold
        self._class = {gold: gold}
        self._representatives = [gold]
        for answer in seen:
            self._found(answer)

    def grade(self, text: str) -> tuple[str | None, bool]:
        """Return a solution's answer, as the representative of its class, and whether it is right."""
        answer = self.grader.answer(text)
        if answer is None:
            return None, False
        if answer not in self._class:
            self._judge(answer)
        representative = self._class[answer]
        return representative, representative == self.gold

    def _judge(self, answer: str) -> None:
        """Find the class of an answer that has not been seen."""
        judge = self.grader.judge
        among = [other for other in self._representatives if not (is_number(answer) and is_number(other))]
        if judge is None or not among:
            self._found(answer)
            return
        judgement = judge.first_equal(answer, among)
        if judgement.equal is not None:
            self._class[answer] = among[judgement.equal]
        elif judgement.refused is None:
            self._found(answer)
        else:  # it stands for itself, and no other is compared with it, nor with what it was refused at
            self._class[answer] = answer
            if judgement.refused > 0 or (judgement.refused == 0 and among[0] != self.gold):
                self._representatives.remove(among[judgement.refused])

    def _found(self, answer: str) -> None:
        """Begin a class, unless it is there."""
        if answer not in self._class:
            self._class[answer] = answer
            self._representatives.append(answer)
