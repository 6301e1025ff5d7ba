"""Kinds of files that cannot be imported as they are, recognised by their beginning."""

from __future__ import annotations

import re
from pathlib import Path

from isocompute.errors import DataError
from isocompute.runners.imports.packed import CODECS, get_file_ending
from isocompute.runners.storage.files import open_regular_file

HEAD_BYTES = 4096
"""Bytes at the beginning of a file that tell its kind."""

LFS_POINTER = "a Git LFS pointer, not the data; run `git lfs pull`"
PICKLE = "a pickle, which may run code when it is read; save its content as JSON or as a table"
UTF_16 = "text in UTF-16; save it as UTF-8"

FILE_KINDS: tuple[tuple[bytes, str, tuple[str, ...]], ...] = (
    (rb"\s{,4095}\Z", "empty", ()),
    (rb"version https://(git-lfs|hawser)\.github\.com/", LFS_POINTER, ()),
    (rb"(\.\./|/)*(\.git/)?annex/objects/", "a git-annex pointer, not the data; run `git annex get`", ()),
    (rb"\s*(?i:<!doctype html|<html)", "a web page, not the data; download the file itself", ()),
    (rb"\x1f\x8b", "compressed with gzip; only text is read so, from a name such as x.jsonl.gz; unpack it", (".gz",)),
    (rb"\x28\xb5\x2f\xfd", "compressed with zstd; only text is read so, from a name such as x.jsonl.zst; unpack it",
     (".zst",)),
    (rb"BZh\d1AY", "compressed with bzip2; unpack it", ()),
    (rb"\xfd7zXZ\0", "compressed with xz; unpack it", ()),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it", ()),
    (rb"PK\x03\x04", "a zip archive; unpack it", (".eval", ".npz")),
    (rb"(?s:.{257})ustar", "a tar archive; unpack it", ()),
    (rb"PAR1", "a Parquet file; give it the ending .parquet", (".parquet",)),
    (rb"\x80[\x02-\x05]", PICKLE, ()),
    (rb"\xff\xfe|\xfe\xff", UTF_16, ()),
    (rb"SQLite format 3\0", "an SQLite database; export its table as CSV", ()),
    (rb"%PDF-", "a PDF, not the data", ()),
)  # fmt: skip
"""Each kind: a pattern of its beginning, what it is in words, and the endings with which it can be read."""


def identify_unreadable_file(path: Path) -> str | None:
    """Return what a file is, in words, if it cannot be read as what its name says; None if it may.

    Raises:
        DataError: the file cannot be opened.
    """
    try:
        with open_regular_file(path) as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}.") from None
    is_packed = get_file_ending(path) != path.suffix
    for pattern, description, endings in FILE_KINDS:
        if re.match(pattern, head):
            is_expected = path.suffix in endings and (is_packed or path.suffix not in CODECS)
            return None if is_expected else description
    return f"not compressed with {CODECS[path.suffix]}, as its name says" if is_packed else None


def refuse_unreadable_file(path: Path) -> None:
    """Raise if a file is of a kind that cannot be read.

    Raises:
        DataError: it is; the message says what it is, and what helps.
    """
    if description := identify_unreadable_file(path):
        raise DataError(f"'{path}' is {description}.")
