"""Hostile inputs: the files to make, the command to run on them, and what it runs in."""

from __future__ import annotations

import importlib
import os
import random
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

KINDS_FOLDER = Path(__file__).parent / "kinds"
SEED = 21
"""Seed of the generators and of the samples."""

Maker = Callable[[Path], None]
"""A function that makes something at a path."""


@dataclass(frozen=True)
class HostileInput:
    """An input that may be refused, and must do no harm.

    Args:
        name: the kind and what is wrong; unique.
        command: the arguments of `isocompute`; paths are relative to the folder in which it runs.
        files: contents by path, or a function that makes what stands there.
        stdout: where standard output goes: "file", "full" (a full disk), "ascii" (a file, and a terminal without
            Unicode), or "closed".
        environment: variables that are set, or unset where the value is None.
        is_real: whether it runs as a command of its own, because it is about what is read while Python starts.
        lost_folder: whether the folder in which the command runs is deleted first.
        writes_rows: whether rows of an unfinished run may be left, as a sweep leaves them.
        slow: whether it takes seconds, and is left to `make soak`.
        unprivileged: whether it runs without the rights of root, who may read everything.
    """

    name: str
    command: tuple[str, ...]
    files: Mapping[str, bytes | str | Maker] = field(default_factory=dict)
    stdout: str = "file"
    environment: Mapping[str, str | None] = field(default_factory=dict)
    is_real: bool = False
    lost_folder: bool = False
    writes_rows: bool = False
    unprivileged: bool = False
    slow: bool = False

    def make_files(self, folder: Path) -> None:
        """Make the files in a folder, and an empty folder ``out`` for what the command writes."""
        (folder / "out").mkdir()
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if callable(content):
                content(path)
            else:
                path.write_bytes(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)


Generator = Callable[[random.Random], Iterator[HostileInput]]


def list_kinds() -> list[str]:
    """Return the names of the modules with generators."""
    return sorted(path.stem for path in KINDS_FOLDER.glob("*.py"))


def generate_inputs(kind: str) -> list[HostileInput]:
    """Return the inputs of a kind; the same in every process."""
    generator: Generator = importlib.import_module(f"tests.hostile.kinds.{kind}").generate
    return list(generator(random.Random(f"{kind} {SEED}")))


def draw_inputs(inputs: list[HostileInput], count: int, purpose: str) -> set[str]:
    """Return the names of a sample of inputs, the same in every process."""
    names = sorted(each.name for each in inputs if not (each.slow or each.is_real))
    return set(random.Random(f"{purpose} {SEED}").sample(names, min(count, len(names))))


def copy_folder(source: Path, change: Maker | None = None) -> Maker:
    """Return a function that copies a folder, and changes the copy."""

    def make(path: Path) -> None:
        shutil.copytree(source, path)
        if change is not None:
            change(path)

    return make


def make_folder(path: Path) -> None:
    """Make an empty folder."""
    path.mkdir()


def make_fifo(path: Path) -> None:
    """Make a named pipe, which nobody writes."""
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    """Make a socket, to which nobody listens."""
    with socket.socket(socket.AF_UNIX) as made:
        # the longest path of a socket is short
        before = os.getcwd()
        os.chdir(path.parent)
        try:
            made.bind(path.name)
        finally:
            os.chdir(before)


def link_to(target: str | Path) -> Maker:
    """Return a function that makes a symbolic link."""
    return lambda path: path.symlink_to(target)
