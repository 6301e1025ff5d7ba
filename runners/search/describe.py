"""Descriptions of a search in words: its name, its outcome, and the nodes of its answer."""

from __future__ import annotations

from isocompute.runners.parsing.printable import format_one_line, format_short_number
from isocompute.runners.search.rows import LoggedSearch, SearchKey


def name_search(key: SearchKey) -> str:
    """Return the name of a search."""
    _, strategy, n, width, lookahead, seed = key
    width_text = f", width {width}" if width else ""
    lookahead_text = f", lookahead {lookahead}" if lookahead else ""
    return f"{strategy} with n = {n}{width_text}{lookahead_text}, seed {seed}"


def describe_search_outcome(search: LoggedSearch) -> str:
    """Return a search's answer, whether it is right, and the tokens used."""
    row = search.result_row
    if row is None:
        return f"under way, {len(search.nodes):,} nodes so far"
    if row["status"] != "ok":
        return format_one_line(row["status"])
    answer = "no answer" if row["answer"] is None else f"answer {format_one_line(row['answer'], 40)}"
    verdict = {True: "right", False: "wrong"}.get(row["correct"], "not graded")
    sampled, scorer_read = (format_short_number(row[name]) for name in ("generated_tokens", "scorer_prompt_tokens"))
    spent = f"{sampled} tokens sampled, {scorer_read} read by the scorer"
    return f"{answer}, {verdict}; {len(search.nodes):,} nodes, rounds: {row['steps']}; {spent}"


def find_selected_path(search: LoggedSearch) -> set[int]:
    """Return the nodes on the path to the selected candidate."""
    marked: set[int] = set()
    number = (search.result_row or {}).get("selected")
    while number in search.nodes and number not in marked:
        marked.add(number)
        number = search.nodes[number]["parent"]
    return marked
