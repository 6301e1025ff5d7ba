"""FLOPs of requests: 2P for each token that is sampled, or read without being cached.

P are the parameters that a token uses, which are a part of a mixture's. Attention over long texts is left out here, and
is a part of `isocompute.planner.costs.kv`. Kaplan et al. 2020 (arXiv 2001.08361), section 2.1.
"""

from __future__ import annotations

from isocompute.fits.arrays import Floats
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.costs.usage import RoleUsage, UnknownCostError


def compute_request_flops(usage: RoleUsage, settings: CostSettings | None = None) -> Floats:
    """Compute the FLOPs of a request: 2P(completion + prompt - cached).

    Args:
        usage: the tokens of the request.
        settings: not used.

    Raises:
        UnknownCostError: the model's size or a count is unknown.
    """
    return 2 * get_used_parameters(usage) * (usage.require_tokens("completion") + usage.uncached)


def get_used_parameters(usage: RoleUsage) -> float:
    """Return the parameters that a token of a role's model uses.

    Raises:
        UnknownCostError: they are unknown.
    """
    used = usage.model.active_parameters or usage.model.parameters
    if used is None:
        raise UnknownCostError(
            f"the size of the {usage.role}'s model is unknown; fit --parameters (parameters= in Python) sets it"
        )
    return used
