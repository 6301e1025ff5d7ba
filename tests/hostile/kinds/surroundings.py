"""Variables, folders and packages around a command: nonsense in the environment, no home, packages that break."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.hostile.cases import HostileInput, Maker, make_fifo
from tests.hostile.material import RUN, copy_run, dump_json, make_grid, make_sweep

LONG = "x" * 100_000
VARIABLES: dict[str, Mapping[str, str | None]] = {
    "no-home": {"HOME": None},
    "home-missing": {"HOME": "/nowhere/at/all"},
    "home-file": {"HOME": "/etc/passwd"},
    "home-relative": {"HOME": "."},
    "home-escape": {"HOME": "/tmp/\x1b[31mx"},
    "no-path": {"PATH": ""},
    "no-language": {"LANG": None, "LC_ALL": None},
    "c-locale": {"LC_ALL": "C"},
    "posix-no-utf8": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None},
    "unknown-locale": {"LC_ALL": "xx_YY.nonsense"},
    "cp1252": {"PYTHONIOENCODING": "cp1252:strict"},
    "ascii-strict": {"PYTHONIOENCODING": "ascii:strict"},
    "latin-1": {"PYTHONIOENCODING": "latin-1:strict"},
    "shift-jis": {"PYTHONIOENCODING": "shift_jis:strict"},
    "columns-huge": {"COLUMNS": "1000000000"},
    "columns-digits": {"COLUMNS": "9" * 5000},
    "columns-zero": {"COLUMNS": "0"},
    "columns-one": {"COLUMNS": "1"},
    "columns-negative": {"COLUMNS": "-5"},
    "columns-text": {"COLUMNS": "many"},
    "lines-huge": {"LINES": "1000000000", "COLUMNS": "80"},
    "lines-text": {"LINES": "x"},
    "term-dumb": {"TERM": "dumb"},
    "term-odd": {"TERM": "\x1b]0;pwn\x07"},
    "term-unknown": {"TERM": "no-such-terminal"},
    "term-empty": {"TERM": ""},
    "colour-odd": {"COLORTERM": "24bit\x1b[31m", "NO_COLOR": None},
    "temporary-missing": {"TMPDIR": "/nowhere/at/all"},
    "temporary-file": {"TMPDIR": "/etc/passwd"},
    "temporary-sealed": {"TMPDIR": "/proc"},
    "zone": {"TZ": "Nonsense/Nowhere"},
    "zone-long": {"TZ": "A" * 10_000},
    "zone-path": {"TZ": "../../../../etc/passwd"},
    "epoch": {"SOURCE_DATE_EPOCH": "never"},
    "epoch-huge": {"SOURCE_DATE_EPOCH": "9" * 30},
    "threads-text": {"OMP_NUM_THREADS": "many", "OPENBLAS_NUM_THREADS": "-1"},
    "numba-threads": {"NUMBA_NUM_THREADS": "many"},
    "numba-threads-huge": {"NUMBA_NUM_THREADS": "1000000000"},
    "numba-cache": {"NUMBA_CACHE_DIR": "/proc/nowhere"},
    "numba-no-jit": {"NUMBA_CAPTURED_ERRORS": "nonsense"},
    "plot-backend": {"MPLBACKEND": "nonsense"},
    "plot-config": {"MPLCONFIGDIR": "/proc/nowhere"},
    "cache-folder": {"XDG_CACHE_HOME": "/proc/nowhere", "XDG_CONFIG_HOME": "\x1b[31m"},
    "hub-folder": {"HF_HOME": "/proc/nowhere"},
    "hub-endpoint": {"HF_ENDPOINT": "nonsense://[::1"},
    "hub-token": {"HF_TOKEN": "hf_\x1b[31msecret"},
    "hub-online-text": {"HF_HUB_OFFLINE": "perhaps"},
    "proxy-nonsense": {"http_proxy": "::::", "https_proxy": "::::", "no_proxy": ""},
    "proxy-scheme": {"http_proxy": "gopher://127.0.0.1:9", "no_proxy": ""},
    "proxy-socks": {"http_proxy": "socks5://127.0.0.1:9", "all_proxy": "socks5://127.0.0.1:9", "no_proxy": ""},
    "proxy-port": {"http_proxy": "http://127.0.0.1:99999999", "no_proxy": ""},
    "proxy-escape": {"http_proxy": "http://\x1b[31m.invalid", "no_proxy": ""},
    "no-proxy-odd": {"no_proxy": "[::1,*,,]\x00".replace("\x00", ";")},
    "certificates-missing": {"SSL_CERT_FILE": "/nowhere.pem"},
    "certificates-folder": {"SSL_CERT_FILE": "/proc", "SSL_CERT_DIR": "/etc/passwd"},
    "certificates-nonsense": {"SSL_CERT_FILE": "g.json"},
    "key-lines": {"OPENAI_API_KEY": "sk-1\nX-Other: 2"},
    "key-unicode": {"OPENAI_API_KEY": "sk-ключ"},
    "key-blank": {"OPENAI_API_KEY": "   "},
    "key-long": {"OPENAI_API_KEY": "k" * 100_000},
    "key-escape": {"OPENAI_API_KEY": "\x1b]0;pwn\x07"},
    "memory-text": {"ISOCOMPUTE_MEMORY_GIB": "lots"},
    "memory-negative": {"ISOCOMPUTE_MEMORY_GIB": "-1"},
    "memory-nan": {"ISOCOMPUTE_MEMORY_GIB": "nan"},
    "memory-infinite": {"ISOCOMPUTE_MEMORY_GIB": "inf"},
    "memory-empty": {"ISOCOMPUTE_MEMORY_GIB": ""},
    "memory-digits": {"ISOCOMPUTE_MEMORY_GIB": "9" * 5000},
    "memory-escape": {"ISOCOMPUTE_MEMORY_GIB": "\x1b[31m1"},
    "memory-long": {"ISOCOMPUTE_MEMORY_GIB": LONG},
    "serve-key": {"ISOCOMPUTE_SERVE_KEY": "\x1b[31m\n"},
    "unknown-own": {"ISOCOMPUTE_NONSENSE": LONG, "ISOCOMPUTE_": "1"},
    "completion": {"_ISOCOMPUTE_COMPLETE": "complete_bash", "COMP_WORDS": "isocompute plan -", "COMP_CWORD": "9" * 30},
    "completion-nonsense": {"_ISOCOMPUTE_COMPLETE": "\x1b[31m_\x1b"},
    "completion-source": {"_ISOCOMPUTE_COMPLETE": "complete_nonsense"},
    "warnings": {"PYTHONWARNINGS": "nonsense::::::", "PYTHONFAULTHANDLER": "1"},
    "hash": {"PYTHONHASHSEED": "0", "PYTHONOPTIMIZE": "2"},
    "no-bytecode": {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/proc/nowhere"},
    "unbuffered": {"PYTHONUNBUFFERED": "1"},
    "typer-width": {"TERMINAL_WIDTH": "many", "_TYPER_FORCE_DISABLE_TERMINAL": "x"},
    "typer-width-negative": {"TERMINAL_WIDTH": "-3"},
    "bad-bytes": {"LC_MESSAGES": "\udcff\udcfe", "USER": "\udcff"},
    "many": {f"ISOCOMPUTE_X{i}": "y" * 100 for i in range(5000)},
    "aws": {"AWS_PROFILE": "nobody", "AWS_CONFIG_FILE": "g.json", "AWS_ENDPOINT_URL": "::"},
    "gcs": {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere.json"},
    "vllm": {"VLLM_LOGGING_LEVEL": "NONSENSE", "VLLM_CPU_KVCACHE_SPACE": "many"},
    "ray": {"RAY_ADDRESS": "nonsense://x", "RAY_BACKEND_LOG_LEVEL": "x"},
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "plan": ("plan", "-b", "8x"),
    "plan-prices": ("plan", "-b", "$1", "-p", "lab", "--prices", "prices.yaml"),
    "fit": ("fit", "g.json", "-o", "out/p.json"),
    "import": ("import", "table", "t.csv", "-o", "out/r"),
    "check": ("check", "r"),
    "runs": ("runs", "r"),
    "dry": ("sweep", "s.yaml", "--dry-run"),
    "sweep": ("sweep", "s.yaml"),
    "solve": ("solve", "1+1?", "-o", "out/s", "-p", "lab", "-b", "2x", "--config", "s.yaml"),
    "serve": ("serve", "-p", "lab", "--url", "solver=http://127.0.0.1:9/v1", "--dry-run"),
    "tasks": ("tasks",),
    "help": ("sweep", "--help"),
    "figures": ("figures", "g.json", "-o", "out/f", "--only", "frontiers", "--format", "svg"),
}
FILES: dict[str, bytes | str | Maker] = {
    "g.json": dump_json(make_grid()),
    "s.yaml": dump_json(make_sweep()),
    "t.csv": "problem_id,gold,solution\na,5,\\boxed{5}\n",
    "prices.yaml": '{"m": {"prompt": 1, "completion": 2}}',
    "r": copy_run(),
}
LIKELY = {
    "proxy": "sweep", "certificates": "sweep", "key": "sweep", "memory": "dry", "serve": "serve", "plot": "figures",
    "numba": "fit", "hub": "dry", "completion": "help", "typer": "help",
}  # fmt: skip
"""The command that reads the variables of a kind."""

PLUGINS: dict[str, tuple[str, str]] = {
    "raises": ("evil:X", "raise RuntimeError('\\x1b[31mno')"),
    "exits": ("evil:X", "import sys; sys.exit(7)"),
    "interrupts": ("evil:X", "raise KeyboardInterrupt"),
    "syntax": ("evil:X", "def ("),
    "missing-module": ("nowhere:X", ""),
    "missing-name": ("evil:nothing", ""),
    "number": ("evil:X", "X = 7"),
    "none": ("evil:X", "X = None"),
    "class": ("evil:X", "class X: pass"),
    "function": ("evil:X", "def X(*a, **k): raise ValueError('no')"),
    "no-name": ("evil", ""),
    "blank": (" ", ""),
    "odd": ("evil:X.y.z", "X = 1"),
    "itself": ("isocompute.cli.main:app", ""),
    "prints": ("evil:X", "print('\\x1b]0;pwn\\x07'); X = 1"),
    "import-cycle": ("evil:X", "import evil2\nX = 1"),
    "deep": ("evil:X", "def f(): return f()\nf()"),
}
GROUPS = ("strategies", "searches", "engines", "scorers", "graders", "tasks", "imports", "figures")
GROUP_COMMANDS: dict[str, tuple[str, ...]] = {
    "strategies": ("plan", "-b", "8x", "-p", "lab"),
    "searches": ("sweep", "s.yaml", "--dry-run"),
    "engines": ("sweep", "s.yaml", "--dry-run"),
    "scorers": ("sweep", "s.yaml", "--dry-run"),
    "graders": ("grade", "r", "--against", "evil"),
    "tasks": ("tasks",),
    "imports": ("import", "evil", "t.csv", "-o", "out/r"),
    "figures": ("figures", "g.json", "-o", "out/f", "--only", "evil", "--format", "svg"),
}


def make_package(group: str, target: str, code: str, name: str = "evil") -> dict[str, bytes | str | Maker]:
    """Return the files of an installed package with an entry point."""
    return {
        "site/evil-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: evil\nVersion: 1\n",
        "site/evil-1.dist-info/entry_points.txt": f"[isocompute.{group}]\n{name} = {target}\n",
        "site/evil.py": code,
        "site/evil2.py": "import evil\nevil.X\n",
    }


def generate(rng: random.Random) -> Iterator[HostileInput]:
    """Yield the inputs of this kind."""
    for name, environment in VARIABLES.items():
        likely = LIKELY.get(name.partition("-")[0])
        for command in [likely or rng.choice(sorted(COMMANDS))]:
            yield HostileInput(
                f"surroundings-variable-{name}-{command}",
                COMMANDS[command],
                FILES,
                environment=environment,
                is_real=True,
                writes_rows=True,
            )
    for name, (target, code) in PLUGINS.items():
        for group in sorted(rng.sample(GROUPS, 2)):
            yield HostileInput(
                f"surroundings-plugin-{group}-{name}",
                GROUP_COMMANDS[group],
                FILES | make_package(group, target, code),
                environment={"PYTHONPATH": "site"},
                is_real=True,
            )
    names = {"escape": "\x1b[31m", "markup": "[/red]", "known": "sc", "long": "n" * 5000, "blank": "a b"}
    for name, text in names.items():
        group = rng.choice(GROUPS)
        yield HostileInput(
            f"surroundings-plugin-name-{group}-{name}",
            GROUP_COMMANDS[group],
            FILES | make_package(group, "evil:X", "X = 1", text),
            environment={"PYTHONPATH": "site"},
            is_real=True,
        )
    yield from generate_folders()


def make_sealed(path: Path) -> None:
    """Make a folder in which nobody may write."""
    path.mkdir()
    path.chmod(0o555)


def generate_folders() -> Iterator[HostileInput]:
    """Yield commands that write into a folder where nothing may be written, or beside things that are no files."""
    writing: dict[str, tuple[str, ...]] = {
        "fit": ("fit", "g.json", "-o", "PATH/p.json"),
        "import": ("import", "table", "t.csv", "-o", "PATH/r"),
        "emit": ("plan", "-b", "8x", "--emit", "PATH/s.yaml"),
        "sweep": ("sweep", "s.yaml"),
        "upgrade": ("upgrade", "lab", "-o", "PATH/new"),
        "report": ("report", "g.json", "-o", "PATH/r.html"),
        "notebooks": ("notebooks", "PATH/n"),
        "solve": ("solve", "1+1?", "-o", "PATH/r", "-p", "lab", "-b", "2x", "--config", "s.yaml"),
        "figures": ("figures", "g.json", "-o", "PATH/f", "--only", "frontiers", "--format", "svg"),
        "tree": ("tree", str(RUN.parent / "lab-search"), "lab-1-1-0", "-o", "PATH/t.svg"),
        "policies": ("policies", str(RUN), "-b", "4x", "-o", "PATH/p.json"),
    }
    for name, command in writing.items():
        files = FILES | {"sealed": make_sealed, "s.yaml": dump_json(make_sweep() | {"run": "sealed/run"})}
        for place in ("sealed", "t.csv", "pipe"):
            yield HostileInput(
                f"surroundings-folder-{name}-{place}",
                tuple(word.replace("PATH", place) for word in command),
                files | {"pipe": make_fifo},
                unprivileged=place == "sealed",
                writes_rows=True,
            )
