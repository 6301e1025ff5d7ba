"""Tokenizers that make very long texts of short ones are refused; usual ones are not."""

from __future__ import annotations

import base64
import json

import pytest

from isocompute.errors import EngineError
from isocompute.runners.engines.tokenizer_file import check_tokenizer_files, find_tokenizer_fault

BYTES = {"type": "ByteLevel", "add_prefix_space": False}
SPLIT = {"type": "Split", "pattern": {"Regex": "x"}, "behavior": "Isolated", "invert": False}
MAP = (4).to_bytes(4, "little") + b"trie" + "صلى الله عليه وسلم".encode() + b"\0a\0"
USUAL = {
    "llama": {
        "normalizer": {
            "normalizers": [{"prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]
        },
        "decoder": {"decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "Fuse"}]},
    },
    "qwen": {
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [SPLIT, BYTES]},
        "post_processor": BYTES,
        "decoder": BYTES,
    },
    "t5": {
        "normalizer": {
            "normalizers": [
                {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(MAP).decode()},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"},
            ]
        }
    },
}
RULE = {"pattern": {"Regex": "."}, "content": "x" * 10}
LONG_MAP = base64.b64encode(bytes(4) + b"x" * 1000 + b"\0").decode()
TOKENS = {"<bos>": {"id": "<bos>", "ids": [1] * 900, "tokens": ["<bos>"]}}
REFUSED = {
    "replaces": ({"normalizer": RULE | {"content": "x" * 5_000_000}}, "make up to 5,000,001 letters of one"),
    "nested": ({"normalizer": {"normalizers": [{"normalizers": [RULE]}, RULE]}}, "make up to 121 letters of one"),
    "between": ({"normalizer": [RULE | {"content": "x"}] * 40}, "make up to more than a billion letters of one"),
    "prepends": ({"normalizer": {"prepend": "x" * 100}}, "make up to 101 letters"),
    "bytes": ({"pre_tokenizer": [BYTES] * 7}, "the rules of its 'pre_tokenizer' make up to 128 letters"),
    "map": ({"normalizer": {"precompiled_charsmap": LONG_MAP}}, "make up to 1,000 letters"),
    "decoder": ({"decoder": RULE | {"content": "x" * 99}}, "the rules of its 'decoder' make up to 100 letters"),
    "pieces": (
        {"post_processor": {"single": [{"SpecialToken": {"id": "<bos>"}}] * 2, "special_tokens": TOKENS}},
        "its 'post_processor' puts 1,800 tokens around a text; the most is 1,000",
    ),
    "list": ([], "it is not a block of keys"),
}


@pytest.mark.parametrize("content", USUAL.values(), ids=USUAL)
def test_a_usual_tokenizer_is_taken(content):
    assert find_tokenizer_fault(content) is None


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_tokenizer_that_makes_long_texts_is_refused(tmp_path, content, sentence):
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(EngineError, match=r"The model 'm' cannot be loaded: tokenizer\.json: ") as caught:
        check_tokenizer_files("m", tmp_path)
    assert sentence in str(caught.value)


def test_files_that_are_missing_or_of_another_kind_are_passed_over(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text("[1")
    check_tokenizer_files("m", tmp_path)
