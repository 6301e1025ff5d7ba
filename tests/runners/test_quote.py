from __future__ import annotations

import json
import time
from pathlib import Path

import fsspec
import pytest

from isocompute.errors import EngineError, RunError
from isocompute.runners.engines import Completion
from isocompute.runners.log import Run
from isocompute.runners.price import Lengths
from isocompute.runners.quote import TABLES, quote, weights
from isocompute.runners.sweep import sweep
from isocompute.runners.tables import SOLUTIONS, VERIFICATIONS

LAB = Path(__file__).resolve().parents[2] / "data" / "lab"


def requests(found):
    return {role: cost.requests for role, cost in found.roles.items()}


def lengths(found):
    return {role: cost.lengths for role, cost in found.roles.items()}


def snapshot(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def no_engine(*_, **__):
    raise AssertionError("a model was loaded")


def test_a_sweep_that_is_not_begun_is_priced_whole_and_bounded_by_max_tokens(small, tmp_path):
    found = quote(small(verified=2), load=no_engine)
    assert requests(found) == {"solver": 24, "verifier": 24}
    assert lengths(found)["solver"] == Lengths(None, None, 1024.0, "max_tokens", 0)
    assert found.upper_bound
    assert found.hours is None
    assert not (tmp_path / "run").exists()


def test_only_what_is_missing_is_priced_at_the_lengths_of_what_is_there(small, scripted, written_run):
    before = snapshot(written_run)
    larger = small(solutions=9, verifications=5, task={"name": "lab", "problems": 6})
    found = quote(larger, rate=100.0, load=no_engine)
    assert snapshot(written_run) == before
    engine = scripted()
    sweep(larger, load=engine)
    asked = [request.key[0] for request in engine.asked]
    assert requests(found) == {"solver": asked.count(SOLUTIONS), "verifier": asked.count(VERIFICATIONS)}
    assert lengths(found)["solver"].rows == 24
    assert not found.upper_bound


def test_the_lengths_are_means_of_the_rows_that_are_ok(small, scripted):
    well = scripted().says
    lost = Completion(None, 9999, None, 9999, None, "cut")
    sweep(small(), load=scripted(lambda prompt, seed: lost if seed % 3 == 0 else well(prompt, seed)))
    found = quote(small(), load=no_engine)
    for role, table in (("solver", SOLUTIONS), ("verifier", VERIFICATIONS)):
        frame = Run(small().run).frame(table).query("status == 'ok'")
        expected = Lengths(frame["prompt_tokens"].mean(), None, frame["completion_tokens"].mean(), "run", len(frame))
        assert lengths(found)[role] == expected
        asked = {"solver": 24, "verifier": 72}[role]
        assert requests(found)[role] == asked - len(frame)


def test_a_sweep_without_verifications_has_no_verifier_to_pay(small):
    assert requests(quote(small(verifications=0), load=no_engine)) == {"solver": 24}


def test_a_complete_run_costs_nothing_and_is_not_sampled(small, written_run):
    found = quote(small(), sample=2, load=no_engine)
    assert requests(found) == {"solver": 0, "verifier": 0}


def test_a_sample_measures_lengths_and_speed_and_leaves_nothing(small, scripted, tmp_path):
    engine, pause = scripted(), {"solver": 0.002, "verifier": 0.02}
    well = engine.says

    def slow(prompt, seed):
        time.sleep(pause["verifier" if prompt.endswith("Verification:\n") else "solver"])
        return well(prompt, seed)

    engine.says = slow
    found = quote(small(), sample=2, load=engine)
    asked = [request.key for request in engine.asked]
    assert {key[1] for key in asked} == {"lab-0-1-0", "lab-0-2-0"}
    assert len(asked) == 2 * 6 + 2 * 4 * 3
    assert {mean.source for mean in lengths(found).values()} == {"sample"}
    assert [mean.rows for mean in lengths(found).values()] == [12, 24]
    assert requests(found) == {"solver": 24, "verifier": 72}
    assert found.rate_source == "sample"
    for role, table in TABLES.items():
        longest = max(len(well(request.prompt, request.seed)) for request in engine.asked if request.key[0] is table)
        assert 0 < found.rates[role] < longest / pause[role]
    assert not (tmp_path / "run").exists()
    assert not [path for path in fsspec.filesystem("memory").find("/") if "isocompute-sample" in path]


def test_a_sample_of_more_problems_than_there_are_is_of_all(small, scripted):
    engine = scripted()
    quote(small(), sample=100, load=engine)
    assert len({request.key[1] for request in engine.asked}) == 4


def test_what_the_run_tells_is_not_sampled_and_what_is_given_is_believed(small, scripted, written_run):
    larger = small(solutions=9)
    assert quote(larger, rate=5.0, sample=1, load=no_engine).rate_source == "given"
    found = quote(larger, sample=1, load=scripted())
    assert found.rate_source == "sample"
    assert {mean.source for mean in lengths(found).values()} == {"run"}


def test_a_sample_of_which_no_row_comes_is_a_sentence(small, scripted):
    lost = scripted(lambda *_: Completion(None, None, None, None, None, "out of memory"))
    with pytest.raises(EngineError) as caught:
        quote(small(), sample=1, load=lost)
    assert str(caught.value) == "No row of the solver's sample came: out of memory."
    assert not [path for path in fsspec.filesystem("memory").find("/") if "isocompute-sample" in path]


def test_a_sweep_that_would_be_refused_is_not_priced(small, written_run):
    with pytest.raises(RunError, match="was made with seed = 0, and this sweep asks for 7"):
        quote(small(seed=7), load=no_engine)


def test_models_that_no_folder_tells_are_as_large_as_is_said(small):
    def sizes(*given):
        return [cost.parameters for cost in quote(small(), parameters=given, load=no_engine).roles.values()]

    assert sizes() == [None, None]
    assert sizes(8e9) == [8e9, 8e9]
    assert sizes(8e9, 70e9) == [8e9, 70e9]


def checkpoint(folder, tensors, config=None, name="model.safetensors"):
    """A checkpoint of which only the headers are there."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config or {}))
    header = {
        name: {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]} for name, (dtype, shape) in tensors.items()
    }
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    (folder / name).write_bytes(len(text).to_bytes(8, "little") + text)
    return str(folder)


def test_parameters_are_counted_from_headers(tmp_path):
    one = {"a": ("BF16", [3, 4]), "b": ("F32", [5]), "scalar": ("F8_E4M3", []), "places": ("I64", [1, 512])}
    folder = tmp_path / "model"
    assert weights(checkpoint(folder, one)) == 18
    checkpoint(folder, {"c": ("BF16", [7, 7])}, name="model-00002-of-00002.safetensors")
    assert weights(str(folder)) == 18  # not of this checkpoint, as long as no index says so
    index = {
        "weight_map": {"a": "model.safetensors", "b": "model.safetensors", "c": "model-00002-of-00002.safetensors"}
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert weights(str(folder)) == 18 + 49


def test_the_lab_s_models_are_as_large_as_their_files_are_long(tmp_path):
    size = (LAB / "solver" / "model.safetensors").stat().st_size
    assert weights(str(LAB / "solver")) == pytest.approx(size / 2, rel=0.05)  # bfloat16


def test_where_stored_and_used_weights_differ_the_size_is_unknown(tmp_path):
    assert weights(checkpoint(tmp_path / "packed", {"a": ("I32", [4096, 512]), "b": ("F16", [4])})) is None
    assert weights(checkpoint(tmp_path / "experts", {"a": ("BF16", [4])}, {"num_local_experts": 8})) is None
    assert weights("meta-llama/Llama-3.1-8B-Instruct") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 100, (5).to_bytes(8, "little") + b"[1,2]", (100_000).to_bytes(8, "little") + b"[" * 100_000],
)
def test_a_file_that_is_no_checkpoint_is_a_sentence(tmp_path, content):
    folder = checkpoint(tmp_path / "model", {})
    (tmp_path / "model" / "model.safetensors").write_bytes(content)
    with pytest.raises(EngineError, match=r"^The checkpoint in '.*' cannot be read: .*\.$"):
        weights(folder)
