"""The positions that a search's requests read, from which reads of the KV cache and attention follow.

A token that is sampled reads all that stands before it: step i of a node of T tokens after a context of C reads C + i
positions, C·T + T²/2 in all. A lookahead goes on from its node, so its tokens count like further ones of the node. A
prompt token that is not cached reads what stands before it too.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from isocompute.fits.arrays import Floats
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES_TABLE, SEARCHES_TABLE, WAITING_STATUS

NODE_COUNTS = (
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "lookahead_tokens",
    "scorer_prompt_tokens",
    "scorer_cached_tokens",
    "scorer_calls",
    "scorer_completion_tokens",
)
READ_COLUMNS = ("decoded_pairs", "read_pairs", "scorer_decoded_pairs", "scorer_read_pairs")
"""Pairs of a token and an earlier one that it reads: of sampled and of read tokens, of the solver and of the scorer."""


def measure_search_reads(run: Run, searches: pd.DataFrame, prompts: pd.Series) -> pd.DataFrame:
    """Measure the positions that searches read, from the rows of their nodes.

    The context of a node is the prompt and the path to it. The calls of a node that needed several, for a lookahead or
    because a step was blank, are not logged one by one: their tokens are taken to be read at the end of its text, an
    upper bound of a small part. The calls of a scorer for a node are taken to be equally long.

    Args:
        run: the run.
        searches: rows of searches with their tokens, and a column ``revised``: whether a node is a whole attempt, with
            a prompt of its own.
        prompts: tokens of the solver's prompt, by problem.

    Returns:
        A row for each search, with the columns of `READ_COLUMNS`; NaN where the nodes do not add up to the search, as
        in imports, or a count is unknown.
    """
    keys = SEARCHES_TABLE.key_names
    unknown = pd.DataFrame(np.nan, index=searches.index, columns=list(READ_COLUMNS))
    table = run.read_table(NODES_TABLE, [*NODES_TABLE.key_names, "parent", "round", *NODE_COUNTS, "status"])
    nodes = table.to_pandas()
    nodes = nodes[nodes["status"].isin(["ok", WAITING_STATUS])].drop_duplicates(NODES_TABLE.key_names, keep="last")
    nodes = nodes.merge(searches[[*keys, "revised"]], on=keys).reset_index(drop=True)
    if nodes.empty:
        return unknown
    counts = {name: nodes[name].to_numpy(float) for name in NODE_COUNTS}
    sampled = counts["completion_tokens"] + counts["lookahead_tokens"]
    root = nodes["problem_id"].map(prompts).astype(float).to_numpy()
    context = np.minimum(counts["prompt_tokens"], root + measure_path_lengths(nodes))
    context = np.where(nodes["revised"], counts["prompt_tokens"], context)
    uncached = counts["prompt_tokens"] - counts["cached_tokens"]
    nodes["decoded_pairs"] = sampled * context + sampled**2 / 2
    end = np.where(context < counts["prompt_tokens"], context + sampled, context)  # of a node of several calls
    nodes["read_pairs"] = uncached * np.maximum(end - uncached / 2, end / 2)
    calls = np.maximum(counts["scorer_calls"], 1)
    own = {name: counts[f"scorer_{name}_tokens"] / calls for name in ("prompt", "cached", "completion")}
    read = own["prompt"] - own["cached"]
    nodes["scorer_decoded_pairs"] = calls * (own["completion"] * own["prompt"] + own["completion"] ** 2 / 2)
    nodes["scorer_read_pairs"] = calls * read * (own["prompt"] - read / 2)
    nodes["sampled"] = sampled
    groups = nodes.groupby(keys, sort=False)
    code = groups.ngroup().to_numpy()
    sums = nodes.drop_duplicates(keys)[keys].reset_index(drop=True)  # in the order of the codes
    for name in ("sampled", "prompt_tokens", *READ_COLUMNS):
        sums[name] = np.bincount(code, nodes[name].to_numpy(float))  # NaN where a node's count is unknown
    found = searches[keys].merge(sums, on=keys, how="left").set_index(searches.index)
    logged = searches[["generated_tokens", "prompt_tokens"]].astype(float)
    whole = (found["sampled"] == logged["generated_tokens"]) & (found["prompt_tokens"] == logged["prompt_tokens"])
    return found[list(READ_COLUMNS)].astype(float).where(whole)


def measure_path_lengths(nodes: pd.DataFrame) -> Floats:
    """Measure the completion tokens on the path to each node, its own left out; NaN where a node on it is unknown.

    Args:
        nodes: rows of nodes, with the keys of their searches.
    """
    code = nodes.groupby(SEARCHES_TABLE.key_names, sort=False).ngroup().to_numpy()
    place = pd.Series(np.arange(len(nodes)), index=pd.MultiIndex.from_arrays([code, nodes["node_id"]]))
    parents = place.reindex(pd.MultiIndex.from_arrays([code, nodes["parent"]])).to_numpy(float)
    own, before = nodes["completion_tokens"].to_numpy(float), np.zeros(len(nodes))
    rounds = nodes["round"].to_numpy()
    is_first = nodes["parent"].to_numpy() == 0
    for number in np.unique(rounds):  # a parent is of an earlier round
        at = np.flatnonzero((rounds == number) & ~is_first)
        known = ~np.isnan(parents[at])
        above = parents[at[known]].astype(int)
        before[at] = np.nan
        before[at[known]] = before[above] + own[above]
    return before
