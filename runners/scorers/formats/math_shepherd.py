r"""Math-Shepherd's PRM: ``ки`` after each step, and ``+`` or ``-`` predicted there.

peiyi9979/math-shepherd-mistral-7b-prm (Wang et al. 2023, arXiv 2312.08935, section 3). The score of a step is
p(+) / (p(+) + p(-)) at its ``ки``, both with a blank before them (tokens 648 and 387 of Mistral's; the tag is 12902).
From the model card: ``{question} Step 1: … ки\nStep 2: … ки``, and scores are read at every ``ки``. Here at those only
that end a step, so that one in a step's own text moves nothing. The model has learnt from steps that begin with
``Step 1:``; they are not put before steps that lack them.

A checkpoint in pickled files is refused, as any is; save it as safetensors first.
"""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.errors import EngineError
from isocompute.runners.scorers.formats.base import ScoringInput, TokenPair, build_scoring_input
from isocompute.runners.scorers.tokenizer import ScorerTokenizer

STEP_TAG = "ки"


class MathShepherdFormat:
    """How Math-Shepherd's model is asked.

    Raises:
        EngineError: the model's tokenizer has no token for the tag, ``+`` or ``-``, or none that begins a text.
    """

    def __init__(self, text: ScorerTokenizer) -> None:
        self.text, self.tag, self.bos_token_id = text, text.get_single_token(STEP_TAG), text.bos_token_id
        signs = text.tokenise_markup("+ -")
        if len(signs) != 2:
            raise EngineError(f"The tokenizer of '{text.model}' has no tokens '+' and '-', so it is not of this kind.")
        self.head = TokenPair(*signs)

    def tokenise_steps(self, question: str, steps: Sequence[str], known: int) -> list[ScoringInput]:
        """Return question and steps; a score stands at the tag after each step."""
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
