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
from isocompute.runners.documents import NotJSONError, check_column_names, parse_json, parse_yaml

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
base: &base {a: 1, b: &inner {x: [1, 2]}, date: 2025-01-02}
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
        ("yes: 1\ntrue: 2", ", line 2: the key 'true' appears twice, first in line 1; remove one of the two."),
        ("a: 1\n'a': 2", ", line 2: the key 'a' appears twice, first in line 1; remove one of the two."),
        ("10: 1\n0xa: 2", ", line 2: the key '0xa' appears twice, first in line 1; remove one of the two."),
        ("{<<: {a: 1}, b: 1, b: 2}", ", line 1: the key 'b' appears twice, first in line 1; remove one of the two."),
        (
            "x: {<<: {a: 1},\n <<: {a: 2}}",
            ", line 2: the key '<<' appears twice, first in line 1; merge several blocks with '<<: [*one, *two]'.",
        ),
        ("run: [", ", line 1: not YAML: expected the node content, but found '<stream end>'."),
        ("a: \x01", ": not YAML: special characters are not allowed."),
        ("a: 2025-13-45", ": not YAML: month must be in 1..12."),
        ("2025-13-45: a", ": not YAML: month must be in 1..12."),
        ("[" * 100_000, ": not YAML: nested too deeply."),
        ("? [a]\n: 1", ", line 1: not YAML: found unhashable key."),
        ("!!python/name:os.system x: 1", ", line 1: not YAML: could not determine a constructor for the tag "
                                         "'tag:yaml.org,2002:python/name:os.system'."),
    ],
)  # fmt: skip
def test_yaml_that_is_none_or_has_a_key_twice_is_refused_with_its_line(content, sentence):
    assert refused(parse_yaml, content) == sentence


def test_columns_have_names_of_their_own():
    check_column_names(["a", "b", "", ""], "FILE")
    with pytest.raises(DataError, match=r"^FILE: the column 'b' appears twice; keep one, or rename the others\.$"):
        check_column_names(["a", "b", "b"], "FILE")
    with pytest.raises(DataError, match=r"^FILE: the column 'b' appears 3 times; keep one"):
        check_column_names(["b", "b", "b"], "FILE")


def test_reading_json_loads_no_yaml():
    code = "import sys, isocompute.runners.documents; print({'yaml', 'pyarrow', 'pandas'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
