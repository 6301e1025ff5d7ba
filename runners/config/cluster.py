"""The block of a sweep file for the replicas of its models on a Ray cluster."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from isocompute.runners.config.base import ConfigBlock

ReplicaCount = Annotated[int, Field(ge=1, le=10**5, strict=True)]
DeviceShare = Annotated[float, Field(ge=0, le=10**4, strict=True)]


class ReplicaCounts(ConfigBlock):
    """The replicas of one role's model. Between ``min`` and ``max`` their number follows the number of requests."""

    min: ReplicaCount = 1
    """The fewest replicas while the role has work."""
    max: ReplicaCount | None = None
    """The most replicas. As many as the cluster has room for, unless set."""
    gpus: DeviceShare | None = None
    """The GPUs of a replica. Those that its engine's options ask for, unless set; 0 on a cluster without GPUs."""
    cpus: DeviceShare = 1
    """The CPU cores of a replica."""

    @model_validator(mode="after")
    def _check_consistency(self) -> ReplicaCounts:
        if self.max is not None and self.max < self.min:
            raise ValueError(f"'max' is {self.max}, less than 'min', which is {self.min}")
        if self.gpus is not None and self.gpus > 1 and self.gpus % 1:
            raise ValueError(f"'gpus' is {self.gpus}; more than one GPU must be a whole number of them")
        return self


class ClusterConfig(ConfigBlock):
    """The replicas of each role on a cluster. It says where and how fast a sweep runs, and nothing about its rows."""

    solver: ReplicaCounts = ReplicaCounts()
    """The solver's replicas."""
    verifier: ReplicaCounts = ReplicaCounts()
    """The verifier's replicas, if it is not the solver's model."""
    scorer: ReplicaCounts = ReplicaCounts()
    """The scorer's replicas."""
    wait: Annotated[float, Field(ge=0, le=7 * 86_400, strict=True)] = 60.0
    """The seconds to wait for room while no replica has any; more for a cluster that grows on demand."""
    timeout: Annotated[float, Field(gt=0, le=7 * 86_400, strict=True)] = 3600.0
    """The seconds after which a replica that holds requests and answers none counts as dead. It has an hour to load its
    model, or these seconds if they are more."""
