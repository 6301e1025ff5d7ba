"""Published architectures from the values of their config.json, against sizes counted by hand and as printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocompute.runners.cost.architecture import derive_architecture
from isocompute.runners.cost.model_size import count_checkpoint_parameters, read_architecture

CONFIGS = Path(__file__).with_name("configs")


def derive(name):
    return derive_architecture(json.loads((CONFIGS / f"{name}.json").read_text()))


def test_a_llama_is_counted_to_the_last_parameter():
    attention = 2 * 4096 * 4096 + 2 * 4096 * 1024
    layer = attention + 3 * 4096 * 14336 + 2 * 4096
    by_hand = 32 * layer + 2 * 128256 * 4096 + 4096
    found = derive("llama-3.1-8b")
    assert found.parameters == found.active_parameters == by_hand == 8_030_261_248  # as its card prints
    assert found.kv_bytes == 32 * 2 * 8 * 128 * 2 == 131_072  # 128 KiB a token
    assert found.attention_flops == 4 * 32 * 32 * 128


def test_a_mixture_uses_a_part_of_its_parameters():
    expert = 3 * 4096 * 14336
    rest = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 8 * 4096 + 2 * 4096
    ends = 2 * 32000 * 4096 + 4096
    found = derive("mixtral-8x7b")
    assert found.parameters == 32 * (rest + 8 * expert) + ends == 46_702_792_704  # "46.7B"
    assert found.active_parameters == 32 * (rest + 2 * expert) + ends == 12_879_925_248  # "12.9B"


def test_biases_are_counted():
    plain = {
        "model_type": "llama", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 48, "vocab_size": 50,
    }  # fmt: skip
    attention, mlp = 32 + 2 * 16 + 32, 2 * 48 + 32  # of queries, keys and values, and the output; of the three matrices
    found = [derive_architecture({**plain, **more}).parameters for more in ({}, {"attention_bias": True})]
    assert found == [18_720, 18_720 + 2 * attention]  # as transformers builds them
    assert derive_architecture({**plain, "mlp_bias": True}).parameters == 18_720 + 2 * mlp


@pytest.mark.parametrize(
    ("name", "parameters", "active"),
    [
        ("qwen2.5-7b", 7_615_616_512, 7_615_616_512),  # "7.61B"
        ("qwen3-30b-a3b", 30_532_122_624, 3_353_032_704),  # "30.5B in total and 3.3B activated"
    ],
)
def test_qwen_models_have_the_printed_sizes(name, parameters, active):
    found = derive(name)
    assert (found.parameters, found.active_parameters) == (parameters, active)


def test_latent_attention_has_a_small_cache_and_an_unknown_total():
    found = derive("deepseek-v2-lite")
    assert (found.parameters, found.active_parameters) == (None, None)
    assert found.unused_parameters == 26 * 58 * 3 * 2048 * 1408  # the first layer has no experts
    assert found.kv_bytes == 27 * (512 + 64) * 2
    assert found.attention_flops == 2 * 27 * 16 * (2 * 512 + 64)


def test_a_folder_without_weights_has_the_size_of_its_config(tmp_path):
    (tmp_path / "config.json").write_text((CONFIGS / "mixtral-8x7b.json").read_text())
    assert count_checkpoint_parameters(str(tmp_path)) == 12_879_925_248
    assert read_architecture(str(tmp_path)).kv_bytes == 131_072


def test_a_stored_mixture_is_counted_without_the_experts_that_a_token_leaves_out(tmp_path):
    config = {
        "hidden_size": 4, "intermediate_size": 8, "num_hidden_layers": 2, "num_local_experts": 4,
        "num_experts_per_tok": 1,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    stored = {"experts": {"dtype": "BF16", "shape": [2, 4, 3, 32], "data_offsets": [0, 0]}}
    stored["rest"] = {"dtype": "BF16", "shape": [100], "data_offsets": [0, 0]}
    text = json.dumps(stored).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)
    assert count_checkpoint_parameters(str(tmp_path)) == 100 + 2 * 1 * 3 * 32


def test_a_config_that_does_not_tell_leaves_the_costs_unknown(tmp_path):
    assert read_architecture(str(tmp_path)) is None
    (tmp_path / "config.json").write_text('{"num_hidden_layers": "many", "num_attention_heads": 2}')
    assert read_architecture(str(tmp_path)) is None
    assert derive_architecture({"model_type": "gpt2", "n_layer": 12}).kv_bytes is None
    assert derive_architecture({"num_experts": 8, "num_hidden_layers": 2}).active_parameters is None
