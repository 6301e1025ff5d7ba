r"""Prompts in files, each with a name and a hash.

======================  ===========================================================================================
``math-solve``          solve a problem, with a boxed answer
``math-revise``         the same, given earlier attempts
``choice-solve``        solve a multiple-choice problem, with a boxed letter; the options are part of the question
``genrm-base``          check a solution line by line and end in ``Is the answer correct (Yes/No)? Yes`` or ``No``
``genrm-base-fewshot``  the same, with two worked examples
``genrm-base-choice``   the same as ``genrm-base``, for multiple choice
``genrm-ft``            problem, solution, ``Verification:``, for a verifier that was trained to continue from there
``lab-…``               the prompts that the lab's models were trained on
======================  ===========================================================================================

The prompts ``genrm-base…`` ask after the solution, first for the check and then for the verdict. A model of 1.5 billion
parameters that was asked before the problem solved it anew, and gave no verdict. Asked for a line alone, it gave
a bare word. data/runs/qwen-gsm-symbolic-reverified/README.md has the measurements.

A model that is not a chat model may continue after its verdict with a problem of its own, and judge that too: give it
a ``stop`` such as ``"\nProblem:"``. Questions and solutions are hostile text: a placeholder in them stays as it is, and
a verdict in them does not count, since only completions are parsed (see `verdicts`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from isocompute.errors import ConfigError, IsocomputeError
from isocompute.runners.storage.files import read_file

MAX_PROMPT_BYTES = 2**20
"""The largest file of a prompt."""
PROMPT_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Prompt:
    """A template with the placeholders ``{question}`` and, for verification, ``{solution}``."""

    name: str
    template: str

    @property
    def template_hash(self) -> str:
        """The template's SHA-256, which a run's manifest holds."""
        return sha256(self.template.encode()).hexdigest()

    def fill(self, **values: str) -> str:
        """Insert the values all at once, so that a placeholder within a value stays as it is.

        >>> Prompt("p", "Q: {question} A: {solution}").fill(question="{solution}", solution="7")
        'Q: {solution} A: 7'
        """
        return re.sub(r"\{(question|solution)\}", lambda place: values.get(place[1], place[0]), self.template)


def list_prompts() -> list[str]:
    """Return the names of the prompts that come with isocompute."""
    return sorted(path.stem for path in PROMPT_FOLDER.glob("*.txt"))


def load_prompt(name: str, *, needs: tuple[str, ...]) -> Prompt:
    """Load a prompt by its name or from a file.

    Args:
        name: one of `list_prompts`, or the path of a text file.
        needs: the placeholders it must have.

    Raises:
        ConfigError: there is no such prompt, or a placeholder is missing.
    """
    path = PROMPT_FOLDER / f"{name}.txt" if name in list_prompts() else Path(name)
    try:
        template = read_file(str(path), MAX_PROMPT_BYTES).decode("utf-8-sig").replace("\r\n", "\n")
    except (IsocomputeError, OSError, ValueError):  # no file, or a name that none can have; not UTF-8
        raise ConfigError(f"The prompt '{name}' is neither a file nor one of: {', '.join(list_prompts())}.") from None
    if missing := [place for place in needs if f"{{{place}}}" not in template]:
        raise ConfigError(f"The prompt '{name}' has no placeholder {{{missing[0]}}}.")
    return Prompt(name, template)
