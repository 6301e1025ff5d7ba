"""What every scorer must keep, in both engines.

The lab's PRM is a real one. The others are tiny models of random weights, of the true architectures and with the true
names of weights: they show shapes, places, formulas and counts, and not what the published checkpoints would say.
"""

from __future__ import annotations

import json
import math
from collections import deque
from functools import cache
from pathlib import Path

import pytest

from isocompute.errors import ConfigError, EngineError
from isocompute.runners import scorers
from isocompute.runners.scorers import ScoreRequest
from isocompute.runners.scorers.formats.base import tokenise_request
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE
from isocompute.testing import ScorerSuite
from isocompute.testing.scorers import collect_scorer_results

DATA = Path(__file__).resolve().parents[3] / "data"
LIMIT = 512
BLOCK = 32
KINDS = [kind for kind, entry in scorers.SCORERS.items() if entry.format]
IN_VLLM = [kind for kind in KINDS if "vllm" in scorers.SCORERS[kind].engines]
SAMPLED = ("lab", "qwen-prm")
"""The kinds that vLLM loads in every run of the tests: one that predicts a token, and one that classifies."""


def marks_of(kind):
    return [pytest.mark.vllm, *([] if kind in SAMPLED else [pytest.mark.soak])]


SCORERS = [
    *(pytest.param((kind, "transformers"), id=f"{kind}-transformers") for kind in KINDS),
    *(pytest.param((kind, "vllm"), id=f"{kind}-vllm", marks=marks_of(kind)) for kind in IN_VLLM),
]
THE_LABS = [param for param in SCORERS if param.values[0][0] == "lab"]
WITH_A_CACHE = [param for param in SCORERS if param.values[0][1] == "vllm"]

QUESTION = "Start with {}, add 16, times 3, minus 29. What is left?"
STEPS = ("16+3: 9,1 = 19\n", "19*3: 7,5 = 57\n", "57-29: 8,2 = 28\n", "\\boxed{28}")


def architecture(torch, kind, vocabulary):
    """A tiny model of a kind's architecture, with weights large enough for scores to differ."""
    import transformers

    from isocompute.runners.scorers import heads

    torch.manual_seed(7)
    width = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "initializer_range": 0.3}
    attention = {"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": LIMIT}
    shape = {**width, **attention, "vocab_size": vocabulary, "pad_token_id": 0, "tie_word_embeddings": False}
    if kind == "rlhflow":
        return transformers.LlamaForCausalLM(transformers.LlamaConfig(**shape))
    if kind == "math-shepherd":
        return transformers.MistralForCausalLM(transformers.MistralConfig(**shape, sliding_window=None))
    if kind == "outcome":
        return transformers.LlamaForSequenceClassification(transformers.LlamaConfig(**shape, num_labels=1))
    config = transformers.Qwen2Config(**shape)
    return heads.Qwen2ForProcessRewardModel(config) if kind == "qwen-prm" else transformers.Qwen2ForCausalLM(config)


@pytest.fixture(scope="session")
def checkpoint(tokenizer, tmp_path_factory):
    """Makes the folder of a model of a kind."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    @cache
    def made(kind):
        if kind == "lab":
            return DATA / "lab" / "prm"
        folder = tmp_path_factory.mktemp(kind)
        tokenizer(kind).save_pretrained(folder)
        architecture(torch, kind, len(tokenizer(kind))).save_pretrained(folder)
        if kind == "skywork":  # a language model's weights, and a value head's beside them
            weights = load_file(folder / "model.safetensors")
            weights |= {"v_head.summary.weight": torch.randn(1, 64) / 8, "v_head.summary.bias": torch.randn(1) / 8}
            save_file(weights, folder / "model.safetensors", {"format": "pt"})
            config = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps({**config, "architectures": ["Qwen2ForPrmModel"]}))
        return folder

    return made


def load(kind, engine, folder):
    # float32, so that scores can be compared across engines and across what else is in the batch
    if engine == "transformers":
        return scorers.load_scorer(kind, str(folder), engine, dtype="float32", batch_size=5)
    shape = {"max_model_len": LIMIT, "max_num_seqs": 16, "block_size": BLOCK, "enforce_eager": True}
    return scorers.load_scorer(kind, str(folder), engine, dtype="float32", **shape)


@pytest.fixture(scope="module", params=SCORERS)
def loaded(request, checkpoint):
    """A scorer of a kind in an engine, and their names."""
    kind, engine = request.param
    request.getfixturevalue("need")({"transformers": "torch", "vllm": "vllm"}[engine])
    scorer = load(kind, engine, checkpoint(kind))
    yield kind, engine, scorer
    scorer.close()


@pytest.fixture(scope="session")
def published(checkpoint, authors):
    """Gives a kind's scores by the published formula: every prefix read alone, all logits, softmax or sigmoid."""
    torch = pytest.importorskip("torch")
    import transformers
    from safetensors.torch import load_file

    from isocompute.runners.scorers import heads

    @cache
    def model(kind):
        shapes = {
            "qwen-prm": heads.Qwen2ForProcessRewardModel,
            "outcome": transformers.AutoModelForSequenceClassification,
        }
        shape = shapes.get(kind, transformers.AutoModelForCausalLM)
        return shape.from_pretrained(checkpoint(kind), dtype=torch.float32).eval()

    def score(kind, tokens, pair):
        ids = torch.tensor([tokens])
        with torch.inference_mode():
            if kind == "outcome":
                return model(kind)(input_ids=ids).logits[0, 0].sigmoid().item()
            if kind == "qwen-prm":
                return model(kind).score(model(kind).model(ids).last_hidden_state).softmax(-1)[0, -1, 1].item()
            if kind == "skywork":
                head = load_file(checkpoint(kind) / "model.safetensors")
                hidden = model(kind)(ids, output_hidden_states=True).hidden_states[-1][0, -1]
                value = hidden @ head["v_head.summary.weight"][0] + head["v_head.summary.bias"][0]
                return value.sigmoid().item()
            return model(kind)(ids).logits[0, -1, list(pair)].softmax(-1)[0].item()

    def scores(kind, question, steps, pair=None):
        return [score(kind, tokens, pair) for tokens in authors(kind, question, steps)]

    return scores


class TestEveryScorer(ScorerSuite):
    """The suite that is shipped, on every scorer of this module."""

    @pytest.fixture(scope="class")
    @classmethod
    def scorer(cls, loaded):
        return loaded[2]


def alone(scorer, request):
    return collect_scorer_results(scorer, [request])[request.key]


def solutions(n, steps=STEPS, first=0):
    return [ScoreRequest(("s", i), QUESTION.format(first + i), steps) for i in range(n)]


def common(tokens, others):
    """Return how many tokens two sequences begin with alike."""
    pairs = enumerate(zip(tokens, others, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(tokens), len(others)))


def pair_of(scorer):
    head = scorer.kind.head
    return None if isinstance(head, str) else (head.right, head.wrong)


def test_scores_are_those_of_the_published_formula(loaded, published):
    kind, _, scorer = loaded
    for request, came in scorer.run(deque(solutions(12))):
        expected = published(kind, request.question, request.steps, pair_of(scorer))
        assert came.scores == pytest.approx(expected, abs=2e-4)
        assert max(expected) - min(expected) > 1e-3
        assert came.status == "ok"


def test_a_step_of_blanks_has_no_score_and_an_empty_request_none(loaded):
    kind, _, scorer = loaded
    done = collect_scorer_results(
        scorer,
        [
            ScoreRequest("blank", QUESTION.format(3), (STEPS[0], "\n", STEPS[1], "")),
            ScoreRequest("plain", QUESTION.format(3), STEPS[:2]),
            ScoreRequest("none", QUESTION.format(3), ()),
            ScoreRequest("nothing", QUESTION.format(3), (STEPS[0], " \n"), known=1),
        ],
    )
    assert [math.isnan(score) for score in done["blank"].scores] == [False, True, False, True]
    if kind != "outcome":  # which reads the blank line too
        assert done["blank"].scores[::2] == pytest.approx(done["plain"].scores, abs=2e-4)
    assert done["none"].scores == ()
    assert math.isnan(done["nothing"].scores[0])
    for key in ("none", "nothing"):
        assert (done[key].prompt_tokens, done[key].calls, done[key].status) == (0, 0, "ok")
        assert (done[key].started_at, done[key].seconds) == (None, 0.0)  # nothing had to be done


def test_what_is_too_long_is_a_row_that_says_so(loaded):
    _, _, scorer = loaded
    done = collect_scorer_results(
        scorer, [*solutions(3), ScoreRequest("long", QUESTION.format(1), ("16+3: 9,1 = 19\n" * 100,))]
    )
    assert done["long"].scores is None
    assert str(scorer.limit) in done["long"].status
    assert all(done["s", i].status == "ok" for i in range(3))


def test_tokens_are_counted_as_they_are_read(loaded):
    _, engine, scorer = loaded
    for request, came in scorer.run(deque(solutions(5, first=300))):
        read = tokenise_request(scorer.kind, request)
        sizes = [len(reading.tokens) for reading in read]
        if engine == "vllm":  # a call for each step
            sizes = [len(prefix) for reading in read for prefix in reading.prefixes]
        assert (came.prompt_tokens, came.calls) == (sum(sizes), len(sizes))
        assert came.cached_tokens == 0 or (engine == "vllm" and 0 < came.cached_tokens < came.prompt_tokens)
        assert came.completion_tokens == 0
        assert came.seconds > 0
        assert came.started_at > 0


@pytest.mark.parametrize("loaded", WITH_A_CACHE, indirect=True, scope="module")
def test_what_was_read_before_is_taken_from_the_cache_block_by_block(loaded):
    _, _, scorer = loaded
    steps = tuple(f"{step.strip()} {step.strip()} {step}" for step in STEPS)
    first, second = ScoreRequest(1, QUESTION.format(999), steps[:2]), ScoreRequest(2, QUESTION.format(999), steps, 2)
    seen, *calls = (
        [prefix for read in tokenise_request(scorer.kind, r) for prefix in read.prefixes] for r in (first, second)
    )
    held = []
    for prefix in calls[0]:
        held.append(max(common(prefix, other) for other in seen) // BLOCK * BLOCK)
        seen.append(prefix)
    alone(scorer, first)
    came = alone(scorer, second)
    assert min(held) >= BLOCK
    assert came.cached_tokens == sum(held)


@pytest.mark.parametrize("loaded", THE_LABS, indirect=True, scope="module")
def test_the_labs_prm_scores_as_it_is_measured(loaded):
    _, engine, scorer = loaded
    measure = pytest.importorskip("experiments.lab.measure")
    run = Run(DATA / "runs" / "lab")
    questions = run.read_frame(PROBLEMS_TABLE).set_index("problem_id")["question"]
    frame = run.read_frame(SOLUTIONS_TABLE, ["problem_id", "solution_id", "text"])
    frame = frame[frame["solution_id"] < 2].head(60)
    asked, texts = questions[frame["problem_id"]].tolist(), frame["text"].tolist()
    expected = measure.score_steps(DATA / "lab" / "prm", asked, texts)
    steps = [tuple(text.splitlines(keepends=True)) for text in texts]
    done = collect_scorer_results(scorer, [ScoreRequest(i, asked[i], steps[i]) for i in range(len(texts))])
    for i, scores in enumerate(expected):
        assert done[i].scores == pytest.approx(scores, abs=1e-3 if engine == "vllm" else 1e-4)


def test_weights_of_another_kind_are_refused_and_none_are_drawn_at_random(checkpoint, tokenizer, tmp_path, need):
    need("torch")
    checkpoint("qwen-prm")
    import torch

    architecture(torch, "skywork", len(tokenizer("qwen-prm"))).save_pretrained(tmp_path)
    tokenizer("qwen-prm").save_pretrained(tmp_path)
    with pytest.raises(EngineError, match=r"lacks the weights 'score\.0\.bias': it is of another kind"):
        scorers.load_scorer("qwen-prm", str(tmp_path), "transformers")


def test_a_language_model_s_head_may_stand_beside_the_one_that_is_read(checkpoint, tmp_path, need):
    need("torch")
    import torch
    from safetensors.torch import load_file, save_file

    for file in checkpoint("qwen-prm").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    beside = {**weights, "lm_head.weight": torch.zeros_like(weights["model.embed_tokens.weight"])}
    save_file(beside, tmp_path / "model.safetensors", {"format": "pt"})
    scorers.load_scorer("qwen-prm", str(tmp_path), "transformers").close()
    save_file({**beside, "other.weight": torch.zeros(3)}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(EngineError, match=r"has weights 'other\.weight' that the model does not use"):
        scorers.load_scorer("qwen-prm", str(tmp_path), "transformers")


def test_an_outcome_model_with_several_outputs_is_refused(tokenizer, tmp_path, need):
    need("torch")
    import transformers

    shape = {"vocab_size": len(tokenizer("outcome")), "hidden_size": 32, "intermediate_size": 32}
    shape |= {"num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1, "num_labels": 3}
    transformers.LlamaForSequenceClassification(transformers.LlamaConfig(**shape)).save_pretrained(tmp_path)
    tokenizer("outcome").save_pretrained(tmp_path)
    with pytest.raises(EngineError, match="has 3 outputs; an outcome reward model has 1"):
        scorers.load_scorer("outcome", str(tmp_path), "transformers")


def test_pickled_weights_are_not_read(checkpoint, tmp_path, need):
    need("torch")
    import torch
    from safetensors.torch import load_file

    for file in checkpoint("rlhflow").iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save(load_file(checkpoint("rlhflow") / "model.safetensors"), tmp_path / "pytorch_model.bin")
    with pytest.raises(EngineError, match="cannot be loaded"):
        scorers.load_scorer("rlhflow", str(tmp_path), "transformers")


def test_an_option_that_the_engine_does_not_take_is_named(need):
    need("torch")
    with pytest.raises(ConfigError, match="batch_sise"):
        scorers.load_scorer("lab", str(DATA / "lab" / "prm"), "transformers", batch_sise=3)
