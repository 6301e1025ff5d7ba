"""Reports: runs and profiles as one HTML file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isocompute.api.profiles import FittedProfile
from isocompute.api.runs import OpenedRun, require_path
from isocompute.errors import ConfigError

if TYPE_CHECKING:
    from isocompute.figures.source import FigureSource

ReportInput = OpenedRun | FittedProfile | str | os.PathLike[str]


def report(
    source: ReportInput | list[ReportInput] | tuple[ReportInput, ...],
    path: str | os.PathLike[str],
    *,
    prices: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    device: str | None = None,
    batch: int | None = None,
) -> None:
    """Write a report: one HTML file with the recommendation at every budget, charts, tables, samples and a data card.

    The file loads nothing and runs no text of a model or a task. Its budget slider holds what `plan` says at each
    budget, in every unit that the source has costs for.

    Args:
        source: a run, a profile, or the path or bundled name of one; a list for several in one file.
        path: the HTML file.
        prices: a file of prices by model, or its content, for budgets in dollars.
        device: a100, h100, h200, b200 or l4, for KV reads, and for GPU-hours where rows carry no times.
        batch: requests that are decoded together, as in `plan`.

    Raises:
        ConfigError: the source is none of these, or a setting is not known.
        RunError, DataError: a source or the prices cannot be read, or the file cannot be written.
    """
    from isocompute.figures.report.files import write_report

    given = list(source) if isinstance(source, list | tuple) else [source]
    if not given:
        raise ConfigError("A report needs a run or a profile; the list is empty.")
    target = require_path(path, "path")
    opened = [open_source(each) for each in given]
    table = os.fspath(prices) if isinstance(prices, os.PathLike) else prices
    write_report(opened, target, prices=table, device=device, batch=batch)


def open_source(source: ReportInput) -> tuple[str, FigureSource]:
    """Return the source of a report with its name or path.

    Raises:
        ConfigError: it is neither a run nor a profile, nor the path of one.
    """
    from isocompute.figures.report.files import open_report_source

    if isinstance(source, str | os.PathLike):
        return open_report_source(os.fspath(source))
    if isinstance(source, OpenedRun):
        return source.path, source._open_figure_source()
    if isinstance(source, FittedProfile):
        return source.path or source.name, source._open_figure_source()
    raise ConfigError(f"A report is made of a run, a profile, or the path of one; got {type(source).__name__}.")
