"""Worlds without models, in which every step, score and end is known before the search begins."""

from __future__ import annotations

import pytest

from isocompute.testing import make_search_world


@pytest.fixture
def worlds():
    """Makes a world from a seed, and the chances that a step ends its solution, or is cut."""
    return make_search_world


SHAPES = [(n, width, rounds) for n in (1, 2, 3, 4, 6, 7, 16) for width in (1, 2, 3, 4, 20) for rounds in (1, 2, 5)]


@pytest.fixture
def shapes():
    """Slots, widths and rounds: n < width, n not a multiple of it, one slot, one round."""
    return SHAPES
