"""Outcome reward models: one score for a solution, whole.

Any model for sequence classification with one output that reads a chat of question and solution (Skywork-Reward,
RLHFlow's scalar reward models, …). The score is the logistic of the reward: the probability, under Bradley and Terry,
to be preferred to a solution of reward 0; it orders solutions as the reward does, and weighs votes above 0.

A solution is one step. Given several, each is scored by the text up to its end, in a chat of its own: such models have
learnt from whole solutions, and what they say of a part is theirs to say.
"""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.errors import EngineError
from isocompute.runners.scorers.formats.base import Head, Reading
from isocompute.runners.scorers.tokenizer import MARK, Text

PROBE = ("What is 1 + 1?", "1 + 1 = 2.")


class Outcome:
    """How outcome reward models are asked.

    Raises:
        EngineError: the model has no chat template, or its tokenizer reads a text otherwise within a chat than alone.
    """

    head: Head = "reward"

    def __init__(self, text: Text) -> None:
        self.text = text
        parts = text.around(self._turns(MARK, MARK), reply=False)
        self.opening, self.between, self.ending = map(text.markup, parts)
        question, solution = PROBE
        whole = text.tokenizer.apply_chat_template(self._turns(*PROBE), tokenize=False)
        if list(self.read(question, [solution], 0)[0].tokens) != text.markup(whole):
            raise EngineError(f"The tokenizer of '{text.model}' reads a text otherwise within a chat than alone.")

    def read(self, question: str, steps: Sequence[str], known: int) -> list[Reading]:
        """Return a chat for each step, with the solution up to its end; the score stands at the chat's end."""
        opening = [*self.opening, *self.text.content(question.strip()), *self.between]
        chats = []
        for i in range(known, len(steps)):
            solution = self.text.content("".join(steps[: i + 1]).strip())
            tokens = (*opening, *solution, *self.ending)
            chats.append(Reading(tokens, (len(tokens) - 1,)))
        return chats

    def _turns(self, question: str, solution: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": question}, {"role": "assistant", "content": solution}]
