"""Changes bytes of a small Parquet file, and reads each in a forked child: python -m tests.hostile.flips COUNT SEED.

Prints which changes ended a child by a signal or with an exception that is no refusal.
"""

from __future__ import annotations

import io
import os
import random
import sys
import traceback
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from isocompute.errors import IsocomputeError
from isocompute.runners.storage.parquet_sizes import read_parquet_batches

COLUMNS = {
    "text": ["x", "y" * 300, None, "x"] * 50,
    "number": [1, 2, None, 4] * 50,
    "share": [0.5, 0.25, None, 1.0] * 50,
    "truth": [True, False, None, True] * 50,
    "list": [["a", None], [], None, ["b" * 40]] * 50,
    "block": [{"a": 1, "b": ["c"]}, {"a": None, "b": []}, None, {"a": 3, "b": None}] * 50,
}
SETTINGS: list[dict[str, object]] = [
    {"write_page_index": True},
    {"use_dictionary": False, "data_page_version": "2.0", "column_encoding": {"text": "DELTA_BYTE_ARRAY"}},
    {"row_group_size": 60, "data_page_size": 64, "use_dictionary": ["text", "number"]},
]


def write_tables() -> list[bytes]:
    """Return a table, written in different ways."""
    contents = []
    for settings in SETTINGS:
        written = io.BytesIO()
        pq.write_table(pa.table(COLUMNS), written, compression="zstd", **settings)
        contents.append(written.getvalue())
    return contents


def change_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return a file with one to three other bytes, in three of four cases in its footer."""
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    start, end = (footer, len(content) - 8) if rng.random() < 0.75 else (4, footer)
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        changed[rng.randrange(start, end)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return bytes(changed)


def read_file(content: bytes) -> None:
    """Read a file as the commands do, from a buffer and from a file that is open."""
    for open_source in (pa.BufferReader, io.BytesIO):
        try:
            source = open_source(content)
            file = pq.ParquetFile(source, page_checksum_verification=True)
            for batch in read_parquet_batches(file, source, file.schema_arrow.names, "F", 1000, usual=0.25):
                batch.to_pylist()
        except (pa.ArrowException, OSError, IsocomputeError, ValueError, OverflowError):
            continue


def find_deaths(count: int, seed: int) -> Iterator[str]:
    """Yield how children ended that should not have."""
    rng, contents = random.Random(seed), write_tables()
    for number in range(count):
        content = change_bytes(contents[number % len(contents)], rng)
        child = os.fork()
        if not child:
            code = 0
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                read_file(content)
            except BaseException:  # noqa: BLE001
                traceback.print_exc(file=sys.stdout)
                sys.stdout.flush()
                code = 1
            os._exit(code)
        if status := os.waitpid(child, 0)[1]:
            yield f"change {number} of seed {seed}: {os.waitstatus_to_exitcode(status)}"


if __name__ == "__main__":
    found = list(find_deaths(int(sys.argv[1]), int(sys.argv[2])))
    print("\n".join(found))
    raise SystemExit(bool(found))
