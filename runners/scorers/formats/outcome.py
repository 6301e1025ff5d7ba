"""The format of outcome reward models: one score for a whole solution.

It fits any sequence classification model with one output that reads a chat of question and solution (Skywork-Reward,
RLHFlow's scalar reward models, …). The score is the logistic of the reward: under Bradley and Terry, the probability
that the solution is preferred to one of reward 0. It orders solutions as the reward does, and gives vote weights
above 0.

A solution is one step. If there are several, each is scored by the text up to its end, in a chat of its own. Such
models were trained on whole solutions, so scores of partial ones may mean little.
"""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.errors import EngineError
from isocompute.runners.scorers.formats.base import ScoreHead, ScoringInput
from isocompute.runners.scorers.tokenizer import TEXT_PLACEHOLDER, ScorerTokenizer

PROBE_CHAT = ("What is 1 + 1?", "1 + 1 = 2.")


class OutcomeFormat:
    """The format of outcome reward models.

    Raises:
        EngineError: the model has no chat template, or its tokenizer tokenises a text differently within a chat.
    """

    head: ScoreHead = "reward"

    def __init__(self, text: ScorerTokenizer) -> None:
        self.text = text
        parts = text.split_chat_markup(self._build_turns(TEXT_PLACEHOLDER, TEXT_PLACEHOLDER), reply=False)
        self.opening, self.between, self.ending = map(text.tokenise_markup, parts)
        question, solution = PROBE_CHAT
        whole = text.render_turns(self._build_turns(*PROBE_CHAT), reply=False)
        if list(self.tokenise_steps(question, [solution], 0)[0].tokens) != text.tokenise_markup(whole):
            raise EngineError(f"The tokenizer of '{text.model}' tokenises a text differently inside a chat than alone.")

    def tokenise_steps(self, question: str, steps: Sequence[str], known: int) -> list[ScoringInput]:
        """Return a chat for each step, with the solution up to its end and a score at the chat's end."""
        opening = [*self.opening, *self.text.tokenise_content(question.strip()), *self.between]
        chats = []
        for i in range(known, len(steps)):
            solution = self.text.tokenise_content("".join(steps[: i + 1]).strip())
            tokens = (*opening, *solution, *self.ending)
            chats.append(ScoringInput(tokens, (len(tokens) - 1,)))
        return chats

    def _build_turns(self, question: str, solution: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": question}, {"role": "assistant", "content": solution}]
