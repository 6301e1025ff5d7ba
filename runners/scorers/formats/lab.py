r"""The lab's PRM: `` +`` or `` -`` predicted after each line, as it was trained and is measured.

The score of a line is p( +) / (p( +) + p( -)) after its last token; the sequence itself reads `` +`` after every line
(`experiments.lab.corpus.stepwise`, `measure.step_scores`).
"""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.runners import prompts
from isocompute.runners.scorers.formats.base import Pair, Reading, cut
from isocompute.runners.scorers.tokenizer import Text


class Lab:
    """How the lab's PRM is asked.

    Args:
        text: its tokenizer.
        prompt: what stands before the solution, by name or file.

    Raises:
        ConfigError: no such prompt.
        EngineError: the tokenizer is not the lab's.
    """

    def __init__(self, text: Text, prompt: str = "lab-solve") -> None:
        self.text, self.first = text, text.first
        self.prompt = prompts.load(prompt, needs=("question",))
        self.head = Pair(text.only(" +"), text.only(" -"))
        self.newline = text.only("\n")

    def read(self, question: str, steps: Sequence[str], known: int) -> list[Reading]:
        """Return prompt and lines; a score stands at the last token of each line."""
        tokens = [self.first, *self.text.content(self.prompt.fill(question=question))]
        places = []
        for step in steps:
            tokens += self.text.content(step.strip("\n"))
            places.append(len(tokens) - 1)
            tokens += [self.head.right, self.newline]
        return [cut(tokens, places, known)]
