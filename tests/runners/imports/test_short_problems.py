"""Problems with few solutions: they do not cut the others, and are left out of a fit, or already at import."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import isocompute as iso
from isocompute.errors import ConfigError, DataError
from isocompute.runners.imports import ImportOptions, import_logged_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE
from isocompute.runners.storage.unequal import choose_pool_size

FEW = (
    "1 of 6 problems has fewer than half of 8 solutions, and a fit leaves it out: 'p0'. --problems-with 2 keeps it, "
    "with 2 solutions of each problem."
)
LEFT_OUT = "1 of 6 problems is left out, with fewer than 8 solutions: 'p0'."


@pytest.fixture
def ragged(tmp_path):
    """A table of six problems: one has 2 solutions, the others 8."""
    path = tmp_path / "ragged.csv"
    rows = [(f"p{p}", f"{p}{(p + i) % 2}", (p + i) % 2) for p in range(6) for i in range(8 if p else 2)]
    pd.DataFrame(rows, columns=["problem_id", "answer", "correct"]).to_csv(path, index=False)
    return path


def test_a_short_problem_does_not_cut_the_others(ragged, tmp_path):
    summary = import_logged_run("table", str(ragged), str(tmp_path / "run"))
    assert FEW in summary.notes
    profile = iso.fit(tmp_path / "run")
    assert profile.warnings[0] == "1 of 6 problems is left out, with too few rows: 'p0' has 2 of 8 solutions."
    assert (profile.problems, iso.curve(tmp_path / "run", "sc")["S"].max()) == (5, 8)


def test_import_leaves_out_short_problems_and_records_it(ragged, tmp_path):
    summary = import_logged_run("table", str(ragged), str(tmp_path / "run"), ImportOptions(problems_with=8))
    assert summary.notes == [LEFT_OUT]
    assert summary.imported.rows["problems"] == 5
    recorded = Run(tmp_path / "run").read_manifest()["imported"]
    assert (recorded["problems_with"], recorded["short_problems"]) == (8, 1)
    assert iso.curve(tmp_path / "run", "sc")["S"].max() == 8
    assert not any("left out" in warning for warning in iso.fit(tmp_path / "run").warnings)


def test_fit_leaves_out_short_problems(ragged, command, tmp_path):
    run = iso.import_run("table", ragged, tmp_path / "run")
    profile = iso.fit(run, problems_with=8)
    assert profile.problems == 5
    assert profile.warnings[0] == LEFT_OUT
    least = iso.fit(run, problems_with=2)
    assert (least.problems, least._profile.self_consistency.solutions) == (6, [1, 2])
    said = command("fit", tmp_path / "run", "-o", tmp_path / "p", "--problems-with", 8, "--json").out
    assert json.loads(said)["problems"] == 5


def test_solutions_that_failed_do_not_count_unless_they_count_as_wrong(tmp_path):
    def sample(name, epoch, **more):
        scores = {"match": {"value": "C"}}
        output = {"choices": [], "completion": "7"}
        return {"id": name, "epoch": epoch, "input": "?", "target": "7", "output": output, "scores": scores, **more}

    samples = [sample(name, epoch) for name in "ab" for epoch in range(4)]
    samples[0] |= {"error": {"message": "timeout"}}
    samples[1] |= {"scores": {}}
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"eval": {"task": "t", "model": "m"}, "samples": samples}))
    for failed, problems in (("drop", 1), ("wrong", 2)):
        summary = import_logged_run(
            "inspect-ai",
            str(path),
            str(tmp_path / failed),
            ImportOptions(grader="as-logged", failed=failed, problems_with=3),
        )
        assert summary.imported.rows["problems"] == problems


def test_a_number_that_no_problem_reaches_is_refused(ragged, tmp_path):
    with pytest.raises(DataError, match=r"No problem of '.*ragged.csv' has 9 solutions; the most is 8\.$"):
        import_logged_run("table", str(ragged), str(tmp_path / "run"), ImportOptions(problems_with=9))
    assert not (tmp_path / "run").exists()
    run = iso.import_run("table", ragged, tmp_path / "run")
    with pytest.raises(DataError, match=r"No problem of the run at '.*run' has 9 solutions; the most is 8\.$"):
        iso.fit(run, problems_with=9)
    with pytest.raises(ConfigError, match="must be a whole number, 1 or more; it is 0"):
        iso.fit(run, problems_with=0)
    with pytest.raises(ConfigError, match="must be a whole number, 1 or more; it is 'x'"):
        iso.import_run("table", ragged, tmp_path / "other", problems_with="x")
    with pytest.raises(ConfigError, match="a grid has no solutions"):
        iso.fit("data/published/llama-3.1-8b-math.json", problems_with=8)


@pytest.mark.parametrize(
    ("counts", "size"),
    [
        ([4, 4, 4], 4),
        ([2, 3], 2),
        ([1] + [8] * 3, 8),
        ([1, 1] + [8] * 3, 1),  # at most a quarter may be left out
        ([0] + [4] * 3, 4),
        ([0, 0, 4, 4], 0),
        ([31] + [32] * 9, 32),
        ([16] * 10 + [32] * 10, 16),
        ([16] * 10 + [32] * 11, 32),
    ],
)
def test_the_size_of_a_pool_uses_most_rows(counts, size):
    assert choose_pool_size(counts) == size


def test_the_given_ragged_table(shared_data, tmp_path):
    path = shared_data.parent / "cases" / "imports" / "ragged.csv"
    if not path.is_file():
        pytest.skip(f"no cases at {path.parent}")
    summary = import_logged_run("table", str(path), str(tmp_path / "all"))
    assert any("1 of 20 problems has fewer than half of 32 solutions" in note for note in summary.notes)
    summary = import_logged_run("table", str(path), str(tmp_path / "long"), ImportOptions(problems_with=32))
    assert (summary.imported.rows["problems"], summary.imported.rows["solutions"]) == (19, 608)
    assert iso.curve(tmp_path / "long", "sc")["S"].max() == 32


def test_names_are_given_in_the_place_of_the_log_s(ragged, command, tmp_path):
    said = command("import", "table", ragged, "-o", tmp_path / "run", "--task", "toy", "--model", "org/m-7b").out
    assert "of toy, imported from table; org/m-7b." in said
    [listed] = json.loads(command("runs", tmp_path / "run", "--json").out)
    assert (listed["task"], listed["models"]) == ("toy", {"solver": "org/m-7b"})
    described = "org/m-7b on 5 problems of toy, 8 solutions each; imported from table"
    assert described in " ".join(command("fit", tmp_path / "run", "-o", tmp_path / "p.json").out.split())
    assert described in " ".join(command("plan", "-b", "2x", "-p", tmp_path / "p.json").out.split())
    assert Run(tmp_path / "run").read_frame(PROBLEMS_TABLE)["task"].unique() == ["toy"]


def test_a_name_that_differs_from_the_log_s_is_said(golden, tmp_path):
    path = golden / "inspect-ai" / "sums.json"
    summary = import_logged_run(
        "inspect-ai", str(path), str(tmp_path / "run"), ImportOptions(task="other", model="mine")
    )
    logged = json.loads(path.read_text())["eval"]
    assert (summary.imported.task, summary.imported.solver) == ("other", "mine")
    assert summary.notes[:2] == [
        f"The log names the task '{logged['task']}'; the run has the given name.",
        f"The log names the model '{logged['model']}'; the run has the given name.",
    ]
    for name in ({"task": " "}, {"model": ""}):
        with pytest.raises(ConfigError, match="it must be a name"):
            import_logged_run("inspect-ai", str(path), str(tmp_path / "none"), ImportOptions(**name))
    with pytest.raises(ConfigError, match="model must be text; it is 7"):
        iso.import_run("inspect-ai", path, tmp_path / "none", model=7)
