"""Positions that searches read, against a count of every call, and the KV reads that follow."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from isocompute.planner.costs.devices import DEVICES
from isocompute.planner.costs.models import price_profile_requests
from isocompute.planner.costs.settings import CostSettings
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.planner.estimate.search_reads import READ_COLUMNS, measure_path_lengths, measure_search_reads
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES_TABLE, SEARCHES_TABLE, SOLUTIONS_TABLE


def read_searches(run):
    searches = run.read_frame(SEARCHES_TABLE).assign(revised=False)
    return searches, run.read_frame(SOLUTIONS_TABLE).groupby("problem_id")["prompt_tokens"].mean()


def count_reads(nodes, prompt):
    """Count the solver's pairs token by token; those of read tokens are NaN where a node needed several calls."""
    length, decoded, read = {0: 0}, 0.0, 0.0
    for node in nodes:
        context, sampled = prompt + length[node["parent"]], node["completion_tokens"]
        length[node["node_id"]] = length[node["parent"]] + sampled
        decoded += sum(context + step + 0.5 for step in range(sampled + node["lookahead_tokens"]))
        is_one_call = node["prompt_tokens"] == context
        read += sum(at + 0.5 for at in range(node["cached_tokens"], context)) if is_one_call else np.nan
    return decoded, read


def test_the_positions_that_searches_read_are_those_of_their_calls(searched_run):
    run = Run(searched_run)
    searches, prompts = read_searches(run)
    found = measure_search_reads(run, searches, prompts)
    assert found.notna().all().all()
    nodes = run.read_frame(NODES_TABLE)
    names, of_one_call = SEARCHES_TABLE.key_names, 0
    for at, search in searches.iterrows():
        own = nodes[(nodes[names] == search[names]).all(axis=1)].to_dict("records")
        decoded, read = count_reads(own, int(prompts[search["problem_id"]]))
        assert found.loc[at, "decoded_pairs"] == pytest.approx(decoded)
        if not np.isnan(read):
            of_one_call += 1
            assert found.loc[at, "read_pairs"] == pytest.approx(read)
        scored = [(n["scorer_prompt_tokens"], n["scorer_cached_tokens"]) for n in own]
        assert found.loc[at, "scorer_read_pairs"] == pytest.approx(sum((p - c) * (p + c) / 2 for p, c in scored))
    assert 0 < of_one_call < len(searches)
    assert searches["lookahead"].any()


def test_nodes_that_do_not_add_up_to_their_search_say_nothing(searched_run):
    run = Run(searched_run)
    searches, prompts = read_searches(run)
    more = searches.assign(generated_tokens=searches["generated_tokens"] + (searches.index == 0))
    found = measure_search_reads(run, more, prompts)
    assert found.loc[0].isna().all()
    assert found.loc[1:].notna().all().all()
    none = measure_search_reads(run, searches.assign(problem_id="another"), prompts)
    assert none.isna().all().all()
    assert list(none.columns) == list(READ_COLUMNS)


def test_a_revision_reads_its_own_prompt(searched_run):
    run = Run(searched_run)
    searches, prompts = read_searches(run)
    grown, revised = (measure_search_reads(run, searches.assign(revised=each), prompts) for each in (False, True))
    is_same = grown["decoded_pairs"] == revised["decoded_pairs"]  # the prompt of a step's only call is its context
    assert is_same.any()
    assert (grown["decoded_pairs"][~is_same] < revised["decoded_pairs"][~is_same]).all()


def test_paths_end_where_a_parent_is_unknown():
    rows = [("p", 1, 0, 1, 5), ("p", 2, 1, 2, 7), ("p", 3, 2, 3, 1), ("q", 1, 0, 1, 2), ("q", 4, 3, 2, 9)]
    nodes = pd.DataFrame(rows, columns=["problem_id", "node_id", "parent", "round", "completion_tokens"])
    keys = {name: 0 for name in SEARCHES_TABLE.key_names if name != "problem_id"}
    assert measure_path_lengths(nodes.assign(**keys)).tolist() == pytest.approx([0, 5, 12, 0, np.nan], nan_ok=True)


def test_searches_have_kv_reads_where_the_architectures_are_known(searched_run):
    profile = estimate_run_profile(searched_run, "searched", (3e9, 6e9))
    known = {
        role: model.model_copy(update={"kv_bytes": 1000.0, "attention_flops": 2e6})
        for role, model in profile.models.items()
    }
    settings = CostSettings(device=DEVICES["h100"])
    assert price_profile_requests(profile, "kv", settings).searches == {}
    costs = price_profile_requests(profile.model_copy(update={"models": known}), "kv", settings)
    flops = price_profile_requests(profile, "flops", settings)
    tokens = profile.searches["beam+weighted"].tokens
    pairs = {role: np.add(*(tokens[role][name] for name in ("decoded_pairs", "read_pairs"))) for role in tokens}
    decoded = np.array(tokens["solver"]["decoded_pairs"])
    by_hand = flops.searches["beam+weighted"] + 2e6 * (pairs["solver"] + pairs["scorer"])
    by_hand += DEVICES["h100"].intensity * 1000 * decoded
    assert costs.searches["beam+weighted"] == pytest.approx(by_hand, rel=1e-6)
