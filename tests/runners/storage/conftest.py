"""A whole run for the tests of what is wrong with one, and ways to make it so."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run

BUCKETS = itertools.count(1)


@pytest.fixture
def run(written_run):
    """Four problems, six solutions of each, three verifications of each, in one part a table."""
    return Run(written_run)


def put_rows(run, table, rows, part=0):
    """Write rows as a part, whatever they are."""
    loose = pa.schema([field.with_nullable(True) for field in table.schema])
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=loose), sink)
    run.fs.pipe_file(f"{run.root}/{table.name}/part-{part:05d}.parquet", sink.getvalue())


@pytest.fixture
def put():
    """Writes rows as a part, whatever they are."""
    return put_rows


@pytest.fixture
def change():
    """Changes cells, given as column=(row, value)."""

    def change_cells(run, table, **cells):
        rows = run.read_table(table).to_pylist()
        for column, (row, value) in cells.items():
            rows[row][column] = value
        put_rows(run, table, rows)

    return change_cells


@pytest.fixture
def add():
    """Adds a part of rows that are the table's first one but for what is given."""

    def add_rows(run, table, *rows, part=1):
        first = run.read_table(table).to_pylist()[0]
        put_rows(run, table, [{**first, **row} for row in rows], part)

    return add_rows


@pytest.fixture
def files():
    """Reads every file of a run."""

    def read_files(run):
        return {str(path): path.read_bytes() for path in sorted(Path(run.path).rglob("*")) if path.is_file()}

    return read_files


@pytest.fixture
def asked_again(scripted, small):
    """Sweeps the run again, and returns what was asked for."""

    def sweep_again():
        engine = scripted()
        run_sweep(small(), load=engine)
        return sorted((request.key[0].name, *request.key[1:]) for request in engine.asked)

    return sweep_again


@pytest.fixture(scope="session")
def s3_server():
    """A server of S3's protocol on the loopback."""
    pytest.importorskip("s3fs")
    pytest.importorskip("moto")
    from tests.runners.storage.s3_server import S3Server

    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch):
    """The server with a new bucket, a network without faults, and the environment that leads to it."""
    import fsspec

    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # one of another test leads to another server
    s3_server.network.heal()
    s3_server.bucket = f"bucket-{next(BUCKETS)}"
    fsspec.filesystem("s3").mkdir(s3_server.bucket)
    s3_server.network.heal()
    yield s3_server
    s3_server.network.heal()
    fsspec.get_filesystem_class("s3").clear_instance_cache()
