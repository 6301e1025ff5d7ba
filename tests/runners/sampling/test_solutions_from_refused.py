"""Runs that no solutions can be taken from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from isocompute.errors import ConfigError, DataError
from isocompute.runners.config.sweep_reading import extract_sweep
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE


def test_a_run_is_not_taken_from_itself_nor_one_that_has_its_own_solutions(
    small, scripted, old, taking, tmp_path, refusal
):
    (tmp_path / "link").symlink_to(old.path)
    for path in (old.path, f"{old.path}/", str(tmp_path / "link"), f"{tmp_path}/new/../run"):
        assert refusal(taking(run=old.path, solutions_from=path), scripted()) == (
            f"The sweep of '{old.path}' takes its solutions from itself; name another run."
        )
    run_sweep(small(run=str(tmp_path / "own")), load=scripted())
    assert refusal(taking(run=str(tmp_path / "own")), scripted()) == (
        f"The run at '{tmp_path}/own' has its own solutions, but this sweep takes those of '{old.path}'; name "
        "another run."
    )
    run_sweep(taking(), load=scripted())
    assert refusal(small(run=taking().run), scripted()) == (
        f"The run at '{tmp_path}/new' took its solutions from '{old.path}', but this sweep samples its own; name "
        "another run."
    )


def test_a_run_that_cannot_be_taken_from_is_refused(scripted, old, taking, tmp_path, refusal):
    assert refusal(taking(solutions_from=str(tmp_path / "none")), scripted()) == (
        f"There is no run at '{tmp_path}/none': the folder does not exist."
    )
    assert refusal(taking(solutions=7), scripted()) == (
        f"This sweep takes the first 7 of each problem's solutions, but the run at '{old.path}' has only 6 of "
        f"'{min(old.read_keys(PROBLEMS_TABLE))[0]}'; request fewer, complete that run, or take only its first "
        "problems."
    )
    assert refusal(taking(problems=5), scripted()) == (
        f"This sweep takes 5 problems, but the run at '{old.path}' has only 4; request no more than that."
    )
    assert refusal(taking(verified=7), scripted(), ConfigError) == (
        f"'verified' is 7, more than the 6 solutions of '{old.path}'."
    )
    manifest = Path(old.path) / "manifest.json"
    newer = json.loads(manifest.read_text()) | {"format": 4}
    manifest.write_text(json.dumps(newer))
    assert refusal(taking(), scripted()) == (
        f"The run at '{old.path}' has the format 4, but this version of isocompute reads formats 1 to 3; use the "
        "version that wrote it, or a newer one."
    )
    manifest.write_text(json.dumps(newer | {"format": 1, "models": [1]}))
    assert refusal(taking(), scripted(), DataError) == (
        f"The manifest of '{old.path}' has 'models' or 'prompts' that are not listed by role."
    )


def test_a_refusal_is_one_sentence_on_the_command_line(refused, old, taking, tmp_path):
    content = {key: value for key, value in taking(solutions=7).model_dump(mode="json").items() if value is not None}
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(content))
    for options in ([], ["--dry-run"]):
        assert refused("sweep", tmp_path / "sweep.yaml", *options).startswith(
            "This sweep takes the first 7 of each problem's solutions, but the run at "
        )
    assert not (tmp_path / "new").exists()


def test_a_damaged_run_is_not_taken_from(scripted, old, taking, refusal):
    Path(old.list_parts(SOLUTIONS_TABLE)[0]).write_bytes(b"PAR1")
    assert "cannot be read as Parquet" in refusal(taking(), scripted(), DataError)


def test_a_manifest_that_does_not_say_what_was_taken_is_refused(scripted, old, taking):
    run = Run(run_sweep(taking(), load=scripted()).run)
    written = run.read_manifest()
    del written["solutions_from"]
    run.write_manifest(written)
    with pytest.raises(DataError, match=r"has no valid 'solutions_from' entry\.$"):
        extract_sweep(run.read_manifest(), run.path)
