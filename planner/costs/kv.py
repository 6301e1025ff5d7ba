"""FLOPs plus memory reads of requests, in FLOPs that the device does in the time of a read.

Kinetics (Sadhukhan et al. 2025, arXiv 2506.05333, section 2): a text costs 2P FLOPs a token, attention over what came
before, and I FLOPs for each byte of the KV cache that is read, where I is the device's FLOPs per byte. Every sequence
reads its own prompt again; a kernel that reads a shared prompt once for several sequences needs less. With a batch, I
FLOPs for each byte of the weights are shared by the requests in it (a mixture reads at most all experts).
"""

from __future__ import annotations

import numpy as np

from isocompute.fits.arrays import Floats
from isocompute.planner.costs.flops import compute_request_flops, get_used_parameters
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.costs.usage import RoleUsage, UnknownCostError

BYTES_PER_WEIGHT = 2
"""Of bfloat16 weights."""


def compute_request_work(usage: RoleUsage, settings: CostSettings) -> Floats:
    """Compute the cost of a request in FLOPs and reads: 2P·T + a·A + I·(k·A_d + w·T_d / B).

    T are the tokens sampled or read uncached, T_d those sampled, A the pairs of a token and an earlier one, A_d those
    of the sampled tokens, a the attention FLOPs of a pair, k the bytes of KV cache of a token, w the bytes of the
    weights that a step of B requests reads.

    Args:
        usage: the tokens of the request. Where the spread of a problem's lengths is unknown they are taken as equal,
            which is a lower bound.
        settings: with the device and, if wanted, the batch.

    Raises:
        UnknownCostError: a count, the model's size or its architecture is unknown, or there is no device.
    """
    if settings.device is None:
        raise UnknownCostError("memory reads need a device; --device (device= in Python) names it")
    model = usage.model
    if model.kv_bytes is None or model.attention_flops is None:
        raise UnknownCostError(
            f"the layers and heads of the {usage.role}'s model are unknown; fit reads them from config.json where the "
            "run's model is a local folder"
        )
    decoded_pairs, read_pairs = count_pairs(usage)
    reads = model.kv_bytes * decoded_pairs
    if settings.batch is not None:
        reads = reads + measure_weight_reads(usage, settings.batch) * usage.require_tokens("completion")
    attention = model.attention_flops * (decoded_pairs + read_pairs)
    return compute_request_flops(usage) + attention + settings.device.intensity * reads


def count_pairs(usage: RoleUsage) -> tuple[Floats, Floats]:
    """Return the pairs of a token and an earlier one that it reads: of sampled tokens, and of uncached prompt tokens.

    Args:
        usage: the tokens of a request; a search's pairs were counted node by node.

    Raises:
        UnknownCostError: a count is unknown.
    """
    if usage.of_search:
        if usage.decoded_pairs is None or usage.read_pairs is None:
            raise UnknownCostError("the profile does not hold the positions that searches read; fit the run again")
        return usage.decoded_pairs, usage.read_pairs
    sampled, given, read = usage.require_tokens("completion"), usage.require_tokens("prompt"), usage.uncached
    spread = np.zeros_like(sampled) if usage.completion_sd is None else usage.completion_sd
    decoded = sampled * given + (sampled**2 + spread**2) / 2  # step i reads the prompt and i earlier tokens
    return decoded, read * (given - read / 2)


def measure_weight_reads(usage: RoleUsage, batch: int) -> float:
    """Return the bytes of weights that a request's share of a decoding step reads, for a batch of requests.

    A mixture reads the experts of all requests in the batch, at most all of them.
    """
    used = get_used_parameters(usage)
    stored = max(usage.model.parameters or used, used)
    return BYTES_PER_WEIGHT * min(stored, used * batch) / batch
