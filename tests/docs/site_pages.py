"""The blocks of the site's pages, and what each is for.

A block is a fence. Its language says what happens to it: `bash` and `console` are run by a shell, `python` is executed,
a block with a title is a file, `text` is what the block before it printed, and `math` is a formula. A comment before a
block may say more:

    <!-- soak: why -->                     it runs in `make soak` only
    <!-- soak, server: why -->             it goes on running until the page ends
    <!-- numbers differ … -->              an output is compared without its numbers
    <!-- NAME is PATH -->                  the page is given a file of the repository
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))

FENCE = re.compile(
    r"(?:^<!-- (?P<note>[^>]*) -->\n+)?^```(?P<language>\w*)(?P<rest>[^\n]*)\n(?P<body>.*?)^```$", re.M | re.S
)
GIVEN = re.compile(r"^<!-- (\S+) is (\S+) -->$", re.M)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    body: str
    note: str
    title: str | None
    line: int

    @property
    def is_soak(self) -> bool:
        return self.note.startswith("soak")

    @property
    def is_server(self) -> bool:
        return "server" in self.note.partition(":")[0]

    @property
    def has_other_numbers(self) -> bool:
        return self.note.startswith("numbers differ")


def read_blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        title = re.search(r'title="([^"]+)"', found["rest"])
        line = text.count("\n", 0, found.start()) + 1
        yield Block(found["language"], found["body"], found["note"] or "", title and title[1], line)


def read_given_files(page: Path) -> dict[str, str]:
    """Return the files of the repository that a page is given, by the names that it uses."""
    return dict(GIVEN.findall(page.read_text(encoding="utf-8")))
