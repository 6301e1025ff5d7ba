"""Names of parts: which part numbers an object holds, and which of a table's objects are read.

    part-00042.parquet, part-00042-TOKEN.parquet    part 42, as it was written; the token is the writer's
    parts-00000064-00000128-TOKEN.parquet           the 64 parts from number 128 on, joined
    void-00043-TOKEN                                part 43 is not read: a writer that lost its run may still send it
    closed-00043-TOKEN                              parts 43 and later of the writer TOKEN are not read, for that reason

Names alone say what is read, so one request publishes a joined part and retires those it was joined from. Joined parts
begin at a multiple of their size, which is a power of two; of any two, one holds the other or they have no part in
common. In the order of names, what retires a part comes after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

JOINED_FORMAT = 3
"""The format of runs whose parts may be joined or void: format 2, in which these names are known."""

PART_FILE_PATTERN = re.compile(
    r"/(?:part-(?P<part>\d+)(?:-(?P<writer>[0-9a-f]+))?\.parquet|parts-(?P<size>\d+)-(?P<first>\d+)-[0-9a-f]+\.parquet"
    r"|void-(?P<void>\d+)-[0-9a-f]+|closed-(?P<closed>\d+)-(?P<closed_writer>[0-9a-f]+))$"
)
"""Names of the files of a table."""


@dataclass(frozen=True)
class NamedPart:
    """A file of a table, and the part numbers that it holds.

    Args:
        path: the file.
        first: the first number.
        size: how many numbers it holds.
        retires: whether other files with these numbers are not read.
        is_void: whether it holds no rows, and only retires.
        writer: the token of the writer of a part as it was written; empty without one.
        is_closing: whether it holds no rows, and only says that parts of its writer are not read from its number on.
    """

    path: str
    first: int
    size: int = 1
    retires: bool = False
    is_void: bool = False
    writer: str = ""
    is_closing: bool = False

    @property
    def end(self) -> int:
        """The number after the last one."""
        return self.first + self.size


def parse_part_name(path: str) -> NamedPart | None:
    """Return the part that a path names; None if it names no part."""
    found = PART_FILE_PATTERN.search(path)
    if found is None:
        return None
    if found["part"] is not None:
        return NamedPart(path, int(found["part"]), writer=found["writer"] or "")
    if found["closed"] is not None:
        return NamedPart(path, int(found["closed"]), writer=found["closed_writer"], is_closing=True)
    if found["void"] is not None:
        return NamedPart(path, int(found["void"]), retires=True, is_void=True)
    return NamedPart(path, int(found["first"]), int(found["size"]), retires=True)


def name_joined_part(first: int, size: int, token: str) -> str:
    """Return the name of a joined part.

    >>> name_joined_part(128, 64, "0a1b")
    'parts-00000064-00000128-0a1b.parquet'
    """
    return f"parts-{size:08d}-{first:08d}-{token}.parquet"


def name_void_part(number: int, token: str) -> str:
    """Return the name that says that a part is not read."""
    return f"void-{number:05d}-{token}"


def name_closing(number: int, writer: str) -> str:
    """Return the name that says that a writer's parts are not read from a number on."""
    return f"closed-{number:05d}-{writer}"


def is_joined(path: str) -> bool:
    """Return whether a path names a joined part."""
    part = parse_part_name(path)
    return part is not None and part.retires and not part.is_void


def is_closing(path: str) -> bool:
    """Return whether a path says that a writer's parts are not read any more."""
    part = parse_part_name(path)
    return part is not None and part.is_closing


def select_parts(paths: Iterable[str]) -> tuple[list[NamedPart], list[NamedPart]]:
    """Return the parts of a table that are read, in the order of writing, and the retired files, which may be deleted.

    >>> read, retired = select_parts(["t/part-00000.parquet", "t/part-00001.parquet", "t/part-00002.parquet",
    ...                               "t/parts-00000002-00000000-0a.parquet", "t/void-00002-0a"])
    >>> [part.path for part in read], len(retired)
    (['t/parts-00000002-00000000-0a.parquet'], 3)
    >>> read, _ = select_parts(["t/part-00000-0a.parquet", "t/part-00001-0a.parquet", "t/part-00001-0b.parquet",
    ...                         "t/closed-00001-0a"])
    >>> [part.path for part in read]
    ['t/part-00000-0a.parquet', 't/part-00001-0b.parquet']
    """
    named = [part for path in paths if (part := parse_part_name(path)) is not None]
    closed: dict[str, int] = {}
    for part in named:
        if part.is_closing:
            closed[part.writer] = min(part.first, closed.get(part.writer, part.first))
    named = [part for part in named if not part.is_closing]
    named.sort(key=lambda part: (part.first, -part.size, not part.retires, part.path))
    read: list[NamedPart] = []
    retired: list[NamedPart] = []
    covered = 0
    for part in named:
        if part.end <= covered or (part.writer in closed and part.first >= closed[part.writer]):
            retired.append(part)
            continue
        if part.retires:
            covered = part.end
        if not part.is_void:
            read.append(part)
    return read, retired


def find_next_number(paths: Iterable[str]) -> int:
    """Return the number of the next part of a table.

    >>> find_next_number(["t/part-00002.parquet", "t/parts-00000004-00000000-0a.parquet"])
    4
    """
    parts = (part for path in paths if (part := parse_part_name(path)) is not None)
    return max((part.end for part in parts if not part.is_closing), default=0)


@dataclass(frozen=True)
class Block:
    """Part numbers that are to be joined."""

    first: int
    size: int
    parts: tuple[NamedPart, ...]


def choose_blocks(
    parts: list[NamedPart], sizes: dict[str, int], least: int, factor: int, most_bytes: int
) -> list[Block]:
    """Return the largest blocks of parts to join, in order.

    Only blocks whose numbers are all taken are joined, because further parts would be retired as they are written.

    Args:
        parts: the parts that are read.
        sizes: the bytes of each path.
        least: the numbers of the smallest block, a power of two.
        factor: how many blocks make the next larger one, a power of two.
        most_bytes: the most bytes of a block.

    >>> parts = [NamedPart(f"t/part-{i:05d}.parquet", i) for i in range(7)]
    >>> [(b.first, b.size) for b in choose_blocks(parts, {p.path: 1 for p in parts}, least=2, factor=2, most_bytes=3)]
    [(0, 2), (2, 2), (4, 2)]
    """
    end = max((part.end for part in parts), default=0)
    widths = [least]
    while widths[-1] * factor <= end:
        widths.append(widths[-1] * factor)
    left = parts
    blocks: list[Block] = []
    for width in reversed(widths):
        inside: dict[int, list[NamedPart]] = {}
        for part in left:
            if part.size < width and (part.first // width + 1) * width <= end:
                inside.setdefault(part.first // width, []).append(part)
        chosen = {
            place: Block(place * width, width, tuple(those))
            for place, those in inside.items()
            if len(those) > 1 and sum(sizes[part.path] for part in those) <= most_bytes
        }
        blocks += chosen.values()
        left = [part for part in left if part.size >= width or part.first // width not in chosen]
    return sorted(blocks, key=lambda block: block.first)
