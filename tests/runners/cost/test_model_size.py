from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocompute.errors import EngineError
from isocompute.runners.cost.model_size import count_checkpoint_parameters

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"


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
    assert count_checkpoint_parameters(checkpoint(folder, one)) == 18
    checkpoint(folder, {"c": ("BF16", [7, 7])}, name="model-00002-of-00002.safetensors")
    assert count_checkpoint_parameters(str(folder)) == 18  # not of this checkpoint, as long as no index says so
    index = {
        "weight_map": {"a": "model.safetensors", "b": "model.safetensors", "c": "model-00002-of-00002.safetensors"}
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert count_checkpoint_parameters(str(folder)) == 18 + 49


def test_the_lab_s_models_are_as_large_as_their_files_are_long(tmp_path):
    size = (LAB / "solver" / "model.safetensors").stat().st_size
    assert count_checkpoint_parameters(str(LAB / "solver")) == pytest.approx(size / 2, rel=0.05)  # bfloat16


def test_where_stored_and_used_weights_differ_the_size_is_unknown(tmp_path):
    assert (
        count_checkpoint_parameters(checkpoint(tmp_path / "packed", {"a": ("I32", [4096, 512]), "b": ("F16", [4])}))
        is None
    )
    assert (
        count_checkpoint_parameters(checkpoint(tmp_path / "experts", {"a": ("BF16", [4])}, {"num_local_experts": 8}))
        is None
    )
    assert count_checkpoint_parameters("meta-llama/Llama-3.1-8B-Instruct") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 100, (5).to_bytes(8, "little") + b"[1,2]", (100_000).to_bytes(8, "little") + b"[" * 100_000],
)
def test_a_file_that_is_no_checkpoint_is_a_sentence(tmp_path, content):
    folder = checkpoint(tmp_path / "model", {})
    (tmp_path / "model" / "model.safetensors").write_bytes(content)
    with pytest.raises(EngineError, match=r"^The checkpoint in '.*' cannot be read: .*\.$"):
        count_checkpoint_parameters(folder)
