"""Runs of format 1: each part is read under the names of today, whatever stands beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from isocompute.errors import DataError
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.runners.imports import import_logged_run
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.imported_scores import OUT_OF_RANGE_STATUS
from isocompute.runners.storage.parts import encode_parquet
from isocompute.runners.storage.progress import measure_run_progress
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import NODES_TABLE, SCORES_TABLE, SEARCHES_TABLE, SOLUTIONS_TABLE, TABLES

RUNS = Path(__file__).resolve().parents[3] / "data" / "runs"
FORMER = {
    "scores": {"scored_tokens", "scored_cached_tokens", "scorer_sampled_tokens"},
    "nodes": {"scored_tokens", "scored_cached_tokens", "scorer_sampled_tokens"},
    "searches": {"scored_tokens", "prompt_cached_tokens", "scorer_sampled_tokens"},
    "solutions": {"step_scores"},
}


def sorted_rows(rows, table):
    return sorted(rows, key=lambda row: [row[name] for name in table.key_names])


@pytest.fixture
def searched(searching, stepping, made):
    return made(searching(scored=1), stepping())


def test_every_row_of_format_1_is_the_row_of_today(searched, as_format_1, unclocked):
    now = {table.name: unclocked(searched, table) for table in TABLES.values()}
    said = measure_run_progress(searched)
    old = as_format_1(searched.path)
    for name, columns in FORMER.items():
        assert columns <= set(pq.read_schema(old.list_parts(TABLES[name])[0]).names)
    assert {table.name: unclocked(old, table) for table in TABLES.values()} == now
    assert now["searches"]
    assert any(row["cached_tokens"] != row["scorer_cached_tokens"] for row in now["searches"])
    assert measure_run_progress(old).searches == said.searches
    assert measure_run_progress(old).scores == said.scores
    assert check_run(old).is_whole


@pytest.mark.parametrize("name", ["lab", "lab-search", "qwen-gsm-symbolic"])
def test_the_runs_that_are_shipped_stay_of_format_1(name):
    run = Run(RUNS / name)
    assert run.read_manifest()["format"] == 1
    for table in (SOLUTIONS_TABLE, SCORES_TABLE, NODES_TABLE, SEARCHES_TABLE):
        for path in run.list_parts(table):
            assert FORMER[table.name] <= set(pq.read_schema(path).names)


def test_a_run_of_format_1_goes_on_in_parts_of_today_beside_its_own(
    searching, stepping, searched, made, as_format_1, unclocked
):
    old = as_format_1(searched.path)
    before = {path: Path(path).read_bytes() for table in TABLES.values() for path in old.list_parts(table)}
    engine, scorer = stepping()
    larger = searching(scored=2, solutions=2, task={"name": "lab", "problems": 5})
    run_sweep(larger, load=engine, load_scorer=scorer)
    assert {path: Path(path).read_bytes() for path in before} == before
    assert old.read_manifest()["format"] == 2
    for table in (SOLUTIONS_TABLE, SCORES_TABLE, NODES_TABLE, SEARCHES_TABLE):
        kinds = [bool(FORMER[table.name] & set(pq.read_schema(path).names)) for path in old.list_parts(table)]
        assert kinds == sorted(kinds, reverse=True)
        assert {True, False} == set(kinds)
    whole = made(larger.model_copy(update={"run": f"{old.path}-whole"}), stepping())
    for table in (SCORES_TABLE, NODES_TABLE, SEARCHES_TABLE):
        assert sorted_rows(unclocked(old, table), table) == sorted_rows(unclocked(whole, table), table)
    assert read_pool(old).pool.scored_solutions == 2


def test_a_part_under_names_of_both_formats_is_refused(searched, as_format_1):
    old = as_format_1(searched.path)
    (path,) = old.list_parts(SCORES_TABLE)
    part = pq.read_table(path)
    part = part.append_column("scorer_prompt_tokens", part["scored_tokens"])
    Path(path).write_bytes(encode_parquet(part))
    with pytest.raises(DataError, match="the column 'scorer_prompt_tokens' does not belong to scores"):
        old.read_table(SCORES_TABLE)
    Path(path).write_bytes(encode_parquet(part.drop_columns(["scored_tokens"])))
    with pytest.raises(DataError, match="the column 'scored_tokens' is missing; scores has problem_id, solution_id, "):
        old.read_table(SCORES_TABLE)


def best_of_n(path, scores):
    lines = [
        {"unique_id": f"p{i}", "problem": "?", "answer": "5", "completions": ["\\boxed{5}", "\\boxed{6}"], "scores": s}
        for i, s in enumerate(scores)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


SCORED = [[[0.5, 0.25], [0.125]], [[1.0], [0.0]]]
STRANGE = [[[-3.0, 0.25], [0.125]], [[7.5], [0.0]]]


@pytest.mark.parametrize("scores", [SCORED, STRANGE], ids=["in range", "out of range"])
def test_step_scores_beside_the_solutions_of_an_old_import_count_as_its_scores(tmp_path, scores, beside_solutions):
    best_of_n(tmp_path / "best_of_n_completions.jsonl", scores)
    for name in ("new", "old"):
        import_logged_run("search-and-learn", str(tmp_path / "best_of_n_completions.jsonl"), str(tmp_path / name))
    new, old = Run(tmp_path / "new"), beside_solutions(Run(tmp_path / "old"))
    assert not old.list_parts(SCORES_TABLE)
    assert check_run(old).is_whole
    found, expected = read_pool(old), read_pool(new)
    columns = ["problem_id", "solution_id", "step_scores", "status"]
    assert found.rows.scores[columns].to_dict("records") == [
        {**row, "step_scores": pytest.approx(row["step_scores"])}
        for row in expected.rows.scores[columns].to_dict("records")
    ]
    assert found.rows.scores["scorer_prompt_tokens"].isna().all()
    assert found.notes == expected.notes
    profile = estimate_run_profile(old.path, "p")
    assert [name in profile.strategies for name in ("bon", "prm-weighted")] == [True, scores is SCORED]
    assert profile.model_dump() == estimate_run_profile(new.path, "p").model_dump()


def test_imported_scores_in_a_range_of_their_own_are_counted_and_rank_solutions(tmp_path):
    best_of_n(tmp_path / "best_of_n_completions.jsonl", STRANGE)
    import_logged_run("search-and-learn", str(tmp_path / "best_of_n_completions.jsonl"), str(tmp_path / "run"))
    run = Run(tmp_path / "run")
    assert [(row["step_scores"], row["status"]) for row in run.read_table(SCORES_TABLE).to_pylist()] == [
        ([-3.0, 0.25], OUT_OF_RANGE_STATUS), ([0.125], "ok"), ([7.5], OUT_OF_RANGE_STATUS), ([0.0], "ok"),
    ]  # fmt: skip
    assert check_run(run).is_whole
    assert measure_run_progress(run).scores.failures == {OUT_OF_RANGE_STATUS: 2}
    assert read_pool(run).pool.scores.tolist() == [[0.25, 0.125], [7.5, 0.0]]
    assert read_pool(run).notes[-1] == (
        "Imported scores outside 0 … 1 rank solutions in bon; prm-weighted cannot weight votes with them."
    )
