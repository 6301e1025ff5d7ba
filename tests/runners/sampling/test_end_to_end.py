"""A real chat model on generated problems, from sweep to plan, through an engine here and one behind a server."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml

from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE


@pytest.fixture(params=["vllm", "openai"])
def asked(request) -> dict:
    """How SmolLM2 is asked through an engine."""
    if request.param == "vllm":
        request.getfixturevalue("need")("vllm")
        folder = request.getfixturevalue("smollm_checkpoint")
        options = {"dtype": "float32", "max_model_len": 512, "max_num_seqs": 64, "enforce_eager": True}
        return {"engine": "vllm", "role": {"model": str(folder), "options": options}}
    url = request.getfixturevalue("smollm_server")
    return {"engine": "openai", "role": {"model": "SmolLM2", "options": {"urls": [url]}}}


def isocompute(*arguments: object, seconds: float = 1500) -> str:
    command = [sys.executable, "-m", "isocompute.cli.main", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


SMALL = {"problems": 2, "solutions": 2, "verifications": 1, "tokens": 24}
FULL = {"problems": 8, "solutions": 4, "verifications": 2, "tokens": 48}


@pytest.mark.parametrize("size", [SMALL, pytest.param(FULL, marks=pytest.mark.soak)], ids=["small", "full"])
def test_a_chat_model_goes_from_sweep_to_plan(asked, tmp_path, size):
    run, profile = tmp_path / "run", tmp_path / "profile.json"
    role = {**asked["role"], "chat": True, "temperature": 0.8}
    config = {
        "run": str(run),
        "task": {"name": "reasoning-gym", "generator": "chain_sum", "problems": size["problems"]},
        "engine": asked["engine"],
        "solver": {**role, "prompt": "math-solve", "max_tokens": size["tokens"]},
        "verifier": {**role, "prompt": "genrm-base", "max_tokens": size["tokens"], "logprobs": 5},
        "solutions": size["solutions"],
        "verifications": size["verifications"],
    }
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(config))
    isocompute("sweep", tmp_path / "sweep.yaml")

    log = Run(run)
    solutions, verifications = log.read_frame(SOLUTIONS_TABLE), log.read_frame(VERIFICATIONS_TABLE)
    count = size["problems"] * size["solutions"]
    assert (len(solutions), len(verifications)) == (count, count * size["verifications"])
    for frame in (solutions, verifications):
        assert (frame["status"] == "ok").all()
        assert frame["completion_tokens"].between(1, size["tokens"]).all()
        assert set(frame["finish_reason"]) <= {"stop", "length"}
    judged = verifications["verdict"].notna()
    assert judged.any() or size is SMALL
    assert (verifications["p_yes"].notna() == judged).all()
    assert verifications.loc[judged, "p_yes"].between(0, 1).all()

    assert json.loads(isocompute("check", run, "--json"))["whole"]
    isocompute("fit", run, "-o", profile)
    plan = json.loads(isocompute("plan", "--budget", "4x", "--profile", profile, "--json"))
    assert plan["recommendation"]["compute"] <= 4
    assert 0 <= plan["recommendation"]["accuracy"] <= 1
