"""The outputs of commands that README files show, made anew.

    python -m experiments.shown_outputs [FILE …]

A block of code is one if its first line is ``$ command``, or if the line above it ends with `` `command`: ``, where the
command is ``plan`` or ``isocompute fit``. They run beside the shipped data, so that a fit renews a bundled profile;
what they write elsewhere is deleted.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILES = ("data/runs/*/README.md", "README.md")
COLUMNS = "104"
SHOWN = re.compile(r"`((?:plan|isocompute fit) [^`]*)`:\n\n```\n(.*?)```", re.DOTALL)
TYPED = re.compile(r"```\n\$ (plan [^\n]*)\n(.*?)```", re.DOTALL)


def run_command(command: str, folder: Path) -> str:
    """Run a command of the package in a folder and return what it prints."""
    words = shlex.split(command)
    words = words[1:] if words[0] == "isocompute" else words
    done = subprocess.run(
        [sys.executable, "-m", "isocompute", *words],
        cwd=folder,
        env=os.environ | {"COLUMNS": COLUMNS, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def renew_outputs(path: Path, folder: Path) -> None:
    """Replace the outputs that a file shows by what the commands print in a folder."""
    text = path.read_text(encoding="utf-8")
    text = SHOWN.sub(lambda shown: f"`{shown[1]}`:\n\n```\n{run_command(shown[1], folder)}```", text)
    text = TYPED.sub(lambda shown: f"```\n$ {shown[1]}\n{run_command(shown[1], folder)}```", text)
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Renew the files that are named, or all that show outputs."""
    named = [Path(name).resolve() for name in sys.argv[1:]]
    paths = named or [path for pattern in FILES for path in sorted(ROOT.glob(pattern))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").mkdir()
        for part in ("lab", "runs", "published", "profiles"):
            (folder / "data" / part).symlink_to(ROOT / "data" / part)
        for path in paths:
            renew_outputs(path, folder)


if __name__ == "__main__":
    main()
