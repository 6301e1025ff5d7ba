"""Every command and every Python snippet of the hand-written pages runs, and prints what the page shows."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from isocompute.cli import main as cli
from tests.docs import site_pages
from tests.docs.site_pages import ROOT, Block, read_blocks, read_given_files

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
PAGES = [page for page in site_pages.PAGES if any(read_blocks(page))]
TUTORIAL = ROOT / "docs" / "tutorial.md"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
Servers = dict[str, "subprocess.Popen[bytes]"]
OWN = re.compile(r"(isocompute|plan) [^|><;&]*")


class Reader:
    """Somebody who follows a page in a folder: writes its files, runs its commands, compares what they print."""

    def __init__(self, folder: Path, models: Servers, export: Callable[[str, str], None]) -> None:
        self.folder = folder
        self.models = models
        self.export = export
        self.names: dict[str, object] = {"__name__": "__main__"}
        self.servers: Servers = {}
        self.printed = ""
        self.packages = folder / ".packages"
        programs = folder / ".programs"
        programs.mkdir()
        for name, module in {"isocompute": "main", "plan": "plan_main"}.items():
            code = f"import sys; sys.argv[0] = '{name}'; from isocompute.cli.main import {module}; {module}()"
            (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
            (programs / name).chmod(0o755)
        path = [str(self.packages), str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(path),
            "COLUMNS": "104",
            "no_proxy": "*",
        }

    def follow(self, block: Block) -> None:
        """Do what a block asks."""
        if block.language in {"bash", "console"}:
            shown: list[str] = []
            commands = join_lines(block.body)
            self.printed = ""
            for line in commands:
                if block.language == "bash" or line.startswith("$ "):
                    self.printed += self.run(line.removeprefix("$ "), block)
                else:
                    shown.append(line)
            if block.language == "console":
                check_output("\n".join(shown), self.printed, block)
        elif block.language == "python":
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(compile(block.body, f"line {block.line}", "exec"), self.names)
            self.printed = said.getvalue()
        elif block.language == "text":
            check_output(block.body, self.printed, block)
        else:
            assert block.language == "math", f"line {block.line}: a block of '{block.language}' is never run"

    def run(self, command: str, block: Block) -> str:
        """Run a command and return what it prints; a server goes on running."""
        words = shlex.split(command, comments=True)
        if not words:
            return ""
        if words[0] == "export":
            for name, _, value in (word.partition("=") for word in words[1:]):
                self.environment[name] = value
                self.export(name, value)
            fsspec.get_filesystem_class("s3").clear_instance_cache()  # a store's client keeps what it was made with
            return ""
        if words[:2] == ["pip", "install"]:
            return self.install(words[2:])
        if block.is_server:
            return self.start(command, self.models if "loads a model" in block.note else self.servers)
        if OWN.fullmatch(command.partition(" #")[0].rstrip()) and not self.packages.exists():
            return self.call(words)
        ended = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=1200
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def call(self, words: list[str]) -> str:
        """Run a command of isocompute in this process."""
        said, before = io.StringIO(), sys.argv
        sys.argv = words
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), pytest.raises(SystemExit) as ended:
                (cli.main if words[0] == "isocompute" else cli.plan_main)()
        finally:
            sys.argv = before
        assert not ended.value.code, said.getvalue()
        return said.getvalue()

    def install(self, words: list[str]) -> str:
        """Install the page's own package into its folder; of isocompute, see that it could be installed."""
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
        if (self.folder / "pyproject.toml").exists():
            subprocess.run([*command, "--target", self.packages, "."], cwd=self.folder, check=True, capture_output=True)
        else:
            tried = subprocess.run(
                [*command, "--dry-run", *words], cwd=ROOT, check=True, capture_output=True, text=True
            )
            assert "does not provide the extra" not in tried.stderr
        return ""

    def start(self, command: str, servers: Servers) -> str:
        """Start a server, unless it runs, and wait until it answers."""
        if command in servers:
            return ""
        port = re.search(r"--port (\d+)", command)
        url = f"http://127.0.0.1:{port[1] if port else 8080}/health"
        log = self.folder / f"server-{len(self.models)}-{len(self.servers)}.log"
        with log.open("wb") as file:
            started = subprocess.Popen(
                ["bash", "-c", f"exec env {command}" if re.match(r"\w+=", command) else f"exec {command}"],
                cwd=self.folder, env=self.environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        servers[command] = started
        ends = time.monotonic() + 600
        while True:
            try:
                with DIRECT.open(url, timeout=5):
                    return ""
            except urllib.error.HTTPError as error:
                if error.code == 404:  # it answers, and has no such page
                    return ""
            except OSError:
                pass
            assert started.poll() is None, log.read_text(errors="replace")[-3000:]
            assert time.monotonic() < ends, log.read_text(errors="replace")[-3000:]
            time.sleep(0.5)


def stop_servers(servers: Servers) -> None:
    """Stop servers, with all that they have started."""
    for server in servers.values():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
    for server in servers.values():
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def join_lines(body: str) -> list[str]:
    """Return the lines of a shell's block, each with the lines that continue it."""
    return re.sub(r"\\\n\s*", "", body).splitlines()


def check_output(shown: str, printed: str, block: Block) -> None:
    """Compare what a page shows with what was printed; a line of … stands for any lines."""
    wanted, found = shown.rstrip(), "\n".join(line.rstrip() for line in printed.rstrip().splitlines())
    if block.has_other_numbers:
        wanted, found = (re.sub(r"-?\d[\d.,]*", "0", text) for text in (wanted, found))
    lines = [re.escape(line.rstrip()) if line.strip() != "…" else None for line in wanted.splitlines()]
    pattern = "".join(r"(?:[^\n]*\n)*" if line is None else line + r"\n" for line in lines)
    assert re.fullmatch(pattern, found + "\n"), f"line {block.line} shows\n{shown}\nand printed was\n{printed}"


@pytest.fixture(scope="module")
def models():
    """The servers of models, which all pages share."""
    servers: Servers = {}
    yield servers
    stop_servers(servers)


@pytest.fixture
def reader(tmp_path, monkeypatch, models):
    """A reader in a folder that has the data, the docs' schemas and the recipes of a clone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "104")
    monkeypatch.setenv("MPLBACKEND", "agg")
    for name in ("data", "docs", "runners"):
        (tmp_path / name).symlink_to(ROOT / name)
    follows = Reader(tmp_path, models, monkeypatch.setenv)
    yield follows
    stop_servers(follows.servers)


def follow_page(reader: Reader, page: Path, soak: bool) -> None:
    """Write the files of a page, and do what its blocks say, in order."""
    for name, source in read_given_files(page).items():
        shutil.copy(ROOT / source, reader.folder / name)
    blocks = list(read_blocks(page))
    for block in blocks:
        if block.title is not None:
            file = reader.folder / block.title
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.body, encoding="utf-8")
    if soak and any("servers of the tutorial" in block.note for block in blocks):
        for block in read_blocks(TUTORIAL):
            if block.is_server and "vllm" in block.body:
                reader.follow(block)
    is_left_out = False  # an output goes with the block before it
    for block in blocks:
        if block.title is None:
            is_left_out = (block.is_soak and not soak) or (is_left_out and block.language == "text")
            if not is_left_out:
                reader.follow(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT / "docs")))
def test_a_page_does_what_it_says(page, reader):
    follow_page(reader, page, soak=False)


@pytest.mark.soak
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(block.is_soak for block in read_blocks(page))], ids=lambda path: path.stem
)
def test_a_page_does_all_that_it_says(page, reader):
    follow_page(reader, page, soak=True)
