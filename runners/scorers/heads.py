"""Reward models in transformers: a decoder, and the head that gives the margin of right over wrong at a place.

Two families bring code of their own to the hub. That code is not run; their heads are written out here, with the
names that their weights have.
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
    """Load a checkpoint as a model with this head; safetensors only, and no code of the checkpoint's is run.

    Raises:
        EngineError: it cannot be loaded, or its weights are not those of a model with this head.
    """
    shape = AutoModelForCausalLM if isinstance(head, TokenPair) else REWARD_MODEL_CLASSES[head]
    # A language model's head may stand beside the one that is read.
    loaded = load_weights(shape, model, dtype, unused=() if isinstance(head, TokenPair) else ("lm_head.weight",))
    if head == "reward" and loaded.config.num_labels != 1:
        raise EngineError(f"The model '{model}' has {loaded.config.num_labels} outputs; an outcome reward model has 1.")
    return loaded


def compute_margins(model: Any, head: ScoreHead, hidden: Tensor) -> Tensor:
    """Return the margins at some places.

    Args:
        model: a model of `load_reward_model`.
        head: its head.
        hidden: (places, width) last hidden states, after the final norm.

    Returns:
        (places,) in float32.
    """
    if isinstance(head, TokenPair):
        out = model.get_output_embeddings()  # two rows of it: the logits of the rest of the vocabulary are not needed
        difference = out.weight[head.right].float() - out.weight[head.wrong].float()
        shift = 0.0 if out.bias is None else (out.bias[head.right] - out.bias[head.wrong]).float()
        return hidden.float() @ difference + shift
    if head == "classes":
        logits = model.score(hidden).float()
        return logits[:, 1] - logits[:, 0]
    layer = model.v_head["summary"] if head == "value" else model.score
    return layer(hidden).float()[:, 0]


def choose_device(asked: str | None) -> str:
    """Return where to compute: what was asked for, else the accelerator if there is one."""
    return asked or ("cuda" if torch.cuda.is_available() else "cpu")
