"""Paths and stores: protocols that no page names, names that no disk takes, things that are no files, lost folders."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.hostile.cases import HostileInput, Maker, copy_folder, link_to, make_fifo, make_folder, make_socket
from tests.hostile.material import (
    RUN,
    copy_run,
    copy_run_with_manifest,
    dump_json,
    make_grid,
    make_grid_profile,
    make_profile,
    make_sweep,
)

URLS = {
    "http": "http://127.0.0.1:9/x",
    "https": "https://127.0.0.1:9/x.json",
    "ftp": "ftp://127.0.0.1:9/x",
    "sftp": "sftp://127.0.0.1:9/x",
    "ssh": "ssh://127.0.0.1:9/x",
    "smb": "smb://127.0.0.1:9/x",
    "zip": "zip://x.json::in.zip",
    "zip-http": "zip://x::http://127.0.0.1:9/x.zip",
    "tar": "tar://x.json::in.tar",
    "libarchive": "libarchive://x.json::in.zip",
    "github": "github://a:b@main/x.json",
    "git": "git://x",
    "gist": "gist://0123456789abcdef/x.json",
    "data": "data://application/json;base64,e30=",
    "data-short": "data:,x",
    "reference": "reference://x.json",
    "jupyter": "jupyter://127.0.0.1:9/x",
    "hdfs": "hdfs://127.0.0.1:9/x",
    "webhdfs": "webhdfs://127.0.0.1:9/x",
    "generic": "generic://x.json",
    "filecache": "filecache::http://127.0.0.1:9/x",
    "simplecache": "simplecache::file://x.json",
    "blockcache": "blockcache::memory://x",
    "dask": "dask://x",
    "dbfs": "dbfs://127.0.0.1/x",
    "box": "box://x",
    "gdrive": "gdrive://x",
    "lakefs": "lakefs://r/b/x",
    "oci": "oci://b@n/x",
    "root": "root://127.0.0.1:9//x",
    "arrow": "arrow_hdfs://x",
    "async": "async_wrapper://x",
    "dir": "dir::http://127.0.0.1:9/x",
    "local": "local://x.json",
    "pyscript": "pyscript://x",
    "unknown": "nonsense://a/b",
    "upper": "HTTP://127.0.0.1:9/x",
    "empty": "://x",
    "only": "http://",
    "colons": "::::",
    "chain": "zip::tar::zip::x",
    "credentials": "http://user:secret@127.0.0.1:9/x?token=abc",
    "brackets": "http://[::1/x",
    "javascript": "javascript://%0aalert(1)",
    "file-host": "file://host/share/x.json",
    "file-odd": "file:x.json",
    "unix": "unix:///tmp/x.sock",
    "memory": "memory://x",
    "s3-empty": "s3://",
    "s3-odd": "s3://..//x",
    "hf-odd": "hf://x",
    "abfs-odd": "abfs://",
}
"""Paths with a protocol. The last ones name documented stores, wrongly."""

PATHS = {
    "long-name": "n" * 300,
    "long-path": "/".join(["d" * 100] * 60),
    "nul": "a\0b",
    "empty": "",
    "blank": " ",
    "dot": ".",
    "parent": "..",
    "root": "/",
    "dots": "../" * 200 + "x",
    "device-null": "/dev/null",
    "device-zero": "/dev/zero",
    "device-full": "/dev/full",
    "device-random": "/dev/urandom",
    "device-tty": "/dev/tty",
    "stdin": "/dev/stdin",
    "descriptor": "/proc/self/fd/0",
    "memory-of-it": "/proc/self/mem",
    "pages": "/proc/self/pagemap",
    "messages": "/proc/kmsg",
    "environment": "/proc/self/environ",
    "bytes": os.fsdecode(b"\xff\xfe\x80"),
    "home": "~nobody-at-all/x",
    "stars": "*?[a",
    "dash": "-",
    "dashes": "--",
    "colon": "C:\\x\\y",
    "quote": "a'b\"c",
    "inside-file": "g.json/x",
    "folder": "folder",
    "fifo": "fifo",
    "socket": "socket",
    "dangling": "dangling",
    "loop": "loop",
    "link-to-device": "to-zero",
    "slash": "g.json/",
    "secret": "secret",
    "locked": "locked/x",
}
"""Paths that name no file, or one that cannot be read as such."""


def make_secret(path: Path) -> None:
    """Make a file that nobody may read."""
    path.write_text("{}")
    path.chmod(0)


def make_locked(path: Path) -> None:
    """Make a folder that nobody may enter."""
    path.mkdir()
    (path / "x").write_text("{}")
    path.chmod(0)


ODD_FILES: dict[str, bytes | str | Maker] = {
    "g.json": dump_json(make_grid()),
    "folder": make_folder,
    "fifo": make_fifo,
    "socket": make_socket,
    "dangling": link_to("nowhere"),
    "loop": link_to("loop"),
    "to-zero": link_to("/dev/zero"),
    "secret": make_secret,
    "locked": make_locked,
}
READING: dict[str, tuple[str, ...]] = {
    "plan": ("plan", "-b", "8x", "-p", "PATH"),
    "prices": ("plan", "-b", "$1", "-p", "lab", "--prices", "PATH"),
    "fit": ("fit", "PATH", "-o", "out/p.json"),
    "check": ("check", "PATH"),
    "repair": ("check", "PATH", "--repair"),
    "runs": ("runs", "PATH"),
    "compact": ("compact", "PATH"),
    "grade": ("grade", "PATH"),
    "next": ("next", "PATH"),
    "policies": ("policies", "PATH"),
    "evaluate": ("evaluate", "PATH"),
    "difficulty": ("difficulty", "PATH"),
    "tree": ("tree", "PATH", "x"),
    "figures": ("figures", "PATH", "-o", "out/f"),
    "report": ("report", "PATH", "-o", "out/r.html"),
    "upgrade": ("upgrade", "PATH", "-o", "out/new"),
    "sweep": ("sweep", "PATH"),
    "dry": ("sweep", "PATH", "--dry-run"),
    "import": ("import", "table", "PATH", "-o", "out/r"),
    "import-lm": ("import", "lm-eval", "PATH", "-o", "out/r"),
    "import-inspect": ("import", "inspect-ai", "PATH", "-o", "out/r"),
    "pilot": ("pilot", "--budget", "100x", "--run", "PATH"),
    "pilot-profile": ("pilot", "--budget", "100x", "-p", "PATH"),
    "solve": ("solve", "PATH", "-o", "out/r", "-p", "lab", "-b", "2x", "--config", "s.yaml"),
    "solve-profile": ("solve", "1+1?", "-o", "out/r", "-p", "PATH", "-b", "2x"),
    "solve-config": ("solve", "1+1?", "-o", "out/r", "-p", "lab", "-b", "2x", "--config", "PATH"),
    "solve-policy": ("solve", "1+1?", "-o", "out/r", "-p", "lab", "-b", "2x", "--policy", "PATH"),
    "serve": ("serve", "--dry-run", "-p", "PATH", "--url", "solver=http://127.0.0.1:9/v1"),
}
WRITING: dict[str, tuple[str, ...]] = {
    "fit": ("fit", "g.json", "-o", "PATH"),
    "emit": ("plan", "-b", "8x", "--emit", "PATH"),
    "emit-policy": ("plan", "-b", "8x", "-p", "p.json", "--emit", "PATH.json"),
    "upgrade": ("upgrade", "llama-3.1-8b-math", "-o", "PATH"),
    "import": ("import", "table", "t.csv", "-o", "PATH"),
    "report": ("report", "small.json", "-o", "PATH"),
    "figures": ("figures", "p.json", "-o", "PATH", "--only", "frontiers", "--format", "svg"),
    "solve": ("solve", "1+1?", "-o", "PATH", "-p", "lab", "-b", "2x", "--config", "s.yaml"),
    "answers": (
        *("solve", "1+1?", "-o", "out/r", "-p", "lab", "-b", "2x", "--config", "s.yaml"),
        *("--answers", "PATH"),
    ),
    "notebooks": ("notebooks", "PATH"),
}
FILES: dict[str, bytes | str | Maker] = {
    **ODD_FILES,
    "p.json": dump_json(make_profile()),
    "small.json": dump_json(make_grid_profile()),
    "s.yaml": dump_json(make_sweep()),
    "t.csv": "problem_id,gold,solution\na,5,\\boxed{5}\n",
}
SWEEP_KEYS: dict[str, tuple[str, ...]] = {
    "run": ("run",),
    "task": ("task", "path"),
    "source": ("solutions_from",),
    "prompt": ("solver", "prompt"),
}
SLOW = {"report", "figures", "emit", "emit-policy", "notebooks"}
"""Commands that take seconds if the path can be written."""
UNSAFE_TO_WRITE = {"root", "device-tty", "memory-of-it", "dots", "parent", "home"}
"""Paths outside the folder of the test, under which nothing may be written if a command is wrong."""


def put_path(command: tuple[str, ...], path: str) -> tuple[str, ...]:
    return tuple(word.replace("PATH", path) for word in command)


def make_sweep_with(keys: tuple[str, ...], path: str) -> str:
    """Return a sweep file with a path in one of its places."""
    sweep = make_sweep()
    if keys == ("solutions_from",):
        sweep = {"run": "out/run", "engine": "openai", "solutions_from": path, "verifications": 1}
        sweep["verifier"] = {**make_sweep()["solver"], "prompt": "lab-verify"}
    elif keys == ("task", "path"):
        sweep["task"] = {"path": path, "grader": "numeric"}
    elif keys == ("run",):
        sweep["run"] = path
    else:
        sweep["solver"]["prompt"] = path
    return dump_json(sweep)


def generate(rng: random.Random) -> Iterator[HostileInput]:
    """Yield the inputs of this kind."""
    yield from generate_paths(rng)
    yield from generate_sweeps(rng)
    yield from generate_runs()
    yield from generate_streams(rng)


def generate_paths(rng: random.Random) -> Iterator[HostileInput]:
    """Yield commands that read or write at a hostile path."""
    for way, commands in (("read", READING), ("write", WRITING)):
        for name, url in URLS.items():
            for command in sorted(rng.sample(list(commands), 3 if way == "read" else 2)):
                words = put_path(commands[command], url)
                case = HostileInput(f"paths-{way}-{command}-url-{name}", words, FILES, writes_rows=True)
                yield replace(case, slow=way == "write" and command in SLOW)
        for name, path in PATHS.items():
            if "\0" in path or (way == "write" and name in UNSAFE_TO_WRITE):
                continue
            for command in sorted(rng.sample(list(commands), 3 if way == "read" else 2)):
                words = put_path(commands[command], path)
                case = HostileInput(f"paths-{way}-{command}-{name}", words, FILES, writes_rows=True)
                yield replace(case, slow=way == "write" and command in SLOW, unprivileged="locked" in path)


def generate_sweeps(rng: random.Random) -> Iterator[HostileInput]:
    """Yield sweep files with a hostile path."""
    for place, keys in SWEEP_KEYS.items():
        for name, path in {**URLS, **PATHS}.items():
            if rng.random() > 0.35 and name != "nul":
                continue
            if place == "run" and name in UNSAFE_TO_WRITE:
                continue
            yield HostileInput(
                f"paths-sweep-{place}-{name}",
                ("sweep", "s.yaml", "--dry-run"),
                {**ODD_FILES, "s.yaml": make_sweep_with(keys, path)},
            )


def damage(name: str) -> Maker:
    """Return a function that puts something else in the place of a run's file or folder."""

    def change(run: Path) -> None:
        kind, _, place = name.partition(" ")
        path = run / place
        if path.is_dir():
            for part in path.iterdir():
                part.unlink()
            path.rmdir()
        elif path.exists():
            path.unlink()
        makers: dict[str, Maker] = {
            "folder": make_folder,
            "fifo": make_fifo,
            "socket": make_socket,
            "dangling": link_to("nowhere"),
            "loop": link_to(path.name),
            "zero": link_to("/dev/zero"),
            "null": link_to("/dev/null"),
            "outside": link_to("/etc"),
            "secret": make_secret,
            "locked": make_locked,
            "file": lambda at: at.write_text("x") and None,
        }
        makers[kind](path)

    return change


DAMAGES = [
    f"{kind} {place}"
    for kind in ("folder", "fifo", "socket", "dangling", "loop", "zero", "null", "outside", "secret", "locked", "file")
    for place in ("manifest.json", "solutions", "solutions/part-00000.parquet")
]
MANIFESTS: dict[str, str | bytes] = {
    "empty": "",
    "cut": '{"config": {',
    "bytes": b"\xff\xfe\x00",
    "list": "[]",
    "number": "1",
    "null": "null",
    "text": '"x"',
    "no-config": "{}",
    "config-list": '{"config": []}',
    "config-null": '{"config": null, "format": 2}',
    "imported-text": '{"imported": "x"}',
    "format-text": '{"config": {}, "format": "9"}',
    "huge": b" " * 40_000_000,
    "zeros": b"\0" * 1000,
}


def generate_runs() -> Iterator[HostileInput]:
    """Yield folders of runs, one of which is damaged, and folders of the system."""
    for name in DAMAGES:
        for command in (("runs", "."), ("check", "bad")):
            yield HostileInput(
                f"paths-run-{command[0]}-{name.replace(' ', '-').replace('/', '-')}",
                command,
                {"bad": copy_folder(RUN, damage(name)), "good": copy_run()},
                unprivileged=name.startswith(("secret", "locked")),
            )
    for name, content in MANIFESTS.items():
        for command in (("runs", "."), ("check", "bad"), ("fit", "bad", "-o", "out/p.json")):
            yield HostileInput(
                f"paths-manifest-{command[0]}-{name}",
                command,
                {"bad": copy_run_with_manifest(content), "good": copy_run()},
            )
    for folder in ("/proc", "/proc/self", "/dev", "/sys/kernel", "/etc", "/run"):
        for option in ((), ("--json",)):
            name = f"paths-system-{folder.strip('/').replace('/', '-')}{''.join(option)}"
            yield HostileInput(name, ("runs", folder, *option), slow=True)
    deep: dict[str, bytes | str | Maker] = {"/".join(["d"] * 900) + "/x": "x"}
    yield HostileInput("paths-runs-deep", ("runs", "."), deep)
    yield HostileInput(
        "paths-runs-circle", ("runs", "a"), {"a/x": "x", "a/b": link_to("../a"), "a/c": link_to("/")}, slow=True
    )


STREAM_COMMANDS: dict[str, tuple[str, ...]] = {
    "plan": ("plan", "-b", "8x"),
    "plan-json": ("plan", "-b", "8x", "--json"),
    "check": ("check", "r"),
    "check-json": ("check", "r", "--json"),
    "runs": ("runs", "r"),
    "tasks": ("tasks",),
    "help": ("plan", "--help"),
    "version": ("--version",),
    "none": (),
    "refused": ("plan", "-b", "many"),
    "usage": ("plan", "--nonsense"),
    "fit": ("fit", "g.json", "-o", "out/p.json"),
    "import": ("import", "table", "t.csv", "-o", "out/r"),
    "sweep": ("sweep", "s.yaml"),
    "dry": ("sweep", "s.yaml", "--dry-run"),
    "upgrade": ("upgrade", "lab", "-o", "out/new.json"),
    "compact": ("compact", "r"),
    "solve": ("solve", "1+1?", "-o", "out/r", "-p", "lab", "-b", "2x", "--config", "s.yaml"),
}


def generate_streams(rng: random.Random) -> Iterator[HostileInput]:
    """Yield commands whose output cannot be written, or whose folder is gone."""
    files = {**FILES, "r": copy_run(), "s.yaml": dump_json(make_sweep())}
    for name, command in STREAM_COMMANDS.items():
        case = HostileInput(f"paths-stream-{name}", command, files, writes_rows=True)
        for stdout in ("full", "ascii", "closed"):
            yield replace(case, name=f"{case.name}-{stdout}", stdout=stdout)
        yield replace(case, name=f"{case.name}-lost", lost_folder=True)
    for name in rng.sample(sorted(READING), 8):
        yield HostileInput(
            f"paths-lost-{name}", put_path(READING[name], "."), FILES, lost_folder=True, writes_rows=True
        )
