"""Numbers that are too large, too small, of another type or none, wherever a number may stand."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.hostile.cases import HostileInput
from tests.hostile.material import (
    DATA,
    RUN,
    SEARCH_RUN,
    SERVER,
    change_value,
    copy_run_with_manifest,
    make_grid,
    make_profile,
    make_sweep,
)

LONG_INTEGER = "9" * 5000
"""An integer that Python refuses to read from text, as JSON and YAML write it."""
LONG_MARK = 1234567890123
"""What stands for the long integer until the text is written."""

NUMBERS: dict[str, Any] = {
    "zero": 0,
    "negative": -1,
    "ten-thousand-and-one": 10_001,
    "million-and-one": 1_000_001,
    "billion": 10**9,
    "int32": 2**31,
    "int63": 2**63,
    "quintillion": 10**30,
    "long": LONG_MARK,
    "half": 1.5,
    "tiny": 5e-324,
    "huge": 1e308,
    "minus-huge": -1e308,
    "infinite": float("inf"),
    "nan": float("nan"),
    "true": True,
    "null": None,
    "text": "x",
    "digits": "12",
    "list": [3],
    "block": {"a": 1},
}
PRICE = {"input": 1.0, "cached_read": 0.5, "output": 2.0, "batch_discount": 0.5}
TEXT_NUMBERS = {
    "zero": "0",
    "negative": "-1",
    "million-and-one": "1000001",
    "billion": "1000000000",
    "int63": str(2**63),
    "long": LONG_INTEGER,
    "half": "1.5",
    "large": "1e17",
    "huge": "1e308",
    "small": "1e-12",
    "overflow": "1e999",
    "tiny": "1e-320",
    "infinite": "inf",
    "nan": "nan",
    "underscore": "1_0",
    "arabic": "١٢",
    "hexadecimal": "0x10",
    "empty": "",
}

SWEEP_PLACES: tuple[tuple[str | int, ...], ...] = (
    ("task", "problems"),
    ("task", "seed"),
    ("task", "levels"),
    ("solutions",),
    ("verifications",),
    ("verified",),
    ("scored",),
    ("seed",),
    ("checkpoint_seconds",),
    ("solver", "temperature"),
    ("solver", "top_p"),
    ("solver", "max_tokens"),
    ("solver", "logprobs"),
    ("solver", "parameters"),
    ("verifier", "max_tokens"),
    ("searches", 0, "n"),
    ("searches", 0, "width"),
    ("searches", 0, "rounds"),
    ("searches", 0, "lookahead"),
    ("searches", 0, "seeds"),
    ("scorer", "verifications"),
    ("cluster", "solver", "min"),
    ("cluster", "solver", "max"),
    ("cluster", "solver", "gpus"),
    ("cluster", "solver", "cpus"),
    ("cluster", "wait"),
    ("solver", "options", "concurrency"),
    ("solver", "options", "timeout"),
    ("solver", "options", "retries"),
    ("solver", "options", "patience"),
    ("solver", "options", "backoff"),
    ("solver", "options", "extra"),
)
ENGINE_OPTIONS = {
    "transformers": ("batch_size", "dtype", "device"),
    "openai-batch": ("poll", "retries", "timeout", "patience", "backoff"),
    "vllm": ("replicas", "in_flight"),
}
PROFILE_COMMANDS = {
    "plan": ("plan", "-b", "64x", "-p", "p.json"),
    "json": ("plan", "-b", "64x", "-p", "p.json", "--json"),
    "tokens": ("plan", "-b", "50k tokens", "-p", "p.json"),
    "large": ("plan", "-b", "1000000x", "-p", "p.json"),
    "target": ("plan", "--target", "0.5", "-p", "p.json"),
    "serve": ("serve", "-p", "p.json", "--url", f"solver={SERVER}", "--dry-run"),
}
NUMBER_OPTIONS: dict[str, tuple[str, ...]] = {
    "lambda": ("plan", "-b", "64x", "--lambda", "NUMBER"),
    "rho": ("plan", "-b", "64x", "-p", "lab-search", "--rho", "NUMBER"),
    "problems": ("plan", "-b", "64x", "--problems", "NUMBER"),
    "batch": ("plan", "-b", "20 s", "-p", "lab", "--batch", "NUMBER"),
    "budget": ("plan", "-b", "NUMBERx"),
    "plateau": ("plan", "-b", "NUMBERx-plateau"),
    "tokens": ("plan", "-p", "lab", "-b", "NUMBER tokens"),
    "dollars": ("plan", "-p", "lab", "-b", "$NUMBER"),
    "seconds": ("plan", "-p", "lab", "-b", "NUMBER s"),
    "target": ("plan", "--target", "NUMBER"),
    "latency": ("plan", "-p", "lab", "--latency", "NUMBER s"),
    "fit-lambda": ("fit", "RUN", "-o", "out/p.json", "--lambda", "NUMBER"),
    "fit-rho": ("fit", "RUN", "-o", "out/p.json", "--rho", "NUMBER"),
    "fit-read": ("fit", "RUN", "-o", "out/p.json", "--read", "NUMBER"),
    "fit-parameters": ("fit", "RUN", "-o", "out/p.json", "--parameters", "NUMBER"),
    "fit-problems": ("fit", "RUN", "-o", "out/p.json", "--problems-with", "NUMBER"),
    "samples": ("difficulty", "lab", "--samples", "NUMBER"),
    "splits": ("evaluate", "RUN", "--splits", "NUMBER"),
    "pilot-budget": ("pilot", "--budget", "NUMBERx", "--problems", "8"),
    "pilot-problems": ("pilot", "--budget", "100x", "--problems", "NUMBER"),
    "next-budget": ("next", "RUN", "--budget", "NUMBERx"),
    "policies-width": ("policies", "RUN", "--width", "NUMBER", "-b", "4x"),
    "policies-share": ("policies", "RUN", "--same-answer", "NUMBER"),
    "tree": ("tree", "SEARCHES", "lab-1-1-0", "--n", "NUMBER", "--seed", "NUMBER"),
    "figures-width": ("figures", "lab", "-o", "out", "--only", "frontiers", "--format", "svg", "--width", "NUMBER"),
    "dry-rate": ("sweep", "s.yaml", "--dry-run", "--tokens-per-second", "NUMBER"),
    "dry-price": ("sweep", "s.yaml", "--dry-run", "--price-in", "NUMBER", "--price-out", "NUMBER"),
    "dry-hour": ("sweep", "s.yaml", "--dry-run", "--price-hour", "NUMBER"),
    "dry-parameters": ("sweep", "s.yaml", "--dry-run", "--parameters", "NUMBER"),
    "shard": ("sweep", "s.yaml", "--shard", "NUMBER/NUMBER"),
    "until": ("sweep", "s.yaml", "--until", "regret < NUMBER at NUMBERx"),
    "on": ("sweep", "s.yaml", "--on", "local:NUMBER"),
    "solve-budget": ("solve", "1+1?", "-o", "out/r", "-p", "lab", "-b", "NUMBERx", "--url", SERVER),
    "serve-budget": ("serve", "--url", f"solver={SERVER}", "-b", "NUMBERx", "--dry-run"),
    "serve-most": ("serve", "--url", f"solver={SERVER}", "--most-budget", "NUMBERx", "--dry-run"),
    "serve-calls": ("serve", "--url", f"solver={SERVER}", "--calls", "NUMBER", "--running", "NUMBER", "--dry-run"),
    "serve-timeout": ("serve", "--url", f"solver={SERVER}", "--timeout", "NUMBER", "--drain", "NUMBER", "--dry-run"),
    "serve-width": ("serve", "--url", f"solver={SERVER}", "--width", "NUMBER", "--retries", "NUMBER", "--dry-run"),
    "serve-threshold": (
        "serve", "--url", f"solver={SERVER}", "--policy", "beta", "--threshold", "NUMBER", "--dry-run",
    ),
    "import-problems": ("import", "counts", "c.csv", "-o", "out/r", "--problems-with", "NUMBER"),
}  # fmt: skip


def make_full_sweep() -> dict[str, Any]:
    """Return a sweep with verifications, scores and searches."""
    sweep = make_sweep()
    options = {"urls": SERVER, "concurrency": 2, "retries": 0, "timeout": 2, "patience": 0.5, "backoff": 0.1}
    solver = sweep["solver"] | {"options": options}
    return sweep | {
        "solver": solver,
        "verifier": solver | {"prompt": "lab-verify"},
        "verifications": 1,
        "scorer": {"kind": "verdicts", "verifications": 1},
        "searches": [{"strategy": "beam", "n": 2}],
    }


def write_json(document: object) -> str:
    """Return a document as JSON, with the long integer in its place."""
    return json.dumps(document).replace(str(LONG_MARK), LONG_INTEGER)


def put_value(document: dict[str, Any], path: tuple[str | int, ...], value: object) -> Any:
    """Return a copy of a document with a value at a path, whose blocks are made if they are missing."""
    for depth in range(1, len(path)):
        at: Any = document
        for key in path[: depth - 1]:
            at = at[key]
        if isinstance(at, dict) and path[depth - 1] not in at:
            document = change_value(document, path[:depth], {})
    return change_value(document, path, value)


def list_leaves(node: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of a document's values and of its lists and blocks; of a long list the first and the last."""
    if path:
        yield path
    if isinstance(node, dict):
        for key, value in node.items():
            yield from list_leaves(value, (*path, key))
    if isinstance(node, list):
        for i in sorted({*range(min(2, len(node))), len(node) - 1} - {-1}):
            yield from list_leaves(node[i], (*path, i))


def draw_leaves(rng: random.Random, document: object, count: int) -> list[tuple[str | int, ...]]:
    """Return some paths of a document, of as many different forms as there are."""
    forms: dict[tuple[str, ...], list[tuple[str | int, ...]]] = {}
    for path in list_leaves(document):
        forms.setdefault(tuple("#" if isinstance(key, int) else key for key in path), []).append(path)
    drawn = rng.sample(sorted(forms), min(count, len(forms)))
    return [rng.choice(forms[form]) for form in drawn]


@cache
def read_bundled_json(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def name_path(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


def generate(rng: random.Random) -> Iterator[HostileInput]:
    """Yield the inputs of this kind."""
    yield from generate_sweeps(rng)
    yield from generate_engine_options(rng)
    yield from generate_documents(rng)
    yield from generate_options(rng)
    yield from generate_large_plans()


def generate_sweeps(rng: random.Random) -> Iterator[HostileInput]:
    """Yield sweeps with one hostile number."""
    for path in SWEEP_PLACES:
        for name in rng.sample(sorted(NUMBERS), 5):
            content = write_json(put_value(make_full_sweep(), path, NUMBERS[name]))
            dry = ("--dry-run",) if rng.random() < 0.5 else ()
            yield HostileInput(
                f"numbers-sweep-{name_path(path)}-{name}{'-dry' if dry else ''}",
                ("sweep", "s.yaml", *dry),
                {"s.yaml": content},
                writes_rows=True,
            )


def generate_engine_options(rng: random.Random) -> Iterator[HostileInput]:
    """Yield hostile numbers as options of other engines and of a scorer's."""
    for engine, names in ENGINE_OPTIONS.items():
        for option in names:
            for name in rng.sample(sorted(set(NUMBERS) - {"null", "billion", "int32"}), 4):
                sweep = make_sweep() | {"engine": engine}
                options = {"urls": SERVER} if engine == "openai-batch" else {}
                model = "m" if options else str(DATA / "lab" / "solver")
                sweep["solver"] |= {"model": model, "options": options | {option: NUMBERS[name]}}
                yield HostileInput(
                    f"numbers-engine-{engine}-{option}-{name}",
                    ("sweep", "s.yaml", "--dry-run"),
                    {"s.yaml": write_json(sweep)},
                )
    for option in ("batch_size", "block_size"):
        for name in rng.sample(sorted(NUMBERS), 4):
            scorer = {"kind": "lab", "model": str(DATA / "lab" / "prm"), "engine": "transformers"}
            sweep = make_full_sweep() | {"scorer": scorer | {"options": {option: NUMBERS[name]}}}
            yield HostileInput(
                f"numbers-scorer-{option}-{name}", ("sweep", "s.yaml", "--dry-run"), {"s.yaml": write_json(sweep)}
            )


def generate_documents(rng: random.Random) -> Iterator[HostileInput]:
    """Yield profiles, grids, policies, prices and manifests with one hostile number."""
    profiles = {"run": make_profile(), "search": read_bundled_json("profiles/lab-search.json")}
    profiles["published"] = read_bundled_json("profiles/llama-3.1-8b-math.json")
    for kind, profile in profiles.items():
        for path in draw_leaves(rng, profile, 45):
            name, command = rng.choice(sorted(NUMBERS)), rng.choice(sorted(PROFILE_COMMANDS))
            content = write_json(change_value(profile, path, NUMBERS[name]))
            yield HostileInput(
                f"numbers-profile-{kind}-{name_path(path)}-{name}-{command}",
                PROFILE_COMMANDS[command],
                {"p.json": content},
            )
    for path in draw_leaves(rng, make_grid(), 12):
        name = rng.choice(sorted(NUMBERS))
        yield HostileInput(
            f"numbers-grid-{name_path(path)}-{name}",
            ("fit", "g.json", "-o", "out/p.json"),
            {"g.json": write_json(change_value(make_grid(), path, NUMBERS[name]))},
        )
    policy = json.loads(Path(__file__).parents[2].joinpath("serving", "value_policy.json").read_text(encoding="utf-8"))
    for path in draw_leaves(rng, policy, 30):
        name = rng.choice(sorted(NUMBERS))
        urls = ("--url", f"solver={SERVER}", "--url", f"verifier={SERVER}")
        yield HostileInput(
            f"numbers-policy-{name_path(path)}-{name}",
            ("serve", "-p", "lab", *urls, "--policy", "policy.json", "--dry-run"),
            {"policy.json": write_json(change_value(policy, path, NUMBERS[name]))},
        )
    prices = {"data/lab/solver": PRICE, "data/lab/verifier": PRICE}
    for path in list_leaves(prices):
        for name in rng.sample(sorted(NUMBERS), 5):
            yield HostileInput(
                f"numbers-prices-{name_path(path)}-{name}",
                ("plan", "-b", "$1", "-p", "lab", "--prices", "prices.yaml"),
                {"prices.yaml": write_json(change_value(prices, path, NUMBERS[name]))},
            )
    for source in (RUN, SEARCH_RUN):
        manifest = json.loads((source / "manifest.json").read_text(encoding="utf-8"))
        commands = [
            ("runs", "r"),
            ("compact", "r"),
            ("upgrade", "r", "-o", "out/new"),
            ("grade", "r"),
            ("tree", "r", "x"),
        ]
        for path in draw_leaves(rng, manifest, 20 if source is RUN else 8):
            name, command = rng.choice(sorted(NUMBERS)), rng.choice(commands if source is RUN else commands[:1])
            yield HostileInput(
                f"numbers-manifest-{source.name}-{name_path(path)}-{name}-{command[0]}",
                command,
                {"r": copy_run_with_manifest(write_json(change_value(manifest, path, NUMBERS[name])), source)},
            )


def generate_options(rng: random.Random) -> Iterator[HostileInput]:
    """Yield commands with a hostile number as an option's value."""
    files = {"s.yaml": write_json(make_full_sweep()), "c.csv": "problem,n,right\na,4,2\nb,4,1\n"}
    for place, command in NUMBER_OPTIONS.items():
        for name in rng.sample(sorted(TEXT_NUMBERS), 4):
            words = (word.replace("NUMBER", TEXT_NUMBERS[name]) for word in command)
            places = {"RUN": str(RUN), "SEARCHES": str(SEARCH_RUN)}
            words = tuple(places.get(word, word) for word in words)
            yield HostileInput(f"numbers-option-{place}-{name}", words, files, writes_rows=True)
    for name in rng.sample(sorted(TEXT_NUMBERS), 8):
        number = TEXT_NUMBERS[name]
        content = f"problem,n,right\na,{number},2\nb,4,{number}\n"
        yield HostileInput(f"numbers-counts-{name}", ("import", "counts", "c.csv", "-o", "out/r"), {"c.csv": content})


def generate_large_plans() -> Iterator[HostileInput]:
    """Yield sweeps whose numbers are each possible, and together too much; and profiles with knots far apart."""
    large = {
        "problems": {"task": {"name": "lab", "problems": 10**8}},
        "solutions": {"solutions": 10**8},
        "verifications": {"solutions": 30_000, "verifications": 30_000},
        "scored": {"solutions": 10**8, "scored": 10**8},
        "slots": {"searches": [{"strategy": "beam", "n": 10**6}]},
        "sizes": {"searches": [{"strategy": "dvts", "n": list(range(4, 40_000, 4))}]},
        "seeds": {"searches": [{"strategy": "beam", "n": 4, "seeds": 10**7}]},
        "rounds": {"searches": [{"strategy": "rebase", "n": 64, "rounds": 10**7}]},
        "revisions": {"searches": [{"strategy": "revise", "n": 10**6, "width": 10**6}]},
        "counted": {"solutions": 3_000_000, "task": {"name": "lab", "problems": 3000}},
    }
    for name, changed in large.items():
        for dry in ((), ("--dry-run",)):
            yield HostileInput(
                f"numbers-plan-{name}{'-dry' if dry else ''}",
                ("sweep", "s.yaml", *dry),
                {"s.yaml": write_json(make_full_sweep() | changed)},
                writes_rows=True,
            )
    published = read_bundled_json("profiles/llama-3.1-8b-math.json")
    for knot in (10**5, 10**7, 10**9, 10**12):
        for strategy in ("sc", "genrm"):
            for command in ("plan", "large", "json"):
                numbers = published["strategies"][strategy]["solutions"]
                profile = change_value(published, ("strategies", strategy, "solutions"), [*numbers[:-1], knot])
                yield HostileInput(
                    f"numbers-knots-{strategy}-{knot}-{command}",
                    PROFILE_COMMANDS[command],
                    {"p.json": write_json(profile)},
                )
