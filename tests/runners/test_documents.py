"""JSON and YAML of other people: what they hold, and that no key of theirs is given twice."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from isocompute.errors import DataError
from isocompute.runners.documents import NotJSONError, check_column_names, parse_json, parse_json_document, parse_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def refused(parse, content) -> str:
    with pytest.raises(DataError) as caught:
        parse(content, "FILE")
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith("FILE")
    return said.removeprefix("FILE")


@given(VALUES)
def test_json_without_such_keys_reads_as_it_always_did(value):
    text = json.dumps(value)
    for content in (text, text.encode(), text.encode("utf-16"), text.encode("utf-8-sig")):
        assert parse_json(content, "FILE") == json.loads(content) == value
    assert str(parse_json('{"a": [NaN, Infinity, -Infinity]}', "FILE")) == "{'a': [nan, inf, -inf]}"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"a": 1, "a": 1}', "the key 'a' appears twice"),
        ('{"a": [], "b": {"a": 1}, "a": {}}', "the key 'a' appears twice"),
        ('{"a": {"b": [[{"c": 1}, {"c": 1, "d": 2, "c": 3}]]}}', "the key 'c' appears twice in 'a.b[0][1]'"),
        ('[{"a": 1}, {"a": 1, "\\u0061": 2}]', "the key 'a' appears twice in '[1]'"),
        ('{"": 1, "": 2}', "the key '' appears twice"),
        ('{"a\\nb": 1, "a\\nb": 2}', "the key 'a\\nb' appears twice"),
    ],
)
def test_a_key_of_json_that_stands_twice_is_named_with_its_object(content, sentence):
    assert refused(parse_json, content) == f": {sentence}; remove one of the two."
    assert refused(parse_json, content.encode()) == f": {sentence}; remove one of the two."


def test_a_long_key_is_cut_short():
    assert len(refused(parse_json, f'{{"{"k" * 10**6}": 1, "{"k" * 10**6}": 2}}')) < 200


@pytest.mark.parametrize("content", ["", "{", b"\xff", "[" * 100_000, "9" * 5000, "\ufeff{}", '{"a": 1} x'])
def test_what_is_no_json_is_told_apart_from_a_key_that_stands_twice(content):
    with pytest.raises(NotJSONError, match=r"^FILE is not JSON\.$"):
        parse_json(content, "FILE")


def test_yaml_without_such_keys_reads_as_it_always_did():
    text = """
base: &base {a: 1, b: &inner {x: [1, 2]}, time: 12.5}
over: {<<: *base, a: 2}
both: {<<: [*base, {c: 3}], b: *inner}
=: odd
'1': text
1: number
"""
    assert parse_yaml(text, "FILE") == yaml.safe_load(text)


def test_a_block_that_is_merged_before_its_own_turn_has_no_key_twice():
    text = "deep:\n  deeper:\n    here: &b {<<: &a {x: 1, y: 2}, x: 3}\nlast: {<<: *b, y: 4}\n"
    assert parse_yaml(text, "FILE") == {"deep": {"deeper": {"here": {"x": 3, "y": 2}}}, "last": {"x": 3, "y": 4}}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a: 1\nb: 2\na: 3", ", line 3: the key 'a' appears twice, first in line 1; remove one of the two."),
        ("b:\n  - c: 1\n    c: 2", ", line 3: the key 'c' appears twice, first in line 2; remove one of the two."),
        ("b: {c: 1, c: 1}", ", line 1: the key 'c' appears twice, first in line 1; remove one of the two."),
        ("True: 1\ntrue: 2", ", line 2: the key 'true' appears twice, first in line 1; remove one of the two."),
        ("a: 1\n'a': 2", ", line 2: the key 'a' appears twice, first in line 1; remove one of the two."),
        ("10: 1\n0xa: 2", ", line 2: the key '0xa' appears twice, first in line 1; remove one of the two."),
        ("{<<: {a: 1}, b: 1, b: 2}", ", line 1: the key 'b' appears twice, first in line 1; remove one of the two."),
        (
            "x: {<<: {a: 1},\n <<: {a: 2}}",
            ", line 2: the key '<<' appears twice, first in line 1; merge several blocks with '<<: [*one, *two]'.",
        ),
        ("run: [", ", line 1: not YAML: expected the node content, but found '<stream end>'."),
        ("a: \x01", ": not YAML: special characters are not allowed."),
        ("[" * 100_000, ", line 1: blocks are nested more than 30 deep."),
        ("? [a]\n: 1", ", line 1: a key is a list or a block; write a text."),
        ("!!python/name:os.system x: 1", ", line 1: values with the tag 'tag:yaml.org,2002:python/name:os.system' are "
                                         "not supported."),
        ("a: !!binary aGVsbG8=", ", line 1: values with the tag 'tag:yaml.org,2002:binary' are not supported."),
        ("a: !!set {b}", ", line 1: blocks with the tag 'tag:yaml.org,2002:set' are not supported."),
        ("a: !!omap [b: 1]", ", line 1: lists with the tag 'tag:yaml.org,2002:omap' are not supported."),
        ('a: "\\ud800"', ", line 1: a text has half of a surrogate pair, which is not valid text."),
        ("a: &a [*a]", ", line 1: a block holds itself by its alias."),
        ("a: &a {b: *a}", ", line 1: a block holds itself by its alias."),
        ("x" * 500_001, " has more than 500,000 characters, the most that is read of YAML."),
        ("[" + "1," * 20_000 + "]", ", line 1: the document has more than 20,000 values, with those of its aliases."),
    ],
)  # fmt: skip
def test_yaml_that_is_none_or_has_a_key_twice_is_refused_with_its_line(content, sentence):
    assert refused(parse_yaml, content) == sentence


def write_alias_bomb(levels: int) -> str:
    lists = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, levels))
    return "a0: &a0 [" + "x," * 10 + "]\n" + lists


def test_aliases_count_as_often_as_they_stand():
    assert len(parse_yaml(write_alias_bomb(4), "FILE")["a3"]) == 10
    sentence = refused(parse_yaml, write_alias_bomb(9))
    assert sentence == ", line 5: the document has more than 20,000 values, with those of its aliases."
    merged = "".join(f"b{i}: &b{i} {{<<: [{', '.join([f'*b{i - 1}'] * 10)}]}}\n" for i in range(1, 9))
    assert refused(parse_yaml, "b0: &b0 {x: 1}\n" + merged).endswith("with those of its aliases.")


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("1:20", "the number in digits"),
        ("-1:20.5", "the number in digits"),
        ("010", "the number in digits"),
        ("0b11", "the number in digits"),
        ("1_000", "the number in digits"),
        (".5_0", "the number in digits"),
        ("0o17", "the number in digits"),
        ("yes", "true or false"),
        ("OFF", "true or false"),
    ],
)
def test_a_value_that_yaml_reads_in_two_ways_is_refused(value, advice):
    sentence = f", line 1: '{value}' has two readings in YAML; write {advice}, or put it in quotes if it is a text."
    assert refused(parse_yaml, f"a: {value}") == sentence
    assert parse_yaml(f"a: '{value}'", "FILE") == {"a": value}


def test_plain_values_have_one_reading():
    text = "[2025-01-02, 2025-13-45, 0, 0.5, 0x10, 1e3, -3, true, null, 127.0.0.1:80, a:b, 1.2.3, n, =]"
    texts = ["127.0.0.1:80", "a:b", "1.2.3", "n", "="]
    assert parse_yaml(text, "F") == ["2025-01-02", "2025-13-45", 0, 0.5, 16, 1000.0, -3, True, None, *texts]


@pytest.mark.parametrize("number", [8e9, 1e-09, 1e18, 5e-324, -2.5e-7, 1e22])
def test_a_number_that_json_writes_is_one_in_yaml(number):
    assert parse_yaml(json.dumps({"a": number}), "F") == {"a": number}


@pytest.mark.parametrize(
    "value", ["!!bool maybe", "!!float ''", "!!int '-'", "!!int '1:20'", "!!int '٣'", "!!null x", "!!timestamp x"]
)
def test_a_tag_that_is_not_of_a_text_is_refused(value):
    said = refused(parse_yaml, f"a: {value}")
    assert said.startswith(", line 1: values with the tag 'tag:yaml.org,2002:")
    assert parse_yaml("a: !!str 010", "F") == {"a": "010"}


def test_a_number_of_thousands_of_digits_is_refused_in_any_base():
    for text in ("0x" + "f" * 5000, "9" * 5000, "1." + "0" * 500):
        assert refused(parse_yaml, f"a: [{text}]") == ", line 1: a number has more than 400 characters."


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"a": "\\ud800"}', " has half of a surrogate pair in a text, which is not valid text."),
        ('{"\\ud800": 1}', " has half of a surrogate pair in a text, which is not valid text."),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", ": blocks are nested more than 100 deep."),
        (b"[" + b"[]," * 20_000_000 + b"1]", ", once it is read, would take 2.98 GiB of memory; the limit is 1 GiB, "
                "and the environment variable ISOCOMPUTE_MEMORY_GIB raises it."),
    ],
)  # fmt: skip
def test_a_document_of_ours_has_limits(content, sentence):
    assert refused(parse_json_document, content) == sentence


def test_half_of_a_surrogate_pair_may_stand_in_a_log():
    assert parse_json('{"a": "\\ud800"}', "FILE") == {"a": "\ud800"}
    assert parse_json_document('{"a": "\\ud83d\\ude00"}', "FILE") == {"a": "😀"}


def test_columns_have_names_of_their_own():
    check_column_names(["a", "b", "", ""], "FILE")
    with pytest.raises(DataError, match=r"^FILE: the column 'b' appears twice; keep one, or rename the others\.$"):
        check_column_names(["a", "b", "b"], "FILE")
    with pytest.raises(DataError, match=r"^FILE: the column 'b' appears 3 times; keep one"):
        check_column_names(["b", "b", "b"], "FILE")


def test_reading_json_loads_no_yaml():
    code = "import sys, isocompute.runners.documents; print({'yaml', 'pyarrow', 'pandas'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
