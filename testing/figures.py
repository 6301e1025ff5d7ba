"""Tests that every figure must pass."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from isocompute.figures.registry import FigureEntry
from isocompute.figures.source import FigureSource
from isocompute.planner.profile import read_profile


class FigureSuite:
    """Tests of a figure; they need matplotlib.

    Attributes:
        entry: the figure's registry entry.
        panels: number of Axes that it draws in.
    """

    entry: ClassVar[FigureEntry]
    panels: ClassVar[int] = 1

    def load_source(self) -> FigureSource:
        """Return a source with the figure's input; by default the `lab` profile."""
        return FigureSource(read_profile("lab"))

    def load_input(self) -> Any:
        """Return the input of the figure's table: by default the source's; a figure of ``profiles`` gives a list."""
        return self.load_source().get_input(self.entry.needs)

    @pytest.fixture
    def table(self) -> Any:
        """The figure's table."""
        return self.entry.table_function(self.load_input())

    @pytest.fixture
    def given_axes(self) -> Any:
        """Axes that the caller made, one per panel."""
        from matplotlib.figure import Figure

        return Figure().subplots(1, self.panels)

    def test_the_table_has_rows_and_a_name_for_every_column(self, table: Any) -> None:
        assert len(table)
        assert all(isinstance(column, str) and column for column in table.columns)
        assert table.columns.is_unique

    def test_it_draws_into_the_axes_that_it_is_given_and_no_others(self, table: Any, given_axes: Any) -> None:
        from matplotlib import pyplot

        before = pyplot.get_fignums()
        self.entry.draw_function(table, ax=given_axes)
        assert pyplot.get_fignums() == before
        axes = [given_axes] if self.panels == 1 else list(given_axes.flat)
        assert all(panel.has_data() for panel in axes)

    def test_drawing_changes_nothing_in_the_table(self, table: Any) -> None:
        before = table.copy(deep=True)
        self.entry.draw_function(table)
        assert table.equals(before)

    def test_the_same_source_gives_the_same_bytes(self) -> None:
        from isocompute.figures.files import make_figure_files

        given = self.load_input()
        first, again = (make_figure_files(self.entry.name, self.entry, given).contents for _ in range(2))
        assert set(first) == {"png", "pdf", "csv"}
        assert first == again
