"""Graders: how each reads an answer from a text, and which answers it takes for equal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from isocompute.errors import ConfigError
from isocompute.runners.grading import latex
from isocompute.runners.grading.canonical import canonical, exact, mathematical, numeric
from isocompute.runners.grading.comparison_process import Judge
from isocompute.runners.grading.extraction import boxed, choice, given, letter, number


class Grader:
    """Reads answers from texts.

    Args:
        name: what a configuration calls it.
        title: name and version, for the manifest; answers may change only if it does.
        extract: returns the part of a text that is its answer, or None.
        canonical: returns an answer in the form in which it is written down, or None if it says nothing; its own
            forms it leaves as they are.
        judge: compares answers whose canonical forms differ; without one such answers are different.
    """

    def __init__(
        self,
        name: str,
        title: str,
        extract: Callable[[str], str | None],
        canonical: Callable[[str], str | None],
        judge: Judge | None = None,
    ) -> None:
        self.name, self.title, self.judge = name, title, judge
        self._extract, self.canonical = extract, canonical

    def answer(self, text: str) -> str | None:
        """Return the canonical answer of a solution; None if it gives none."""
        found = self._extract(text)
        return None if found is None else self.canonical(found)

    @property
    def refused(self) -> int:
        """How many answers could not be compared within the limits on time and memory so far."""
        return 0 if self.judge is None else self.judge.refused

    def close(self) -> None:
        """End the process that compares, if there is one."""
        if self.judge is not None:
            self.judge.close()

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_boxed_number() -> Grader:
    """Return the grader of what the last box holds."""
    return Grader("boxed-number", "boxed-number/1", boxed, canonical)


def make_math() -> Grader:
    """Return the grader for mathematics.

    Raises:
        ConfigError: math-verify is not installed.
    """
    try:
        package = version("math-verify")
    except PackageNotFoundError:
        raise ConfigError("The grader 'math' needs math-verify: pip install 'isocompute[math]'.") from None
    title = f"math/1 math-verify=={package}"
    return Grader("math", title, partial(given, longest=latex.LONGEST), mathematical, Judge())


def make_letter() -> Grader:
    """Return the grader of multiple choice."""
    return Grader("letter", "letter/1", letter, choice)


def make_numeric() -> Grader:
    """Return the grader of numbers."""
    return Grader("numeric", "numeric/1", number, numeric)


def make_exact() -> Grader:
    """Return the grader of texts that are the same to the letter."""
    return Grader("exact", "exact/1", partial(given, longest=latex.LONGEST), exact)
