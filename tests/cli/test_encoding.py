"""Terminals without Unicode: every command prints ASCII there, by real processes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress, SpinnerColumn

from isocompute.cli import encoding

ROOT = Path(__file__).resolve().parents[2]
C_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ASCII, CP1252 = {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "cp1252"}


def run_process(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONIOENCODING", "PYTHONUTF8")}
    return subprocess.run(
        [sys.executable, "-m", "isocompute", *arguments],
        env=kept | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "80"} | environment,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["plan", "--budget", "16x", "--profile", "lab"], ASCII, "lambda = 1.07"),
        (["plan", "--budget", "16x", "--profile", "lab"], CP1252, "lambda = 1.07"),
        (["difficulty", "--help"], C_LOCALE, "+- Options ---"),
    ],
)
def test_a_command_replaces_what_the_terminal_lacks(arguments, environment, said):
    done = run_process(arguments, environment)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode("cp1252" if environment is CP1252 else "ascii")
    assert said in text
    assert "?" not in text


def test_an_error_is_a_sentence_there_too():
    done = run_process(["plan", "--budget", "8x", "--profile", "nowhere λ"], ASCII)
    assert done.returncode == 2
    assert b"'nowhere lambda'" in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.soak
@pytest.mark.parametrize("environment", [ASCII, CP1252, C_LOCALE])
def test_every_screen_is_ascii(environment, written_run, tmp_path):
    run, profile = str(written_run), str(tmp_path / "p.json")
    for arguments in (
        ["fit", run, "-o", profile],
        ["policies", run, "--budget", "4x"],
        ["difficulty", "lab", "--bins", "oracle"],
        ["figures", profile, "-o", str(tmp_path / "figures")],
        ["tree", str(ROOT / "data" / "runs" / "lab-search"), "lab-3-1-0"],
        ["runs", run],
        ["check", run],
        ["tasks"],
        ["--help"],
    ):
        done = run_process(arguments, environment)
        assert b"Traceback" not in done.stderr, arguments
        done.stdout.decode("cp1252" if environment is CP1252 else "ascii")


def test_progress_is_shown_in_ascii():
    encoding.replace_unknown_characters()
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors=encoding.HANDLER)
    console = Console(file=stream, force_terminal=True, width=60, legacy_windows=False)
    with Progress(SpinnerColumn(), console=console) as progress:
        progress.add_task("λ × …", total=2, completed=1)
    with console.status("estimating …"):
        pass
    console.print("λ × …")
    stream.flush()
    assert b"lambda x ..." in stream.buffer.getvalue()


def test_json_stays_json_without_unicode(monkeypatch):
    done = run_process(["plan", "--budget", "8x", "--profile", "llama-3.1-8b-math", "--json"], ASCII)
    assert json.loads(done.stdout.decode("ascii"))["recommendation"]["strategy"] == "sc"
