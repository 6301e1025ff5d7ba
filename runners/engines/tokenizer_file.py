"""A check of a model's tokenizer.json before a library loads it, and the loading.

A tokenizer rewrites texts by rules from this file. A few short rules could make each letter a billion, and the library
ends the process if there is no memory for them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isocompute.errors import EngineError
from isocompute.runners.cost.config_file import read_model_json

MOST_GROWTH = 64
"""The most letters that the rules make of one letter."""

MOST_PIECES = 1000
"""The most tokens that are put around a text."""

REWRITING_PARTS = ("normalizer", "pre_tokenizer", "decoder")
"""The parts of a tokenizer that rewrite texts."""


def check_tokenizer_files(model: str, folder: Path) -> None:
    """Raise if the tokenizer of a model makes very long texts of short ones.

    Args:
        model: the model's name.
        folder: its folder; a file that is missing is passed over.

    Raises:
        EngineError: it does, or a file cannot be read; the message names the file.
    """
    for path in sorted(folder.glob("tokenizer*.json")):  # a version of the library may have a file of its own
        if path.name == "tokenizer_config.json":
            continue
        try:
            fault = find_tokenizer_fault(read_model_json(path))
        except OSError as error:
            fault = f"it cannot be read: {error.strerror}"
        except ValueError as error:
            fault = str(error).rstrip(".")
        if fault:
            raise EngineError(f"The model '{model}' cannot be loaded: {path.name}: {fault}.")


def find_tokenizer_fault(content: Any) -> str | None:
    """Return what is wrong with the content of a tokenizer.json; None if nothing is.

    >>> rule = {"type": "Replace", "pattern": {"Regex": "."}, "content": "x" * 10}
    >>> find_tokenizer_fault({"normalizer": {"type": "Sequence", "normalizers": [rule, rule]}})
    "the rules of its 'normalizer' make up to 121 letters of one; the most is 64"
    """
    if not isinstance(content, dict):
        return "it is not a block of keys"
    for part in REWRITING_PARTS:
        if (growth := measure_growth(content.get(part))) > MOST_GROWTH:
            count = f"{growth:,}" if growth < 10**9 else "more than a billion"
            return f"the rules of its '{part}' make up to {count} letters of one; the most is {MOST_GROWTH}"
    if (pieces := count_pieces(content.get("post_processor"))) > MOST_PIECES:
        return f"its 'post_processor' puts {pieces:,} tokens around a text; the most is {MOST_PIECES:,}"
    return None


def list_blocks(content: Any) -> Iterator[dict[str, Any]]:
    """Yield a block of keys and those within it, at whatever depth, in order."""
    waiting = [content]
    while waiting:
        block = waiting.pop()
        if isinstance(block, dict):
            yield block
        if isinstance(block, dict | list):
            waiting.extend(reversed(list(block.values()) if isinstance(block, dict) else block))


def measure_growth(part: Any) -> int:
    """Return the most letters that the rules of a part of a tokenizer make of one letter.

    >>> measure_growth([{"prepend": "_"}, {"pattern": {"String": " "}, "content": "_"}])
    2
    """
    growth = 1
    for rule in list_blocks(part):
        if isinstance(rule.get("prepend"), str):
            growth += len(rule["prepend"])
        elif isinstance(rule.get("content"), str) and "pattern" in rule:
            growth *= measure_replacement(rule["pattern"], len(rule["content"]))
        elif rule.get("type") == "ByteLevel":  # a letter that is not ASCII becomes one for each of its bytes
            growth *= 2
        elif isinstance(rule.get("precompiled_charsmap"), str):
            growth *= measure_character_map(rule["precompiled_charsmap"])
        if growth > 10**9:
            break
    return growth


def measure_replacement(pattern: Any, length: int) -> int:
    """Return the most letters that a rule makes of one, if it replaces what a pattern finds by so many letters."""
    text = pattern.get("String") if isinstance(pattern, dict) else pattern
    if isinstance(text, str) and text:
        return max(1, -(-length // len(text)))
    return 1 + length if length else 1  # a regular expression may also find the place between two letters


def measure_character_map(packed: str) -> int:
    """Return the most letters that a map of characters makes of one; it ends with texts that end with a zero each.

    Its first four bytes say how many bytes stand before the texts.
    """
    try:
        content = base64.b64decode(packed)
    except (binascii.Error, ValueError):
        return 1  # the library refuses it
    texts = content[4 + int.from_bytes(content[:4], "little") :].split(b"\0")
    return max([1, *(len(text.decode("utf-8", "replace")) for text in texts)])


def count_pieces(part: Any) -> int:
    """Return the most tokens that a tokenizer puts around a text, with the text."""
    most = 0
    for block in list_blocks(part):
        tokens = block.get("special_tokens")
        lengths = {
            name: len(token["ids"])
            for name, token in (tokens.items() if isinstance(tokens, dict) else ())
            if isinstance(token, dict) and isinstance(token.get("ids"), list)
        }
        for template in (block.get("single"), block.get("pair")):
            if isinstance(template, list | str):
                most += sum(lengths.get(find_token_name(piece), 1) for piece in template)
    return most


def find_token_name(piece: Any) -> Any:
    """Return the name of the token that a piece of a template stands for; None if it stands for the text."""
    token = piece.get("SpecialToken") if isinstance(piece, dict) else None
    name = token.get("id") if isinstance(token, dict) else None
    return name if isinstance(name, str) else None


def load_tokenizer(model: str, **options: Any) -> Any:
    """Return the tokenizer of a model, in transformers.

    Args:
        model: checkpoint folder or hub name.
        options: those of ``from_pretrained``.

    Raises:
        EngineError: it cannot be loaded.
    """
    from transformers import AutoTokenizer

    from isocompute.runners.engines.checkpoint import build_load_error

    check_model_tokenizer(model)
    try:
        return AutoTokenizer.from_pretrained(model, trust_remote_code=False, **options)
    except Exception as error:  # many kinds are raised here; each means that the tokenizer cannot be read
        raise build_load_error(model, error) from error


def check_model_tokenizer(model: str, revision: str | None = None, cache: str | None = None) -> None:
    """Check the tokenizer of a model, see `check_tokenizer_files`; of a model on the hub, it is fetched if need be.

    Args:
        model: checkpoint folder or hub name.
        revision: of a model on the hub; its main branch if not given.
        cache: folder of the hub's cache; the usual one if not given.

    Raises:
        EngineError: it cannot be used.
    """
    from transformers.utils import cached_file

    from isocompute.runners.engines.checkpoint import find_checkpoint_folder

    folder = find_checkpoint_folder(model, revision, cache)
    if folder is None:
        try:
            path = cached_file(model, "tokenizer.json", revision=revision, cache_dir=cache)
        except (OSError, ValueError):  # there is none, or no such model: what loads it says so
            return
        folder = Path(path).parent if path else None
    if folder is not None:
        check_tokenizer_files(model, folder)
