r"""The format of the lab's PRM: `` +`` or `` -`` predicted after each line, as in its training and measurement.

The score of a line is p( +) / (p( +) + p( -)) after its last token; the sequence itself has `` +`` after every line
(`experiments.lab.corpus.encode_steps`, `experiments.lab.measure.score_steps`).
"""

from __future__ import annotations

from collections.abc import Sequence

from isocompute.runners import prompts
from isocompute.runners.scorers.formats.base import ScoringInput, TokenPair, build_scoring_input
from isocompute.runners.scorers.tokenizer import ScorerTokenizer


class LabFormat:
    """The format of the lab's PRM.

    Args:
        text: its tokenizer.
        prompt: the text before the solution, by name or file.

    Raises:
        ConfigError: there is no such prompt.
        EngineError: the tokenizer is not the lab's.
    """

    def __init__(self, text: ScorerTokenizer, prompt: str = "lab-solve") -> None:
        self.text, self.bos_token_id = text, text.bos_token_id
        self.prompt = prompts.load_prompt(prompt, needs=("question",))
        self.head = TokenPair(text.get_single_token(" +"), text.get_single_token(" -"))
        self.newline = text.get_single_token("\n")

    def tokenise_steps(self, question: str, steps: Sequence[str], known: int) -> list[ScoringInput]:
        """Return the prompt and the lines, with a score at the last token of each line."""
        tokens = [self.bos_token_id, *self.text.tokenise_content(self.prompt.fill(question=question))]
        places = []
        for step in steps:
            tokens += self.text.tokenise_content(step.strip("\n"))
            places.append(len(tokens) - 1)
            tokens += [self.head.right, self.newline]
        return [build_scoring_input(tokens, places, known)]
