"""The measured parts of a report: frontiers, difficulty, laws, policies and the verifier, as tables and charts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from isocompute.figures.registry import FIGURES
from isocompute.figures.report.markup import ReportPart, ReportTable, format_number, format_share
from isocompute.figures.source import FigureSource
from isocompute.planner.budget import format_compute
from isocompute.planner.findings import Findings
from isocompute.planner.profile import Profile, VerifierRates
from isocompute.planner.strategies.registry import describe_strategy, get_strategy_colour

Chart = dict[str, Any]
OTHER_COLOURS = ("#2a788e", "#c1440e", "#1b7837", "#7b3294", "#b38600", "#555555", "#d81b60", "#4c6ef5")
"""Colours of lines that are not strategies."""
BUDGET_AXIS = "budget per problem (x)"
INTERVAL = ("from", "to")
"""The headings of the two ends of a 95 % interval."""


def build_measured_parts(source: FigureSource, findings: Findings) -> tuple[dict[str, ReportPart], dict[str, Chart]]:
    """Return the parts that a source has, by name, and their charts by name."""
    parts: dict[str, ReportPart] = {}
    charts: dict[str, Chart] = {}
    builders = {"frontiers": report_frontiers, "difficulty": report_difficulty, "policies": report_policies}
    for name, build in builders.items():
        if name == "policies":
            parts["laws"] = report_laws(findings)
        given = source.get_input(FIGURES[name].needs)
        table = pd.DataFrame() if given is None else FIGURES[name].table_function(given)
        if not table.empty:
            parts[name], own = build(table, source.profile)
            charts |= own
    if source.profile.verifier is not None:
        parts["verifier"] = report_verifier(source.profile.verifier)
    return parts, charts


def report_frontiers(table: pd.DataFrame, profile: Profile) -> tuple[ReportPart, dict[str, Chart]]:
    """Return each strategy's accuracy within each budget, and its lead over self-consistency."""
    rows = [
        (
            row.strategy,
            format_compute(row.budget),
            *map(format_share, (row.accuracy, row.low, row.high, row.lead, row.lead_low, row.lead_high)),
            "no" if row.interpolated else "yes",
        )
        for row in list_table_rows(table)
    ]
    columns = ("strategy", "budget", "accuracy (%)", *INTERVAL, "ahead of SC (points)", *INTERVAL, "size was run")
    names = table["strategy"].unique()
    charts = {
        "frontiers": build_chart_data(
            "Accuracy of each strategy within a budget", BUDGET_AXIS, "problems solved (%)",
            list_chart_lines(table, "strategy", "budget", ("accuracy", "low", "high")),
        ),
        "leads": build_chart_data(
            "Lead over self-consistency (SC) within a budget", BUDGET_AXIS, "points ahead of SC",
            list_chart_lines(table[table["strategy"] != "sc"], "strategy", "budget", ("lead", "lead_low", "lead_high")),
        ),
    }  # fmt: skip
    return ReportPart(
        "Frontiers",
        (
            "A frontier is the accuracy that a strategy reaches within a budget, at the best of its allocations. "
            "Bands and intervals are 95 % intervals over problems.",
            *(f"{name}: {describe_strategy(name, profile.get_parameters(name))}." for name in names),
        ),
        tuple(charts),
        (ReportTable("frontiers", "Accuracy and lead by strategy and budget", columns, rows),),
    ), charts


def report_difficulty(table: pd.DataFrame, profile: Profile) -> tuple[ReportPart, dict[str, Chart]]:
    """Return the accuracy of choosing by difficulty, and the strategy of each level."""
    overall, levels = table[table["level"].isna()], table[table["level"].notna()]
    rows = [
        (
            str(row.choice),
            "yes" if row.in_practice else "no",
            format_compute(row.budget),
            *map(format_share, (row.accuracy, row.low, row.high)),
        )
        for row in list_table_rows(overall)
    ]
    by_level = [
        (
            f"{row.level:g}",
            format_compute(row.budget),
            row.strategy if isinstance(row.strategy, str) else "–",
            *map(format_share, (row.accuracy, row.low, row.high)),
        )
        for row in list_table_rows(levels)
    ]
    reached = "accuracy (%)", *INTERVAL
    charts = {
        "difficulty": build_chart_data(
            "Accuracy of choosing by difficulty", BUDGET_AXIS, "problems solved (%)",
            list_chart_lines(overall, "choice", "budget", ("accuracy", "low", "high")),
        )
    }  # fmt: skip
    tables = [
        ReportTable(
            "difficulty",
            "Accuracy of choosing by difficulty",
            ("choice", "works without gold answers", "budget", *reached),
            rows,
        )
    ]
    if by_level:
        tables.append(
            ReportTable(
                "levels", "Strategy for each level, 1 the easiest", ("level", "budget", "strategy", *reached), by_level
            )
        )
    return ReportPart(
        "Difficulty",
        ("One strategy for all problems, against a strategy for each level of difficulty. Each problem is scored under "
         "choices made on other problems, and finding the level is charged.",),
        tuple(charts),
        tables,
    ), charts  # fmt: skip


def report_policies(table: pd.DataFrame, profile: Profile) -> tuple[ReportPart, dict[str, Chart]]:
    """Return what rules that stop early reach, beside the best fixed plans."""
    rows = [
        (
            str(row.name_),
            str(row.kind),
            format_number(row.threshold),
            format_compute(row.compute),
            *map(format_share, (row.accuracy, row.low, row.high, row.lead, row.lead_low, row.lead_high)),
        )
        for row in list_table_rows(table.rename(columns={"name": "name_"}))
    ]
    columns = (
        "policy",
        "kind",
        "threshold",
        "mean compute",
        "accuracy (%)",
        *INTERVAL,
        "ahead of fixed (points)",
        *INTERVAL,
    )
    fixed = table[table["kind"] == "fixed"].assign(name="best fixed plan").sort_values("compute")
    shown = pd.concat([table[table["kind"] == "policy"], fixed])
    charts = {
        "policies": build_chart_data(
            "Rules that stop early, and the best fixed plans", "mean compute per problem (x)", "problems solved (%)",
            list_chart_lines(shown, "name", "compute", ("accuracy", "low", "high")),
        )
    }  # fmt: skip
    return ReportPart(
        "Policies",
        ("A policy decides while it samples when to stop. It is compared with the best fixed plan at equal mean "
         "compute, on the same problems.",),
        tuple(charts),
        (ReportTable("policies", "Rules that stop early, fixed plans, and hindsight", columns, rows),),
    ), charts  # fmt: skip


def format_crossing(budget: float) -> str:
    """Return the budget at which something happens, in x.

    >>> format_crossing(6.3141), format_crossing(float("inf"))
    ('6.31x', 'never')
    """
    return "never" if math.isinf(budget) else format_compute(budget)


def report_laws(findings: Findings) -> ReportPart:
    """Return the plateau, the crossovers and the laws."""
    plateau = "SC's plateau is unknown, as SC was measured at one solution only."
    if findings.plateau is not None:
        ends = (
            ""
            if findings.plateau_interval is None
            else f" [{', '.join(map(format_crossing, findings.plateau_interval))}]"
        )
        at = f"{format_compute(findings.plateau)}{ends}"
        plateau = f"SC flattens at {at}: the smallest S within half a point of its maximum."
    crossovers = [
        (
            name,
            format_crossing(each.budget),
            *(["–"] * 2 if each.interval is None else map(format_crossing, each.interval)),
            "–" if each.probability is None else f"{each.probability:.2f}",
        )
        for name, each in findings.crossovers.items()
    ]
    laws = []
    for name, each in findings.laws_by_strategy.items():
        law = each.usable
        span = f"{each.budgets[0]:,.0f}x to {each.budgets[-1]:,.0f}x"
        if law is None:
            laws.append((name, *["–"] * 8, span, str(each.unknown_reason)))
            continue
        cells: list[str] = []
        for part in (law.solutions, law.verifications):
            cells += [*map(format_number, (part.prefactor, part.exponent, *(part.interval or (None, None))))]
        laws.append((name, *cells, span, f"{law.is_at_edge.sum()} of {len(each.budgets)}"))
    tables = []
    if crossovers:
        tables.append(ReportTable(
            "crossovers", "Budget from which a strategy stays ahead of SC",
            ("strategy", "budget", *INTERVAL, "P(it does)"),
            crossovers, "Held out: each problem is scored under allocations chosen without it.",
        ))  # fmt: skip
    if laws:
        tables.append(ReportTable(
            "laws", "Laws S = k·C^a and V = m·C^b of the best allocation",
            ("strategy", "k", "a", *INTERVAL, "m", "b", *INTERVAL, "fitted on", "optima at an edge"), laws,
            "Optima at an edge of the measured grid are taken as bounds, not as values.",
        ))  # fmt: skip
    return ReportPart("Laws", (plateau,), (), tables)


def report_verifier(rates: VerifierRates) -> ReportPart:
    """Return the rates of the verifier."""
    kinds = {
        "yes to right solutions": rates.true_positive,
        "yes to wrong solutions": rates.false_positive,
        "ranks a right solution above a wrong one": rates.auroc,
    }
    rows = [(kind, *map(format_share, entry)) for kind, entry in kinds.items()]
    rows.append(("verdicts that could not be read", format_share(rates.unparsed), "–", "–"))
    return ReportPart(
        "Verifier", (), (), (ReportTable("verifier", "Rates of the verifier", ("rate", "%", *INTERVAL), rows),)
    )


def list_table_rows(table: pd.DataFrame) -> Iterator[Any]:
    """Return the rows of a table, whose cells have the names of the columns."""
    return table.itertuples()


def list_chart_lines(
    table: pd.DataFrame, name: str, x: str, columns: Sequence[str]
) -> Iterator[tuple[str, list[list[float | None]]]]:
    """Yield each line's name and its points: x, the value in percent and the ends of its interval."""
    for line, points in table.groupby(name, sort=False):
        cells = points.sort_values(x)[[x, *columns]].astype(float)
        cells[list(columns)] *= 100
        rows = cells[cells[columns[0]].notna()].astype(object).where(cells.notna(), None).to_numpy().tolist()
        if rows:
            yield str(line), rows


def build_chart_data(title: str, x: str, y: str, lines: Iterator[tuple[str, list[list[float | None]]]]) -> Chart:
    """Return a chart as data for the page."""
    series = []
    for at, (name, points) in enumerate(lines):
        colour = get_strategy_colour(name)
        known = colour != get_strategy_colour("no strategy")
        series.append(
            {"name": name, "colour": colour if known else OTHER_COLOURS[at % len(OTHER_COLOURS)], "points": points}
        )
    return {"title": title, "x": x, "y": y, "series": series}
