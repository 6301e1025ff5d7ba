"""What a person and a program read of choosing by difficulty."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console
from rich.table import Table

from isocompute.cli.screens.plan import note, say, span
from isocompute.fits.choice.compute_optimal import ComputeOptimal, Level, Reached
from isocompute.planner.difficulty import Study

Cells = tuple[str, str]


def studied(console: Console, study: Study) -> None:
    """Print what to run on each level, what it reaches, and what is gained over one choice for all."""
    found = study.found
    cost = f", for {found.charge:,.3g}x of every budget" if found.charge else ""
    say(console, f"[bold]{study.name}[/]: difficulty by {study.told_by}{cost}; {study.problems} problems")
    console.print()
    console.print(by_budget(found))
    console.print()
    console.print(by_level(found))
    console.print()
    for warning in study.warnings:
        note(console, warning)


def by_budget(found: ComputeOptimal) -> Table:
    """Return the table of all problems together."""
    table = blank("budget", "by difficulty", "optimistic", "one for all", "gain")
    table.caption = (
        "In percent, with 95 % intervals. Each problem is scored under choices made on others; the optimistic number "
        "is scored on the problems of the choice.\nThe gain's interval is for the best policy that could be chosen."
    )
    for i, budget in enumerate(found.budgets):
        ends = (found.gain_low[i], found.gain_high[i])
        gain = "–" if math.isnan(found.gain[i]) else f"{100 * found.gain[i]:+.1f} {span(ends, sign='+')}"
        common, _ = cells(found.one_for_all, i)
        table.add_row(f"{budget:,.0f}x", *cells(found.by_difficulty, i), common, gain)
    return table


def by_level(found: ComputeOptimal) -> Table:
    """Return the table of what is run on each level, at every second budget."""
    table = blank("budget", "level", "run", "accuracy", "optimistic", "one for\nall")
    table.columns[2].justify = "left"
    table.caption = "Level 1 is the easiest; behind it its share of the problems. JSON has every budget."
    for i in range(0, len(found.budgets), 2):
        if not math.isnan(found.gain[i]):
            for row, level in enumerate(found.levels):
                budget = "" if row else f"{found.budgets[i]:,.0f}x"
                name = f"{level.level} ({level.share:.0%})"
                table.add_row(budget, name, level.run[i], *cells(level.reached, i), bare(level.one_for_all[i]))
    return table


def blank(*headings: str) -> Table:
    """Return a table without rows."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption_justify="left")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def cells(reached: Reached, i: int) -> Cells:
    """Return accuracy with its interval, and optimistic accuracy, at one budget."""
    if math.isnan(reached.accuracy[i]):
        return "–", "–"
    ends = None if math.isnan(reached.low[i]) else (float(reached.low[i]), float(reached.high[i]))
    return f"{bare(reached.accuracy[i])} {span(ends)}", bare(reached.optimistic[i])


def bare(value: float) -> str:
    """Return an accuracy in percent, without the sign."""
    return f"{100 * value:.1f}"


def study_json(study: Study) -> dict[str, Any]:
    """Return a study as JSON; null stands for what cannot be afforded."""
    found = study.found
    return {
        "source": study.name,
        "bins": study.kind,
        "in_practice": study.in_practice,
        "problems": study.problems,
        "charge": found.charge,
        "budgets": [
            {
                "x": float(budget),
                "by_difficulty": reached_json(found.by_difficulty, i),
                "one_for_all": reached_json(found.one_for_all, i),
                "gain": number(found.gain[i]),
                "gain_interval": ends_json(found.gain_low[i], found.gain_high[i]),
                "levels": [level_json(level, i) for level in found.levels],
            }
            for i, budget in enumerate(found.budgets)
        ],
        "warnings": study.warnings,
    }


def level_json(level: Level, i: int) -> dict[str, Any]:
    """Return a level at one budget."""
    return {
        "level": level.level,
        "share": level.share,
        "run": level.run[i],
        **reached_json(level.reached, i),
        "one_for_all": number(level.one_for_all[i]),
    }


def reached_json(reached: Reached, i: int) -> dict[str, Any]:
    """Return what is reached at one budget."""
    return {
        "accuracy": number(reached.accuracy[i]),
        "interval": ends_json(reached.low[i], reached.high[i]),
        "optimistic": number(reached.optimistic[i]),
    }


def ends_json(low: float, high: float) -> list[float] | None:
    """Return an interval; null if there is none."""
    return None if math.isnan(low) else [float(low), float(high)]


def number(value: float) -> float | None:
    """Return a number; null if it is unknown."""
    return None if math.isnan(value) else float(value)
