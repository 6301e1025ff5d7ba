"""RLHFlow's PRMs (and their generative ORMs): a chat in which each step is a turn, and ``+`` or ``-`` the reply.

RLHFlow/Llama3.1-8B-PRM-Deepseek-Data, …-PRM-Mistral-Data. The score of a step is p(+) / (p(+) + p(-)) where the
assistant replies to it, and every earlier reply reads ``+``. The first turn holds the question too. From the
authors' evaluation, RLHFlow/RLHF-Reward-Modeling at fc39179, math-rm/prm_evaluate.py (there "position -3", before
``+`` and the end of the turn); search-and-learn asks them the same way.

Their ORMs (…-ORM-Deepseek-Data) are this kind with the whole solution as one step (math-rm/orm_evaluate.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.errors import EngineError
from isocompute.runners.scorers.formats.base import ScoringInput, TokenPair, build_scoring_input
from isocompute.runners.scorers.tokenizer import TEXT_PLACEHOLDER, ScorerTokenizer


class RLHFlowFormat:
    """How RLHFlow's models are asked.

    Raises:
        EngineError: the model has no ``+`` and ``-``, or its chat template does not go on as they need it.
    """

    def __init__(self, text: ScorerTokenizer) -> None:
        self.text = text
        self.head = TokenPair(text.get_single_token("+"), text.get_single_token("-"))
        step, plus = {"role": "user", "content": TEXT_PLACEHOLDER}, {"role": "assistant", "content": "+"}
        opening, reply = text.split_chat_markup([step], reply=True)
        first, turn, last = text.split_chat_markup([step, plus, step], reply=True)
        if (first, last) != (opening, reply) or not turn.startswith(reply):
            raise EngineError(f"The chat template of '{text.model}' writes a turn in another way once others follow.")
        self.opening, self.reply = text.tokenise_markup(opening), text.tokenise_markup(reply)
        self.turn = text.tokenise_markup(turn.removeprefix(reply))  # the reply itself, and the head of the next turn

    def tokenise_steps(self, question: str, steps: Sequence[str], known: int) -> list[ScoringInput]:
        """Return the chat; a score stands where a reply begins."""
        tokens: list[int] = []
        places = []
        for i, step in enumerate(steps):
            turn = step.strip() if i else f"{question} {step.strip()}".strip()
            tokens += [*(self.turn if i else self.opening), *self.text.tokenise_content(turn), *self.reply]
            places.append(len(tokens) - 1)
        return [build_scoring_input(tokens, places, known)]
