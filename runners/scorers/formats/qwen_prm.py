r"""The format of Qwen2.5-Math-PRM: ``<extra_0>`` after each step of the assistant's turn, classified as wrong or right.

Qwen/Qwen2.5-Math-PRM-7B and -72B, Qwen/Qwen2.5-Math-7B-PRM800K (Zhang et al. 2025, arXiv 2501.07301). The score of a
step is the softmax of class 1 against class 0 at its ``<extra_0>``; nothing else separates the steps. System prompt,
separator and formula are the model card's.
"""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.runners.scorers.formats.base import ScoreHead, ScoringInput, build_scoring_input
from isocompute.runners.scorers.tokenizer import TEXT_PLACEHOLDER, ScorerTokenizer

QWEN_SYSTEM_PROMPT = r"Please reason step by step, and put your final answer within \boxed{}."
QWEN_STEP_SEPARATOR = "<extra_0>"


class QwenPRMFormat:
    """The format of Qwen's PRMs.

    Raises:
        EngineError: the model has no ``<extra_0>`` or no chat template.
    """

    head: ScoreHead = "classes"

    def __init__(self, text: ScorerTokenizer) -> None:
        self.text, self.separator = text, text.get_single_token(QWEN_STEP_SEPARATOR)
        turns = [{"role": "system", "content": QWEN_SYSTEM_PROMPT}, {"role": "user", "content": TEXT_PLACEHOLDER}]
        self.opening, self.reply = (text.tokenise_markup(part) for part in text.split_chat_markup(turns, reply=True))

    def tokenise_steps(self, question: str, steps: Sequence[str], known: int) -> list[ScoringInput]:
        """Return the chat, with a score at the separator after each step."""
        tokens = [*self.opening, *self.text.tokenise_content(question), *self.reply]
        places = []
        for step in steps:
            tokens += [*self.text.tokenise_content(step.strip("\n")), self.separator]
            places.append(len(tokens) - 1)
        return [build_scoring_input(tokens, places, known)]
