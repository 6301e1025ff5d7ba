"""A run written anew in the newest format: the same rows and the same numbers, and the old one as it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from isocompute.errors import DataError, RunError
from isocompute.planner.estimate.costs import measure_costs
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.planner.estimate.records import describe_problems
from isocompute.planner.estimate.searches import measure_searches
from isocompute.runners.engines import Completion
from isocompute.runners.grading import load_grader_by_name
from isocompute.runners.imports import import_logged_run
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.manifest import hash_checkpoint
from isocompute.runners.storage.progress import measure_run_progress
from isocompute.runners.storage.provenance import read_grader_title
from isocompute.runners.storage.regrade import regrade_run
from isocompute.runners.storage.run import RUN_FORMAT, Run
from isocompute.runners.storage.schema import SCORES_TABLE, SOLUTIONS_TABLE, TABLES, VERIFICATIONS_TABLE
from isocompute.runners.storage.upgrade import upgrade_run

ROOT = Path(__file__).resolve().parents[3]
RUNS = ROOT / "data" / "runs"
BUNDLED = ("lab", "lab-search", "qwen-gsm-symbolic")


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def upgraded(source, target):
    """Upgrade a run; the old one stays as it was, byte for byte."""
    before = files(source)
    found = upgrade_run(Run(source), Run(target))
    assert files(source) == before
    return Run(target), found


def same(one, other):
    """Whether two frames hold the same, up to the columns' order."""
    return one.reset_index(drop=True).equals(other[list(one.columns)].reset_index(drop=True))


@pytest.mark.parametrize("name", BUNDLED)
def test_a_fit_reads_off_an_upgraded_run_what_it_reads_off_the_old_one(tmp_path, monkeypatch, name):
    monkeypatch.chdir(ROOT)
    old, new = Run(f"data/runs/{name}"), upgraded(RUNS / name, tmp_path / "new")[0]
    assert new.read_manifest()["format"] == RUN_FORMAT
    assert check_run(new).is_whole
    pools = [read_pool(run) for run in (old, new)]
    for field in ("answers", "verdicts", "judged", "scores", "finished"):
        first, second = (getattr(found.pool, field) for found in pools)
        assert (first is None and second is None) or np.array_equal(first, second, equal_nan=True)
    for field in ("solutions", "scores", "searches"):
        assert same(*(getattr(found.rows, field) for found in pools))
    judged = [found.rows.verifications for found in pools]
    assert np.array_equal(judged[0].verdicts.cells, judged[1].verdicts.cells)
    assert same(*(rows.read_times(rows.problems) for rows in judged))
    assert pools[0].problem_ids == pools[1].problem_ids
    assert pools[0].notes == pools[1].notes
    assert describe_problems(old, pools[0]) == describe_problems(new, pools[1])
    costs = [measure_costs(found) for found in pools]
    assert (costs[0].lambdas, costs[0].rhos, costs[0].notes) == (costs[1].lambdas, costs[1].rhos, costs[1].notes)
    searches = [measure_searches(found, cost) for found, cost in zip(pools, costs, strict=True)]
    assert {name: found.costs for name, found in searches[0].items()} == {
        name: found.costs for name, found in searches[1].items()
    }


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.soak] * (name != "qwen-gsm-symbolic")) for name in BUNDLED]
)
def test_the_profile_of_an_upgraded_run_is_that_of_the_old_one(tmp_path, monkeypatch, name):
    monkeypatch.chdir(ROOT)
    estimate_run_profile(f"data/runs/{name}", "p").write(str(tmp_path / "old.json"))
    upgraded(RUNS / name, tmp_path / "new")
    estimate_run_profile(str(tmp_path / "new"), "p").write(str(tmp_path / "new.json"))
    assert (tmp_path / "new.json").read_bytes() == (tmp_path / "old.json").read_bytes()


def test_a_sweep_goes_on_with_an_upgraded_run_as_with_the_old_one(
    searching, stepping, made, as_format_1, unclocked, tmp_path
):
    old = as_format_1(made(searching(scored=1), stepping()).path)
    new, found = upgraded(old.path, tmp_path / "new")
    assert (found.before, found.moved) == (1, 0)
    assert found.rows == {table.name: len(old.read_table(table)) for table in TABLES.values() if old.list_parts(table)}
    assert {table.name: unclocked(new, table) for table in TABLES.values()} == {
        table.name: unclocked(old, table) for table in TABLES.values()
    }
    larger = searching(scored=2, solutions=2, task={"name": "lab", "problems": 5})
    asked = []
    for run in (old, new):
        engine, scorer = stepping()
        run_sweep(larger.model_copy(update={"run": run.path}), load=engine, load_scorer=scorer)
        asked.append(sorted((str(request.key), request.seed) for request, _ in engine.asked))
        assert check_run(run).is_whole
    assert asked[0] == asked[1]
    assert measure_run_progress(new).searches == measure_run_progress(old).searches
    assert new.read_manifest()["upgraded"]["format"] == 1
    assert "upgraded" not in old.read_manifest()
    assert upgrade_run(new, Run(tmp_path / "again")) is None
    assert upgraded(old.path, tmp_path / "again")[1].before == 2  # it goes on in parts of both formats


def test_failures_retries_and_what_was_graded_again_are_kept(small, scripted, as_format_1, unclocked, tmp_path):
    well, lost = scripted().says, Completion(None, None, None, None, None, "out of memory")
    run_sweep(small(), load=scripted(lambda prompt, seed: lost if seed % 4 == 0 else well(prompt, seed)))
    run_sweep(small(), load=scripted(lambda prompt, seed: lost if seed % 8 == 0 else well(prompt, seed)))
    old = Run(small().run)
    with load_grader_by_name("exact") as grader:
        regrade_run(old, grader)
    as_format_1(old.path)
    new, _ = upgraded(old.path, tmp_path / "new")
    assert [Path(path).name for path in new.list_parts(SOLUTIONS_TABLE)] == [
        Path(path).name for path in old.list_parts(SOLUTIONS_TABLE)
    ]
    for table in TABLES.values():
        assert unclocked(new, table) == unclocked(old, table)
    assert same(new.read_frame(SOLUTIONS_TABLE), old.read_frame(SOLUTIONS_TABLE))
    assert (new.read_frame(VERIFICATIONS_TABLE)["status"] == "out of memory").any()
    assert read_grader_title(new) == read_grader_title(old) == "exact/1"
    assert measure_run_progress(new).verifications == measure_run_progress(old).verifications


@pytest.mark.parametrize("same_weights", [True, False])
def test_a_size_is_that_of_the_checkpoint_only_if_its_weights_are_those_of_the_run(
    written_run, as_format_1, tmp_path, same_weights
):
    model = tmp_path / "model"
    shutil.copytree(ROOT / "data" / "lab" / "solver", model)
    old = as_format_1(written_run)
    manifest = old.read_manifest()
    manifest["config"]["solver"]["model"] = str(model)
    manifest["models"]["solver"] = hash_checkpoint(str(model)) if same_weights else {"model.safetensors": "0" * 64}
    del manifest["parameters"]
    old.write_manifest(manifest)
    new, found = upgraded(written_run, tmp_path / "new")
    assert found.parameters == ({"solver": 860416.0} if same_weights else {})
    assert new.read_manifest()["parameters"] == found.parameters
    assert "parameters.verifier" in found.unknown
    assert ("parameters.solver" in found.unknown) != same_weights
    assert {"solutions.started_at", "verifications.seconds"} <= set(found.unknown)
    assert "verifications.solution_digest" not in found.unknown


def test_what_the_manifest_says_stays_and_that_it_was_upgraded_is_added(written_run, as_format_1, tmp_path):
    old = as_format_1(written_run)
    old.write_manifest({**old.read_manifest(), "mine": {"a": 1}, "parameters": {"solver": 7.0}})
    new, _ = upgraded(written_run, tmp_path / "new")
    after = new.read_manifest()
    assert after.pop("upgraded")["format"] == 1
    assert after == {**old.read_manifest(), "format": 2}


@pytest.fixture
def imported(tmp_path):
    """An import with step scores, one of them outside 0 … 1, as version 0.1 held it."""
    lines = [
        {"unique_id": f"p{i}", "problem": "?", "answer": "5", "completions": ["\\boxed{5}", "\\boxed{6}"], "scores": s}
        for i, s in enumerate([[[0.5, 0.25], [0.125]], [[7.5], [0.0]]])
    ]
    path = tmp_path / "best_of_n_completions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    import_logged_run("search-and-learn", str(path), str(tmp_path / "fresh"))
    return Run(tmp_path / "fresh")


def test_step_scores_beside_the_solutions_of_an_import_are_moved_to_scores(
    imported, as_format_1, beside_solutions, unclocked, tmp_path
):
    shutil.copytree(imported.path, tmp_path / "old")
    old = beside_solutions(Run(tmp_path / "old"))
    manifest = old.read_manifest()
    manifest["imported"]["unknown"] = ["searches.scored_tokens", "solutions.prompt_tokens"]
    old.write_manifest(manifest)
    new, found = upgraded(old.path, tmp_path / "new")
    assert found.moved == found.rows["scores"] == 4
    assert unclocked(new, SCORES_TABLE) == unclocked(imported, SCORES_TABLE)
    said = new.read_manifest()["imported"]
    assert said["rows"] == imported.read_manifest()["imported"]["rows"]
    assert said["unknown"] == [
        "searches.scorer_prompt_tokens", "solutions.prompt_tokens", "scores.scorer_prompt_tokens",
        "scores.scorer_cached_tokens",
    ]  # fmt: skip
    assert check_run(new).is_whole
    assert estimate_run_profile(new.path, "p").model_dump() == estimate_run_profile(old.path, "p").model_dump()


def test_step_scores_beside_a_sweep_s_solutions_are_refused(written_run, as_format_1, beside_solutions, tmp_path):
    beside_solutions(as_format_1(written_run), 0.5)
    with pytest.raises(DataError, match="has step_scores in solutions, which no sweep writes"):
        upgraded(written_run, tmp_path / "new")
    assert not list(tmp_path.glob("*new*"))


def test_what_cannot_be_upgraded_leaves_nothing_behind(written_run, as_format_1, tmp_path):
    with pytest.raises(RunError, match="There is no run at"):
        upgrade_run(Run(tmp_path / "nothing"), Run(tmp_path / "new"))
    old = as_format_1(written_run)
    with pytest.raises(RunError, match=r"exists already; an upgrade needs a new folder"):
        upgrade_run(old, old)
    part = Path(old.list_parts(VERIFICATIONS_TABLE)[0])
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        upgraded(written_run, tmp_path / "new")
    assert not [path.name for path in tmp_path.iterdir() if "new" in path.name]


def test_a_run_is_upgraded_into_a_store(written_run, as_format_1, tmp_path, unclocked):
    new, _ = upgraded(as_format_1(written_run).path, f"memory:/{tmp_path}/new")
    assert unclocked(new, SOLUTIONS_TABLE) == unclocked(Run(written_run), SOLUTIONS_TABLE)
    assert check_run(new).is_whole
