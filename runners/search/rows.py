"""Rows of a search's nodes and result, and the nodes restored from them when a search is resumed."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from isocompute.errors import RunError
from isocompute.runners.engines.clock import TimeSpan
from isocompute.runners.search.clock import build_search_clock_cells, read_node_clock
from isocompute.runners.search.expand import NodeCost, PendingNode, sum_node_counts
from isocompute.runners.search.strategies import Node
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES_TABLE, PROBLEMS_TABLE, SEARCHES_TABLE, WAITING_STATUS

SearchKey = tuple[str, str, int, int, int, int]
"""The key of a search: problem, strategy, n, width, lookahead, seed."""

SearchRow = dict[str, Any]


def read_logged_nodes(run: Run, keys: Collection[SearchKey]) -> dict[SearchKey, dict[int, SearchRow]]:
    """Return the logged nodes of searches, by search and number; a failed node is replaced by its retry.

    Failed nodes are left out. Waiting ones are included, because they need not be sampled again.

    Raises:
        DataError: a part is damaged.
    """
    nodes: dict[SearchKey, dict[int, SearchRow]] = {key: {} for key in keys}
    table = run.read_table(NODES_TABLE)
    requested = pc.is_in(table["problem_id"], value_set=pa.array({key[0] for key in keys}, pa.string()))
    for row in table.filter(requested).to_pylist():
        key = get_search_key(row)
        if key in nodes and row["status"] in ("ok", WAITING_STATUS):
            nodes[key][row["node_id"]] = row
    return nodes


@dataclass(frozen=True)
class LoggedSearch:
    """A search as a run stores it.

    Args:
        nodes: the rows of its nodes by number, failed ones included.
        result_row: the row of the search; None until it has ended.
    """

    nodes: dict[int, SearchRow]
    result_row: SearchRow | None


def read_problem_searches(run: Run, problem: str) -> dict[SearchKey, LoggedSearch]:
    """Return the searches on a problem, including those that have not ended.

    Raises:
        RunError: there is no run, no such problem, or no search on it.
        DataError: a part is damaged.
    """
    run.read_manifest()
    problems = [name for (name,) in sorted(run.read_keys(PROBLEMS_TABLE))]
    if problem not in problems:
        examples = ", ".join(f"'{name}'" for name in problems[:5]) + (" …" if len(problems) > 5 else "")
        raise RunError(f"The run at '{run.path}' has no problem '{problem}'; it has {examples or 'none'}.")
    rows = {}
    for table in (SEARCHES_TABLE, NODES_TABLE):
        content = run.read_table(table)
        rows[table.name] = content.filter(pc.equal(content["problem_id"], problem)).to_pylist()
    ended = {get_search_key(row): row for row in rows[SEARCHES_TABLE.name]}
    nodes: dict[SearchKey, dict[int, SearchRow]] = {key: {} for key in ended}
    for row in rows[NODES_TABLE.name]:
        nodes.setdefault(get_search_key(row), {})[row["node_id"]] = row
    if not nodes:
        raise RunError(f"The run at '{run.path}' has no searches on '{problem}'.")
    order = sorted(nodes, key=lambda key: [(part is not None, part) for part in key])  # an import may lack some
    return {key: LoggedSearch(nodes[key], ended.get(key)) for key in order}


def get_search_key(row: Mapping[str, Any]) -> SearchKey:
    """Return the key of the search that a row belongs to."""
    problem, strategy, n, width, lookahead, seed = (row[name] for name in SEARCHES_TABLE.key_names)
    return (problem, strategy, n, width, lookahead, seed)


def build_node_row(
    pending: PendingNode, status: str, cost: NodeCost, node: Node | None = None, **decided: Any
) -> SearchRow:
    """Return a node's row; for a failed node it has only the cost and the status."""
    row = {
        **dict(zip(NODES_TABLE.key_names, pending.key, strict=True)),
        "parent": pending.parent.id,
        "round": pending.round,
    }
    row |= {**cost.counts, **cost.clock.row_cells, "status": status}
    if node is None:
        return row
    parent_scores = len(pending.parent.scores)
    return row | {
        "text": node.text,
        "token_ids": node.tokens,
        "score": None if math.isnan(node.score) else node.score,
        "step_score": node.scores[parent_scores] if len(node.scores) > parent_scores else None,
        "end": node.end,
        **decided,
    }


def restore_node(pending: PendingNode, row: Mapping[str, Any]) -> tuple[Node, NodeCost]:
    """Return a node and its cost from its row.

    Raises:
        RunError: the row has another parent, so it belongs to another tree.
    """
    if row["parent"] != pending.parent.id:
        raise RunError(
            f"The search {pending.key[:-1]} continues node {pending.parent.id} with node {pending.id}, but its log "
            f"continues node {row['parent']}; it was made by another version of isocompute, so name another run."
        )
    tokens, step_score = row["token_ids"], row["step_score"]
    node = Node(
        id=pending.id,
        parent=pending.parent,
        round=pending.round,
        text=row["text"],
        tokens=None if tokens is None else tuple(tokens),
        length=sum_node_counts(pending.parent.length, row["completion_tokens"]),
        end=row["end"],
        scores=pending.parent.scores if step_score is None else (*pending.parent.scores, step_score),
        score=math.nan if row["score"] is None else row["score"],
        tie_breaker=pending.tie_breaker,
    )
    return node, NodeCost(**{name: row[name] for name in NodeCost().counts}, clock=read_node_clock(row))


def classify_node(node: Node, parents: Collection[Node], candidates: Collection[Node]) -> str:
    """Return the fate of a node at the end of its round.

    Args:
        node: the node.
        parents: the nodes that the next round grows from.
        candidates: the candidates that the search returns; empty until it is over.
    """
    if not node.is_alive:
        return "finished" if node.is_finished else "cut"
    if node in parents:
        return "kept"
    return "limit" if node in candidates else "dropped"


def build_search_row(
    key: SearchKey, status: str, cost: NodeCost, rounds: Sequence[Sequence[TimeSpan | None]], **result: Any
) -> SearchRow:
    """Return a search's row.

    Args:
        key: the search.
        status: ok, or the reason why it has no answer.
        cost: the total cost of its nodes.
        rounds: the spans of each round's nodes.
        result: its answer.
    """
    counts = cost.counts
    sampled = counts.pop("completion_tokens"), counts.pop("lookahead_tokens")
    return {
        **dict(zip(SEARCHES_TABLE.key_names, key, strict=True)),
        **counts,
        "generated_tokens": sum_node_counts(*sampled),
        "steps": len(rounds),
        **build_search_clock_cells(rounds),
        "status": status,
        **result,
    }
