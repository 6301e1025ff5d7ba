"""Reward models in transformers: a decoder, and a head that gives the margin of right over wrong at a position.

Two families have code of their own on the hub. That code is not run; their heads are implemented here, with the names
of their weights.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, Qwen2Model, Qwen2PreTrainedModel

from isocompute.errors import EngineError
from isocompute.runners.engines.checkpoint import load_weights
from isocompute.runners.scorers.formats.base import ScoreHead, TokenPair


class Qwen2ForProcessRewardModel(Qwen2PreTrainedModel):  # type: ignore[misc]
    """Qwen2.5-Math-PRM: two layers on the last hidden states, two classes (the hub's modeling_qwen2_rm.py)."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        width = config.hidden_size
        self.model = Qwen2Model(config)
        self.score = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))
        self.post_init()


class Qwen2ForPrmModel(Qwen2PreTrainedModel):  # type: ignore[misc]
    """Skywork-o1-Open-PRM: one linear value on the last hidden states (its model_utils/prm_model.py)."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.model = Qwen2Model(config)
        self.v_head = nn.ModuleDict({"summary": nn.Linear(config.hidden_size, 1)})
        self.post_init()


REWARD_MODEL_CLASSES: dict[str, Any] = {
    "classes": Qwen2ForProcessRewardModel,
    "value": Qwen2ForPrmModel,
    "reward": AutoModelForSequenceClassification,
}


def load_reward_model(model: str, head: ScoreHead, dtype: str) -> Any:
    """Load a checkpoint as a model with this head, from safetensors and without running the checkpoint's code.

    Raises:
        EngineError: it cannot be loaded, or its weights are not those of a model with this head.
    """
    shape = AutoModelForCausalLM if isinstance(head, TokenPair) else REWARD_MODEL_CLASSES[head]
    # The checkpoint may still hold the language model's head, which is not used.
    loaded = load_weights(shape, model, dtype, unused=() if isinstance(head, TokenPair) else ("lm_head.weight",))
    if head == "reward" and loaded.config.num_labels != 1:
        raise EngineError(f"The model '{model}' has {loaded.config.num_labels} outputs; an outcome reward model has 1.")
    return loaded


def compute_margins(model: Any, head: ScoreHead, hidden: Tensor) -> Tensor:
    """Return the margins at some positions.

    Args:
        model: a model of `load_reward_model`.
        head: its head.
        hidden: (positions, width) last hidden states, after the final norm.

    Returns:
        (positions,) in float32.
    """
    if isinstance(head, TokenPair):
        out = model.get_output_embeddings()  # two rows suffice: no other token's logit is needed
        difference = out.weight[head.right].float() - out.weight[head.wrong].float()
        shift = 0.0 if out.bias is None else (out.bias[head.right] - out.bias[head.wrong]).float()
        return hidden.float() @ difference + shift
    if head == "classes":
        logits = model.score(hidden).float()
        return logits[:, 1] - logits[:, 0]
    layer = model.v_head["summary"] if head == "value" else model.score
    return layer(hidden).float()[:, 0]


def choose_device(device: str | None) -> str:
    """Return the requested device; by default ``cuda`` if available, else ``cpu``."""
    return device or ("cuda" if torch.cuda.is_available() else "cpu")
