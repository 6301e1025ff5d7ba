"""Figures by name: ``figures.frontiers(profile)`` draws one, ``.build_table(profile)`` returns what is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isocompute.figures.drawing import Figure

    solutions_and_compute: Figure
    solutions_and_compute_by_level: Figure
    frontiers: Figure
    difficulty: Figure
    caps: Figure
    policies: Figure
    surface: Figure
    allocation_law: Figure
    crossover: Figure
    regret: Figure
    models: Figure
    search_by_n: Figure
    difficulty_bars: Figure
    verifier: Figure
    step_scores: Figure
    published: Figure


def __getattr__(name: str) -> Figure:
    """Return a registered figure, of another package too."""
    from isocompute.figures.drawing import Figure
    from isocompute.figures.registry import FIGURES

    if name.startswith("_") or name not in FIGURES:
        raise AttributeError(f"module 'isocompute.figures' has no attribute '{name}'")
    return Figure(name)


def __dir__() -> list[str]:
    from isocompute.figures.registry import FIGURES

    return list(FIGURES)
