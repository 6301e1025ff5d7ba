"""A shard as a process, with an engine that takes its time: started, stopped and killed by the tests.

python shard_process.py CONFIG I/N SECONDS_PER_ROW LEASE_SECONDS
"""

from __future__ import annotations

import sys
import time

from isocompute.runners.config.sweep_reading import read_sweep
from isocompute.runners.sampling import shards
from isocompute.runners.storage import leases
from tests.conftest import ScriptedEngine, lab_text


def sample_shard(config: str, shard: str, seconds: float, lease: float) -> None:
    """Sample a shard, and print when it begins and how many rows it sampled."""
    leases.LEASE_SECONDS, shards.WATCH_SECONDS = lease, lease / 8
    begun = False

    def say(prompt: str, seed: int) -> str:
        nonlocal begun
        if not begun:
            begun = True
            print("sampling", flush=True)
        time.sleep(seconds)
        return lab_text(prompt, seed)

    summary = shards.run_shard(read_sweep(config), shards.parse_shard(shard), load=ScriptedEngine(say))
    print(summary.sampled, flush=True)


if __name__ == "__main__":
    sample_shard(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
