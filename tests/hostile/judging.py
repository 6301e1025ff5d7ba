"""What is right after a hostile input: its exit code, its output, its time, its memory, and the files it left."""

from __future__ import annotations

import json
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from tests.hostile.cases import HostileInput

MOST_MEMORY = 1.5e9
MOST_OUTPUT = 1_000_000
LONGEST_SENTENCE = 1500
"""Characters of an error: a sentence that quotes up to 200 characters a few times."""
TRACEBACK_SIGNS = ("Traceback (most recent call last)", "Exception ignored", "Fatal Python error", "Segmentation fault")
FOUND = (0, 2)
HIDDEN = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe0e\ufe0f\U000e0100\U000e0101"
"""Characters that have no picture, and that no category tells."""
FORGED_LINE = "error: all is well"
"""The second line of a text with line breaks, see `kinds.terminal`."""
MARKS_PATTERN = re.compile("[\u0300-\u036f\u0489]{7}")
"""Accents on a letter; a letter may bring two of its own when it is taken apart."""
LOCK_FILE = ".lock"
"""A run's lock, which is empty."""


@dataclass(frozen=True)
class Ending:
    """How a command ended; a code of None is one that was stopped for its time."""

    code: int | None
    seconds: float
    memory: int
    out: bytes
    err: bytes


def find_faults(case: HostileInput, ending: Ending, folder: Path) -> list[str]:
    """Return what is wrong with how a command ended."""
    faults = []
    if ending.code is None:
        faults.append(f"no end within {ending.seconds:.0f} s")
    elif not (ending.code in FOUND or (ending.code == 1 and case.command[:1] == ("check",))):
        faults.append(f"exit code {ending.code}")
    if ending.memory > MOST_MEMORY:
        faults.append(f"{ending.memory / 1e9:.1f} GB")
    for name, output in (("stdout", ending.out), ("stderr", ending.err)):
        faults += [f"{name}: {fault}" for fault in find_output_faults(output)]
    if ending.code == 2 and case.command:  # without a command help is printed
        faults += find_sentence_faults(ending.err)
    faults += find_left_files(case, ending, folder / "out")
    return faults


def find_output_faults(output: bytes) -> Iterator[str]:
    """Yield what is wrong with the output of a command."""
    if len(output) > MOST_OUTPUT:
        yield f"{len(output):,} bytes"
    try:
        text = output[: 2 * MOST_OUTPUT].decode("utf-8")
    except UnicodeDecodeError:
        text = output[: 2 * MOST_OUTPUT].decode("utf-8", "replace")
        yield "is not UTF-8"
    if wrong := sorted({c for c in text if c != "\n" and is_control(c)}):
        yield f"control characters {wrong[:5]}"
    if any(line.startswith(FORGED_LINE) for line in text.split("\n")):
        yield "a line of the input reads like a message"
    if MARKS_PATTERN.search(unicodedata.normalize("NFD", text)):
        yield "more marks on a letter than anybody writes"
    for sign in TRACEBACK_SIGNS:
        if sign in text:
            yield f"a traceback: {text.strip().splitlines()[-1][:200]}"


def is_control(character: str) -> bool:
    """Return whether a character moves the cursor, is not seen, or changes how others are shown."""
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or character in HIDDEN


def find_sentence_faults(err: bytes) -> Iterator[str]:
    """Yield what is wrong with the error of a refusal: it is one sentence, or a usage error."""
    text = err.decode("utf-8", "replace")
    if not text.strip():
        yield "refused without a word"
    elif "error: " in text:
        sentence = text[text.index("error: ") :]
        if sentence.count("\n") > 1:
            yield f"an error of {sentence.count(chr(10))} lines"
        if len(sentence) > LONGEST_SENTENCE:
            yield f"an error of {len(sentence):,} characters"
    elif "Usage:" not in text:
        yield f"neither an error nor a usage error: {text.strip()[:200]}"


def find_left_files(case: HostileInput, ending: Ending, out: Path) -> Iterator[str]:
    """Yield what is half-written in the folder of results."""
    if not out.is_dir():
        return
    found = [Path(folder, name) for folder, _, names in os.walk(out) for name in names]
    files = [path for path in found if stat.S_ISREG(path.lstat().st_mode)]
    made = {out / Path(name).relative_to("out") for name in case.files if name.startswith("out/")}
    for path in files:
        if path in made:
            continue
        inside = path.relative_to(out)
        if ending.code != 0 and not case.writes_rows:
            yield f"left out/{inside}"
        elif ".tmp" in path.name or (path.stat().st_size == 0 and path.name != LOCK_FILE):
            yield f"half-written out/{inside}"
        elif not is_whole_file(path):
            yield f"broken out/{inside}"


def is_whole_file(path: Path) -> bool:
    """Return whether a file can be read, if it is of a kind that can break off."""
    try:
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".parquet":
            pq.ParquetFile(path)
    except (ValueError, OSError):
        return False
    return True
