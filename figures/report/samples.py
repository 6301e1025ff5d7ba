"""Samples of a run with their verdicts, and its searches as trees that can be folded open."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pandas as pd

from isocompute.figures.report.markup import ReportPart, render_element
from isocompute.runners.parsing.printable import format_one_line
from isocompute.runners.search.describe import describe_search_outcome, find_selected_path, name_search
from isocompute.runners.search.rows import LoggedSearch, read_problem_searches
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SEARCHES_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

MOST_LEVELS = 8
MOST_VERDICTS = 3
"""The verifications of a solution that are shown."""
MOST_CHARACTERS = 2000
"""The characters of a text that are shown."""
MOST_TREES = 6
MOST_NODES = 400
"""A search with more nodes is not shown: its page would be long and slow."""


def build_samples(run: Run) -> ReportPart | None:
    """Return a right and a wrong solution of a problem of each level, with verdicts; None if there is no solution."""
    problems = run.read_frame(PROBLEMS_TABLE, ["problem_id", "question", "gold", "level"]).set_index("problem_id")
    solutions = run.read_frame(SOLUTIONS_TABLE, ["problem_id", "solution_id", "text", "answer", "correct", "status"])
    solutions = solutions[solutions["status"] == "ok"].sort_values(["problem_id", "solution_id"])
    if solutions.empty:
        return None
    columns = ["problem_id", "solution_id", "verification_id", "text", "verdict", "status"]
    verdicts = run.read_frame(VERIFICATIONS_TABLE, columns).sort_values(
        ["problem_id", "solution_id", "verification_id"]
    )
    by_solution = verdicts.groupby(["problem_id", "solution_id"])
    markup: list[str] = []
    for problem in pick_problems(problems, solutions):
        row: Any = problems.loc[problem]
        own = solutions[solutions["problem_id"] == problem]
        shown = [own[own["correct"] == right].head(1) for right in (True, False)]
        level = "" if pd.isna(row["level"]) else f"Level {row['level']:g}, "
        head = render_element("summary", f"{level}problem {problem}")
        facts = render_element("pre", cut_text(row["question"]), class_="sample")
        facts += render_element("p", f"Right answer: {describe_text(row['gold'])}")
        parts = []
        for solution in pd.concat(shown).itertuples():
            key = problem, solution.solution_id
            verified = by_solution.get_group(key) if key in by_solution.groups else verdicts.head(0)
            parts.append(render_solution(solution, verified))
        markup.append(f"<details>{head}{facts}{''.join(parts)}</details>")
    return ReportPart(
        "Samples",
        ("Of each level, the first problem that has both a right and a wrong solution, with the first of each and the "
         "first verdicts on it. Texts are shown as the models wrote them.",),
        markup="".join(markup),
    )  # fmt: skip


def pick_problems(problems: pd.DataFrame, solutions: pd.DataFrame) -> list[str]:
    """Return for each level the first problem with a right and a wrong solution, or else its first problem."""
    right = solutions.groupby("problem_id")["correct"].agg(lambda column: 0 < column.astype(float).mean() < 1)
    known = problems.loc[problems.index.isin(right.index)].sort_index()
    levels = known["level"].fillna(0)
    picked = []
    for level in sorted(levels.unique())[:MOST_LEVELS]:
        own = known.index[levels == level]
        picked.append(next((name for name in own if right[name]), own[0]))
    return picked


def render_solution(solution: Any, verified: pd.DataFrame) -> str:
    """Return a solution with its answer and its verdicts."""
    is_right = bool(solution.correct)
    verdict = "right" if is_right else "wrong"
    heading = f"Solution {solution.solution_id}: {verdict}, answer {describe_text(solution.answer)}"
    parts = [
        render_element("h4", heading, class_=verdict),
        render_element("pre", cut_text(solution.text), class_="sample"),
    ]
    for row in verified.head(MOST_VERDICTS).to_dict("records"):
        said = "could not be read" if pd.isna(row["verdict"]) else f"{row['verdict']:.2g} (1 is yes, 0 is no)"
        head = render_element("summary", f"Verification {row['verification_id']}: verdict {said}")
        parts.append(f"<details>{head}{render_element('pre', cut_text(row['text']), class_='sample')}</details>")
    if len(verified) > MOST_VERDICTS:
        parts.append(render_element("p", f"{len(verified) - MOST_VERDICTS} more verifications are in the run."))
    return "".join(parts)


def build_trees(run: Run) -> ReportPart | None:
    """Return one search of each strategy on one problem, as trees; None without searches."""
    names = run.read_frame(SEARCHES_TABLE, ["problem_id", "strategy"])
    if names.empty:
        return None
    problem = str(sorted(names["problem_id"])[0])
    markup: list[str] = []
    seen: set[str] = set()
    for key, search in sorted(read_problem_searches(run, problem).items(), key=lambda item: item[0]):
        if key[1] in seen or len(search.nodes) > MOST_NODES or len(markup) == MOST_TREES:
            continue
        seen.add(key[1])
        head = render_element("summary", f"{name_search(key)}: {describe_search_outcome(search)}")
        markup.append(f"<details>{head}{render_nodes(search)}</details>")
    questions = run.read_frame(PROBLEMS_TABLE, ["problem_id", "question"]).set_index("problem_id")["question"]
    return ReportPart(
        "Search trees",
        (f"The smallest search of each strategy on the problem {problem}. A star marks the path to its answer.",),
        markup=render_element("pre", cut_text(questions[problem]), class_="sample") + "".join(markup),
    )


def render_nodes(search: LoggedSearch) -> str:
    """Return the nodes of a search as nested lists; a node with children can be folded."""
    children: dict[int, list[int]] = defaultdict(list)
    for number, row in sorted(search.nodes.items()):
        children[row["parent"]].append(number)
    path = find_selected_path(search)
    rendered: dict[int, str] = {}
    for number in sorted(search.nodes, reverse=True):  # children have higher numbers than their parent
        row = search.nodes[number]
        score = "no score" if row["score"] is None else f"score {row['score']:.3f}"
        fate = "failed" if row["text"] is None else row["fate"] or "waiting"
        text = cut_text(row["text"] if row["text"] is not None else row["status"])
        label = f"{'★ ' if number in path else ''}{number}: {score}, {fate}: {format_one_line(text, 300).strip()}"
        inside = "".join(rendered[child] for child in children[number])
        if inside:
            is_open = " open" if number in path else ""
            rendered[number] = (
                f"<li><details{is_open}>{render_element('summary', label)}<ul>{inside}</ul></details></li>"
            )
        else:
            rendered[number] = render_element("li", label)
    return f"<ul class='tree'>{''.join(rendered[number] for number in children[0])}</ul>"


def describe_text(text: Any) -> str:
    """Return an answer on one line; unknown if there is none."""
    return "unknown" if text is None or text != text else format_one_line(str(text), 80)


def cut_text(text: Any) -> str:
    """Return a text as it is, cut after `MOST_CHARACTERS`."""
    if text is None or text != text:
        return "(no text)"
    whole = str(text)
    return whole if len(whole) <= MOST_CHARACTERS else f"{whole[:MOST_CHARACTERS]} … ({len(whole):,} characters)"
