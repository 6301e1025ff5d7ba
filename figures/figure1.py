"""The figures of the study, from any profile: a table for each, and what draws it.

Figure 1 of Singhi et al. 2025 (arXiv 2504.01005): success against the number of solutions (a), and against
compute (b), for self-consistency and for a generative verifier with each number of verifications.
"""

from __future__ import annotations

import posixpath
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from isocompute.fits.bootstrap import interval, resample
from isocompute.fits.cost import compute
from isocompute.planner.findings import replicates
from isocompute.planner.profile import Profile
from isocompute.planner.strategies.registry import colour_of
from isocompute.runners.storage.files import write_output

SHADES = "viridis_r"


def figure1_table(profile: Profile) -> pd.DataFrame:
    """Return the points of Figure 1: strategy, solutions, verifications, compute, accuracy, low, high.

    Without λ the compute of GenRM is NaN, and (b) shows self-consistency alone.
    Low and high are 95 % intervals over problems; NaN where the profile holds means only.
    """
    weights = replicates(profile)
    tables = []
    sc, genrm = profile.self_consistency, profile.genrm
    kept = [i for i, S in enumerate(sc.solutions) if S & (S - 1) == 0]
    tables.append(points("sc", [sc.solutions[i] for i in kept], 0, None, sc.array[:, kept], weights))
    if genrm is not None:
        grid, S, verifications = genrm.doublings()
        tables += [points("genrm", S, V, profile.lam, grid[:, :, j], weights) for j, V in enumerate(verifications)]
    table = pd.concat(tables, ignore_index=True)
    if not profile.per_problem:
        table[["low", "high"]] = np.nan
    return table


def points(strategy: str, S: list[int], V: int, lam: float | None, values: Any, weights: Any) -> pd.DataFrame:
    """Return one line of Figure 1."""
    low, high = interval(resample(values, weights))
    cost = [float(s) if not V else np.nan if lam is None else float(compute(s, V, lam)) for s in S]
    return pd.DataFrame(
        {"strategy": strategy, "solutions": S, "verifications": V, "compute": cost, "accuracy": values.mean(axis=0),
         "low": low, "high": high}
    )  # fmt: skip


def draw_figure1(table: pd.DataFrame, title: str) -> Figure:
    """Draw Figure 1 from its table."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42}):
        figure = Figure(figsize=(8.2, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        banded = best_verifications(table)
        lines = list(table.groupby(["strategy", "verifications"], sort=False))
        shades = mpl.colormaps[SHADES](np.linspace(0.12, 0.95, max(len(lines) - 1, 1)))
        for ((strategy, V), line), shade in zip(
            lines, np.vstack([[mpl.colors.to_rgba(colour_of("sc"))], shades]), strict=False
        ):
            label = "SC (majority vote)" if strategy == "sc" else f"GenRM, V = {V}"
            for axes, column in ((left, "solutions"), (right, "compute")):
                axes.plot(
                    line[column],
                    100 * line["accuracy"],
                    "o-",
                    color=shade,
                    markersize=3,
                    linewidth=1.6 if strategy == "sc" else 1.1,
                    label=label if axes is left else None,
                    zorder=3 if strategy == "sc" else 2,
                )
                if V in (0, banded):
                    low, high = 100 * line["low"], 100 * line["high"]
                    axes.fill_between(line[column], low, high, color=shade, alpha=0.13, lw=0)
        finish(left, "(a) at equal numbers of solutions", "solutions S per problem")
        finish(right, "(b) at equal compute", "compute C = S(1 + λV), in solutions' worth (x)")
        left.set_ylabel("problems solved (%)")
        figure.suptitle(title, fontsize=9)
        figure.legend(loc="outside right center", frameon=False, fontsize=8)
    return figure


def best_verifications(table: pd.DataFrame) -> int:
    """Return the number of verifications whose line comes highest; 0 without any.

    Bands are drawn for it and for SC only: those of all lines would hide each other.
    """
    lines = table[table["verifications"] > 0]
    return 0 if lines.empty else int(lines["verifications"].to_numpy()[lines["accuracy"].to_numpy().argmax()])


def finish(axes: Axes, title: str, label: str) -> None:
    """Give a panel its log2 axis, grid and words."""
    axes.set_xscale("log", base=2)
    low, high = axes.get_xlim()
    octaves = np.log2(high / low)
    axes.xaxis.set_major_locator(LogLocator(base=4 if octaves > 7 else 2, numticks=20))
    axes.xaxis.set_minor_locator(LogLocator(base=2, numticks=30))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if x < 1024 else f"{x / 1024:g}k"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda x, _: ""))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
    axes.grid(alpha=0.25, lw=0.5)
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(label)


def draw(profile: Profile, folder: Path | str) -> list[str]:
    """Draw the figures of a profile into a folder, each as PNG and PDF.

    Returns:
        The files that were written.

    Raises:
        DataError: the folder cannot be written.
    """
    table = figure1_table(profile)
    best = best_verifications(table)
    bands = ", means as published"
    if profile.per_problem:
        bands = ", bands: 95 % over problems, for SC" + (f" and V = {best}" if best else "")
    unpriced = "; λ unknown, so (b) is without GenRM" if profile.unpriced else ""
    figure = draw_figure1(table, f"{profile.name}: {profile.problems} problems{bands}{unpriced}")
    return save(figure, folder, "figure1")


def save(figure: Figure, folder: Path | str, name: str) -> list[str]:
    """Write a figure into a folder as PNG and PDF, and return the files.

    Args:
        figure: what was drawn.
        folder: on a local disk or in a store.
        name: of the files, without an ending.

    Raises:
        DataError: the folder cannot be written.
    """
    written = []
    for kind, metadata in {"png": {"Software": None}, "pdf": {"CreationDate": None}}.items():
        image = BytesIO()
        with mpl.rc_context({"pdf.fonttype": 42}):  # TrueType, which journals ask for and editors can change
            figure.savefig(image, format=kind, dpi=200, metadata=metadata)  # no date: the same profile, the same bytes
        written.append(posixpath.join(str(folder), f"{name}.{kind}"))
        write_output(written[-1], image.getvalue())
    return written
