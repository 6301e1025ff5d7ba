"""The cluster of the simulation: numbers that were published, each with its source, beside what is measured here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from experiments.cluster.driver import DriverCosts, Store
from experiments.cluster.measure import MEASURED
from experiments.cluster.replica import ReplicaKind
from experiments.cluster.simulation import Cluster, Failures
from isocompute.fits.laws.throughput import fit_throughput

H100_CONCURRENCY = (1, 5, 25, 50, 100, 150, 200, 250)
H100_TOKEN_SECONDS = (0.00463, 0.00458, 0.00519, 0.00591, 0.00757, 0.00981, 0.01265, 0.01614)
"""Inter-token latency of Llama-3.1-8B-Instruct on an H100, version 1.8.0, the first table of that model: NVIDIA,
docs.nvidia.com/nim/benchmarking/llm/1.0.0/performance."""
PROMPT_TOKEN_SECONDS = 2 * 8.03e9 / (0.5 * 989e12)
"""2 FLOPs per parameter and token at half of the 989 TFLOP/s in bfloat16 of NVIDIA's data sheet of the H100."""
SLOTS = 256
"""Requests at work: vLLM's default ``max_num_seqs`` of its servers. isocompute keeps twice as many inside."""

GPU_FAILURES_PER_HOUR = 268 / (54 * 24 * 16_384)
"""268 of the 419 unexpected interruptions in 54 days on 16,384 H100s were of GPUs: "The Llama 3 Herd of Models",
arXiv:2407.21783, table 5."""
NODE_FAILURES_PER_HOUR = 1 / (7.9 * 1024 / 8)
"""A job on 1,024 GPUs, 128 nodes, fails every 7.9 hours: Kokolis et al., "Revisiting Reliability in Large-Scale Machine
Learning Research Clusters", arXiv:2410.21680."""
WARM_START_SECONDS = 82.0
COLD_START_SECONDS = 294.0
"""Llama-3.1-8B in vLLM, with the model and compiled kernels cached, and without: tensorfuse.io/docs/blogs/
reducing_gpu_cold_start, on an L40S."""
REPLACEMENT_SECONDS = 300.0
"""A failed node is replaced within five minutes: crusoe.ai/resources/blog/
autoclusters-minimizing-hardware-failures-in-large-gpu-clusters."""

SPEED_SPREAD, SLOW_SHARE, SLOW_SPEED = 0.04, 0.01, 1 / 1.5
"""GPUs of one kind differ by 8 % on average, outliers are 1.5 times slower: Sinha et al., "Not All GPUs Are Created
Equal", arXiv:2208.11035. Taken as a standard deviation of 4 % and one straggler in a hundred, which are assumed."""

STORE_LATENCY = (0.1, 0.2)
STORE_BYTES_PER_SECOND = 87e6
"""100 to 200 ms a request, 85 to 90 MB/s a connection: docs.aws.amazon.com/AmazonS3/latest/userguide/
optimizing-performance.html and its design patterns."""
TEXT_BYTES_PER_TOKEN = 1.2
"""Bytes of a token in a part: about four of text, compressed by zstd to three tenths; assumed."""

PROBLEMS, SOLUTIONS, VERIFICATIONS, TOKENS = 500, 256, 32, 8e9
"""The study."""
TOKENS_PER_REQUEST = TOKENS / (PROBLEMS * SOLUTIONS * (1 + VERIFICATIONS))


@dataclass(frozen=True)
class Plan:
    """A way to run the study, and what is changed in the cluster for a comparison.

    Args:
        replicas: number of replicas.
        drivers: number of drivers.
        lease: solutions that a driver takes at once; its share from the start if None.
        part_seconds: seconds between two parts.
        failures: factor on how often things fail.
        without: ``cpu``, ``dealing``, ``stragglers`` or ``store``: what costs nothing; empty for nothing.
        problems: number of problems that are simulated.
        share: share of the cluster that is simulated, with as large a share of each driver that is not simulated whole:
            it then takes so much longer for a row.
    """

    replicas: int
    drivers: int = 1
    lease: int | None = None
    part_seconds: float = 5.0
    failures: float = 1.0
    without: str = ""
    problems: int = PROBLEMS
    share: float = 1.0

    @property
    def name(self) -> str:
        """A name that tells it from others."""
        return " ".join(f"{key}={value}" for key, value in vars(self).items())


@cache
def read_measured() -> dict[str, Any]:
    """Return what was measured here."""
    content: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))
    return content


def build_kind() -> ReplicaKind:
    """Return the published replica."""
    law = fit_throughput(H100_CONCURRENCY, H100_TOKEN_SECONDS)
    return ReplicaKind(law, SLOTS, 2 * SLOTS, PROMPT_TOKEN_SECONDS)


def build_cluster(plan: Plan) -> Cluster:
    """Return the cluster of a plan."""
    driver, drivers = read_measured()["driver"], max(1, round(plan.share * plan.drivers))
    slower = drivers / (plan.share * plan.drivers)
    counts, seconds = zip(*((int(n), each) for n, each in driver["dealing"].items()), strict=True)
    dealing = slower * float(np.interp(plan.replicas / plan.drivers, counts, seconds))
    grading = 0.0 if plan.without == "cpu" else slower
    costs = DriverCosts(
        grading * driver["solution"],
        grading * driver["verification"],
        0.0 if plan.without in ("cpu", "dealing") else dealing,
    )
    row_bytes = slower * TOKENS_PER_REQUEST * TEXT_BYTES_PER_TOKEN
    store = Store(STORE_LATENCY, STORE_BYTES_PER_SECOND, row_bytes, plan.part_seconds)
    straggle = plan.without != "stragglers"
    return Cluster(
        replicas=round(plan.share * plan.replicas),
        kind=build_kind(),
        drivers=drivers,
        lease=plan.lease,
        costs=costs,
        store=Store(part_seconds=plan.part_seconds) if plan.without == "store" else store,
        failures=Failures(
            plan.failures * GPU_FAILURES_PER_HOUR,
            plan.failures * NODE_FAILURES_PER_HOUR,
            WARM_START_SECONDS,
            REPLACEMENT_SECONDS + COLD_START_SECONDS,
        ),
        speed_spread=SPEED_SPREAD if straggle else 0.0,
        slow_share=SLOW_SHARE if straggle else 0.0,
        slow_speed=SLOW_SPEED,
        start_seconds=COLD_START_SECONDS,
    )
