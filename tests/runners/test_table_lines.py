"""Lines of tables that are too long, too wide or empty are refused before they are split."""

from __future__ import annotations

import io

import pytest

from isocompute.errors import DataError
from isocompute.runners import table_lines
from isocompute.runners.table_lines import read_csv_lines


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a,b\n" + "x" * 51, "F, line 2 has more than 50 characters, the most that is read."),
        ("a,b\n" + "," * 30, "F, line 2 has more than 20 fields, the most that is read."),
        ("a\n" + "\n" * 11, "F has more than 10 empty lines, and they are most of its lines."),
    ],
)
def test_lines_over_a_limit_are_refused(monkeypatch, content, sentence):
    for name, limit in {"LONGEST_LINE": 50, "MOST_FIELDS": 20, "MOST_BLANK_LINES": 10}.items():
        monkeypatch.setattr(table_lines, name, limit)
    with pytest.raises(DataError) as caught:
        list(read_csv_lines(io.StringIO(content), "F"))
    assert str(caught.value) == sentence


def test_other_lines_come_as_they_are():
    lines = ["a,b\r\n", "1,2\n", "\n", "3,4"]
    assert list(read_csv_lines(io.StringIO("".join(lines), newline=""), "F")) == lines
