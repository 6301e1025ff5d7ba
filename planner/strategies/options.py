"""What could be run, of what a profile holds: each strategy's options, the one that is cheapest to begin with first."""

from __future__ import annotations

import math

from isocompute.fits.choice.options import Options, listed_options, verified_options, voting_options
from isocompute.planner.profile import Curve, Profile, Surface


def sc_options(curve: Curve) -> Options:
    """Self-consistency: a vote over S solutions."""
    return voting_options(curve.array, curve.solutions, "sc")


def verified(surface: Surface, lam: float, strategy: str = "genrm") -> Options:
    """A strategy over S solutions with V verifications each, at S(1 + λV)."""
    return verified_options(surface.array, surface.solutions, surface.verifications, lam, strategy)


VERIFIED = {"genrm": "genrm", "genrm+vote": "genrm_vote", "weighted": "weighted", "fused": "fused"}
"""The strategies over S solutions with V verifications each, and where a profile holds them."""


SCORED = {"bon": "bon", "prm-weighted": "prm_weighted"}
"""The strategies over S solutions of which each is scored, and where a profile holds them."""


def scored(profile: Profile) -> list[Options]:
    """The strategies over a scored pool, at S(1 + ρ); none if ρ is unknown."""
    rho = profile.rhos.get(profile.counting)
    parts = {name: getattr(profile, part) for name, part in SCORED.items()}
    if rho is None:
        return []
    return [
        voting_options(curve.array, curve.solutions, name, 1 + rho)
        for name, curve in parts.items()
        if curve is not None
    ]


def searched(profile: Profile) -> list[Options]:
    """The searches, each allocation at what it cost; without those of which that is unknown."""
    return [
        listed_options(part.array, cost, part.numbers, strategy)
        for strategy, part in profile.searches.items()
        if (cost := part.priced(profile.counting)) is not None
    ]


def unplaced(profile: Profile) -> list[str]:
    """Name the strategies that were measured, and whose cost is unknown in the profile's way of counting."""
    pooled = [name for name, part in SCORED.items() if getattr(profile, part) is not None]
    placed = {options.strategy for options in (*scored(profile), *searched(profile))}
    return [name for name in (*pooled, *profile.searches) if name not in placed]


def strategies(profile: Profile, lam: float | None) -> list[Options]:
    """Return the options of every strategy in a profile; of equals the one named first is recommended.

    Args:
        profile: what was measured.
        lam: λ; None if there are no verifications, or if it is unknown.
    """
    found = [sc_options(profile.self_consistency)]
    for strategy, part in VERIFIED.items():
        surface = getattr(profile, part)
        if surface is not None and lam is not None:
            found.append(verified(surface, lam, strategy))
    return [*found, *scored(profile), *searched(profile)]


def doublings(profile: Profile) -> list[float]:
    """Return the budgets at which strategies are compared: the powers of two that were measured.

    Searches are few and far between, so the last power is one that pays for the dearest of them.
    """
    most = max(options.dearest for options in strategies(profile, profile.lam))
    dearest = max((options.dearest for options in searched(profile)), default=1.0)
    last = max(math.floor(math.log2(most)), math.ceil(math.log2(dearest)))
    return [2.0**power for power in range(last + 1)]
