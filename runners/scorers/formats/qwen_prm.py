r"""Qwen2.5-Math-PRM: ``<extra_0>`` after each step of the assistant's turn, classified there as wrong or right.

Qwen/Qwen2.5-Math-PRM-7B and -72B, Qwen/Qwen2.5-Math-7B-PRM800K (Zhang et al. 2025, arXiv 2501.07301). The score of a
step is the softmax of class 1 against class 0 at its ``<extra_0>``; nothing else separates the steps. System prompt,
separator and formula are the model card's.
"""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.runners.scorers.formats.base import Head, Reading, cut
from isocompute.runners.scorers.tokenizer import MARK, Text

SYSTEM = r"Please reason step by step, and put your final answer within \boxed{}."
SEPARATOR = "<extra_0>"


class QwenPRM:
    """How Qwen's PRMs are asked.

    Raises:
        EngineError: the model has no ``<extra_0>`` or no chat template.
    """

    head: Head = "classes"

    def __init__(self, text: Text) -> None:
        self.text, self.separator = text, text.only(SEPARATOR)
        turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": MARK}]
        self.opening, self.reply = (text.markup(part) for part in text.around(turns, reply=True))

    def read(self, question: str, steps: Sequence[str], known: int) -> list[Reading]:
        """Return the chat; a score stands at the separator after each step."""
        tokens = [*self.opening, *self.text.content(question), *self.reply]
        places = []
        for step in steps:
            tokens += [*self.text.content(step.strip("\n")), self.separator]
            places.append(len(tokens) - 1)
        return [cut(tokens, places, known)]
