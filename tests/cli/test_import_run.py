"""`isocompute import`, and what the other commands make of a run that another tool logged."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import typer

from isocompute.cli.screens.import_run import parse_columns_option
from isocompute.errors import RunError
from isocompute.fits import Pool, estimate_genrm, estimate_self_consistency
from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.profile_from_run import estimate_run_profile
from isocompute.planner.profile import read_profile
from isocompute.runners.imports import ImportOptions, import_logged_run
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "imports"


@pytest.fixture
def taken(tmp_path):
    """Imports something as a run, and returns its folder."""

    def run(name: str, path: object, grader: str | None = None) -> Path:
        import_logged_run(name, str(path), str(tmp_path / "run"), ImportOptions(grader=grader))
        return tmp_path / "run"

    return run


@pytest.fixture
def arrays(tmp_path):
    """Arrays as an .npz file: 2 problems with 4 solutions, the first 2 verified twice."""
    scores = np.array([[[1, 0.75], [0, np.nan]], [[0, 0], [1, 1]]])
    np.savez(tmp_path / "raw.npz", answers=[[1, 2, 1, 1], [0, 3, 3, -1]], gold=[1, 3], scores=scores)
    return tmp_path / "raw.npz"


def test_a_table_goes_from_import_to_plan(command, tmp_path):
    run, profile = tmp_path / "runs" / "mine", tmp_path / "p.json"
    said = command("import", "table", GOLDEN / "table" / "verifications.csv", "-o", run).out
    assert said.splitlines()[0] == (
        f"{run} holds 2 problems, 4 solutions, 8 verifications of verifications, imported from table."
    )
    assert "Graded by math/2" in said
    assert "Columns read: problem_id, " in said
    assert "A solution is right with probability 0.500." in said
    assert "Unknown, because no row records it: problems.question, solutions.text, solutions.prompt_tokens, " in said
    assert "λ is unknown" not in said
    assert command("check", run).out.splitlines() == [
        f"{run} is intact: 2 problems, 4 solutions, 8 verifications.",
        "note: 1 of 4 solutions (25.0 %) have no answer that can be read; they count as wrong.",
        "note: 2 of 8 verdicts (25.0 %) cannot be read; they count as neither yes nor no.",
    ]
    [there] = json.loads(command("runs", tmp_path, "--json").out)
    assert (there["imported"], there["models"], there["solutions"]["asked"]) == ("table", {}, 4)
    assert "2 problems of verifications; imported from table; an unnamed model" in command("runs", tmp_path).out
    fitted = command("fit", run, "-o", profile).out
    assert "λ = 1.67 (completion tokens: 25.0 a verification, 15.0 a solution)" in fitted
    assert "an unnamed model verifying 2 of them 2 times; imported from table" in fitted
    plan = json.loads(command("plan", "-b", "6x", "-p", profile, "--json").out)
    strategies = {option["strategy"] for option in (plan["recommendation"], *plan["alternatives"])}
    assert strategies == {"sc", "genrm", "genrm+vote", "weighted", "fused"}
    grid = np.array(json.loads(profile.read_text())["strategies"]["genrm"]["accuracy"])
    assert grid[:, -1, -1].tolist() == pytest.approx([0, 1])  # y has one yes of one; z has one, its rival no answer


def test_the_mean_over_problems_is_named_where_problems_have_other_numbers_of_solutions(command, tmp_path):
    table = tmp_path / "counts.csv"
    table.write_text("problem,n,right\na,998,998\nb,2,0\n")
    said = command("import", "counts", table, "-o", tmp_path / "run").out
    assert "Of a problem's solutions 0.500 are right, as the mean over problems, which is what fit reports." in said
    assert "Of all solutions 0.998 are right, since problems with more solutions count more." in said
    shown = json.loads(command("import", "counts", table, "-o", tmp_path / "again", "--json").out)
    assert (shown["problem_accuracy"], shown["accuracy"]) == (0.5, 0.998)


def test_without_tokens_lambda_is_unknown_and_what_needs_it_says_so(command, refused, arrays, tmp_path):
    run, profile = tmp_path / "run", tmp_path / "p.json"
    said = command("import", "sc-genrm-scaling", arrays, "-o", run).out
    assert "note: λ is unknown without completion tokens; give it to fit and plan with --lambda." in said
    said = command("fit", run, "-o", profile).out
    assert "1 of 7 verdicts are probabilities; each counts as yes above 1/2, and as no otherwise" in said
    assert re.search(r"GenRM reaches 100\.0 % \[[0-9.]+, 100\.0\] with S=2 and V=2; its cost is unknown\.", said)
    assert "note: λ, the cost of a verification in solutions, is unknown" in said
    assert read_profile(str(profile)).has_unknown_lambda
    fitted = json.loads(command("fit", run, "-o", profile, "--json").out)
    assert (fitted["lambda"], fitted["crossover"], fitted["laws"]) == (None, None, None)
    assert any("the law and the frontier of GenRM need it" in warning for warning in fitted["warnings"])

    plan = json.loads(command("plan", "-b", "4x", "-p", profile, "--json").out)
    assert (plan["recommendation"]["strategy"], plan["alternatives"], plan["lambda"]) == ("sc", [], None)
    assert any("only SC is planned; --lambda (lam= in Python) sets it" in warning for warning in plan["warnings"])
    plan = json.loads(command("plan", "-b", "6x", "-p", profile, "--lambda", "1", "--json").out)
    assert (len(plan["alternatives"]), plan["lambda"], plan["crossover"] is None) == (4, 1.0, False)
    assert not any("only SC is planned" in warning for warning in plan["warnings"])

    given = json.loads(command("fit", run, "-o", profile, "--lambda", "1", "--json").out)
    assert given["lambda"] == 1.0
    assert given["crossover"] is not None
    assert not read_profile(str(profile)).has_unknown_lambda
    assert refused("fit", run, "-o", profile, "--lambda", "-1") == (
        "λ is -1; the cost of a verification in solutions must be above zero, from 1e-06 to 1,000,000."
    )
    assert "has no λ for 'prompts'" in refused("fit", run, "-o", profile, "--lambda", "prompts")
    assert refused("grade", run) == (
        f"The answers of '{run}' were logged by another tool (as-logged/sc-genrm-scaling), not read by a grader here; "
        "name one to read them: --grader boxed-number, math, letter, numeric or exact."
    )


def test_the_figure_shows_what_has_a_price(taken, arrays):
    figures = pytest.importorskip("isocompute.figures.plots.solutions_and_compute")
    profile = estimate_run_profile(str(taken("sc-genrm-scaling", arrays)), "p")
    table = figures.build_solutions_and_compute_table(profile)
    assert table.loc[table["strategy"] == "genrm", "compute"].isna().all()
    assert table.loc[table["strategy"] == "sc", "compute"].tolist() == [1, 2, 4]
    by_solutions, by_compute = figures.draw_solutions_and_compute(table)
    assert (len(by_solutions.lines), len(by_compute.lines)) == (table["V"].nunique(), table["V"].nunique())


def test_right_and_wrong_alone_give_coverage_and_no_votes(taken):
    profile = estimate_run_profile(
        str(taken("large-language-monkeys", GOLDEN / "large-language-monkeys/code.jsonl")), "p"
    )
    assert profile.self_consistency.solutions == [1]
    np.testing.assert_allclose(profile.self_consistency.array[:, 0], [1 / 3, 2 / 3], atol=1e-5)
    np.testing.assert_allclose(profile.coverage.array, [[1 / 3, 2 / 3, 1], [2 / 3, 1, 1]], atol=1e-5)
    assert "votes cannot be counted, so SC is known at one solution only" in profile.warnings[0]


def test_the_fewest_solutions_of_a_problem_are_taken_of_each(taken):
    run = taken("large-language-monkeys", GOLDEN / "large-language-monkeys" / "yaml")
    profile = estimate_run_profile(str(run), "p")
    assert profile.warnings == [
        "1 of 5 solutions (20.0 %) have no answer that can be read; they count as wrong.",
        "Problems have 2 to 3 solutions; 2 of each are used.",
    ]
    assert read_pool(Run(run)).pool.answers.tolist() == [[0, -1], [0, 1]]


def test_verified_solutions_come_first(taken, tmp_path):
    rows = ["problem_id,gold,solution_id,answer,verdict", "a,x,0,y,", "a,x,1,x,1", "b,x,0,x,0", "b,x,1,z,1"]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    found = read_pool(Run(taken("table", tmp_path / "t.csv")))
    assert found.pool.answers.tolist() == [[0, 1], [0, 1]]
    assert found.pool.verdicts.tolist() == [[[1.0]], [[0.0]]]
    assert found.notes == ["1 to 2 solutions of a problem were verified; 1 of each are used."]


def test_without_a_verified_solution_of_one_problem_genrm_is_not_estimated(taken, tmp_path):
    rows = ["problem_id,gold,solution_id,answer,verdict", "a,x,0,y,", "a,x,1,x,", "b,x,0,x,0", "b,x,1,z,1"]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    profile = estimate_run_profile(str(taken("table", tmp_path / "t.csv")), "p")
    assert profile.genrm is None
    assert profile.warnings == ["0 to 2 solutions of a problem were verified; so GenRM is not estimated."]


def test_solutions_may_have_different_numbers_of_verdicts(taken, tmp_path):
    rows = [
        "problem_id,gold,solution_id,answer,verdict",
        "a,x,0,y,1",
        "a,x,0,y,nan",
        "a,x,1,x,0",
        "b,x,0,x,0",
        "b,x,1,z,1",
    ]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    pool = read_pool(Run(taken("table", tmp_path / "t.csv"))).pool
    assert pool.judged.tolist() == [[2, 1], [1, 1]]
    np.testing.assert_array_equal(pool.verdicts, [[[1, np.nan], [0, np.nan]], [[0, np.nan], [1, np.nan]]])


def test_a_problem_with_a_failure_or_without_solutions_is_left_out(taken, tmp_path):
    log = json.loads((GOLDEN / "inspect-ai" / "sums.json").read_text())
    first = [sample for sample in log["samples"] if str(sample["id"]) == "1"]
    first[0]["error"] = {"message": "out of quota"}
    (tmp_path / "log.json").write_text(json.dumps(log))
    found = read_pool(Run(taken("inspect-ai", tmp_path / "log.json")))
    assert (found.excluded_problems, found.problem_ids) == ({}, ["1", "two"])
    assert len(found.rows.solutions) == len(log["samples"]) - 1
    shutil.rmtree(tmp_path / "run")
    for sample in first:
        sample["error"] = {"message": "out of quota"}
    (tmp_path / "log.json").write_text(json.dumps(log))
    found = read_pool(Run(taken("inspect-ai", tmp_path / "log.json")))
    assert found.excluded_problems == {"1": "no solutions (out of quota)"}
    assert found.problem_ids == ["two"]
    shutil.rmtree(tmp_path / "run")
    lines = [{"question": "?", "samples": said, "gt_answer": "#### 5"} for said in (["#### 5"], [])]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert read_pool(Run(taken("large-language-monkeys", tmp_path / "m.jsonl"))).excluded_problems == {
        "2": "no solutions"
    }


def test_searches_alone_are_checked_and_shown_and_not_fitted(command, refused, tmp_path):
    run = tmp_path / "run"
    source = GOLDEN / "search-and-learn" / "beam_search_completions.jsonl"
    said = command("import", "search-and-learn", source, "-o", run).out
    assert "1 problems, 1 searches of beam_search_completions, imported from search-and-learn." in said
    assert "note: searches alone cannot be fitted" in said
    assert command("check", run).code == 0
    assert "searches 1 of 1" in " ".join(command("runs", run).out.split())
    assert refused("fit", run, "-o", tmp_path / "p.json") == (
        f"The run at '{run}' holds searches but no independent solutions, so nothing can be fitted: "
        "a search's scorer selects its solutions, so votes over them are not self-consistency."
    )


def test_an_import_is_graded_again_where_it_has_texts(command, refused, tmp_path):
    run = tmp_path / "run"
    source = next((GOLDEN / "lm-eval").glob("samples_capitals_*"))
    command("import", "lm-eval", source, "-o", run)
    assert refused("grade", run) == (
        f"The answers of '{run}' were logged by another tool (as-logged/lm-eval), not read by a grader here; name "
        "one to read them: --grader boxed-number, math, letter, numeric or exact."
    )
    found = json.loads(command("grade", run, "--grader", "exact", "--json").out)
    assert (found["differing"], len(found["examples"])) == (1, 1)
    assert found["logged_accuracy"] > found["accuracy"]
    assert (found["before"], found["grader"], found["now_wrong"]) == ("as-logged/lm-eval", "exact/1", 1)
    said = command("grade", run).out
    assert f"The log says {found['logged_accuracy']:.3f}; 1 solution is judged differently:" in said
    assert "right in the log, wrong here" in said
    assert json.loads(command("grade", run, "--json").out)["before"] == "exact/1"
    assert command("check", run).code == 0


def test_no_sweep_goes_on_with_an_import(taken, small, scripted):
    run = taken("sc-genrm-scaling", GOLDEN / "sc-genrm-scaling" / "solutions", "boxed-number")
    with pytest.raises(RunError, match="was imported, and a sweep cannot continue what another tool sampled; name ano"):
        run_sweep(small(run=str(run)), load=scripted())


def test_an_import_that_lost_rows_is_to_be_imported_again(command, refused, taken, tmp_path):
    run = taken("table", GOLDEN / "table" / "verifications.csv")
    [part] = Run(run).list_parts(SOLUTIONS_TABLE)
    Path(part).unlink()
    ended = command("check", run)
    assert ended.code == 1
    assert "  0 rows, but 4 were imported" in ended.out.splitlines()
    assert "To do: import the source again into a new run" in ended.out
    assert refused("check", run, "--repair") == (
        f"The run at '{run}' was imported: what is lost cannot be sampled again; import its source again."
    )
    assert refused("fit", run, "-o", tmp_path / "p.json") == (
        f"{run}/solutions: 0 rows, but 4 were imported; import its source again."
    )


def test_the_same_import_gives_the_same_bytes_and_takes_the_place_of_a_killed_one(tmp_path):
    killed = tmp_path / ".b.importing" / "solutions"
    killed.mkdir(parents=True)
    (killed / "part-00007.parquet").write_bytes(b"half")
    for name in "ab":
        import_logged_run("table", str(GOLDEN / "table" / "verifications.csv"), str(tmp_path / name))
    contents = [
        {
            str(path.relative_to(tmp_path / name)): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in "ab"
    ]
    assert contents[0] == contents[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_an_import_goes_to_an_object_store(tmp_path):
    run = f"memory:/{tmp_path}/run"
    import_logged_run("table", str(GOLDEN / "table" / "verifications.csv"), run)
    assert read_pool(Run(run)).pool.answers.shape == (2, 2)
    with pytest.raises(RunError, match="exists already"):
        import_logged_run("table", str(GOLDEN / "table" / "verifications.csv"), run)


def test_import_speaks_json_and_refuses_a_pair_that_is_none(command, tmp_path):
    source = GOLDEN / "table" / "verifications.csv"
    found = json.loads(command("import", "table", source, "-o", tmp_path / "run", "--json").out)
    assert found["imported"]["rows"] == {"problems": 2, "solutions": 4, "searches": 0, "verifications": 8}
    assert found["accuracy"] == 0.5
    ended = command("import", "table", source, "-o", tmp_path / "other", "--columns", "id")
    assert ended.code == 2
    assert "'id' is not a pair COLUMN=NAME." in ended.err


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (["id=problem_id", "id=answer"], "The column 'id' is given twice."),
        (["id=answer", "x=gold", "y=answer"], "The columns 'id' and 'y' are both given the name 'answer'."),
    ],
)
def test_a_column_or_a_name_that_is_given_twice_is_refused(columns, sentence):
    with pytest.raises(typer.BadParameter) as caught:
        parse_columns_option(columns)
    assert str(caught.value) == sentence


def test_the_authors_arrays_give_what_their_estimators_give(shared_data, tmp_path):
    raw = shared_data / "gpqa64_llama70b_raw.npz"
    import_logged_run("sc-genrm-scaling", str(raw), str(tmp_path / "run"))
    held = np.load(raw)
    verdicts = np.where(np.isnan(held["scores"]), np.nan, held["scores"] > 0.5)
    pool = Pool(held["answers"], held["gold"], verdicts)
    order = np.argsort([str(p) for p in range(64)])  # a run is in the order of its problems' names
    found = read_pool(Run(tmp_path / "run")).pool
    np.testing.assert_array_equal(found.verdicts, held["scores"][order])
    profile = estimate_run_profile(str(tmp_path / "run"), "p")
    np.testing.assert_allclose(profile.genrm.array[:, -1, -1], estimate_genrm(pool, [64], [32])[order, 0, 0], atol=1e-5)
    at = profile.self_consistency.solutions.index(64)
    np.testing.assert_allclose(
        profile.self_consistency.array[:, at], estimate_self_consistency(pool, [64])[order, 0], atol=1e-5
    )
    assert profile.lam is None
    assert profile.warnings == [
        "704 of 8,192 solutions (8.6 %) have no answer that can be read; they count as wrong.",
        "1,693 of 131,072 verdicts (1.3 %) cannot be read; they count as neither yes nor no.",
        "3,102 of 129,379 verdicts are probabilities; each counts as yes above 1/2, and as no otherwise, in genrm and "
        "genrm+vote.",
        "Even after 2,048 draws, the most that are made, the error of weighted and fused is above a tenth of the "
        "standard error of a difference from another strategy.",
    ]


def test_the_scores_of_best_of_n_are_used_and_a_cost_places_them(command, refused, tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        {
            "problem": f"What is {i} + {i}?", "solution": rf"\\boxed{{{2 * i}}}", "answer": str(2 * i),
            "subject": "sums", "level": 1, "unique_id": f"sums/{i}.json",
            "completions": [rf"So it is \\boxed{{{2 * i + int(rng.random() < 0.5)}}}." for _ in range(4)],
            "scores": [[0.5, float(rng.random())] for _ in range(4)], "completion_tokens": [9, 8, 7, 9],
        }
        for i in range(6)
    ]  # fmt: skip
    path, run, profile = tmp_path / "best_of_n_completions.jsonl", tmp_path / "run", tmp_path / "p.json"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert command("import", "search-and-learn", path, "-o", run, "--grader", "numeric").code == 0
    said = command("fit", run, "-o", profile).out
    assert "A solution's score is that of its last step (last)." in said
    assert "ρ = unknown, the cost of scoring a solution in solutions" in said
    assert {"bon", "prm-weighted"} <= set(read_profile(str(profile)).strategies)
    flat = " ".join(said.split())
    assert re.search(r"With S=4: sc [\d.]+ % \[.*?\], bon [\d.]+ % \[.*?\], prm-weighted [\d.]+ % \[", flat)
    assert "The cost of bon, prm-weighted is unknown; fit --rho sets it." in flat
    hard = " ".join(command("difficulty", run, "--samples", 2).out.split())
    assert "The cost of bon, prm-weighted is unknown" in hard
    plan = json.loads(command("plan", "-b", "8x", "-p", profile, "--json").out)
    assert plan["alternatives"] == []
    assert any("The cost of bon, prm-weighted is unknown" in warning for warning in plan["warnings"])
    plan = json.loads(command("plan", "-b", "8x", "-p", profile, "--rho", "0.5", "--json").out)
    options = {option["strategy"]: option for option in (plan["recommendation"], *plan["alternatives"])}
    assert options["bon"]["compute"] == pytest.approx(1.5 * options["bon"]["solutions"])
    assert refused("plan", "-b", "8x", "-p", profile, "--rho", "-1").startswith("ρ is -1; ")
    assert refused("plan", "-b", "8x", "-p", "lab", "--rho", "1").startswith("The profile 'lab' holds no scores")
    said = command("fit", run, "-o", profile, "--rho", "0.25")
    assert said.code == 0
    assert "With S=" not in said.out
    assert read_profile(str(profile)).rhos["completion"] == 0.25
    assert command("check", run).code == 0


def test_interleaved_completions_are_put_back_on_request(command, refused, tmp_path):
    lines = (GOLDEN / "search-and-learn-old" / "best_of_n_completions.jsonl").read_text()
    path = tmp_path / "best_of_n_completions.jsonl"
    path.write_text(lines)
    said = " ".join(command("import", "search-and-learn", path, "-o", tmp_path / "stored").out.split())
    assert "A solution is right with probability 0.188." in said
    assert "stored under other problems, in batches of 6, as search-and-learn did before January 2025" in said
    assert "sc with the first 4 solutions of 12 problems: 0." in said
    said = " ".join(command("import", "search-and-learn", path, "-o", tmp_path / "back", "--deinterleave").out.split())
    assert "A solution is right with probability 0.708." in said
    assert "were put back under their own problems, in batches of 6." in said
    assert refused("import", "lm-eval", path, "-o", tmp_path / "no", "--deinterleave") == (
        "--deinterleave (deinterleave= in Python) is only for the format search-and-learn."
    )


def test_an_import_in_which_every_solution_failed_is_not_to_be_fitted(command, tmp_path):
    failed = {
        "id": 1,
        "epoch": 1,
        "input": "3+4?",
        "target": "7",
        "output": {"completion": "7"},
        "error": {"message": "x"},
    }
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"eval": {"task": "toy", "model": "m"}, "samples": [failed]}))
    said = command("import", "inspect-ai", path, "-o", tmp_path / "run").out
    assert "no solution is right or wrong, so nothing can be fitted" in said
    assert "Next: isocompute fit" not in said
