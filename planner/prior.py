"""The prior of the planner, which comes from simulated worlds only, see experiments/advice/prior.py."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

import numpy as np

from isocompute.fits.choice.accuracy_prior import AccuracyPrior, PriorPart


@lru_cache(maxsize=1)
def read_accuracy_prior() -> AccuracyPrior:
    """Read the prior that is shipped with the planner.

    Example:
        >>> sorted(read_accuracy_prior().parts)
        ['fused', 'genrm', 'genrm+vote', 'sc', 'weighted']
    """
    text = (files("isocompute.planner") / "accuracy_prior.json").read_text(encoding="utf-8")
    return build_accuracy_prior(json.loads(text)["strategies"])


def build_accuracy_prior(strategies: dict[str, dict[str, list[float]]]) -> AccuracyPrior:
    """Return a prior from its JSON, by strategy."""
    return AccuracyPrior(
        {
            name: PriorPart(**{key: np.array(values, dtype=float) for key, values in part.items()})
            for name, part in strategies.items()
        }
    )
