"""What `solve` and `sweep` leave when no model answers: real processes, a dead port, a damaged checkpoint."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from isocompute.errors import EngineError
from isocompute.runners.storage.building import remove_unsampled_run
from isocompute.runners.storage.run import Run

LAB = Path(__file__).resolve().parents[2] / "data" / "lab"


@pytest.fixture
def dead_url():
    """The address of a port at which nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1"


@pytest.fixture
def start_command(tmp_path):
    """Runs `solve` or `sweep` with a solver's settings; returns the status, the errors and the run's folder."""

    def start(command: str, engine: str, **solver: object) -> tuple[int, str, Path]:
        config = {"engine": engine, "solver": {"prompt": "lab-solve", "max_tokens": 40, **solver}}
        run, path = tmp_path / "run", tmp_path / "config.yaml"
        if command == "sweep":
            config |= {"run": str(run), "task": {"name": "lab", "problems": 2, "levels": [1]}, "solutions": 2}
            arguments = ["sweep", str(path)]
        else:
            config |= {"grader": "boxed-number"}
            arguments = ["solve", "What is 3 + 4?", "-o", str(run), "-p", "lab", "-b", "2x", "--config", str(path)]
        path.write_text(yaml.safe_dump(config))
        done = subprocess.run(
            [sys.executable, "-m", "isocompute", *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stderr + done.stdout, run

    return start


@pytest.mark.parametrize("command", ["solve", "sweep"])
def test_a_server_that_is_not_there_is_named_in_a_sentence_and_nothing_is_left(start_command, dead_url, command):
    options = {"urls": [dead_url], "patience": 1.0, "backoff": 0.2}
    status, said, run = start_command(command, "openai", model="lab", parameters=860416, options=options)
    assert status == 2
    assert "".join(said.split()).count(f"error:Nocompletioncamefrom{dead_url}within1s") == 1
    assert "Traceback" not in said
    assert not run.exists()


def test_a_model_that_cannot_be_loaded_leaves_nothing(start_command, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(LAB / "solver", model)
    (model / "tokenizer.json").write_text('{"version": "1.0"}')
    status, said, run = start_command("solve", "transformers", model=str(model))
    assert status == 2
    assert "Traceback" not in said
    assert not run.exists()


def start_beside_a_foreign_file(run):
    """Begins a run whose engine fails, with a file of another program in its folder."""
    with remove_unsampled_run(run):
        run.write_manifest({})
        (Path(run.root) / "mine.txt").write_text("mine")
        raise EngineError("no model")


def test_a_file_of_somebody_else_in_a_run_s_folder_is_kept(tmp_path):
    with pytest.raises(EngineError, match="no model"):
        start_beside_a_foreign_file(Run(tmp_path / "run"))
    assert (tmp_path / "run" / "mine.txt").read_text() == "mine"
