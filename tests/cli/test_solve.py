"""`isocompute solve` with the lab's models: what it prints, and that a stopped command goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from isocompute.fits.policies.policy import SampledProblem
from isocompute.planner.policies.policy_file import read_policy_file
from isocompute.planner.profile import read_profile
from isocompute.runners.config.sweep_reading import read_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE
from isocompute.runners.tasks import make_lab_problems

LAB = Path(__file__).resolve().parents[2] / "data" / "lab"


@pytest.fixture
def questions(tmp_path) -> Path:
    path = tmp_path / "questions.jsonl"
    problems = make_lab_problems(4, [1, 2], seed=78)
    lines = [json.dumps({"id": p.problem_id, "question": p.question, "answer": p.gold}) for p in problems]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def models(tmp_path) -> Path:
    """The lab's models in transformers, one row at a time: arithmetic that does not depend on the batch."""
    options = {"batch_size": 1, "dtype": "float32"}
    content = {
        "engine": "transformers",
        "solver": {"model": str(LAB / "solver"), "prompt": "lab-solve", "max_tokens": 60, "options": options},
        "verifier": {"model": str(LAB / "verifier"), "prompt": "lab-verify", "max_tokens": 60, "options": options},
        "grader": "boxed-number",
        "checkpoint_seconds": 0.1,
    }
    path = tmp_path / "models.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def words(questions: Path, run: Path, models: Path, *more: str) -> list[str]:
    profile = ("--profile", "lab-both-small", "--config", str(models))
    return ["solve", str(questions), "-o", str(run), *profile, "--budget", "6x", *more]


def test_answers_are_printed_and_written(command, questions, models, tmp_path):
    arguments = words(questions, tmp_path / "run", models, "--policy", "weighted-beta", "--threshold", "0.7")
    ended = command(*arguments)
    assert ended.code == 0
    table = pd.read_csv(tmp_path / "run" / "answers.csv", dtype={"answer": str})
    assert table["id"].tolist() == [problem.problem_id for problem in make_lab_problems(4, [1, 2], seed=78)]
    assert "4 answers by weighted-beta at 0.7, at most 2 solutions, each verified once" in ended.out
    assert "of the answers with a known right answer are right." in ended.out
    again = command(*arguments, "--json")
    found = json.loads(again.out)
    assert found["sampled"] == 0
    written = table["answer"].astype(object).where(table["answer"].notna(), None)
    assert [each["answer"] for each in found["answers"]] == written.tolist()
    assert found["accuracy"] == pytest.approx(table["correct"].mean())
    assert json.loads(command("check", tmp_path / "run", "--json").out)["whole"]


def test_ctrl_c_leaves_a_run_that_goes_on(command, questions, models, tmp_path):
    more = ("--policy", "certain", "--threshold", "6")
    stopped = tmp_path / "stopped"
    process = subprocess.Popen(
        [sys.executable, "-m", "isocompute.cli.main", *words(questions, stopped, models, *more)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not Run(stopped).list_parts(SOLUTIONS_TABLE):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=600)
    if process.returncode != 0:  # it may have been faster than the signal
        assert process.returncode == 128 + signal.SIGINT
        assert "the same command continues from there" in " ".join(said.split())
        assert not (stopped / "answers.csv").exists()
    assert command(*words(questions, stopped, models, *more)).code == 0
    assert command(*words(questions, tmp_path / "whole", models, *more)).code == 0
    first, second = (pd.read_csv(tmp_path / name / "answers.csv") for name in ("whole", "stopped"))
    pd.testing.assert_frame_equal(first, second)


def test_a_model_that_cannot_be_loaded_is_said_before_anything_is_written(refused, questions, models, tmp_path):
    content = yaml.safe_load(models.read_text())
    content["solver"]["model"] = str(tmp_path / "nowhere")
    models.write_text(yaml.safe_dump(content))
    sentence = refused(*words(questions, tmp_path / "run", models))
    assert sentence.startswith(f"The model folder '{tmp_path}/nowhere' does not exist")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("budget", ["8x", "32x", "128x"])
def test_the_sweep_file_of_a_plan_samples_what_it_recommends(command, tmp_path, budget):
    path = tmp_path / "sweep.yaml"
    arguments = ("plan", "--budget", budget, "--profile", "lab-both-small")
    ended = command(*arguments, "--emit", path)
    assert ended.code == 0
    assert find_step(ended.out) == (
        f"Written: {path}. To carry it out, set its run and task, and then: isocompute sweep {path}"
    )
    best = json.loads(command(*arguments, "--json").out)["recommendation"]
    sweep = read_sweep(str(path))
    if "S" in best["numbers"]:
        assert (sweep.solutions, sweep.verifications) == (best["numbers"]["S"], best["numbers"].get("V", 0))
    else:
        (shape,) = sweep.searches_by_shape
        assert shape.n == best["numbers"]["N"]


def test_a_plan_writes_no_sweep_file_over_another(refused, tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text("mine")
    arguments = ("plan", "--budget", "8x", "--profile", "lab-both-small", "--emit")
    assert refused(*arguments, path) == f"'{path}' exists already and is not overwritten; name another file."
    assert path.read_text() == "mine"
    assert "must end in .yaml" in refused(*arguments, tmp_path / "policy.txt")


def test_a_plan_writes_its_most_accurate_policy(command, refused, tmp_path):
    path, arguments = tmp_path / "policy.json", ("plan", "--budget", "50x", "--profile", "lab")
    planned = json.loads(command(*arguments, "--json").out)
    shown = planned["policies"]
    ended = command(*arguments, "--emit", path)
    assert find_step(ended.out).endswith(f"--policy {path}")
    policy = read_policy_file(str(path))
    best = max(shown, key=lambda each: each["accuracy"])
    assert (policy.rule, policy.threshold) == (best["rule"], best["threshold"])
    assert policy.measured.compute == pytest.approx(best["compute"])
    reached = planned["recommendation"]["measured_accuracy"] - best["gap"]
    assert policy.measured.accuracy == pytest.approx(reached)  # as measured, and not as expected
    assert policy.to_policy().choose_step(SampledProblem([])).solutions > 0
    assert policy.measured.same_answer is None  # a profile does not hold it
    assert "within 1x" in refused(
        "plan", "--budget", "1x", "--profile", "llama-3.1-8b-math", "--emit", tmp_path / "b.json"
    )


def test_a_profile_of_means_gives_a_sweep_file_to_fill_in(command, tmp_path):
    path = tmp_path / "sweep.yaml"
    assert command("plan", "--budget", "8x", "--profile", "llama-3.1-8b-math", "--emit", path).code == 0
    assert path.read_text().count("TO FILL IN") == 3  # once in the comments, then the model and its prompt
    assert read_sweep(str(path)).solutions == 8


def find_step(out: str) -> str:
    """The line that says how a plan is carried out."""
    return next(line for line in out.splitlines() if "To carry it out" in line)


def test_a_plan_says_after_the_advice_by_which_command_it_is_carried_out(command):
    def find_command(*more: str) -> str:
        return find_step(command("plan", "--profile", "lab-both-small", *more).out)

    line = find_command("--budget", "3.2M tokens", "--problems", "10000")
    assert line == "To carry it out: add --emit sweep.yaml, which writes a sweep file."
    line = find_command("--budget", "32x")
    known = read_profile("lab-both-small").sampling is not None
    assert line.startswith("To carry it out: isocompute solve questions.csv -o answers --profile lab-both-small")
    assert line.endswith("--budget 32x" if known else "--budget 32x --config sweep.yaml")


def test_a_fitted_profile_says_how_its_rows_were_sampled(command, written_run, tmp_path):
    path = tmp_path / "profile.json"
    assert command("fit", written_run, "-o", path).code == 0
    sampling = read_profile(str(path)).sampling
    assert (sampling["engine"], sampling["grader"]) == ("transformers", "boxed-number")
    assert sampling["solver"]["model"] == "scripted/solver"
    assert "searches" not in sampling
