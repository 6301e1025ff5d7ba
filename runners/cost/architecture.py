"""Architectures, read from a checkpoint's config.json: parameters of each token, KV cache and attention FLOPs.

Counted are decoders with gated MLPs, as transformers builds them: Llama, Mistral, Qwen2, Qwen3, and their mixtures of
experts (Mixtral, Qwen2-MoE, Qwen3-MoE). Of other architectures the unused experts, the KV cache and the attention are
known where the same keys are there, DeepSeek's latent attention included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

EXPERT_COUNT_KEYS = ("num_local_experts", "num_experts", "n_routed_experts")
EXPERTS_PER_TOKEN_KEYS = ("num_experts_per_tok", "num_experts_per_token", "moe_top_k")
COUNTED_TYPES = {"llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe"}
"""The ``model_type`` of configurations whose total is counted to the last parameter."""
BIASED_TYPES = {"qwen2", "qwen2_moe"}
NORMED_TYPES = {"qwen3", "qwen3_moe"}
CACHE_BYTES = 2
"""Bytes of a number in the KV cache, bfloat16."""


@dataclass(frozen=True)
class Architecture:
    """The part of a configuration that decides a model's cost; None where unknown.

    Args:
        parameters: number of parameters.
        unused_parameters: those of the experts that a token does not use; 0 without experts.
        kv_bytes: bytes of KV cache of a token.
        attention_flops: FLOPs of the attention of a token to one earlier token, in all layers.
    """

    parameters: float | None
    unused_parameters: float | None
    kv_bytes: float | None
    attention_flops: float | None

    @property
    def active_parameters(self) -> float | None:
        """The parameters that a token uses."""
        known = None not in (self.parameters, self.unused_parameters)
        return (self.parameters or 0) - (self.unused_parameters or 0) if known else None


def derive_architecture(config: Mapping[str, Any]) -> Architecture:
    """Return what a config.json says of a model's cost.

    Raises:
        KeyError, TypeError, ValueError: a key that the others require is missing, or is not a number.

    Example:
        >>> small = {"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
        ... "intermediate_size": 16, "vocab_size": 10, "tie_word_embeddings": True}
        >>> derive_architecture(small)
        Architecture(parameters=1400.0, unused_parameters=0.0, kv_bytes=64.0, attention_flops=64.0)
    """
    settings = config.get("text_config") or config
    return Architecture(
        parameters=count_config_parameters(settings) if settings.get("model_type") in COUNTED_TYPES else None,
        unused_parameters=count_unused_parameters(settings),
        kv_bytes=count_cache_bytes(settings),
        attention_flops=count_attention_flops(settings),
    )


def count_config_parameters(config: Mapping[str, Any]) -> float:
    """Count the parameters of one of `COUNTED_TYPES`, with all experts."""
    kind, width, layers = config["model_type"], int(config["hidden_size"]), int(config["num_hidden_layers"])
    heads, shared, size = get_head_counts(config)
    attention = 2 * width * heads * size + 2 * width * shared * size
    attention += (heads + 2 * shared) * size if kind in BIASED_TYPES or config.get("attention_bias") else 0
    attention += width if config.get("attention_bias") and kind not in BIASED_TYPES else 0  # of the output projection
    attention += 2 * size if kind in NORMED_TYPES else 0
    inner = int(config["intermediate_size"])
    dense = 3 * width * inner + (2 * inner + width if config.get("mlp_bias") else 0)
    sparse_layers = count_sparse_layers(config)
    mixture = 0
    if sparse_layers:
        experts = get_first(config, EXPERT_COUNT_KEYS)
        mixture = experts * count_expert_parameters(config) + width * experts
        if common := int(config.get("shared_expert_intermediate_size") or 0):  # Qwen2-MoE, with a gate
            mixture += 3 * width * common + width
    embeddings = width * int(config["vocab_size"]) * (1 if config.get("tie_word_embeddings") else 2)
    blocks = layers * (attention + 2 * width) + (layers - sparse_layers) * dense + sparse_layers * mixture
    return float(blocks + embeddings + width)


def count_unused_parameters(config: Mapping[str, Any]) -> float | None:
    """Count the parameters of the experts that a token does not use; None if the configuration does not tell."""
    experts = get_first(config, EXPERT_COUNT_KEYS)
    if experts < 2:
        return 0.0
    used = get_first(config, EXPERTS_PER_TOKEN_KEYS)
    if (
        not 0 < used <= experts
        or "hidden_size" not in config
        or not ({"moe_intermediate_size", "intermediate_size"} & set(config))
    ):
        return None
    return float(count_sparse_layers(config) * (experts - used) * count_expert_parameters(config))


def count_expert_parameters(config: Mapping[str, Any]) -> int:
    """Count the parameters of one expert, a gated MLP."""
    inner = config.get("moe_intermediate_size") or config["intermediate_size"]
    return 3 * int(config["hidden_size"]) * int(inner)


def count_sparse_layers(config: Mapping[str, Any]) -> int:
    """Count the layers with experts: all, but for the first ones of DeepSeek and those that Qwen's keys exclude."""
    layers = int(config["num_hidden_layers"])
    if get_first(config, EXPERT_COUNT_KEYS) < 2:
        return 0
    step, first = int(config.get("decoder_sparse_step") or 1), int(config.get("first_k_dense_replace") or 0)
    dense = set(config.get("mlp_only_layers") or [])
    return sum(1 for i in range(layers) if i >= first and i not in dense and (i + 1) % step == 0)


def count_cache_bytes(config: Mapping[str, Any]) -> float | None:
    """Count the bytes of KV cache of a token; None if the configuration does not tell."""
    if "num_hidden_layers" not in config:
        return None
    layers = int(config["num_hidden_layers"])
    if latent := config.get("kv_lora_rank"):  # DeepSeek caches one compressed vector and one rotary key
        return float(CACHE_BYTES * layers * (int(latent) + int(config.get("qk_rope_head_dim") or 0)))
    if "num_attention_heads" not in config:
        return None
    _, shared, size = get_head_counts(config)
    return float(CACHE_BYTES * layers * 2 * shared * size)


def count_attention_flops(config: Mapping[str, Any]) -> float | None:
    """Count the FLOPs of the scores and of the weighted sum of one pair of tokens; None likewise."""
    if "num_hidden_layers" not in config or "num_attention_heads" not in config:
        return None
    layers, heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
    if latent := config.get("kv_lora_rank"):
        return float(2 * layers * heads * (2 * int(latent) + int(config.get("qk_rope_head_dim") or 0)))
    return float(4 * layers * heads * get_head_counts(config)[2])


def get_head_counts(config: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return the query heads, the heads of keys and values, and their size."""
    heads = int(config["num_attention_heads"])
    size = config.get("head_dim") or int(config["hidden_size"]) // heads
    return heads, int(config.get("num_key_value_heads") or heads), int(size)


def get_first(config: Mapping[str, Any], keys: tuple[str, ...]) -> int:
    """Return the value of the first key that is there; 0 if none is."""
    return next((int(config[key]) for key in keys if config.get(key)), 0)
