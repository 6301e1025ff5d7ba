r"""The format of Math-Shepherd's PRM: ``ки`` after each step, and ``+`` or ``-`` predicted there.

peiyi9979/math-shepherd-mistral-7b-prm (Wang et al. 2023, arXiv 2312.08935, section 3). The score of a step is
p(+) / (p(+) + p(-)) at its ``ки``, both with a blank before them (tokens 648 and 387 of Mistral's; the tag is 12902).
The model card has ``{question} Step 1: … ки\nStep 2: … ки`` and reads scores at every ``ки``. Here only tags that end
a step count, so a ``ки`` in a step's own text changes nothing. The model was trained on steps that begin with
``Step 1:``; steps without it are left as they are.

A checkpoint in pickled files is refused, as everywhere; save it as safetensors first.
"""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.errors import EngineError
from isocompute.runners.scorers.formats.base import ScoringInput, TokenPair, build_scoring_input
from isocompute.runners.scorers.tokenizer import ScorerTokenizer

STEP_TAG = "ки"


class MathShepherdFormat:
    """The format of Math-Shepherd's model.

    Raises:
        EngineError: the tokenizer lacks a token for the tag, ``+`` or ``-``, or a token that begins a text.
    """

    def __init__(self, text: ScorerTokenizer) -> None:
        self.text, self.tag, self.bos_token_id = text, text.get_single_token(STEP_TAG), text.bos_token_id
        signs = text.tokenise_markup("+ -")
        if len(signs) != 2:
            raise EngineError(f"The tokenizer of '{text.model}' has no tokens '+' and '-', so it is not of this kind.")
        self.head = TokenPair(*signs)

    def tokenise_steps(self, question: str, steps: Sequence[str], known: int) -> list[ScoringInput]:
        """Return the question and the steps, with a score at the tag after each step."""
        tokens = [self.bos_token_id]
        places = []
        for i, step in enumerate(steps):
            if i:
                tokens += self.text.tokenise_content(f"\n{step.strip()}", after=STEP_TAG)
            else:
                tokens += self.text.tokenise_content(f"{question} {step.strip()}")
            tokens.append(self.tag)
            places.append(len(tokens) - 1)
        return [build_scoring_input(tokens, places, known)]
