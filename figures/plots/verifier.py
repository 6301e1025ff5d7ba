"""The figure of a verifier: its rates by level, its calibration, how far its verdicts agree, and what they select."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from isocompute.figures.colours import GREY, list_line_styles, list_ordered_styles
from isocompute.figures.intervals import draw_intervals
from isocompute.figures.source import FigureSource
from isocompute.figures.style import finish_axes, get_figure, label_panels, prepare_axes
from isocompute.figures.tables import check_table
from isocompute.fits import compute_mean_interval, measure_verifier
from isocompute.fits.arrays import Floats
from isocompute.fits.estimators.calibration import CALIBRATION_BINS, measure_calibration
from isocompute.fits.estimators.verdict_agreement import measure_verdict_agreement
from isocompute.planner.estimate.pool_from_run import RunPool
from isocompute.planner.profile import Profile
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import VERIFICATIONS_TABLE

VERIFIER_COLUMNS = ("panel", "measure", "level", "x", "value", "low", "high", "count", "problems")
VerifierRow = tuple[Any, ...]


def build_verifier_table(source: FigureSource) -> pd.DataFrame:
    """Return what is known of a verifier: its rates, its calibration, the agreement of its verdicts, what they select.

    Args:
        source: a profile, which holds the rates over all problems and what is selected; and a run, for the rest.

    Returns:
        No rows without verdicts. Else ``value`` with ``low`` and ``high``, its 95 % interval (NaN if it is unknown),
        the ``count`` that it is a mean of (missing if it is unknown), and the number of ``problems``. ``panel`` and
        ``measure`` say what the value is:

        - "rates": share of yes among single verdicts on right solutions ("true positive") and on wrong ones ("false
          positive"), by ``level``, which is missing for all problems.
        - "calibration": share of right solutions where the verifier states right with a probability of ``x``. "p(yes)":
          stated by single verdicts. "mean verdict": the share of yes of a solution, in runs without p(yes).
        - "agreement": share of the "right solutions" and of the "wrong solutions" of which ``x`` verdicts are
          unanimous. "correlation": the intra-class correlation of two verdicts, see `measure_verdict_agreement`.
        - "selection": accuracy of the best mean of V verdicts ("mean of V verdicts", or "single verdict") among ``x``
          solutions, and the share of problems with a right one among them ("coverage").
    """
    if source.profile.verifier is None:
        return pd.DataFrame(columns=list(VERIFIER_COLUMNS))
    rows = [*list_rates(source.profile, source.pool)]
    if source.pool is not None and source.pool.pool.verifications:
        rows += [*list_calibration(source.pool), *list_agreement(source.pool)]
    rows += list_selection(source.profile)
    table = pd.DataFrame(rows, columns=list(VERIFIER_COLUMNS))
    return table.astype({"level": "Int64", "count": "Int64", **dict.fromkeys(("x", "value", "low", "high"), float)})


def list_rates(profile: Profile, run: RunPool | None) -> Iterator[VerifierRow]:
    """Yield the rates of single verdicts: those of the profile over all problems, and those of the run by level."""
    assert profile.verifier is not None, "only with verdicts"
    measured: list[tuple[int | None, int, Any]] = [(None, profile.problems, profile.verifier)]
    if run is not None and run.pool.verifications and profile.strata is not None:
        levels, clusters = np.array(profile.strata), run.groups[1]
        for level in np.unique(levels):
            at = np.flatnonzero(levels == level)
            own = None if clusters is None else np.array(clusters)[at]
            measured.append((int(level), len(at), measure_verifier(run.pool.select_problems(at), clusters=own)))
    for measure in ("true positive", "false positive"):
        for level, problems, rates in measured:
            rate = getattr(rates, measure.replace(" ", "_"))
            if rate[0] is not None and not np.isnan(rate[0]):
                yield ("rates", measure, level, np.nan, *rate, pd.NA, problems)


def list_calibration(run: RunPool) -> Iterator[VerifierRow]:
    """Yield the bins of p(yes), or of the mean verdict of each solution if p(yes) was not measured."""
    columns = [*VERIFICATIONS_TABLE.key_names, "verdict", "p_yes"]
    verifications = run.select_rows(Run(run.path).read_frame(VERIFICATIONS_TABLE, columns))
    place = pd.Index(run.problem_ids)
    keys = ["problem_id", "solution_id"]
    solutions = run.rows.solutions[[*keys, "correct"]]
    if verifications["p_yes"].notna().any():
        measure, column, bins = "p(yes)", "p_yes", CALIBRATION_BINS
        stated = verifications.dropna(subset=column)
    else:
        measure, column = "mean verdict", "verdict"
        bins = min(CALIBRATION_BINS, run.pool.verifications + 1)  # each share of yes has a bin if there are few
        means = verifications.groupby(keys, sort=False)[[column]].mean().reset_index()
        stated = means.dropna(subset=column)
    stated = stated.merge(solutions, on=keys)
    strata, clusters = run.groups
    for each in measure_calibration(
        stated[column],
        stated["correct"].eq(True),
        place.get_indexer(pd.Index(stated["problem_id"])),
        len(place),
        bins,
        strata=strata,
        clusters=clusters,
    ):
        yield ("calibration", measure, None, each.stated, *each.true, each.count, each.problems)


def list_agreement(run: RunPool) -> Iterator[VerifierRow]:
    """Yield how often 2, 4, 8 … verdicts on a solution are unanimous, and their correlation."""
    pool, (strata, clusters) = run.pool, run.groups
    V = [2**power for power in range(1, pool.verifications.bit_length())]
    for measure, right in (("right solutions", True), ("wrong solutions", False)) if V else ():
        of_kind = pool.correct[:, : pool.verified_solutions] == right
        problems = int(of_kind.any(axis=1).sum())
        found = measure_verdict_agreement(pool, right, V, strata, clusters)
        for size, share, count in zip(found.V, found.unanimous, found.solutions, strict=True):
            if count:
                yield ("agreement", measure, None, size, *share, count, problems)
        if not np.isnan(found.correlation[0]):
            yield ("correlation", measure, None, np.nan, *found.correlation, found.solutions[0], problems)


def list_selection(profile: Profile) -> Iterator[VerifierRow]:
    """Yield the accuracy of the best mean of V verdicts against the number of solutions, and coverage."""
    surface = profile.genrm
    if surface is None or not profile.per_problem:
        return
    most = surface.solutions[-1]
    array, S, V = surface.select_doublings()
    lines: dict[str, tuple[list[int], NDArray[np.float64]]] = {}
    if profile.coverage is not None:
        kept = [at for at, size in enumerate(profile.coverage.solutions) if size <= most]
        lines["coverage"] = [profile.coverage.solutions[at] for at in kept], profile.coverage.array[:, kept]
    for at in range(len(V) - 1, -1, -1):
        lines[f"mean of {V[at]} verdicts" if V[at] > 1 else "single verdict"] = S, array[:, :, at]
    for measure, (sizes, accuracy) in lines.items():
        low, high = summarise_interval(profile, accuracy)
        for at, size in enumerate(sizes):
            value = accuracy[:, at].mean()
            yield ("selection", measure, None, size, value, low[at], high[at], profile.problems, profile.problems)


def summarise_interval(profile: Profile, accuracy: Floats) -> tuple[Floats, Floats]:
    """Return the intervals of means over problems; NaN for one independent problem."""
    if profile.independent_problems < 2:
        unknown = np.full(accuracy.shape[1], np.nan)
        return unknown, unknown
    return compute_mean_interval(accuracy, profile.strata, profile.clusters)


def draw_verifier(table: pd.DataFrame, ax: Any = None) -> NDArray[np.object_]:
    """Draw a verifier: `draw_rates`, `draw_calibration`, `draw_agreement` and `draw_selection`, those that have rows.

    Args:
        table: table from `build_verifier_table`.
        ax: an Axes for each panel, or one to divide; None for a new figure with a title.

    Returns:
        The Axes.

    Raises:
        DataError: a column is missing, there are no rows, or ``ax`` does not fit.
    """
    check_table(table, VERIFIER_COLUMNS, "verifier")
    panels = {"rates": draw_rates, "calibration": draw_calibration, "agreement": draw_agreement}
    panels |= {"selection": draw_selection}
    draws = [draw for panel, draw in panels.items() if (table["panel"] == panel).any()]
    with prepare_axes(ax, len(draws), columns=min(len(draws), 2)) as grid:
        for draw, axes in zip(draws, grid, strict=True):
            draw(table, axes)
        label_panels(grid)
        if ax is None:
            title = f"{table['problems'].max()} problems, what a verifier's verdicts say, with 95 % intervals"
            get_figure(grid[0]).suptitle(title)
    return np.array(grid)


def select_panel(table: pd.DataFrame, panel: str) -> pd.DataFrame:
    """Return the rows of a panel.

    Raises:
        DataError: there are none, or a column is missing.
    """
    check_table(table, VERIFIER_COLUMNS, "verifier")
    rows = table[table["panel"] == panel]
    check_table(rows, VERIFIER_COLUMNS, f"verifier, panel {panel},")
    return rows


def draw_rates(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw the true and the false positive rates of single verdicts, for all problems and by level, in one Axes."""
    rows = select_panel(table, "rates")
    levels = [None, *sorted(rows["level"].dropna().unique())]
    with prepare_axes(ax) as (axes,):
        styles = list_line_styles(2)
        for i, measure in enumerate(dict.fromkeys(rows["measure"])):
            line = rows[rows["measure"] == measure]
            places = [levels.index(None if pd.isna(level) else level) + 0.12 * (2 * i - 1) for level in line["level"]]
            draw_intervals(axes, places, line, styles[i].format[0], styles[i].colour, f"{measure} rate", 100)
        axes.set_xticks(range(len(levels)), ["all", *(str(level) for level in levels[1:])])
        axes.set_xlim(-0.5, len(levels) - 0.5)
        axes.set_ylim(0, 100)
        axes.grid(axis="y", alpha=0.25, lw=0.5)
        axes.set_title("single verdicts")
        axes.set_xlabel("level, 1 the easiest")
        axes.set_ylabel("verdicts that say yes (%)")
        axes.legend()
    return axes


def draw_calibration(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw how often solutions are right against how often the verifier says so (reliability diagram), in one Axes."""
    rows = select_panel(table, "calibration").sort_values("x")
    measure = rows["measure"].iloc[0]
    with prepare_axes(ax) as (axes,):
        axes.plot([0, 100], [0, 100], ":", color=GREY, label="calibrated")
        colour, style = list_line_styles(1)[0]
        draw_intervals(axes, 100 * rows["x"], rows, style, colour, measure, 100)
        axes.set_xlim(-3, 103)
        axes.set_ylim(-3, 103)
        axes.grid(alpha=0.25, lw=0.5)
        axes.set_title(f"calibration of {measure if measure == 'p(yes)' else 'the mean verdict'}")
        axes.set_xlabel(f"{measure} (%), mean of a bin")
        axes.set_ylabel("right solutions (%)")
        axes.legend()
    return axes


def draw_agreement(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw how often V verdicts on a solution are unanimous, with their correlation in the legend, in one Axes."""
    rows = select_panel(table, "agreement")
    correlations = table[table["panel"] == "correlation"].set_index("measure")
    with prepare_axes(ax) as (axes,):
        measures = dict.fromkeys(rows["measure"])
        for measure, (colour, style) in zip(measures, list_line_styles(len(measures)), strict=True):
            line, label = rows[rows["measure"] == measure].sort_values("x"), measure
            if measure in correlations.index:
                value, low, high = correlations.loc[measure, ["value", "low", "high"]]
                ends = "" if pd.isna(low) else f" [{low:.2f}, {high:.2f}]"
                label += f", correlation {value:.2f}{ends}"
            draw_intervals(axes, line["x"], line, style, colour, label, 100)
        finish_axes(axes, "verdicts on a solution that all agree", "V, verdicts on a solution")
        axes.set_ylabel("solutions (%)")
        axes.legend()
    return axes


def draw_selection(table: pd.DataFrame, ax: Any = None) -> Axes:
    """Draw the accuracy of the best mean of V verdicts among N solutions, with coverage, in one Axes.

    Bands are 95 % intervals of coverage, of the most verdicts and of a single one.
    """
    rows = select_panel(table, "selection")
    measures = [measure for measure in dict.fromkeys(rows["measure"]) if measure != "coverage"]
    styles = dict(zip(reversed(measures), list_ordered_styles(len(measures)), strict=True))
    with prepare_axes(ax) as (axes,):
        for measure in dict.fromkeys(rows["measure"]):
            line = rows[rows["measure"] == measure].sort_values("x")
            colour, style = styles.get(measure, (GREY, "--"))
            axes.plot(line["x"], 100 * line["value"], style, color=colour, label=measure.removeprefix("mean of "))
            if measure in ("coverage", measures[0], measures[-1]):
                axes.fill_between(line["x"], 100 * line["low"], 100 * line["high"], color=colour, alpha=0.13, lw=0)
        finish_axes(axes, "the best mean verdict, and coverage", "N, solutions")
        axes.set_ylabel("problems solved (%)")
        axes.legend()
    return axes
