"""Scales of axes beyond those of `isocompute.figures.style`: doublings along y."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator


def scale_doublings(axes: Axes, low: float, high: float) -> None:
    """Set a log2 y axis from ``low`` to ``high`` that names powers of two, at most seven of them."""
    axes.set_yscale("log", base=2)
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator(list_tick_powers(low, high)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))


def list_tick_powers(low: float, high: float, most: int = 7) -> Sequence[float]:
    """List powers of two within a range, evenly spaced and at most ``most``.

    >>> list_tick_powers(0.7, 40), list_tick_powers(1, 256, most=5)
    ([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], [1.0, 4.0, 16.0, 64.0, 256.0])
    """
    powers = [2.0**power for power in range(-20, 41) if low <= 2.0**power <= high]
    return powers[:: -(-len(powers) // most)] if powers else []
