"""The commands: the one sentence they say when all is not well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import isocompute
from isocompute.errors import DataError
from isocompute.fits import Pool, estimate_coverage, estimate_genrm, estimate_self_consistency
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE
from isocompute.terminal import cut_middle

LLAMA = ("--profile", "llama-3.1-8b-math")
UNITS = (
    "write 128x (solutions' worth), 128x-plateau (times SC's plateau), or an amount of tokens, FLOPs, $, s or "
    "gpu-hours."
)


@pytest.mark.parametrize(
    ("budget", "sentence"),
    [
        ("128", f"The budget '128' has no unit; {UNITS}"),
        (
            "128h",
            f"The budget '128h' has the unit 'h'; {UNITS}",
        ),
        ("much", "The budget 'much' cannot be read; write it as 128x, 128x-plateau, $0.02 or 20 s."),
        ("nanx", "The budget 'nanx' cannot be read; write it as 128x, 128x-plateau, $0.02 or 20 s."),
        ("0x", "The budget '0x' must be above zero; 1x is one solution."),
        ("-5x", "The budget '-5x' must be above zero; 1x is one solution."),
        ("0.5x", "A budget of 0.5x does not pay for one solution; the least is 1x."),
        ("0.001x-plateau", "A budget of 0.064x does not pay for one solution; the least is 1x."),
    ],
)
def test_a_bad_budget(refused, budget, sentence):
    assert refused("plan", "--budget", budget, *LLAMA) == sentence
    assert refused("plan", f"--budget={budget}", *LLAMA, "--json") == sentence


def test_a_sweep_without_its_engine_s_library_says_what_to_install(refused, tmp_path, monkeypatch):
    for name in ("isocompute.runners.engines.whole", "isocompute.runners.scorers.heads"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ("torch", "transformers"):
        monkeypatch.setitem(sys.modules, name, None)
    role = {"model": str(Path(__file__).resolve().parents[2] / "data" / "lab" / "solver"), "prompt": "lab-solve"}
    content = {"run": str(tmp_path / "run"), "task": {"name": "lab", "problems": 1}, "solver": role, "solutions": 1}
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content | {"engine": "transformers"}))
    assert refused("sweep", tmp_path / "sweep.yaml") == (
        "The engine 'transformers' needs a package that is not installed (transformers): "
        "pip install 'isocompute[transformers]'."
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("lam", ["0", "-1", "nan", "inf"])
def test_a_lambda_that_is_no_price(refused, lam):
    assert "the cost of a verification in solutions must be above zero" in refused(
        "plan", "--budget", "8x", "--lambda", lam, *LLAMA
    )


@pytest.mark.parametrize(
    "words",
    [
        ("serve", "--profile", "lab", "--url", "http://127.0.0.1:9/v1", "--drain", "inf"),
        ("serve", "--profile", "lab", "--url", "http://127.0.0.1:9/v1", "--timeout", "1e30"),
        ("serve", "--profile", "lab", "--url", "http://127.0.0.1:9/v1", "--width", "1000000000000"),
        ("solve", "1+1?", "-o", "out", "--profile", "lab", "--budget", "8x", "--width", "1000000000000"),
        ("evaluate", "data/runs/lab-search", "--splits", "1000000000000"),
        ("pilot", "--budget", "100x", "--problems", "1000000000000"),
    ],
)
def test_a_number_beyond_its_range_is_refused_at_once(command, words):
    ended = command(*words)
    assert ended.code == 2
    assert f"error: Invalid value for '{words[-2]}'" in ended.err


def test_a_profile_that_is_not_there(refused, tmp_path):
    for name in ("nobody", "x" * 5000):
        sentence = refused("plan", "--budget", "8x", "--profile", name)
        assert sentence.startswith(f"There is no profile '{cut_middle(name)}'; give a profile's file, or one of: ")
        assert "llama-3.1-8b-math" in sentence
    assert refused("plan", "--budget", "8x", "--profile", tmp_path).startswith(f"'{tmp_path}' is a folder; give")


def test_a_run_that_is_not_there(refused, tmp_path):
    for name in ("fit", "figures"):
        sentence = refused(name, tmp_path / "none", "-o", tmp_path / "out")
        assert sentence == f"There is no run at '{tmp_path}/none': the folder does not exist."
        assert refused(name, tmp_path, "-o", tmp_path / "out") == (
            f"There is no run at '{tmp_path}': the folder has no manifest.json."
        )


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            PROBLEMS_TABLE,
            "RUN/solutions/part-00000.parquet: 24 rows of a problem that does not exist; the first: ('lab-0-1-0', "
            "0); run its sweep again to write the missing problems",
        ),
        (
            SOLUTIONS_TABLE,
            "RUN/verifications/part-00000.parquet: 15 rows of a solution that does not exist or failed; the first: "
            "('lab-0-1-0', 0, 0); `isocompute check RUN` says what would be lost",
        ),
        (
            VERIFICATIONS_TABLE,
            "The run at 'RUN' is not complete: it has 67 of 72 verifications; run its sweep again to complete it",
        ),
    ],
)
def test_a_half_written_run(refused, written_run, rewrite, tmp_path, table, sentence):
    rewrite(written_run, table, lambda frame: frame.iloc[5:])
    said = refused("fit", written_run, "-o", tmp_path / "p.json")
    assert said == sentence.replace("RUN", str(written_run)) + "."
    assert not (tmp_path / "p.json").exists()


def test_a_run_that_has_only_a_manifest(refused, written_run, tmp_path):
    (written_run / "manifest.json").rename(tmp_path / "manifest.json")
    sentence = refused("fit", tmp_path, "-o", tmp_path / "p.json")
    assert sentence == f"The run at '{tmp_path}' holds no problems yet; run its sweep again to complete it."


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (None, "it must be a block of keys"),
        ({}, "the key 'run' is missing"),
        ({"solutions": "x"}, "the key 'run' is missing"),
    ],
)
def test_a_manifest_of_something_else(refused, written_run, tmp_path, config, reason):
    (written_run / "manifest.json").write_text(json.dumps({"config": config}))
    sentence = refused("fit", written_run, "-o", tmp_path / "p.json")
    assert sentence == f"The manifest of '{written_run}' has an invalid 'config': {reason}."


def test_a_manifest_that_names_what_is_not_installed(refused, written_run, tmp_path):
    manifest = json.loads((written_run / "manifest.json").read_text())
    manifest["config"]["engine"] = "coin"
    (written_run / "manifest.json").write_text(json.dumps(manifest))
    assert refused("fit", written_run, "-o", tmp_path / "p.json") == (
        f"The manifest of '{written_run}' has an invalid 'config': engine: input should be 'vllm', 'transformers', "
        "'openai' or 'openai-batch'; got 'coin'."
    )


def test_a_part_with_a_wrong_column(refused, written_run, rewrite, tmp_path):
    rewrite(written_run, SOLUTIONS_TABLE, lambda frame: frame.drop(columns="answer"))
    sentence = refused("fit", written_run, "-o", tmp_path / "p.json")
    part = f"{written_run}/solutions/part-00000.parquet"
    assert sentence.startswith(f"{part}: the column 'answer' is missing; solutions has problem_id, solution_id, ")


def test_a_part_that_is_damaged(refused, written_run, tmp_path):
    part = written_run / "verifications" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    sentence = refused("fit", written_run, "-o", tmp_path / "p.json")
    assert sentence.startswith(f"{part} cannot be read as Parquet: ")


def test_a_verdict_of_1_7(refused, written_run, rewrite, tmp_path):
    rewrite(written_run, VERIFICATIONS_TABLE, lambda f: f.assign(verdict=[0.0] * 4 + [1.7] + [1.0] * 67))
    assert refused("fit", written_run, "-o", tmp_path / "p.json") == (
        f"{written_run}/verifications/part-00000.parquet: 1 row with a verdict outside 0 … 1; the first: "
        f"('lab-0-1-0', 1, 1); `isocompute check {written_run}` says what would be lost."
    )


def test_a_key_that_stands_twice(refused, written_run, rewrite, tmp_path):
    rewrite(written_run, SOLUTIONS_TABLE, lambda frame: frame.iloc[[*range(24), 3]])
    assert refused("fit", written_run, "-o", tmp_path / "p.json") == (
        f"{written_run}/solutions/part-00000.parquet: 1 row with a key that appeared before; the first: "
        f"('lab-0-1-0', 3); `isocompute check {written_run}` says what would be lost."
    )


def test_a_run_of_failures(refused, written_run, rewrite, tmp_path):
    lost = {"text": None, "answer": None, "correct": None}
    rewrite(written_run, SOLUTIONS_TABLE, lambda frame: frame.assign(status="out of memory", **lost))
    rewrite(written_run, VERIFICATIONS_TABLE, lambda frame: frame.iloc[:0])
    assert refused("fit", written_run, "-o", tmp_path / "p.json") == (
        f"Every problem of '{written_run}' has a row that failed; the first: out of memory."
    )


def test_a_run_without_tokens_has_no_lambda_and_one_with_impossible_ones_is_refused(
    command, refused, written_run, rewrite, tmp_path
):
    rewrite(written_run, SOLUTIONS_TABLE, lambda frame: frame.assign(completion_tokens=None))
    fitted = json.loads(command("fit", written_run, "-o", tmp_path / "p.json", "--json").out)
    assert fitted["lambda"] is None
    rewrite(written_run, SOLUTIONS_TABLE, lambda frame: frame.assign(completion_tokens=0))
    assert refused("fit", written_run, "-o", tmp_path / "p.json") == (
        f"All completion_tokens of the run at '{written_run}' are zero."
    )


def test_a_place_where_no_profile_can_be_written(refused, written_run, tmp_path):
    (tmp_path / "file").touch()
    sentence = refused("fit", written_run, "-o", tmp_path / "file" / "p.json")
    assert sentence.startswith(f"'{tmp_path}/file/p.json' cannot be ")


def test_a_sweep_file_with_an_unknown_key(refused, small, tmp_path):
    content = small().model_dump(mode="json", exclude_none=True) | {"solution": 4}
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(content))
    assert refused("sweep", path).startswith(f"{path}: the key 'solution' is unknown; known here: run, task, engine,")


def test_a_model_folder_that_is_not_there(refused, small, tmp_path):
    config = small(solver={"model": str(tmp_path / "none"), "prompt": "lab-solve"})
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)))
    assert refused("sweep", path) == (
        f"The model folder '{tmp_path}/none' does not exist; give a checkpoint's folder or a name on the hub."
    )


def test_figures_without_matplotlib(refused, written_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    sentence = refused("figures", written_run, "-o", tmp_path / "figures")
    assert sentence == "Figures need matplotlib: pip install 'isocompute[figures]'."


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: Pool([[0.0, np.nan]], [0]),
            "answers must be integers; got NaN at index (0, 1): an unparsed answer is coded -1.",
        ),
        (
            lambda: Pool([[]], [0]),
            "answers must have the shape (problems, solutions) with at least one of each; got (1, 0).",
        ),
        (
            lambda: Pool([[0]], [0], [[[1.7]]]),
            "verdicts holds 1.7 at problem 0, solution 0, verification 0: "
            "it must lie in [0, 1], or be NaN where it was not parsed.",
        ),
        (
            lambda: estimate_coverage(Pool([[0, 1]], [0]), [3]),
            "S must lie between 1 and 2, the solutions in the pool; got 3.",
        ),
        (
            lambda: estimate_self_consistency(Pool([[0, 1]], [0]), [0]),
            "S must lie between 1 and 2, the solutions in the pool; got 0.",
        ),
        (
            lambda: estimate_genrm(Pool([[0, 1]], [0], [[[1, 0], [1, 1]]]), [1], [3]),
            "V must lie between 1 and 2, the verifications of each solution; got 3.",
        ),
    ],
)
def test_what_the_estimators_refuse(call, sentence):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan"], "Missing option '--budget'"),
        (["fit"], "Missing argument"),
        (["fit", "run"], "Missing option '--output'"),
        (["plan", "--budget", "8x", "--lambda", "cheap"], "Invalid value for '--lambda'"),
        (["plan", "--bugdet", "8x"], "No such option: --bugdet"),
        (["plam"], "No such command 'plam'"),
    ],
)
def test_a_command_that_is_written_wrong(command, arguments, said):
    ended = command(*arguments)
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "--budget", "8h", *LLAMA], "error: The budget '8h' has the unit 'h'; write 8x"),
        (["fit", "none", "-o", "p.json"], "error: There is no run at 'none': the folder does not exist.\n"),
        (["sweep", "none.yaml"], "error: The sweep file 'none.yaml' cannot be read: No such file or directory.\n"),
    ],
)
def test_the_real_command_ends_in_a_sentence_and_exit_code_2(arguments, said, tmp_path):
    where = Path(isocompute.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(where), "COLUMNS": "40"}
    ended = subprocess.run(
        [sys.executable, "-m", "isocompute.cli.main", *arguments],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith(said)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("plan", "-b", ""), "'--budget' / '-b'"),
        (("plan", "-b", "8x", "-p", "lab", "-p", ""), "'--profile' / '-p'"),
        (("grade", "RUN", "--grader", ""), "'--grader'"),
        (("fit", "RUN", "-o", ""), "'--output' / '-o'"),
        (("check", ""), "'RUN'"),
    ],
)
def test_an_empty_value_is_refused_and_nothing_is_written(command, written_run, tmp_path, monkeypatch, words, option):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    ended = command(*(written_run if word == "RUN" else word for word in words))
    assert (ended.code, ended.out) == (2, "")
    assert f"error: Invalid value for {option}: the value is empty." in ended.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("solve", "1+1?", "--url", "verifier="), "--url has an empty address for the verifier; write --url verifier="),
        (
            ("solve", "1+1?", "--url", "verifier=http://127.0.0.1:9/v1"),
            "--url has no address of the solver; write --url ",
        ),
        (
            ("serve", "--dry-run", "--url", "http://127.0.0.1:9/v1", "--url", "verifier="),
            "--url has an empty value for ",
        ),
        (
            ("serve", "--dry-run", "--url", "http://127.0.0.1:9/v1,,http://b/v1"),
            "--url has an empty value for the solver",
        ),
        (
            ("figures", "lab", "--format", "png,,pdf", "-o", "drawn"),
            "A name in the list 'png,,pdf' is empty; separate ",
        ),
    ],
)
def test_an_empty_item_is_refused_and_nothing_is_written(refused, tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    ending = ("-o", "answers", "-b", "4x") if words[0] == "solve" else ()
    source = () if words[0] == "figures" else ("-p", "lab")
    assert refused(*words, *source, *ending).startswith(sentence)
    assert list(tmp_path.iterdir()) == []
