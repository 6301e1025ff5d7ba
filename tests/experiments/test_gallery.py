"""The gallery has every figure, and its page and pictures are what the commands on it give."""

from __future__ import annotations

import pytest

from experiments.gallery import FOLDER, PAGE, draw_figure, render_page
from isocompute.figures.registry import FIGURES

MOST_BYTES = 3_000_000


def test_the_page_has_every_figure_with_its_command():
    page = PAGE.read_text(encoding="utf-8")
    assert page == render_page()
    for name in FIGURES:
        assert f"](gallery/{name}.png)" in page


def test_every_figure_has_one_picture_and_together_they_are_small():
    pictures = sorted(FOLDER.iterdir())
    assert [path.name for path in pictures] == sorted(f"{name}.png" for name in FIGURES)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)
    assert sum(path.stat().st_size for path in pictures) < MOST_BYTES


@pytest.mark.soak
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_drawn_again_has_the_same_bytes(name):
    assert draw_figure(name) == (FOLDER / f"{name}.png").read_bytes()
