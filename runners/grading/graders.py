"""Graders, which extract answers from texts and decide which are equal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from isocompute.errors import ConfigError
from isocompute.runners.grading import latex
from isocompute.runners.grading.canonical import (
    is_canonical_number,
    normalise_exact_answer,
    normalise_lab_answer,
    normalise_math_answer,
    normalise_numeric_answer,
)
from isocompute.runners.grading.comparison_process import AnswerComparer
from isocompute.runners.grading.extraction import extract_boxed_answer, extract_final_answer
from isocompute.runners.grading.letters import extract_choice_letter, parse_choice_letter
from isocompute.runners.grading.numeric import extract_number


class Grader:
    """A grader of texts.

    Args:
        name: its name in a configuration.
        title: name and version, for the manifest; answers may change only if it does.
        extract: returns the part of a text that is its answer, or None.
        canonical: returns an answer's canonical form, or None if it is empty; leaves canonical forms unchanged.
        judge: compares answers whose canonical forms differ; without one such answers are different.
        is_settled: returns whether a canonical form equals another such form only if the texts are equal, so that the
            two need not be compared.
    """

    def __init__(
        self,
        name: str,
        title: str,
        extract: Callable[[str], str | None],
        canonical: Callable[[str], str | None],
        judge: AnswerComparer | None = None,
        is_settled: Callable[[str], bool] = is_canonical_number,
    ) -> None:
        self.name, self.title, self.comparer = name, title, judge
        self._extract, self.normalise_answer, self.is_settled = extract, canonical, is_settled

    def extract_text(self, text: str) -> str | None:
        """Return the answer of a solution as it is written there; None if it gives none."""
        found = self._extract(text)
        return None if found is None or self.normalise_answer(found) is None else found.strip()

    def extract_answer(self, text: str) -> str | None:
        """Return the canonical answer of a solution; None if it gives none."""
        found = self._extract(text)
        return None if found is None else self.normalise_answer(found)

    @property
    def refused_count(self) -> int:
        """The number of answers so far that could not be compared within the limits on time and memory."""
        return 0 if self.comparer is None else self.comparer.refused_count

    def close(self) -> None:
        """End the comparison process, if there is one."""
        if self.comparer is not None:
            self.comparer.close()

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_boxed_number_grader() -> Grader:
    """Return the grader of the last box, with numbers compared by value."""
    return Grader("boxed-number", "boxed-number/1", extract_boxed_answer, normalise_lab_answer)


def make_math_grader() -> Grader:
    """Return the grader of mathematics.

    Raises:
        ConfigError: math-verify is not installed.
    """
    try:
        package = version("math-verify")
    except PackageNotFoundError:
        raise ConfigError("The grader 'math' needs math-verify: pip install 'isocompute[math]'.") from None
    title = f"math/2 math-verify=={package}"
    return Grader(
        "math",
        title,
        partial(extract_final_answer, longest=latex.LONGEST_MATH_ANSWER),
        normalise_math_answer,
        AnswerComparer(),
    )


def make_library_comparer() -> tuple[str, AnswerComparer]:
    """Return the name and version of math-verify, and a comparer of whole texts by it.

    Raises:
        ConfigError: math-verify is not installed.
    """
    title = make_math_grader().title.partition(" ")[2]
    return title, AnswerComparer(by_library=True)


def make_letter_grader() -> Grader:
    """Return the grader of multiple choice."""
    return Grader("letter", "letter/2", extract_choice_letter, parse_choice_letter)


def make_numeric_grader() -> Grader:
    """Return the grader of numbers."""
    return Grader("numeric", "numeric/2", extract_number, normalise_numeric_answer)


def make_exact_grader() -> Grader:
    """Return the grader of texts that must be identical."""
    return Grader(
        "exact", "exact/1", partial(extract_final_answer, longest=latex.LONGEST_MATH_ANSWER), normalise_exact_answer
    )
