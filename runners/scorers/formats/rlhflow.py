"""The format of RLHFlow's PRMs and generative ORMs: a chat with a turn for each step, and ``+`` or ``-`` as the reply.

RLHFlow/Llama3.1-8B-PRM-Deepseek-Data, …-PRM-Mistral-Data. The score of a step is p(+) / (p(+) + p(-)) at the start of
the assistant's reply to it; every earlier reply is ``+``. The first turn also holds the question. Source: the
authors' evaluation, RLHFlow/RLHF-Reward-Modeling at fc39179, math-rm/prm_evaluate.py (there "position -3", before
``+`` and the end of the turn); search-and-learn does the same.

Their ORMs (…-ORM-Deepseek-Data) have the same format, with the whole solution as one step (math-rm/orm_evaluate.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.errors import EngineError
from isocompute.runners.scorers.formats.base import ScoringInput, TokenPair, build_scoring_input
from isocompute.runners.scorers.tokenizer import TEXT_PLACEHOLDER, ScorerTokenizer


class RLHFlowFormat:
    """The format of RLHFlow's models.

    Raises:
        EngineError: the model has no tokens ``+`` and ``-``, or its chat template changes a turn once others follow.
    """

    def __init__(self, text: ScorerTokenizer) -> None:
        self.text = text
        self.head = TokenPair(text.get_single_token("+"), text.get_single_token("-"))
        step, plus = {"role": "user", "content": TEXT_PLACEHOLDER}, {"role": "assistant", "content": "+"}
        opening, reply = text.split_chat_markup([step], reply=True)
        first, turn, last = text.split_chat_markup([step, plus, step], reply=True)
        if (first, last) != (opening, reply) or not turn.startswith(reply):
            raise EngineError(f"The chat template of '{text.model}' writes a turn differently if other turns follow.")
        self.opening, self.reply = text.tokenise_markup(opening), text.tokenise_markup(reply)
        self.turn = text.tokenise_markup(turn.removeprefix(reply))  # the reply itself, and the head of the next turn

    def tokenise_steps(self, question: str, steps: Sequence[str], known: int) -> list[ScoringInput]:
        """Return the chat, with a score where each reply begins."""
        tokens: list[int] = []
        places = []
        for i, step in enumerate(steps):
            turn = step.strip() if i else f"{question} {step.strip()}".strip()
            tokens += [*(self.turn if i else self.opening), *self.text.tokenise_content(turn), *self.reply]
            places.append(len(tokens) - 1)
        return [build_scoring_input(tokens, places, known)]
