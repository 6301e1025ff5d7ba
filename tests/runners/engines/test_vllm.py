"""What only vLLM does: its engine is a process of its own, which may die."""

from __future__ import annotations

import shutil
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import pytest

from isocompute.errors import EngineError
from isocompute.runners import engines
from isocompute.runners.engines import Request, Sampling

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"


def test_an_engine_that_dies_is_said_in_a_sentence(need):
    need("vllm")
    import psutil  # vLLM brings it

    before = set(psutil.Process().children(recursive=True))
    options = {"dtype": "float32", "max_model_len": 512, "max_num_seqs": 8, "enforce_eager": True}
    engine = engines.load_engine("vllm", str(LAB / "solver"), **options)
    try:
        asked = deque(Request(i, "2+2=", i, Sampling(1.0, max_tokens=200)) for i in range(64))
        results = engine.run(asked)
        next(results)
        for process in set(psutil.Process().children(recursive=True)) - before:
            process.kill()
        with pytest.raises(EngineError, match=r"^vLLM's engine stopped: .* Run the same command again to continue\.$"):
            list(results)
    finally:
        engine.close()


@pytest.mark.vllm
def test_weights_that_are_left_over_are_refused_in_a_sentence(need, tmp_path):
    need("vllm")
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(LAB / "solver", tmp_path / "solver"))
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.9.mlp.down_proj.weight"] = tensors["model.layers.3.mlp.down_proj.weight"].clone()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    options = {"dtype": "float32", "max_model_len": 512, "max_num_seqs": 8, "enforce_eager": True}
    said = r"^vLLM could not load '.*'; its messages above say why\. .*\.$"
    with pytest.raises(EngineError, match=said):
        engines.load_engine("vllm", str(folder), **options)


def test_engines_in_one_process_go_one_at_a_time_and_others_side_by_side(need):
    need("vllm")
    from vllm.v1.engine.core_client import InprocClient

    from isocompute.runners.engines.vllm import choose_step_lock

    here, elsewhere = (
        (choose_step_lock(InprocClient.__new__(InprocClient)) for _ in range(2)),
        (choose_step_lock(object()) for _ in range(2)),
    )
    first, second = here
    with first:
        assert not second.acquire(blocking=False)
    first, second = elsewhere
    with first, second:
        pass


@pytest.mark.parametrize("reason", ["abort", "error", "repetition"])
def test_what_vllm_gave_up_is_a_row_that_failed(need, reason):
    need("vllm")
    from isocompute.runners.engines.vllm import read_vllm_completion

    sample = SimpleNamespace(text="half", token_ids=[1, 2], finish_reason=reason, logprobs=None)
    done = read_vllm_completion(SimpleNamespace(outputs=[sample], prompt_token_ids=[1], num_cached_tokens=0))
    assert (done.text, done.status) == (None, f"vLLM aborted the request: {reason}")


def test_a_step_ends_the_same_whether_vllm_stops_at_a_token_or_at_a_string(need):
    need("vllm")
    options = {"dtype": "float32", "max_model_len": 512, "max_num_seqs": 8, "block_size": 32, "enforce_eager": True}
    engine = engines.load_engine("vllm", str(LAB / "solver"), **options)
    try:
        sampling = Sampling(1.0, max_tokens=60, stop=("box",), step="\n")
        prompt = "Start with 12. Add 7. Times 3."
        asked = [Request(i, prompt, i, sampling, written="1", written_ids=(5,)) for i in range(24)]
        tokens = dict(done for request in asked for done in engine.run(deque([request])))
        assert engine.find_step_end_tokens("\n")
        assert engine.find_step_end_tokens(None) == engine.find_step_end_tokens("nothing has this") == ()
        engine.find_step_end_tokens = lambda step: ()
        strings = dict(done for request in asked for done in engine.run(deque([request])))
        assert tokens == strings
        assert {done.finish_reason for done in tokens.values()} >= {"step"}
        assert not any("\n" in done.text for done in tokens.values())
    finally:
        engine.close()


def test_vllm_can_scan_the_library_of_numba(need):
    need("vllm")
    from llvmlite.binding import ffi

    from isocompute.runners.engines.vllm import clear_library_attributes

    ffi.lib._fntab.pop("__dict__", None)
    assert not isinstance(vars(ffi.lib), dict)  # the fault: vLLM calls .get of it
    clear_library_attributes()
    assert vars(ffi.lib) == {}
    assert ffi.lib.LLVMPY_GetVersionInfo is not None
