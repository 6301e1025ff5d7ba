r"""The format of Skywork's PRMs: a value at the end of each step, mapped to a probability.

Skywork/Skywork-o1-Open-PRM-Qwen-2.5-1.5B and -7B. Question and steps are tokenised separately, each followed by a
newline, and the score of a step is the logistic of the value head at its newline. Source: the authors' inference code,
SkyworkAI/skywork-o1-prm-inference at 719b56b, model_utils/io_utils.py (``prepare_input``) and prm_model.py. There,
every line is a step, even an empty one, and a blank line before the end gets a solution's last score; here, the caller
defines the steps, and blank ones are left out.

vLLM does not know the architecture without the authors' plug-in, which is made for its version 0.6.4.
"""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.runners.scorers.formats.base import ScoreHead, ScoringInput, build_scoring_input
from isocompute.runners.scorers.tokenizer import ScorerTokenizer


class SkyworkFormat:
    """The format of Skywork's PRMs.

    Raises:
        EngineError: the tokenizer lacks a token that begins a text, or one for a newline.
    """

    head: ScoreHead = "value"

    def __init__(self, text: ScorerTokenizer) -> None:
        self.text, self.bos_token_id, self.newline = text, text.bos_token_id, text.get_single_token("\n")

    def tokenise_steps(self, question: str, steps: Sequence[str], known: int) -> list[ScoringInput]:
        """Return the question and the steps, with a score at the newline after each step."""
        tokens = [self.bos_token_id, *self.text.tokenise_content(f"{question}\n")]
        places = []
        for step in steps:
            tokens += [*self.text.tokenise_content(step.strip("\n")), self.newline]
            places.append(len(tokens) - 1)
        return [build_scoring_input(tokens, places, known)]
