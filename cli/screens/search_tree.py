"""Terminal output of `isocompute tree`: a search's tree, with the fate of each node, and its cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from isocompute.cli.screens.runs import make_number_table, print_plain_line
from isocompute.runners.parsing.printable import format_one_line, format_short_number
from isocompute.runners.search.describe import describe_search_outcome, find_selected_path, name_search
from isocompute.runners.search.rows import LoggedSearch, SearchKey, SearchRow

NODE_STYLES = {"kept": "", "dropped": "dim", "finished": "cyan", "cut": "yellow", "limit": "yellow", "failed": "red"}

TREE_HEADING = "     node round  score fate     tokens text"

STAR_NOTE = "* is on the path to the answer. A step is kept, dropped, finished, or cut at a limit of length."

MAX_STEP_CHARACTERS = 160
"""Characters of a step that are formatted; a terminal shows fewer."""


def print_search_tree(console: Console, question: str, key: SearchKey, search: LoggedSearch) -> None:
    """Print a search as a tree, with stars on the path to its answer.

    If only one of a node's children has children, it is printed last, and its children follow at the same indentation.
    """
    for text in (
        format_one_line(question, 2 * console.width),
        f"{name_search(key)}: {describe_search_outcome(search)}",
    ):
        console.print(text)
    by_parent: dict[int, list[SearchRow]] = defaultdict(list)
    for row in search.nodes.values():
        by_parent[row["parent"]].append(row)
    path = find_selected_path(search)
    top = Tree(Text(TREE_HEADING, style="dim", no_wrap=True, overflow="ellipsis"), guide_style="dim")
    branches = [(top, 0)]
    while branches:
        branch, parent = branches.pop()
        children = sorted(by_parent[parent], key=lambda row: (row["node_id"] in by_parent, row["node_id"]))
        labels = [(branch.add(format_node(row, row["node_id"] in path)), row["node_id"]) for row in children]
        with_children = [(own, number) for own, number in labels if number in by_parent]
        branches += (
            [(branch, number) for _, number in with_children] if len(with_children) == 1 else with_children[::-1]
        )
    console.print(top)
    console.print(STAR_NOTE)


def print_searches(console: Console, problem: str, searches: dict[SearchKey, LoggedSearch]) -> None:
    """Print the list of searches on a problem."""
    table = make_number_table("search", "n", "width", "lookahead", "seed", "rounds", "nodes", "right")
    for (_, strategy, n, width, lookahead, seed), search in searches.items():
        result = search.result_row or {}
        right = {True: "yes", False: "no", None: "?"}[result.get("correct")]
        rounds = max((row["round"] for row in search.nodes.values()), default=result.get("steps") or 0)
        numbers = (n, width or "–", lookahead, seed, rounds, f"{len(search.nodes):,}", right)
        table.add_row(strategy, *map(str, numbers))
    print_plain_line(console, f"{format_one_line(problem)} has {len(searches):,} searches:")
    console.print(table)
    print_plain_line(console, "To show one, select it with --strategy, --n, --width, --lookahead and --seed.")


def format_node(row: SearchRow, on_path: bool) -> Text:
    """Return a node's line: number, score, fate, tokens, and text without markup."""
    failed = row["text"] is None
    fate = "failed" if failed else row["fate"] or "waiting"
    score = "–" if row["score"] is None else f"{row['score']:.3f}"
    tokens = format_node_tokens(row["completion_tokens"], row["lookahead_tokens"])
    content = row["status"] if failed else format_node_text(row)
    place = f"{'*' if on_path else ' '}{row['node_id']:>4} {row['round']:>5}"
    text = f"{place} {score:>6} {fate:<8} {tokens:>6} {format_one_line(content, MAX_STEP_CHARACTERS).strip()}"
    style = "bold green" if on_path else NODE_STYLES.get(fate, "")
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def format_node_text(row: SearchRow) -> str:
    """Return a node's text, preceded by its answer if it has one."""
    if row["correct"] is None:
        return str(row["text"])
    answer = "no answer" if row["answer"] is None else row["answer"]
    return f"[{answer:.40}, {'right' if row['correct'] else 'wrong'}] {row['text']}"


def format_node_tokens(own: int | None, ahead: int | None) -> str:
    """Return a node's tokens, and those of its lookahead rollout."""
    return format_short_number(own) + (f"+{format_short_number(ahead)}" if ahead else "")


def filter_searches(
    searches: dict[SearchKey, LoggedSearch], strategy: str | None, numbers: Sequence[int | None]
) -> dict[SearchKey, LoggedSearch]:
    """Return the searches that match the options.

    Args:
        searches: all searches on a problem.
        strategy: name of a strategy, or None for any.
        numbers: n, width, lookahead and seed, each None for any.
    """
    wanted = (strategy, *numbers)
    return {
        key: search
        for key, search in searches.items()
        if all(wanted_value in (None, value) for wanted_value, value in zip(wanted, key[1:], strict=True))
    }
