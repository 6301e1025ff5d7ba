"""The answers that searches selected, with their texts."""

from __future__ import annotations

from isocompute.runners.config.search import SearchShape
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.parsing.thinking import cut_thinking
from isocompute.runners.search.describe import find_selected_path
from isocompute.runners.search.rows import LoggedSearch, SearchKey, get_search_key
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES_TABLE, SEARCHES_TABLE
from isocompute.serving.fixed_allocation import ChosenAnswer


def read_searches(run: Run) -> dict[SearchKey, LoggedSearch]:
    """Return the searches of a run that ended, with their nodes."""
    rows = {table: run.read_table(table).to_pylist() for table in (SEARCHES_TABLE, NODES_TABLE)}
    searches = {get_search_key(row): LoggedSearch({}, row) for row in rows[SEARCHES_TABLE] if row["status"] == "ok"}
    for row in rows[NODES_TABLE]:
        if (key := get_search_key(row)) in searches and row["text"] is not None:
            searches[key].nodes[row["node_id"]] = row
    return searches


def choose_searched_answers(searches: dict[SearchKey, LoggedSearch], names: list[str]) -> dict[str, ChosenAnswer]:
    """Return the answer that was selected for each question, and the share of the candidates that have it."""
    chosen = {name: ChosenAnswer(None, 0.0) for name in names}
    for key, search in searches.items():
        row = search.result_row
        if row is None or key[0] not in chosen:
            continue
        candidates = [search.nodes[number]["answer"] for number in row["candidates"] or () if number in search.nodes]
        share = candidates.count(row["answer"]) / len(candidates) if candidates and row["answer"] is not None else 0.0
        chosen[key[0]] = ChosenAnswer(row["answer"], share)
    return chosen


def build_selected_texts(searches: dict[SearchKey, LoggedSearch], sweep: Sweep) -> dict[str, str]:
    """Return the text of the selected candidate of each question, without its thinking."""
    thinking_end = None if sweep.solver is None else sweep.solver.thinking_end
    texts = {}
    for key, search in searches.items():
        path = sorted(find_selected_path(search))
        if not path:
            continue
        revises = sweep.searches_by_shape[SearchShape(*key[1:5])].revision_prompt is not None
        steps = path[-1:] if revises else path
        text = "".join(search.nodes[number]["text"] for number in steps)
        texts[key[0]] = cut_thinking(text, thinking_end, search.nodes[path[-1]]["end"] == "stop")
    return texts
