"""Tokenisation for reward models that keeps markup apart from the text of people and models.

A step may contain text that looks like the end of a turn or like a step's end tag. Read as markup, it would shift every
later score, or let a solution write its own verdict. So markup is tokenised with the tokenizer's special tokens, and
all other text with a copy of the tokenizer that has none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from tokenizers import Tokenizer

from isocompute.errors import EngineError
from isocompute.runners.engines.chat import RENDERING_ERRORS, render_turns
from isocompute.runners.engines.checkpoint import build_load_error
from isocompute.runners.engines.tokenizer_file import load_tokenizer

CACHED_TEXTS = 2**16
"""Texts whose tokens are cached: a step is read again with every later step."""

TEXT_PLACEHOLDER = "\ue000"
"""Placeholder for a text in a chat, by which the chat's markup is found."""


class ScorerTokenizer:
    """A model's tokenizer.

    Args:
        tokenizer: one with a backend of the library tokenizers, as all of transformers' fast ones have.
        model: the model's name, for errors.

    Raises:
        EngineError: it has no such backend.
    """

    def __init__(self, tokenizer: Any, model: str) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise EngineError(f"The model '{model}' has no fast tokenizer: its folder needs a tokenizer.json.")
        self.tokenizer, self.model = tokenizer, model
        self.plain_tokenizer = drop_markup_tokens(backend)
        self.tokenise_content = lru_cache(CACHED_TEXTS)(self._tokenise_content)

    @classmethod
    def from_model(cls, model: str) -> ScorerTokenizer:
        """Load the tokenizer of a model.

        Raises:
            EngineError: it cannot be loaded, or is not a fast one.
        """
        tokenizer = load_tokenizer(model)
        try:
            return cls(tokenizer, model)
        except Exception as error:  # many kinds are raised here; each means that the tokenizer cannot be read
            raise build_load_error(model, error) from error

    def tokenise_markup(self, text: str) -> list[int]:
        """Return the tokens of markup, including special tokens."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _tokenise_content(self, text: str, after: str = "") -> tuple[int, ...]:
        """Return the tokens of arbitrary text, none of them special.

        Args:
            text: text of a person or a model.
            after: text before it, if that affects its first token (a blank before the first word, say).
        """
        skipped = len(self.plain_tokenizer.encode(after, add_special_tokens=False).ids) if after else 0
        return tuple(self.plain_tokenizer.encode(after + text, add_special_tokens=False).ids[skipped:])

    def get_single_token(self, text: str) -> int:
        """Return the token of a text that is a single token.

        Raises:
            EngineError: the text is not a single token.
        """
        ids = self.tokenise_markup(text)
        if len(ids) != 1:
            raise EngineError(f"The tokenizer of '{self.model}' has no token {text!r}, so it is not of this kind.")
        return ids[0]

    @property
    def bos_token_id(self) -> int:
        """The token that begins a text.

        Raises:
            EngineError: the tokenizer has none.
        """
        if self.tokenizer.bos_token_id is None:
            raise EngineError(f"The tokenizer of '{self.model}' has no token that begins a text (bos_token).")
        return int(self.tokenizer.bos_token_id)

    def render_turns(self, turns: Sequence[Mapping[str, str]], reply: bool) -> str:
        """Return a conversation in the model's chat template.

        Args:
            turns: the conversation.
            reply: whether it ends where the assistant's reply begins.

        Raises:
            EngineError: the model has no chat template, or one that cannot be used.
        """
        try:
            return render_turns(self.tokenizer, turns, reply)
        except RENDERING_ERRORS as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise EngineError(f"The chat template of '{self.model}' cannot be used: {reason}") from error

    def split_chat_markup(self, turns: Sequence[Mapping[str, str]], reply: bool) -> list[str]:
        """Return a chat's markup before, between and after the texts.

        Args:
            turns: the conversation, with `TEXT_PLACEHOLDER` in the place of each text.
            reply: whether it ends where the assistant's reply begins.

        Raises:
            EngineError: the model has no chat template, or one that changes the texts.
        """
        texts = sum(turn["content"].count(TEXT_PLACEHOLDER) for turn in turns)
        parts = self.render_turns(turns, reply).split(TEXT_PLACEHOLDER)
        if len(parts) != texts + 1:
            raise EngineError(f"The chat template of '{self.model}' changes the texts, so it is not of this kind.")
        return parts


def drop_markup_tokens(backend: Tokenizer) -> Tokenizer:
    """Return a tokenizer that reads everything as text.

    It has no added tokens except runs of blanks, no merges that lead to a removed token, and adds no tokens around a
    text.
    """
    state = json.loads(backend.to_str())
    markup = {token["content"] for token in state["added_tokens"] if token["content"].strip()}
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] not in markup]
    merges = state["model"].get("merges")
    if merges:
        pairs = (merge.split(" ") if isinstance(merge, str) else merge for merge in merges)
        state["model"]["merges"] = [pair for pair in pairs if "".join(pair) not in markup]
    state.update(post_processor=None, truncation=None, padding=None)
    return Tokenizer.from_str(json.dumps(state))
