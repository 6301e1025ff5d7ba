"""The resources of a replica: how many a cluster has room for, and what it lacks for one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Resources = Mapping[str, float]
"""Ray's name of a resource → amount, as of a node."""


@dataclass(frozen=True)
class ReplicaShape:
    """The resources of a replica.

    Args:
        cpus: CPU cores; of each node's share, if the model spans nodes.
        gpus: GPUs.
    """

    cpus: float = 1
    gpus: float = 0

    def list_bundles(self, nodes: Iterable[Resources]) -> list[dict[str, float]]:
        """Return what is reserved: one bundle on one node, or one for each GPU if no node has as many as are needed.

        >>> ReplicaShape(1, 2).list_bundles([{"CPU": 8, "GPU": 2}])
        [{'CPU': 1, 'GPU': 2}]
        >>> ReplicaShape(1, 2).list_bundles([{"CPU": 8, "GPU": 1}, {"CPU": 8, "GPU": 1}])
        [{'CPU': 1, 'GPU': 1}, {'CPU': 1, 'GPU': 1}]
        """
        most = max((node.get("GPU", 0) for node in nodes), default=0)
        if 0 < most < self.gpus:
            return [{"CPU": self.cpus, "GPU": 1}] * int(self.gpus)
        return [{name: amount for name, amount in (("CPU", self.cpus), ("GPU", self.gpus)) if amount}]

    def count_fitting(self, nodes: Iterable[Resources]) -> int:
        """Return how many replicas the nodes have room for together, if nothing else runs there.

        >>> ReplicaShape(2, 0).count_fitting([{"CPU": 5}, {"CPU": 2}])
        3
        """
        known = list(nodes)
        bundles = self.list_bundles(known)
        room = sum(count_bundles(node, bundles[0]) for node in known)
        return room // len(bundles)

    def describe_need(self) -> str:
        """Return the resources in words.

        >>> ReplicaShape(1, 2).describe_need()
        '2 GPUs and 1 CPU'
        """
        amounts = [("GPU", self.gpus), ("CPU", self.cpus)]
        return " and ".join(f"{amount:g} {name}{'s' * (amount != 1)}" for name, amount in amounts if amount)

    def describe_missing(self, nodes: Iterable[Resources]) -> str:
        """Return in words what a cluster lacks for one replica.

        >>> ReplicaShape(1, 4).describe_missing([{"CPU": 8, "GPU": 2}])
        'it needs 4 GPUs and 1 CPU, but the cluster has 2 GPUs and 8 CPUs on 1 node'
        """
        known = list(nodes)
        total = ReplicaShape(*(sum(node.get(name, 0) for node in known) for name in ("CPU", "GPU")))
        where = f"on {len(known)} node{'s' * (len(known) != 1)}"
        has = total.describe_need() or "neither CPUs nor GPUs"
        if self.count_fitting(known):
            return f"it needs {self.describe_need()}, and other work holds the cluster's {has} {where}"
        return f"it needs {self.describe_need()}, but the cluster has {has} {where}"


def count_bundles(node: Resources, bundle: Resources) -> int:
    """Return how often a bundle fits on a node."""
    return int(min((node.get(name, 0) // amount for name, amount in bundle.items()), default=0))
