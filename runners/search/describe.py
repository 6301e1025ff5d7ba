"""A search in words: which one it is, how it ended, and which nodes led to its answer."""

from __future__ import annotations

from isocompute.runners.parsing.printable import plain, short
from isocompute.runners.search.rows import Key, Tried


def name_search(key: Key) -> str:
    """Say which search it is."""
    _, strategy, n, width, lookahead, seed = key
    wide = f", width {width}" if width else ""
    ahead = f", lookahead {lookahead}" if lookahead else ""
    return f"{strategy} with n = {n}{wide}{ahead}, seed {seed}"


def describe_outcome(search: Tried) -> str:
    """Say how a search ended and what it took."""
    ended = search.ended
    if ended is None:
        return f"under way, {len(search.nodes):,} nodes so far"
    if ended["status"] != "ok":
        return plain(ended["status"])
    answer = "no answer" if ended["answer"] is None else f"answer {plain(ended['answer'], 40)}"
    verdict = {True: "right", False: "wrong"}.get(ended["correct"], "not graded")
    spent = (
        f"{short(ended['generated_tokens'])} tokens sampled, {short(ended['scorer_prompt_tokens'])} read by the scorer"
    )
    return f"{answer}, {verdict}; {len(search.nodes):,} nodes, rounds: {ended['steps']}; {spent}"


def find_path(search: Tried) -> set[int]:
    """Return the nodes on the way to the selected candidate."""
    marked: set[int] = set()
    number = (search.ended or {}).get("selected")
    while number in search.nodes and number not in marked:
        marked.add(number)
        number = search.nodes[number]["parent"]
    return marked
