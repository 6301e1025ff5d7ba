"""Writing of a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from isocompute.errors import DataError
from isocompute.figures.report.page import render_report
from isocompute.figures.source import FigureSource, open_figure_source
from isocompute.planner.costs.request import read_settings
from isocompute.runners.storage.files import check_output_path, write_output


def write_report(
    sources: Sequence[tuple[str, FigureSource]],
    path: str,
    *,
    prices: object = None,
    device: str | None = None,
    batch: int | None = None,
) -> None:
    """Write the report of runs and profiles to a file, once all of it is made.

    Args:
        sources: each with its name or path.
        path: the HTML file.
        prices: a price file, or its content.
        device: name of a device.
        batch: requests that are decoded together.

    Raises:
        RunError, DataError, ConfigError: a source or a setting cannot be read, or the file cannot be written.
    """
    check_report_path(path)
    named: dict[str, object] = {"--prices": prices if isinstance(prices, str) or prices is None else "prices.yaml"}
    named |= {"--device": device, "--batch": batch}
    options = [word for name, value in named.items() if value is not None for word in (name, str(value))]
    write_output(path, render_report(sources, read_settings(prices, device, batch), options))


def check_report_path(path: str) -> None:
    """Raise unless a report may be written to a path: its ending is that of a page, so that no other file is replaced.

    Raises:
        DataError: it may not.
        RunError: as `check_output_path`.
    """
    check_output_path(path)
    if PurePosixPath(path).suffix.lower() not in (".html", ".htm"):
        raise DataError(f"'{path}' must end in .html: a report is one HTML file.")


def open_report_source(name: str) -> tuple[str, FigureSource]:
    """Return a run or a profile with its name or path.

    Raises:
        RunError, DataError: it is missing, incomplete or damaged.
    """
    return name, open_figure_source(name)
