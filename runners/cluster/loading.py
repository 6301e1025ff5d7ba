"""Loading of the engines and scorers of a sweep as pools of replicas on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocompute.errors import ConfigError
from isocompute.runners.cluster.connection import Cluster, open_cluster
from isocompute.runners.cluster.handle import ReplicaPlan
from isocompute.runners.cluster.pool import ReplicaPool
from isocompute.runners.cluster.resources import ReplicaShape
from isocompute.runners.config.cluster import ClusterConfig, ReplicaCounts
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.display import Display
from isocompute.runners.engines import ENGINES, Engine
from isocompute.runners.engines.base import build_failed_completion
from isocompute.runners.prompts import list_prompts
from isocompute.runners.scorers import SCORERS, Scorer, ScoreResult

HERE_ONLY_OPTIONS = ("replicas", "device_ids")
"""Options of an engine that speak of one machine's devices; Ray assigns them on a cluster."""

ROLES_AT_ONCE = 2
"""Roles that have work at the same time: solver and scorer in searches, solver and verifier under a policy."""


@dataclass(frozen=True)
class ModelLoading:
    """The loading functions of a sweep, in this process or on a cluster, and its display.

    Args:
        display: where progress is shown.
        functions: on a cluster, the arguments ``load`` and ``load_scorer`` of `run_sweep`; empty in this process, for
            which their defaults are.
    """

    display: Display
    functions: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def open_model_loading(on: str | None, display: Display, sweep: Sweep | None = None) -> Iterator[ModelLoading]:
    """Load models in this process, or on a cluster, to which this process is connected until the block ends.

    Args:
        on: the cluster, ``ray://HOST:PORT``, ``local`` or ``local:N``; None for this process.
        display: where progress is shown.
        sweep: the sweep, if it is known.

    Raises:
        ConfigError, EngineError: as `open_cluster`.
    """
    if on is None:
        yield ModelLoading(display)
        return
    with open_cluster(on, display.note) as cluster:
        loader = ClusterLoader(cluster, display, sweep)
        yield ModelLoading(loader, {"load": loader.load_engine, "load_scorer": loader.load_scorer})


class ClusterLoader:
    """The loading functions of a sweep whose models run on a cluster; it is also the display that shows their progress.

    Args:
        cluster: the cluster.
        display: where progress is shown.
        sweep: the sweep, whose roles have their numbers of replicas; None if it is not known yet.
    """

    def __init__(self, cluster: Cluster, display: Display, sweep: Sweep | None = None) -> None:
        self.cluster, self.display, self.sweep = cluster, display, sweep
        self.config = (sweep.cluster if sweep is not None else None) or ClusterConfig()
        self.pools: list[ReplicaPool] = []

    def load_engine(self, name: str, model: str, **options: Any) -> Engine:
        """Load an engine's model on the cluster, as `engines.load_engine` does here.

        Raises:
            ConfigError, EngineError: as there, or the cluster has no room for a replica, or the engine sends batches.
        """
        if name == "openai-batch":
            raise ConfigError(
                "The engine 'openai-batch' does not go with --on: nothing runs on the cluster; leave it out."
            )
        role, gpus = self._name_role(model, options), count_engine_gpus(name, options)
        model = locate_file(model) if name in ENGINES and ENGINES[name].is_local else model
        loader = "isocompute.runners.engines.registry:load_engine"
        return self._start_pool(role, loader, (name, model), options, gpus, "tok/s", build_failed_completion)

    def load_scorer(
        self, kind: str, model: str, engine: str = "vllm", prompt: str | None = None, **options: Any
    ) -> Scorer:
        """Load a scorer's model on the cluster, as `scorers.load_scorer` does here.

        Raises:
            ConfigError, EngineError: as there, or the cluster has no room for a replica.
        """
        if prompt is not None and prompt not in list_prompts():
            prompt = locate_file(prompt)
        model = locate_file(model) if kind in SCORERS and SCORERS[kind].format else model
        given = {**options, "engine": engine, "prompt": prompt}
        loader = "isocompute.runners.scorers.registry:load_scorer"
        gpus = count_engine_gpus(engine, options)
        return self._start_pool("scorer", loader, (kind, model), given, gpus, "rows/s", build_failed_score)

    def start_phase(self, name: str, total: int, done: int) -> None:
        """Begin a phase of ``total`` rows, ``done`` of which exist already."""
        self.display.start_phase(name, total, done)

    def update_progress(self, rows: int, tokens: int, detail: str = "") -> None:
        """Count finished rows and their tokens; the replicas' state is shown beside the detail."""
        states = [pool.describe_progress() for pool in self.pools if pool.replicas]
        self.display.update_progress(rows, tokens, "; ".join(filter(None, [detail, *states])))

    def note(self, text: str) -> None:
        """Print one line."""
        self.display.note(text)

    def _name_role(self, model: str, options: Mapping[str, Any]) -> str:
        """Return the role of a model: the first with the same model and options, since such roles share their pool."""
        for name in ("solver", "verifier"):
            role = getattr(self.sweep, name, None)
            if role is not None and (role.model, role.options) == (model, options):
                return name
        return f"model '{model}'"

    def _start_pool(
        self,
        role: str,
        loader: str,
        arguments: tuple[Any, ...],
        options: Mapping[str, Any],
        gpus: float,
        unit: str,
        fail: Callable[[str], Any],
    ) -> ReplicaPool:
        counts: ReplicaCounts = getattr(self.config, role, ReplicaCounts())
        nodes = list(self.cluster.list_nodes().values())
        if counts.gpus is not None:
            gpus = counts.gpus
        elif not any(node.get("GPU") for node in nodes):
            gpus = 0
        shape = ReplicaShape(counts.cpus, gpus)
        fewest, most = choose_replica_counts(counts, self.cluster.workers, options, shape.count_fitting(nodes))
        plan = ReplicaPlan(
            role,
            loader,
            arguments,
            {key: value for key, value in options.items() if key not in HERE_ONLY_OPTIONS},
            shape,
            unit,
            {} if gpus else {"VLLM_CPU_OMP_THREADS_BIND": "nobind"},  # vLLM would bind all copies to the same cores
        )
        waits = (self.config.wait, self.config.timeout)
        pool = ReplicaPool(plan, self.cluster, fewest, most, *waits, fail, self.display.note)
        self.pools.append(pool)
        return pool


def choose_replica_counts(
    counts: ReplicaCounts, workers: int | None, options: Mapping[str, Any], fitting: int
) -> tuple[int, int]:
    """Return the fewest and the most replicas of a role.

    Args:
        counts: those of the sweep file.
        workers: the number that ``local:N`` asks for.
        options: the engine's, of which ``replicas`` is the most if the sweep file has none.
        fitting: how many the cluster has room for; roles that work at once share it.

    >>> choose_replica_counts(ReplicaCounts(), None, {}, 9), choose_replica_counts(ReplicaCounts(), 2, {}, 9)
    ((1, 4), (2, 2))
    """
    if workers is not None:
        return workers, workers
    most = counts.max or options.get("replicas") or max(counts.min, fitting // ROLES_AT_ONCE, 1)
    if not isinstance(most, int):
        raise ConfigError(f"'replicas' is the number of copies of a model, 1 or more; got {most!r}.")
    return counts.min, max(counts.min, most)


def count_engine_gpus(engine: str, options: Mapping[str, Any]) -> int:
    """Return how many GPUs an engine's options ask for; 0 of an engine that loads no model itself.

    >>> count_engine_gpus("vllm", {"tensor_parallel_size": 4}), count_engine_gpus("openai", {})
    (4, 0)
    """
    if engine not in ENGINES or not ENGINES[engine].is_local:
        return 0
    sizes = [options.get(name, 1) for name in ("tensor_parallel_size", "pipeline_parallel_size")]
    return int(sizes[0]) * int(sizes[1])


def locate_file(name: str) -> str:
    """Return the absolute path of a model's folder or a file here, which the nodes must have too; other names as given.

    >>> locate_file("no/such-model")
    'no/such-model'
    """
    path = Path(name).expanduser()
    return str(path.resolve()) if path.exists() else name


def build_failed_score(reason: str) -> ScoreResult:
    """Return the scores of a request that fails.

    >>> build_failed_score("it is broken").status
    'it is broken'
    """
    return ScoreResult(None, None, None, None, reason, None)
