"""From a sweep to its price: which rows are missing, how long rows are, how large models are. No run is written."""

from __future__ import annotations

import json
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from isocompute.errors import EngineError
from isocompute.runners import engines
from isocompute.runners.config import Role, Sweep
from isocompute.runners.engines import Completion, Engine, Request
from isocompute.runners.log import Run
from isocompute.runners.price import Lengths, Price, Prices, price
from isocompute.runners.soundness import sizes
from isocompute.runners.sweep import prepared, sweep
from isocompute.runners.tables import SOLUTIONS, VERIFICATIONS, Table

TABLES = {"solver": SOLUTIONS, "verifier": VERIFICATIONS}
SAMPLED = {"solutions": 16, "to_verify": 4, "verifications": 4}
"""What a sample asks for at most of each of its problems."""

FLOATS = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}
PACKED = {"I32", "U32", "I16", "U16", "I8", "U8"}
"""Types in which one number may be several weights."""
LONGEST = 100_000_000
"""Bytes of the longest header that a safetensors file may have."""
EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")


def quote(
    config: Sweep,
    prices: Prices | None = None,
    rate: float | None = None,
    parameters: Sequence[float] = (),
    sample: int = 0,
    load: Callable[..., Engine] = engines.load,
) -> Price:
    """Price what a run lacks.

    Tokens are the means of rows that the run has; without such rows, those of a sample; without one, ``max_tokens``.

    Args:
        config: what would be sampled.
        prices: in dollars.
        rate: completion tokens a second; a sample's if not given.
        parameters: sizes of models that no folder here tells, the solver's first; the last one holds on.
        sample: on how many problems to sample, with the real engine and in memory, what the run does not tell.
        load: what turns an engine's name, a model and its options into an engine.

    Raises:
        ConfigError, DataError, EngineError, RunError: as a sweep does; or no row of the sample came.
    """
    run, problems, _, _ = prepared(config)
    requests = missing(run, config, [problem.problem_id for problem in problems])
    lengths = {role: mean_lengths(run, TABLES[role], "run") for role in requests}
    rates = None if rate is None else dict.fromkeys(requests, rate)
    if sample and any(requests.values()) and (rates is None or None in lengths.values()):
        tried, measured = sampled(config, min(sample, len(problems)), load)
        lengths = {role: lengths[role] or tried[role] for role in requests}
        rates = rates or {role: measured[role] for role in requests}
    models = {"solver": config.solver, "verifier": config.verifier or config.solver}
    told = dict(zip(models, [*parameters, *parameters[-1:]], strict=False))
    return price(
        requests,
        {role: lengths[role] or at_most(models[role]) for role in requests},
        {role: weights(models[role].model) or told.get(role) for role in requests},
        rates,
        "sample" if rate is None else "given",
        prices,
    )


def at_most(role: Role) -> Lengths:
    """Return the lengths that a role's rows may have."""
    return Lengths(None, None, float(role.max_tokens), "max_tokens", 0)


def missing(run: Run, config: Sweep, problem_ids: list[str]) -> dict[str, int]:
    """Count the rows that a run lacks, by the role that samples them."""
    counts = {}
    asked_for = sizes(config)
    for role, table in TABLES.items():
        numbers = asked_for.get(table)
        if numbers is None:
            continue
        frame = run.frame(table, [*table.key_names, "status"])
        there = (frame["status"] == "ok") & frame["problem_id"].isin(problem_ids)
        for name, size in numbers.items():
            there &= frame[name] < size
        asked = len(problem_ids) * math.prod(numbers.values())
        if asked:
            counts[role] = asked - int(there.sum())
    return counts


def mean_lengths(run: Run, table: Table, source: str) -> Lengths | None:
    """Return the mean tokens of a table's rows that are ok; None if there is none, or they do not say them."""
    names = ["prompt_tokens", "cached_tokens", "completion_tokens"]
    frame = run.frame(table, [*names, "status"])
    frame = frame.loc[frame["status"] == "ok", names].astype(float)
    prompt, cached, completion = (None if math.isnan(mean) else float(mean) for mean in frame.mean())
    return None if completion is None else Lengths(prompt, cached, completion, source, len(frame))


class Clock:
    """Loads engines, and keeps the completion tokens a second of each one's work."""

    def __init__(self, load: Callable[..., Engine]) -> None:
        self.load = load
        self.rates: list[float] = []

    def __call__(self, *model: Any, **options: Any) -> Timed:
        """Load an engine under this clock."""
        return Timed(self.load(*model, **options), self)


class Timed:
    """An engine under a clock."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine, self.clock = engine, clock

    def run(self, pending: deque[Request]) -> Iterator[tuple[Request, Completion]]:
        """Work the queue off."""
        begun, tokens = time.perf_counter(), 0
        for request, completion in self.engine.run(pending):
            tokens += completion.completion_tokens or 0
            yield request, completion
        self.clock.rates.append(tokens / (time.perf_counter() - begun))

    def close(self) -> None:
        """Give back the memory."""
        self.engine.close()


def sampled(config: Sweep, problems: int, load: Callable[..., Engine]) -> tuple[dict[str, Lengths], dict[str, float]]:
    """Sweep a sweep's first problems in memory.

    Returns:
        By role, mean tokens, and completion tokens a second: fewer than later, if so few requests leave room in the
        engine. One engine in both roles has one rate.

    Raises:
        EngineError: a model cannot be loaded, or no row of a role came.
    """
    to_verify = min(config.to_verify, SAMPLED["to_verify"])
    small = config.model_copy(
        update={
            "run": f"memory://isocompute-sample-{uuid4().hex}",
            "task": config.task.model_copy(update={"problems": problems}),
            "solutions": min(config.solutions, SAMPLED["solutions"]),
            "verified": to_verify or None,
            "verifications": min(config.verifications, SAMPLED["verifications"]),
            "scored": 0,
            "searches": (),
        }
    )
    run, clock = Run(small.run), Clock(load)
    try:
        summary = sweep(small, load=clock)
        found = {role: mean_lengths(run, TABLES[role], "sample") for role in TABLES if role == "solver" or to_verify}
    finally:
        if run.fs.exists(run.root):
            run.fs.rm(run.root, recursive=True)
    if empty := [role for role, lengths in found.items() if lengths is None]:
        why = f": {next(iter(summary.failed))}" if summary.failed else ""
        raise EngineError(f"No row of the {empty[0]}'s sample came{why}.")
    known = {role: lengths for role, lengths in found.items() if lengths is not None}
    return known, {"solver": clock.rates[0], "verifier": clock.rates[-1]}


def weights(model: str) -> float | None:
    """Return how many parameters a checkpoint's folder holds, as the headers of its safetensors files say.

    Returns:
        None without such files, and where what is stored is not what a token passes: packed integers, and experts
        of which each token visits a few.

    Raises:
        EngineError: a file is not what its name says.
    """
    folder = Path(model).expanduser()
    index = folder / "model.safetensors.index.json"
    try:
        settings = json.loads((folder / "config.json").read_bytes())
        names = json.loads(index.read_bytes())["weight_map"].values() if index.is_file() else ["model.safetensors"]
        tensors = [tensor for name in sorted(set(names)) for tensor in header(folder / name)]
        if any(settings.get(name) for name in EXPERTS) or any(tensor["dtype"] in PACKED for tensor in tensors):
            return None
        return float(sum(math.prod(tensor["shape"]) for tensor in tensors if tensor["dtype"] in FLOATS))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise EngineError(f"The checkpoint in '{model}' cannot be read: {error!r}.") from None


def header(path: Path) -> list[dict[str, Any]]:
    """Return what a safetensors file says of its tensors, without reading them."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > LONGEST:
            raise ValueError(f"{path.name} has no header")
        content = json.loads(file.read(length))
    return [tensor for name, tensor in content.items() if name != "__metadata__"]
