"""The graders, by name: how each reads an answer from a text, and which answers it takes for equal."""

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


def mathematics() -> Grader:
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


GRADERS: dict[str, tuple[str, Callable[[], Grader]]] = {
    "boxed-number": (
        "what the last box holds: numbers by value, all else by its text",
        lambda: Grader("boxed-number", "boxed-number/1", boxed, canonical),
    ),
    "math": ("mathematics in LaTeX, equal if it means the same", mathematics),
    "letter": (
        "the letter of a choice, A to J",
        lambda: Grader("letter", "letter/1", letter, choice),
    ),
    "numeric": (
        "one number, by value, whatever its unit",
        lambda: Grader("numeric", "numeric/1", number, numeric),
    ),
    "exact": (
        "a text, the same to the letter",
        lambda: Grader("exact", "exact/1", partial(given, longest=latex.LONGEST), exact),
    ),
}
"""Each grader by its name: what it takes for an answer, and what makes one."""


def load(name: str) -> Grader:
    """Return a grader by its name, or by its title.

    >>> load("letter").title, load("numeric/1").answer("so 3 + 4 = 7.0")
    ('letter/1', '7')

    Raises:
        ConfigError: there is none of that name, or a package that it needs is missing.
    """
    plain = name.partition("/")[0]
    if plain not in GRADERS:
        raise ConfigError(f"There is no grader '{name}'; there are {', '.join(GRADERS)}.")
    return GRADERS[plain][1]()
