"""A search's tree as rows of a run, and back: what a search is gone on with after a kill."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from isocompute.errors import RunError
from isocompute.runners.engines.clock import Interval
from isocompute.runners.search.clock import clock_of, search_cells
from isocompute.runners.search.expand import Cost, Sprout, plus
from isocompute.runners.search.strategies import Node
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES, PROBLEMS, SEARCHES, WAITS

Key = tuple[str, str, int, int, int, int]
"""What identifies a search: problem, strategy, n, width, lookahead, seed."""

Row = dict[str, Any]


def logged(run: Run, keys: Collection[Key]) -> dict[Key, dict[int, Row]]:
    """Return the nodes of searches that a run holds, by search and number; a failed one gives way to its retry.

    Nodes that failed are left out, and those that wait are there: they need not be asked for again.

    Raises:
        DataError: a part is damaged.
    """
    found: dict[Key, dict[int, Row]] = {key: {} for key in keys}
    table = run.read(NODES)
    wanted = pc.is_in(table["problem_id"], value_set=pa.array({key[0] for key in keys}, pa.string()))
    for row in table.filter(wanted).to_pylist():
        key = key_of(row)
        if key in found and row["status"] in ("ok", WAITS):
            found[key][row["node_id"]] = row
    return found


@dataclass(frozen=True)
class Tried:
    """A search as a run holds it.

    Args:
        nodes: rows by number, failed ones among them.
        ended: its row; None while it is under way.
    """

    nodes: dict[int, Row]
    ended: Row | None


def tried(run: Run, problem: str) -> dict[Key, Tried]:
    """Return the searches on a problem, those that go by their nodes alone among them.

    Raises:
        RunError: there is no run, no such problem, or nothing searched on it.
        DataError: a part is damaged.
    """
    run.manifest()
    known = [name for (name,) in sorted(run.keys(PROBLEMS))]
    if problem not in known:
        some = ", ".join(known[:5]) + (" …" if len(known) > 5 else "")
        raise RunError(f"The run at '{run.path}' has no problem '{problem}'; it has {some or 'none'}.")
    rows = {}
    for table in (SEARCHES, NODES):
        content = run.read(table)
        rows[table.name] = content.filter(pc.equal(content["problem_id"], problem)).to_pylist()
    ended = {key_of(row): row for row in rows[SEARCHES.name]}
    nodes: dict[Key, dict[int, Row]] = {key: {} for key in ended}
    for row in rows[NODES.name]:
        nodes.setdefault(key_of(row), {})[row["node_id"]] = row
    if not nodes:
        raise RunError(f"The run at '{run.path}' has no searches on '{problem}'.")
    order = sorted(nodes, key=lambda key: [(part is not None, part) for part in key])  # an import may lack some
    return {key: Tried(nodes[key], ended.get(key)) for key in order}


def key_of(row: Mapping[str, Any]) -> Key:
    """Return which search a row belongs to."""
    problem, strategy, n, width, lookahead, seed = (row[name] for name in SEARCHES.key_names)
    return (problem, strategy, n, width, lookahead, seed)


def node_row(sprout: Sprout, status: str, cost: Cost, node: Node | None = None, **decided: Any) -> Row:
    """Return a node's row; of one that failed there is only what it took."""
    row = {**dict(zip(NODES.key_names, sprout.key, strict=True)), "parent": sprout.parent.id, "round": sprout.round}
    row |= {**cost.counts, **cost.clock.cells, "status": status}
    if node is None:
        return row
    known = len(sprout.parent.scores)
    return row | {
        "text": node.text,
        "token_ids": node.tokens,
        "score": None if math.isnan(node.score) else node.score,
        "step_score": node.scores[known] if len(node.scores) > known else None,
        "end": node.end,
        **decided,
    }


def node_of(sprout: Sprout, row: Mapping[str, Any]) -> tuple[Node, Cost]:
    """Return a node as its row has it.

    Raises:
        RunError: the row is of another tree.
    """
    if row["parent"] != sprout.parent.id:
        raise RunError(
            f"The search {sprout.key[:-1]} grows node {sprout.id} from node {sprout.parent.id}, and its log "
            f"has it grown from node {row['parent']}, so another version of isocompute made it; name another run."
        )
    tokens, own = row["token_ids"], row["step_score"]
    node = Node(
        id=sprout.id,
        parent=sprout.parent,
        round=sprout.round,
        text=row["text"],
        tokens=None if tokens is None else tuple(tokens),
        length=plus(sprout.parent.length, row["completion_tokens"]),
        end=row["end"],
        scores=sprout.parent.scores if own is None else (*sprout.parent.scores, own),
        score=math.nan if row["score"] is None else row["score"],
        luck=sprout.luck,
    )
    return node, Cost(**{name: row[name] for name in Cost().counts}, clock=clock_of(row))


def fate(node: Node, parents: Collection[Node], candidates: Collection[Node]) -> str:
    """Say what became of a node when its round was decided.

    Args:
        node: of the round.
        parents: those that the next round grows from.
        candidates: those that the search returns, if it is over.
    """
    if not node.alive:
        return "finished" if node.finished else "cut"
    if node in parents:
        return "kept"
    return "limit" if node in candidates else "dropped"


def search_row(key: Key, status: str, cost: Cost, rounds: Sequence[Sequence[Interval | None]], **found: Any) -> Row:
    """Return a search's row.

    Args:
        key: which search.
        status: ok, or why it has no answer.
        cost: what its nodes took, all of them together.
        rounds: when the nodes of each round were made.
        found: its answer.
    """
    counts = cost.counts
    sampled = counts.pop("completion_tokens"), counts.pop("lookahead_tokens")
    return {
        **dict(zip(SEARCHES.key_names, key, strict=True)),
        **counts,
        "generated_tokens": plus(*sampled),
        "steps": len(rounds),
        **search_cells(rounds),
        "status": status,
        **found,
    }
