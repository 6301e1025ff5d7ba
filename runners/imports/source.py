"""Safe reading of foreign files and folders: no code is run, and nothing fills the memory."""

from __future__ import annotations

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from isocompute.errors import DataError
from isocompute.runners.documents import parse_json
from isocompute.runners.storage.provenance import LOGGED_GRADER

MAX_DOCUMENT_BYTES = 256 * 2**20
"""Bytes of the largest document that is read at once: a line, a file of YAML or JSON, a member of an archive."""

MAX_YAML_DEPTH = 60
"""Most nested blocks of a YAML file; libyaml's own parser overflows the stack on deeper ones."""

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
        columns: of a table: maps its column names to the names here.
        filter: the filter of a log whose answers are taken; the first if not given.
        scorer: the scorer or metric of a log that says right or wrong; the first that does if not given.
        grader: the grader that was asked for, if any.

    Attributes:
        file_count: files that `find_files` and `count_files` returned.
        total_bytes: bytes in them.
        bytes_read: bytes read so far.
        seen_columns: columns of a table that were seen, in order.
        notes: what was chosen in the source, in sentences.
        has_text_grader: whether the grader that was asked for reads the texts, whatever the log says of them.
        used_columns: of those, the ones that are read, with their names here.

    Raises:
        DataError: there is nothing at the path.
    """

    def __init__(
        self,
        path: str,
        columns: Mapping[str, str] | None = None,
        filter: str | None = None,
        scorer: str | None = None,
        grader: str | None = None,
    ) -> None:
        self.path, self.filter, self.scorer = Path(path), filter, scorer
        self.has_text_grader = grader not in (None, LOGGED_GRADER)
        self.notes: list[str] = []
        self.columns = dict(columns or {})
        self.total_bytes = self.bytes_read = self.file_count = 0
        self.seen_columns: dict[str, None] = {}
        self.used_columns: dict[str, str] = {}
        if not self.path.exists():
            raise DataError(f"There is no file or folder '{path}' to import.")

    def find_files(self, *endings: str, pattern: str = "*") -> list[Path]:
        """Return the file, or the folder's files with one of the endings, 2 before 10.

        Raises:
            DataError: there are none.
        """
        if self.path.is_file():
            paths = [self.path] if self.path.suffix in endings else []
        else:
            paths = [path for path in self.path.glob(pattern) if path.suffix in endings and path.is_file()]
        if not paths:
            what = "is not a" if self.path.is_file() else "has no"
            raise DataError(f"'{self.path}' {what} {' or '.join(endings)} file, which this format needs.")
        return self.count_files(paths)

    def count_files(self, paths: list[Path]) -> list[Path]:
        """Return files in natural order, and add them to the totals."""
        self.file_count += len(paths)
        self.total_bytes += sum(path.stat().st_size for path in paths)
        return sorted(paths, key=get_natural_key)

    def read_json_lines(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the objects of a JSON-lines file, each with its location.

        Raises:
            DataError: a line is too long, is not an object, or repeats a key.
        """
        with open_source_file(path) as file:
            number = 0
            while line := file.readline(MAX_DOCUMENT_BYTES + 1):
                number += 1
                self.bytes_read += len(line)
                where = f"{path}, line {number}"
                if len(line) > MAX_DOCUMENT_BYTES:
                    raise DataError(
                        f"{where} is longer than {MAX_DOCUMENT_BYTES:,} bytes, the most that is read at once."
                    )
                if line.strip():
                    yield where, require_block(parse_json(line, where), where)

    def read_json(self, path: Path) -> Any:
        """Return the content of a JSON file.

        Raises:
            DataError: it is too large, not JSON, or repeats a key.
        """
        return parse_json(self._read_whole_file(path), str(path))

    def read_yaml(self, path: Path) -> dict[str, Any]:
        """Return the block of keys of a YAML file, with plain values only, no aliases and no tags.

        Raises:
            DataError: it is too large, not YAML, nested too deep, or not a block.
        """
        content = self._read_whole_file(path)
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

    def _read_whole_file(self, path: Path) -> bytes:
        with open_source_file(path) as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
        self.bytes_read += len(content)
        if len(content) > MAX_DOCUMENT_BYTES:
            raise DataError(f"{path} is larger than {MAX_DOCUMENT_BYTES:,} bytes, the most that is read at once.")
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
        self.names = sorted(self.zip.namelist(), key=get_natural_key)

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
        if len(content) > MAX_DOCUMENT_BYTES:
            raise DataError(f"{where} is larger than {MAX_DOCUMENT_BYTES:,} bytes, the most that is read at once.")
        return require_block(parse_json(content, where), where)

    def _read_member(self, info: zipfile.ZipInfo) -> bytes:
        """Return the content of a member, up to one byte more than the limit."""
        if info.compress_type != ZSTANDARD_METHOD:
            with self.zip.open(info) as member:
                return member.read(MAX_DOCUMENT_BYTES + 1)
        with self.path.open("rb") as file:
            file.seek(info.header_offset)
            name, extra = struct.unpack("<26xHH", file.read(30))
            file.seek(name + extra, 1)
            packed = file.read(min(info.compress_size, MAX_DOCUMENT_BYTES))
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
            return bytes(stream.read(MAX_DOCUMENT_BYTES + 1))


def get_natural_key(path: Path | str) -> list[tuple[int, str]]:
    """Return a key that sorts names in natural order: ``2.yaml`` before ``10.yaml``."""
    parts = re.split(r"([0-9]{1,18})", str(path))
    return [(int(part), "") if i % 2 else (-1, part) for i, part in enumerate(parts)]


def open_source_file(path: Path) -> Any:
    """Open a file for reading.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}.") from None


def require_block(value: Any, where: str) -> dict[str, Any]:
    """Return a value that must be a block of keys.

    Raises:
        DataError: it is something else.
    """
    if not isinstance(value, dict):
        raise DataError(f"{where} does not hold a block of keys.")
    return value


def parse_plain_yaml(content: str, where: str) -> Any:
    """Return the content of a YAML document, built event by event.

    An alias can expand a small file to a huge value, and deep nesting overflows the stack of libyaml's own composer.

    Raises:
        DataError: there is an alias, or nesting is too deep.
        yaml.YAMLError: it is not YAML, or a value is not plain.
    """
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(content)
    root: list[Any] = []
    within: list[list[Any]] = [root]  # the contents so far of the open blocks
    try:
        event: Any = loader.get_event()
        while not isinstance(event, yaml.StreamEndEvent | yaml.DocumentEndEvent):
            start, end = event.start_mark, event.end_mark
            line = f"{where}, line {start.line + 1}"
            if isinstance(event, yaml.AliasEvent):
                raise DataError(f"{line}: aliases are not supported; found '*{event.anchor}'.")
            if isinstance(event, yaml.ScalarEvent):
                tag = event.tag if event.tag not in (None, "!") else None
                tag = tag or loader.resolve(yaml.ScalarNode, event.value, event.implicit)
                within[-1].append(loader.construct_object(yaml.ScalarNode(tag, event.value, start, end)))
            elif isinstance(event, yaml.CollectionStartEvent):
                if len(within) > MAX_YAML_DEPTH:
                    raise DataError(f"{line}: blocks are nested more than {MAX_YAML_DEPTH} deep.")
                within.append([])
            elif isinstance(event, yaml.CollectionEndEvent):
                items = within.pop()
                within[-1].append(build_yaml_block(items, line) if isinstance(event, yaml.MappingEndEvent) else items)
            event = loader.get_event()
    finally:
        loader.dispose()
    return root[0] if root else None


def build_yaml_block(items: list[Any], where: str) -> dict[Any, Any]:
    """Return alternating keys and values as a block.

    Raises:
        DataError: a key is not a plain value, or is repeated.
    """
    keys = items[::2]
    if any(isinstance(key, list | dict) for key in keys) or len(set(keys)) < len(keys):
        raise DataError(f"{where}: in the block that ends here, a key is a block or appears twice.")
    return dict(zip(keys, items[1::2], strict=True))
