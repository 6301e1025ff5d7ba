"""Growth of a trained Llama: more layers, or a greater width, without a change of what it computes at first."""

from __future__ import annotations

import copy

import torch
from transformers import LlamaForCausalLM


def add_layers(model: LlamaForCausalLM, layers: int) -> LlamaForCausalLM:
    """Return a model with more layers on top, copies of the first ones that add nothing yet.

    Their output projections are zero, so the deeper model starts with the same output (Wu et al. 2024, LLaMA Pro, arXiv
    2401.02415, section 3.1).
    """
    config = copy.deepcopy(model.config)
    config.num_hidden_layers += layers
    config.layer_types = None  # set again for each layer
    deeper = LlamaForCausalLM(config)
    deeper.load_state_dict(model.state_dict(), strict=False)
    for layer, like in zip(deeper.model.layers[-layers:], model.model.layers, strict=False):
        layer.load_state_dict(like.state_dict())
        torch.nn.init.zeros_(layer.self_attn.o_proj.weight)
        torch.nn.init.zeros_(layer.mlp.down_proj.weight)
    return deeper


def widen_model(model: LlamaForCausalLM, factor: int) -> LlamaForCausalLM:
    """Return a model that is wider by a whole factor: hidden size, heads (of the same size) and MLP.

    Whatever writes to the new channels of the residual stream is zero, and so is what the new heads and neurons add to
    the old channels, so the wider model starts with the same output. What reads the new channels is drawn at random, so
    they get gradients. A norm divides by the root mean square over all channels; the new ones are zero, so the norms'
    weights are divided by the square root of the factor. (Function-preserving growth: Chen, Goodfellow and Shlens 2016,
    Net2Net, arXiv 1511.05641; with zeros instead of copies: Gesmundo and Maile 2023, arXiv 2308.06103.)

    Args:
        model: the trained model; its embedding serves as its output layer too.
        factor: how many times wider the result is, at least 2.
    """
    config = copy.deepcopy(model.config)
    config.head_dim = config.hidden_size // config.num_attention_heads
    for name in ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads"):
        setattr(config, name, factor * getattr(config, name))
    wider = LlamaForCausalLM(config)
    narrow = model.state_dict()
    with torch.no_grad():
        for name, weight in wider.state_dict().items():
            old = narrow[name]
            if weight.dim() == 1:  # a norm
                weight.fill_(1.0)
                weight[: len(old)] = old
                weight /= factor**0.5
                continue
            rows, columns = old.shape
            if name.endswith(("o_proj.weight", "down_proj.weight", "embed_tokens.weight", "lm_head.weight")):
                weight.zero_()
            weight[:rows, :columns] = old
    return wider
