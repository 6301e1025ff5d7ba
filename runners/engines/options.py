"""The options of engines that are checked before any work starts: numbers within their ranges, and known words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isocompute.runners.parsing.printable import quote_value

RESERVED_OPTIONS = frozenset({"self", "name", "model", "kind", "engine", "prompt", "records", "shape"})
"""Names that no option may have: they are other arguments of the functions that load a model."""

DAY, WEEK = 86_400, 7 * 86_400


@dataclass(frozen=True)
class EngineOption:
    """An option of an engine, and the values that it takes.

    Args:
        name: the option.
        least: the least number; the number itself is not taken if `is_open`.
        most: the largest number.
        is_whole: whether it is a whole number.
        is_open: whether the least number itself is not taken.
        can_be_unset: whether null stands for the engine's own choice.
        is_block: whether it is a block of keys, instead of a number.
        words: a regular expression that its text matches, instead of a range; empty for a number.
        example: what such a text may be, in words.
    """

    name: str
    least: float = 0
    most: float = math.inf
    is_whole: bool = False
    is_open: bool = False
    can_be_unset: bool = False
    is_block: bool = False
    words: str = ""
    example: str = ""

    def describe(self) -> str:
        """Return what the option takes.

        >>> EngineOption("retries", 0, 100, is_whole=True).describe()
        'a whole number from 0 to 100'
        """
        if self.is_block or self.words:
            return "a block of keys" if self.is_block else self.example
        kind = "a whole number" if self.is_whole else "a number"
        most = f"{self.most:,.0f}"
        return f"{kind} above {self.least:g}, up to {most}" if self.is_open else f"{kind} from {self.least:g} to {most}"

    def is_allowed(self, value: object) -> bool:
        """Return whether it takes a value.

        >>> option = EngineOption("retries", 0, 100, is_whole=True)
        >>> [option.is_allowed(value) for value in (0, 100, 101, -1, 1.5, True, "1", None)]
        [True, True, False, False, False, False, False, False]
        """
        if value is None:
            return self.can_be_unset
        if self.is_block:
            return isinstance(value, Mapping)
        if self.words:
            return isinstance(value, str) and re.fullmatch(self.words, value) is not None
        if isinstance(value, bool) or not isinstance(value, int if self.is_whole else int | float):
            return False
        return self.least <= value <= self.most and not (self.is_open and value == self.least)


def find_bad_option(known: Sequence[EngineOption], options: Mapping[str, Any]) -> str | None:
    """Return what is wrong with an engine's options, as the end of a sentence; None if nothing is.

    Args:
        known: the options whose values are known here; others are left to the engine.
        options: the options that are given.

    >>> find_bad_option([EngineOption("retries", 0, 100, is_whole=True)], {"retries": 1.5, "other": 2})
    "the option 'retries' must be a whole number from 0 to 100; got 1.5"
    """
    if reserved := sorted(RESERVED_OPTIONS & set(options)):
        return f"'{reserved[0]}' is not an option of an engine; leave it out"
    for option in known:
        if option.name in options and not option.is_allowed(options[option.name]):
            return f"the option '{option.name}' must be {option.describe()}; got {quote_value(options[option.name])}"
    return None


SERVER_OPTIONS = (
    EngineOption("timeout", 0, WEEK, is_open=True),
    EngineOption("retries", 0, 1000, is_whole=True),
    EngineOption("patience", 0, WEEK, is_open=True),
    EngineOption("backoff", 0, DAY, is_open=True),
    EngineOption("key_env", words=r"[A-Za-z_][A-Za-z0-9_]*", example="the name of an environment variable"),
    EngineOption("extra", is_block=True, can_be_unset=True),
)
"""The options of every client of servers."""

CONCURRENCY = EngineOption("concurrency", 1, 4096, is_whole=True)
"""Requests in flight at once; each takes a connection and a file handle."""

POLL = EngineOption("poll", 0, WEEK, is_open=True)
"""Seconds between two questions about a batch."""

TRANSFORMERS_OPTIONS = (
    EngineOption("batch_size", 1, 2**16, is_whole=True),
    EngineOption("dtype", words="auto|float32|float16|bfloat16", example="auto, float32, float16 or bfloat16"),
    EngineOption(
        "device", can_be_unset=True, words=r"cpu|mps|cuda(:\d{1,4})?", example="cpu, cuda, mps, or a GPU such as cuda:1"
    ),
)

VLLM_OPTIONS = (
    EngineOption("replicas", 1, 1024, is_whole=True),
    EngineOption("in_flight", 1, 2**20, is_whole=True, can_be_unset=True),
    EngineOption("tensor_parallel_size", 1, 1024, is_whole=True),
    EngineOption("pipeline_parallel_size", 1, 1024, is_whole=True),
    EngineOption("gpu_memory_utilization", 0, 1, is_open=True),
    EngineOption("max_model_len", 1, 2**31 - 1, is_whole=True, can_be_unset=True),
    EngineOption("max_num_seqs", 1, 2**20, is_whole=True, can_be_unset=True),
    EngineOption("max_num_batched_tokens", 1, 2**31 - 1, is_whole=True, can_be_unset=True),
    EngineOption(
        "dtype", words="auto|half|float16|bfloat16|float|float32", example="auto, float32, float16 or bfloat16"
    ),
)
