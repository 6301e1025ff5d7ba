"""Safe reading of foreign files and folders: no code is run, and nothing fills the memory."""

from __future__ import annotations

import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from isocompute.errors import DataError
from isocompute.runners.documents import NotJSONError, parse_json
from isocompute.runners.imports.file_kinds import identify_unreadable_file, refuse_unreadable_file
from isocompute.runners.imports.folders import describe_subfolders, get_natural_key, list_matching_files
from isocompute.runners.imports.options import ImportOptions
from isocompute.runners.imports.packed import get_file_ending, measure_position, open_source_file
from isocompute.runners.imports.plain_yaml import MAX_YAML_BYTES, parse_plain_yaml
from isocompute.runners.storage.files import open_regular_file
from isocompute.runners.storage.provenance import LOGGED_GRADER
from isocompute.runners.table_lines import require_few_blank_lines

MAX_DOCUMENT_BYTES = 256 * 2**20
"""Bytes of the largest document that is read at once: a line, a file of YAML or JSON, a member of an archive."""

ZSTANDARD_METHOD = 93
"""Zip's compression method for Zstandard, which Python's own library reads only from 3.14 on."""


ARCHIVE_ERRORS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, pa.ArrowException,
    EOFError, KeyError, NotImplementedError, OSError, RuntimeError, ValueError,
)  # fmt: skip
"""Exceptions raised by a damaged archive; RuntimeError by one with a password."""


class ImportSource:
    """The source of an import.

    Args:
        path: a file or a folder on a local disk.
        options: the options of the import.

    Attributes:
        columns: of a table: maps its column names to the names here.
        filter: the filter of a log whose answers are taken; the first if None.
        scorer: the scorer or metric of a log that says right or wrong; the first that does if None.
        deinterleave: whether completions are put back under their own problems.
        file_count: files that `find_files` and `count_files` returned.
        total_bytes: bytes in them.
        bytes_read: bytes read so far.
        bytes_unpacked: bytes of the documents that were read of an archive, or of the last whole file.
        seen_columns: columns of a table that were seen, in order.
        notes: what was chosen in the source, in sentences.
        has_text_grader: whether the grader that was asked for reads the texts, whatever the log says of them.
        used_columns: of those, the ones that are read, with their names here.

    Raises:
        DataError: there is nothing at the path.
    """

    def __init__(self, path: str, options: ImportOptions | None = None) -> None:
        options = options or ImportOptions()
        self.path = Path(path)
        self.filter, self.scorer, self.deinterleave = options.filter, options.scorer, options.deinterleave
        self.has_text_grader = options.grader not in (None, LOGGED_GRADER)
        self.notes: list[str] = []
        self.columns = dict(options.columns or {})
        self.total_bytes = self.bytes_read = self.bytes_unpacked = self.file_count = 0
        self.seen_columns: dict[str, None] = {}
        self.used_columns: dict[str, str] = {}
        if not self.path.exists():
            raise DataError(f"There is no file or folder '{path}' to import.")

    def find_files(self, *endings: str, pattern: str = "*") -> list[Path]:
        """Return the file, or the folder's files with one of the endings, 2 before 10.

        A text file may be compressed. A single .json file is taken where .jsonl is wanted, see `read_json_lines`.

        Raises:
            DataError: there are none, or one is not what its name says.
        """
        wanted = f"{' or '.join(endings)} file, which this format needs"
        if self.path.is_file():
            if get_file_ending(self.path) not in (*endings, *([".json"] if ".jsonl" in endings else [])):
                kind = identify_unreadable_file(self.path)
                raise DataError(f"'{self.path}' is {f'{kind}; it is ' if kind else ''}not a {wanted}.")
            return self.count_files([self.path])
        paths = list_matching_files(self.path, pattern, endings)
        if not paths:
            raise DataError(f"'{self.path}' has no {wanted}{describe_subfolders(self.path, pattern, endings)}.")
        return self.count_files(paths)

    def count_files(self, paths: list[Path]) -> list[Path]:
        """Return files in natural order, and add them to the totals.

        Raises:
            DataError: one is empty, or of a kind that cannot be read.
        """
        for path in paths:
            refuse_unreadable_file(path)
        self.file_count += len(paths)
        self.total_bytes += sum(path.stat().st_size for path in paths)
        return sorted(paths, key=get_natural_key)

    def read_json_lines(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the objects of a JSON-lines file, or of a JSON list over any number of lines, each with its location.

        Raises:
            DataError: a line is too long, is not an object, or repeats a key, or very many lines are empty.
        """
        before, number, blank, is_begun = self.bytes_read, 0, 0, False
        with open_source_file(path) as file:
            while line := file.readline(MAX_DOCUMENT_BYTES + 1):
                number += 1
                if line.isspace():
                    blank += 1
                    require_few_blank_lines(blank, number, str(path))
                    continue
                self.bytes_read = before + measure_position(file)
                where = f"{path}, line {number}"
                if len(line) > MAX_DOCUMENT_BYTES:
                    raise DataError(
                        f"{where} is longer than {MAX_DOCUMENT_BYTES:,} bytes, the most that is read at once."
                    )
                try:
                    value = parse_json(line, where)
                except NotJSONError:
                    if is_begun or path.stat().st_size > MAX_DOCUMENT_BYTES:
                        raise
                    self.bytes_read = before
                    yield from enumerate_blocks(self.read_json(path), path)
                    return
                if isinstance(value, list) and not is_begun:
                    yield from enumerate_blocks(value, path)
                else:
                    yield where, require_block(value, where)
                is_begun = True

    def scan_json_lines(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the objects of a JSON-lines file that is read once more afterwards.

        Raises:
            DataError: as `read_json_lines`.
        """
        self.total_bytes += path.stat().st_size
        yield from self.read_json_lines(path)

    def read_json(self, path: Path) -> Any:
        """Return the content of a JSON file.

        Raises:
            DataError: it is too large, not JSON, or repeats a key.
        """
        content = self._read_whole_file(path)
        try:
            return parse_json(content, str(path))
        except NotJSONError as error:
            raise NotJSONError(f"{str(error).rstrip('.')}{describe_json_fault(content)}.") from None

    def read_yaml(self, path: Path) -> dict[str, Any]:
        """Return the block of keys of a YAML file, with plain values only, no aliases and no tags.

        Raises:
            DataError: it is too large, has too many values, is not YAML, nested too deep, or not a block.
        """
        content = self._read_whole_file(path, MAX_YAML_BYTES)
        try:
            return require_block(parse_plain_yaml(content.decode("utf-8"), str(path)), str(path))
        except UnicodeDecodeError:
            raise DataError(f"{path} is not UTF-8 text.") from None
        except (yaml.YAMLError, ValueError) as error:  # ValueError: an invalid date or number
            if isinstance(error, DataError):
                raise
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark else ""
            said = getattr(error, "problem", None) or getattr(error, "reason", None) or error
            raise DataError(f"{path}{line}: not YAML: {said}.") from None

    def open_archive(self, path: Path) -> JsonArchive:
        """Open a zip archive."""
        self.bytes_read += path.stat().st_size
        return JsonArchive(path)

    def _read_whole_file(self, path: Path, most: int = MAX_DOCUMENT_BYTES) -> bytes:
        with open_source_file(path) as file:
            content = file.read(most + 1)
        self.bytes_read += path.stat().st_size
        self.bytes_unpacked = len(content)
        if len(content) > most:
            raise DataError(f"{path} is larger than {most:,} bytes, the most that is read at once.")
        return bytes(content)


class JsonArchive:
    """A zip archive of JSON documents.

    Raises:
        DataError: the file is not a zip archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.zip = zipfile.ZipFile(path)
        except ARCHIVE_ERRORS as error:
            raise DataError(f"{path} is not a zip archive: {str(error).rstrip('.')}.") from None
        self.names = sorted(
            set(self.zip.namelist()), key=get_natural_key
        )  # of a name that comes twice, the last counts
        self.bytes_unpacked = 0

    def __enter__(self) -> JsonArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self.zip.close()

    def read_json(self, name: str) -> dict[str, Any]:
        """Return the object in a member.

        Raises:
            DataError: it is damaged, too large, not an object, or repeats a key.
        """
        where = f"{self.path}, {name}"
        try:
            content = self._read_member(self.zip.getinfo(name))
        except ARCHIVE_ERRORS as error:
            raise DataError(f"{where} cannot be read: {str(error).rstrip('.')}.") from None
        self.bytes_unpacked += len(content)
        if len(content) > MAX_DOCUMENT_BYTES:
            raise DataError(f"{where} is larger than {MAX_DOCUMENT_BYTES:,} bytes, the most that is read at once.")
        return require_block(parse_json(content, where), where)

    def _read_member(self, info: zipfile.ZipInfo) -> bytes:
        """Return the content of a member, up to one byte more than the limit."""
        if info.compress_type != ZSTANDARD_METHOD:
            with self.zip.open(info) as member:
                return member.read(MAX_DOCUMENT_BYTES + 1)
        with open_regular_file(self.path) as file:
            file.seek(info.header_offset)
            name, extra = struct.unpack("<26xHH", file.read(30))
            file.seek(name + extra, 1)
            packed = file.read(min(info.compress_size, MAX_DOCUMENT_BYTES))
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
            return bytes(stream.read(MAX_DOCUMENT_BYTES + 1))


def enumerate_blocks(content: Any, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a JSON list, or a single object, each with its location."""
    if not isinstance(content, list):
        yield str(path), require_block(content, str(path))
        return
    for number, entry in enumerate(content, start=1):
        where = f"{path}, entry {number}"
        yield where, require_block(entry, where)


def describe_json_fault(content: bytes) -> str:
    """Return where a text stops being JSON, as the end of a sentence.

    >>> describe_json_fault(b'{"a": 1} {"a": 2}')
    ', but several objects over several lines each; write one a line, as `jq -c .` does'
    >>> describe_json_fault(b'[{"a": 1}, {"a"')
    ': it breaks off or is damaged in line 1'
    """
    try:
        json.loads(content)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and error.doc[error.pos] in "{[":
            return ", but several objects over several lines each; write one a line, as `jq -c .` does"
        return f": it breaks off or is damaged in line {error.lineno}"
    except UnicodeDecodeError:
        return ": it is not UTF-8 text"
    except RecursionError:
        return ": it is nested too deep"
    except ValueError:
        pass
    return ""


def require_block(value: Any, where: str) -> dict[str, Any]:
    """Return a value that must be a block of keys.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, dict):
        raise DataError(f"{where} does not hold a block of keys.")
    return value
