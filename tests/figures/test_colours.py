"""Lines drawn together are told apart, also by those who see fewer colours, in print and on a dark background."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from colorspacious import cspace_convert
from matplotlib.colors import to_rgb

from isocompute.figures.colours import (
    LEAST_CONTRASTS,
    compute_contrast,
    list_line_styles,
    list_ordered_styles,
    raise_contrast,
)
from isocompute.figures.look import BACKGROUNDS, TEXT_COLOURS, WIDTHS, FigureLook, use_look
from isocompute.planner.strategies.registry import STRATEGIES, get_line_style, get_strategy_colour
from isocompute.runners.search.registry import SEARCH_STRATEGIES, SELECTION_STYLES

VISIONS = (None, "deuteranomaly", "protanomaly", "tritanomaly")
CLOSE = 12.0
"""The distance in CAM02-UCS below which colours of thin lines may be taken for each other."""


def see(colour, vision):
    """A colour in CAM02-UCS as it is seen without the receptors of a kind (Machado et al. 2009)."""
    rgb = np.array(to_rgb(colour))
    if vision is not None:
        space = {"name": "sRGB1+CVD", "cvd_type": vision, "severity": 100}
        rgb = np.clip(cspace_convert(rgb, space, "sRGB1"), 0, 1)
    return cspace_convert(rgb, "sRGB1", "CAM02-UCS")


def measure_distance(one, other) -> float:
    return min(float(np.linalg.norm(see(one, vision) - see(other, vision))) for vision in VISIONS)


def list_styles():
    """The lines that may stand in one figure: every strategy, and every search with the same rule."""
    names = [*STRATEGIES.own, *(f"{search}+weighted" for search in SEARCH_STRATEGIES.own)]
    strategies = [(get_strategy_colour(name), get_line_style(name)) for name in names]
    return {"strategies": strategies, "policies": [tuple(style) for style in list_line_styles(8)]}


@pytest.mark.parametrize("style", BACKGROUNDS)
@pytest.mark.parametrize("kind", list_styles())
def test_where_colours_are_close_the_marker_and_the_dash_differ(style, kind):
    with use_look(FigureLook(WIDTHS["page"], style)):
        lines = [(raise_contrast(colour), form[0], form[1:]) for colour, form in list_styles()[kind]]
    assert len({marker for _, marker, _ in lines}) == len(lines)
    for (one, _, dash), (other, _, other_dash) in combinations(lines, 2):
        assert dash != other_dash or measure_distance(one, other) >= CLOSE, (one, other)


@pytest.mark.parametrize("style", BACKGROUNDS)
def test_lines_and_text_stand_out_from_the_background(style):
    background = BACKGROUNDS[style]
    assert compute_contrast(TEXT_COLOURS[style], background) >= 4.5
    assert min(LEAST_CONTRASTS.values()) >= 3
    with use_look(FigureLook(WIDTHS["page"], style)):
        shades = [shade for count in range(1, 8) for shade, _ in list_ordered_styles(count)]
        assert all(compute_contrast(shade, background) >= 3 for shade in shades)
        assert all(compute_contrast(raise_contrast(colour), background) >= 3 for colour in ("white", "black", "#777"))


def test_the_colours_of_strategies_need_no_change_in_print():
    for colour, _ in list_styles()["strategies"]:
        assert raise_contrast(colour) == colour


def test_a_search_under_two_rules_has_two_dashes():
    for search in SEARCH_STRATEGIES.own:
        assert len({get_line_style(f"{search}+{rule}") for rule in SELECTION_STYLES}) == len(SELECTION_STYLES)
