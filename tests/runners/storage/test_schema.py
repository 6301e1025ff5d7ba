from __future__ import annotations

import pyarrow as pa
import pytest

from isocompute.errors import DataError
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, TABLES, VERIFICATIONS_TABLE


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_a_table_declares_each_column_once_with_a_meaning(table):
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    assert all(column.meaning for column in table.columns)
    unsaid = {"beam_width", "lookahead", "seed"}  # of a search that was imported, which may not say its settings
    assert not any(column.null for column in table.columns[: table.key] if column.name not in unsaid)


def test_keys_are_what_a_row_is_asked_for_by():
    assert PROBLEMS_TABLE.key_names == ["problem_id"]
    assert SOLUTIONS_TABLE.key_names == ["problem_id", "solution_id"]
    assert VERIFICATIONS_TABLE.key_names == ["problem_id", "solution_id", "verification_id"]


def test_what_is_sampled_has_a_status_and_may_be_retried():
    assert [name for name, table in TABLES.items() if table.has_status] == list(TABLES)[1:-1]


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_a_table_accepts_its_own_schema_in_any_order(table):
    table.find_columns(table.schema, "part")
    table.find_columns(pa.schema(reversed(list(table.schema))), "part")


def test_a_foreign_schema_is_refused_with_file_and_column():
    schema = PROBLEMS_TABLE.schema.set(0, pa.field("problem_id", pa.int64()))
    with pytest.raises(DataError) as caught:
        PROBLEMS_TABLE.find_columns(schema, "run/problems/part-00000.parquet")
    assert str(caught.value) == (
        "run/problems/part-00000.parquet: the column 'problem_id' is int64; it must be string."
    )


def test_a_column_that_stands_twice_is_said_to_stand_twice():
    for table in TABLES.values():
        twice = table.columns[-1]
        schema = table.schema.append(pa.field(twice.name, twice.type))
        with pytest.raises(DataError) as caught:
            table.find_columns(schema, "part")
        assert str(caught.value) == f"part: the column '{twice.name}' appears twice; each column may appear only once."
