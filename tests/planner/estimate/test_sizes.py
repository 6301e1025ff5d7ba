"""The sizes of models: from checkpoints, from a sweep file, from the command line, or unknown and said so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocompute.errors import DataError
from isocompute.planner.estimate.costs import collect_run_sizes, describe_cost_assumptions, measure_costs
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.planner.profile import read_profile
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run


def test_sizes_are_those_of_the_checkpoints_and_only_what_no_folder_tells_is_given(searching):
    lab = Path(__file__).resolve().parents[3] / "data" / "lab"
    solver = {"model": str(lab / "solver"), "prompt": "lab-solve"}
    known = collect_run_sizes(searching(solver=solver, scorer={"kind": "lab", "model": str(lab / "prm")}), [7.0])
    assert known.get_relative_size("scorer") == 1286912 / 860416
    assert collect_run_sizes(searching(solver=solver), [7.0]).get_relative_size("scorer") == 7 / 860416
    said = ["A token that is read costs 0.5 times a decoded token.",
            "A scorer token costs 2 times a solver token, by parameter counts."]  # fmt: skip
    assert describe_cost_assumptions(searching(), collect_run_sizes(searching(), [4.0, 8.0], read=0.5)) == said
    assert (
        "of the solver or of the scorer is unknown"
        in describe_cost_assumptions(searching(solver=solver), collect_run_sizes(searching()))[0]
    )


def test_a_size_or_a_weight_that_can_be_none_is_refused(refused, command, searched_run, tmp_path):
    fit = ("fit", searched_run, "-o", tmp_path / "p.json")
    assert refused(*fit, "--parameters", "-1") == "A model's size is -1; it must be above zero."
    assert refused(*fit, "--read", "nan") == "The cost of a token that is read is nan; it must be above zero."
    assert command("fit", "grid.json", "-o", tmp_path / "p.json", "--read", "2").code == 2
    assert command(*fit, "--parameters", "1e9", "--parameters", "3e9", "--read", "0.5").code == 0
    warnings = read_profile(str(tmp_path / "p.json")).warnings
    assert "A scorer token costs 3 times a solver token, by parameter counts." in warnings


def test_a_larger_verifier_costs_more_for_the_same_tokens(written_run):
    found = read_pool(Run(written_run))
    by_size = measure_costs(found, [1e9, 3e9])
    assert by_size.lam == pytest.approx(3 * measure_costs(found).lam)
    assert by_size.lambdas["completion"] == pytest.approx(by_size.lam)
    assert "3 times the parameters" in estimate_run_profile(str(written_run), "mine", [1e9, 3e9]).lambda_source


def test_a_run_holds_the_sizes_of_its_models_wherever_it_is_fitted(searching, stepping, tmp_path, monkeypatch):
    lab = Path(__file__).resolve().parents[3] / "data" / "lab"
    monkeypatch.chdir(lab)
    engine, scorer = stepping()
    solver = {"model": "./solver", "prompt": "lab-solve"}
    asked = searching(
        solver=solver, scorer={"kind": "lab", "model": "./prm"}, searches=[], solutions=4, scored=2,
        run=str(tmp_path / "sized"),
    )  # fmt: skip
    run_sweep(asked, load=engine, load_scorer=scorer)
    here = measure_costs(read_pool(Run(asked.run)))
    monkeypatch.chdir(tmp_path)
    there = measure_costs(read_pool(Run(asked.run)))
    assert here.sizes == there.sizes
    assert there.sizes.get_relative_size("scorer") == 1286912 / 860416
    assert here.rhos == there.rhos
    assert estimate_run_profile(asked.run, "mine").unknown_sizes == []


def test_a_sweep_file_gives_the_sizes_that_no_folder_tells(searching, stepping):
    engine, scorer = stepping()
    config = searching(searches=[], solutions=4, scored=2)
    roles = {name: {**getattr(config, name).model_dump(), "parameters": size}
             for name, size in (("solver", 1e9), ("scorer", 7e9))}  # fmt: skip
    sized = searching(searches=[], solutions=4, scored=2, **roles)
    assert sized.build_identity() == config.build_identity()
    run_sweep(sized, load=engine, load_scorer=scorer)
    assert measure_costs(read_pool(Run(sized.run)), [3e9]).sizes.get_relative_size("scorer") == 7


def test_a_model_of_unknown_size_is_said_in_the_first_lines_of_a_plan(command, searched_run, tmp_path):
    path = tmp_path / "p.json"
    command("fit", searched_run, "-o", path)
    assert read_profile(str(path)).unknown_sizes == ["scorer"]
    said = command("plan", "-b", "16x", "-p", path).out.splitlines()
    assert any("the sizes of the solver and the scorer are not all known" in line for line in said[:6])
    assert json.loads(command("plan", "-b", "16x", "-p", path, "--json").out)["unknown_sizes"] == ["scorer"]
    command("fit", searched_run, "-o", path, "--parameters", "1e9", "--parameters", "2e9")
    assert "are not all known" not in command("plan", "-b", "16x", "-p", path).out


@pytest.mark.parametrize("sizes", [[1], {"solver": "8B"}, {"solver": -1}, {"solver": True}])
def test_sizes_that_are_none_are_refused(searched_run, sizes):
    path = Path(searched_run) / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "parameters": sizes}))
    with pytest.raises(DataError, match="has 'parameters' that are not parameter counts by role"):
        read_pool(Run(searched_run))
