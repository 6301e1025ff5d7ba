"""Files of text that are compressed with gzip or Zstandard: unpacked while they are read, up to a limit."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pyarrow as pa

from isocompute.errors import DataError
from isocompute.runners.parsing.printable import describe_reason
from isocompute.runners.storage.files import open_regular_file

MAX_UNPACKED_BYTES = 2**34
"""Bytes that are unpacked from one file; a small file can unpack to a huge one."""

FREE_BYTES = 2**30
"""Bytes that are unpacked from any file, however small."""

MOST_UNPACKED_GROWTH = 200
"""The most that a file of more than `FREE_BYTES` may grow: usual texts become 3 to 30 times as long."""

CODECS = {".gz": "gzip", ".zst": "zstd"}
"""Names of compressions by the endings that they add to a file's name."""

TEXT_ENDINGS = (".jsonl", ".json", ".csv", ".yaml", ".yml")
"""Endings of files that may be compressed."""


def get_file_ending(path: Path) -> str:
    """Return the ending of a file's name, without that of its compression.

    >>> [get_file_ending(Path(name)) for name in ("a.jsonl", "a.jsonl.gz", "a.parquet.gz")]
    ['.jsonl', '.jsonl', '.gz']
    """
    within = Path(path.stem).suffix
    return within if path.suffix in CODECS and within in TEXT_ENDINGS else path.suffix


def strip_file_ending(path: Path) -> str:
    """Return a file's name without its ending and that of its compression.

    >>> [strip_file_ending(Path(name)) for name in ("a.b.jsonl", "a.jsonl.gz", "a")]
    ['a.b', 'a', 'a']
    """
    return path.stem if get_file_ending(path) == path.suffix else Path(path.stem).stem


def open_source_file(path: Path) -> io.BufferedReader:
    """Open a file for reading; one of text is unpacked if its name says that it is compressed.

    Raises:
        DataError: it cannot be read.
    """
    try:
        file = open_regular_file(path)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}.") from None
    is_packed = path.suffix in CODECS and get_file_ending(path) != path.suffix
    return io.BufferedReader(UnpackedStream(path, file)) if is_packed else file


def measure_position(file: io.BufferedReader) -> int:
    """Return the bytes that have been read of a file, before they are unpacked."""
    return file.raw.packed.tell() if isinstance(file.raw, UnpackedStream) else file.tell()


class UnpackedStream(io.RawIOBase):
    """The content of a compressed file.

    Args:
        path: the file.
        packed: the same, opened.

    Raises:
        DataError: when it is read: it is damaged, longer than `MAX_UNPACKED_BYTES`, or grows out of proportion.
    """

    def __init__(self, path: Path, packed: io.BufferedReader) -> None:
        self.path, self.packed = path, packed
        self.codec = CODECS[path.suffix]
        self.unpacked: Any = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), self.codec)
        self.bytes_unpacked = 0
        size = os.fstat(packed.fileno()).st_size
        self.most_bytes = min(MAX_UNPACKED_BYTES, max(FREE_BYTES, MOST_UNPACKED_GROWTH * size))

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes into a buffer, and return their number."""
        try:
            content = self.unpacked.read(len(buffer))
        except (pa.ArrowException, OSError) as error:
            reason = describe_reason(error)
            raise DataError(f"'{self.path}' is not a whole {self.codec} file: {reason}.") from None
        self.bytes_unpacked += len(content)
        if self.bytes_unpacked > self.most_bytes:
            raise DataError(
                f"'{self.path}' unpacks to more than {self.most_bytes:,} bytes, the most that is read of a file of its "
                "size."
            )
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        """Close the file."""
        self.packed.close()
        super().close()
