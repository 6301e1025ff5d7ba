"""Engines and scorers as replicas on a Ray cluster, behind the protocols of one on this machine.

The driver keeps the run's lock and writes all its parts. Each role's model is a pool of Ray actors that load the real
engine; requests go to them in small batches, what shares a prompt to the same replica, and a problem's search whole to
one. A replica that dies is started again, and its unfinished requests go to others. Keys and seeds come with the
requests, so the rows are those of one machine, whatever the number of replicas.

Ray Data's LLM stage maps a data set that is known before, while here verifications and the steps of searches follow
from earlier answers; its unit of repetition is a block of rows, not a row, and it runs vLLM and SGLang only. Ray Serve
LLM is a server of those two, which the engine ``openai`` can use as any other, but it takes no tokens to continue a
search from and runs neither the other engines nor the scorers; so plain actors are used.
"""

from isocompute.runners.cluster.connection import Cluster, open_cluster
from isocompute.runners.cluster.loading import ClusterLoader, ModelLoading, open_model_loading

__all__ = ["Cluster", "ClusterLoader", "ModelLoading", "open_cluster", "open_model_loading"]
