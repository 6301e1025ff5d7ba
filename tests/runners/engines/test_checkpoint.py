"""A checkpoint that is not whole is refused in a sentence, and no code of a model's is run."""

from __future__ import annotations

import json
import shutil
import sys
from collections import deque
from pathlib import Path

import pytest

from isocompute.errors import ConfigError, EngineError
from isocompute.runners import engines, scorers
from isocompute.runners.engines import Request, Sampling

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from safetensors.torch import load_file, save_file  # noqa: E402

from isocompute.runners.engines import checkpoint  # noqa: E402
from isocompute.runners.engines.whole import check_weights  # noqa: E402
from isocompute.runners.sampling.sweep import run_sweep  # noqa: E402

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"
NORM, EMBEDDING = "model.norm.weight", "model.embed_tokens.weight"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1724880\n"
IN_VLLM = pytest.param("vllm", marks=pytest.mark.vllm)
ASKED = (
    r"^The model '.*' needs code from its own folder, which isocompute does not run; choose a model whose architecture "
    r"(transformers|vLLM) supports\.$"
)


class Broken:
    """A copy of a model of the lab, to be broken in one way."""

    def __init__(self, folder: Path, model: str) -> None:
        self.folder = Path(shutil.copytree(LAB / model, folder / model))
        self.weights, self.ran = self.folder / "model.safetensors", folder / "ran"

    def write(self, change) -> str:
        tensors = load_file(self.weights)
        save_file(change(tensors), self.weights, metadata={"format": "pt"})
        return str(self.folder)

    def split(self) -> str:
        """Write the weights as two files and an index."""
        tensors = sorted(load_file(self.weights).items())
        self.weights.unlink()
        index = {}
        for i, chunk in enumerate((tensors[:20], tensors[20:]), start=1):
            save_file(dict(chunk), self.folder / f"model-{i:05}-of-00002.safetensors", metadata={"format": "pt"})
            index |= {name: f"model-{i:05}-of-00002.safetensors" for name, _ in chunk}
        (self.folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
        return str(self.folder)

    def settings(self, name: str, **changes: object) -> str:
        path = self.folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
        (self.folder / "evil.py").write_text(f"open({str(self.ran)!r}, 'w')\n")
        return str(self.folder)


@pytest.fixture
def solver(tmp_path):
    return Broken(tmp_path, "solver")


@pytest.fixture
def prm(tmp_path):
    return Broken(tmp_path, "prm")


@pytest.fixture(autouse=True)
def answers_yes(monkeypatch):
    """Someone answers yes to every question that a library asks."""
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    monkeypatch.setattr(sys, "stdin", None)


def without(*parts):
    return lambda tensors: {k: v for k, v in tensors.items() if not any(part in k for part in parts)}


def spoilt(name, value):
    def change(tensors):
        tensors[name].view(-1)[3] = value
        return tensors

    return change


def text(folder):
    engine = engines.load_engine("transformers", folder, dtype="float32")
    ((_, completion),) = engine.run(deque([Request(0, "2+2=", 0, Sampling(0.0, max_tokens=4))]))
    engine.close()
    return completion.text


BROKEN = {
    "no tensors": (
        lambda tensors: {},
        r"lacks the weights 'lm_head\.weight': it is of another kind, or its checkpoint is incomplete; \d\d tensors",
    ),
    "a layer less": (
        without("layers.3."),
        r"lacks the weights 'model\.layers\.3\.input_layernorm\.weight'.* 9 tensors",
    ),
    "no norm": (without(NORM), r"lacks the weights 'model\.norm\.weight'.*; 1 tensor is missing\.$"),
    "one more": (
        lambda tensors: {**tensors, "model.extra": torch.zeros(2), "model.more": torch.zeros(2)},
        r"has weights 'model\.extra' that the model does not use.*; 2 tensors are left over\.$",
    ),
    "another shape": (
        lambda tensors: {**tensors, NORM: torch.ones(64)},
        r"The weights 'model\.norm\.weight' of '.*' have the shape \(64,\), but its config\.json requires \(128,\)",
    ),
    "not a number": (spoilt(NORM, float("nan")), r"its weights 'model\.norm\.weight' hold numbers that are NaN or inf"),
    "infinite": (spoilt(EMBEDDING, float("-inf")), r"its weights '.*' hold numbers that are NaN or infinite \([12] "),
}


@pytest.mark.parametrize("way", BROKEN)
def test_weights_that_are_not_the_model_s_are_refused(solver, way):
    change, said = BROKEN[way]
    with pytest.raises(EngineError, match=said) as caught:
        engines.load_engine("transformers", solver.write(change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("way", BROKEN)
def test_weights_that_are_not_the_reward_model_s_are_refused(prm, way):
    change, said = BROKEN[way]
    with pytest.raises(EngineError, match=said):
        scorers.load_scorer("lab", prm.write(change), "transformers")


def broken_file(solver, way):
    if way == "cut short":
        solver.weights.write_bytes(solver.weights.read_bytes()[:-50_000])
    elif way == "cut within its header":
        solver.weights.write_bytes(solver.weights.read_bytes()[:100])
    elif way == "empty":
        solver.weights.write_bytes(b"")
    elif way == "a pointer":
        solver.weights.write_text(POINTER)
    elif way == "not there":
        solver.weights.unlink()
    else:
        folder = Path(solver.split())
        second = folder / "model-00002-of-00002.safetensors"
        if way == "a part is missing":
            second.unlink()
        elif way == "a part is a pointer":
            second.write_text(POINTER)
        elif way == "a part lacks a tensor":
            save_file(without(NORM)(load_file(second)), second, metadata={"format": "pt"})
        else:
            (folder / "model.safetensors.index.json").write_text("[1]")
    return str(solver.folder)


FILES = {
    "cut short": r"model\.safetensors has 1,674,880 bytes, but should have 1,724,880 according to its header",
    "cut within its header": r"model\.safetensors has no readable header",
    "empty": r"model\.safetensors has no readable header",
    "a pointer": r"model\.safetensors is a git-lfs pointer, not the weights; run git lfs pull",
    "not there": r"its folder has no safetensors files",
    "a part is missing": r"model-00002-of-00002\.safetensors does not exist, but model\.safetensors\.index\.json names",
    "a part is a pointer": r"model-00002-of-00002\.safetensors is a git-lfs pointer",
    "a part lacks a tensor": r"model-00002-of-00002\.safetensors lacks the tensor 'model\.norm\.weight', which .* 1 t",
    "the index is none": r"model\.safetensors\.index\.json cannot be read",
}


@pytest.mark.parametrize("way", FILES)
@pytest.mark.parametrize("engine", ["transformers", IN_VLLM])
def test_files_that_are_not_whole_are_refused_before_anything_is_loaded(solver, engine, way, need):
    need("torch" if engine == "transformers" else "vllm")
    with pytest.raises(EngineError, match=rf"^The model '.*' cannot be loaded: {FILES[way]}.*\.$"):
        engines.load_engine(engine, broken_file(solver, way))


def test_whole_checkpoints_load_in_one_file_or_several_tied_or_not(solver):
    expected = text(str(LAB / "solver"))
    assert text(solver.split()) == expected
    solver = Broken(solver.folder / "other", "solver")
    solver.write(lambda tensors: {**tensors, "lm_head.weight": tensors[EMBEDDING].clone()})
    assert text(str(solver.folder)) == expected
    assert text(solver.settings("config.json", tie_word_embeddings=False)) == expected


def test_a_real_model_is_whole(smollm_checkpoint):
    assert checkpoint.check_checkpoint_files(str(smollm_checkpoint))
    checkpoint.check_finite_weights(str(smollm_checkpoint))
    assert text(str(smollm_checkpoint))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2])
def test_what_is_not_a_number_is_found_in_every_type(solver, dtype):
    folder = solver.write(lambda tensors: {name: tensor.to(dtype) for name, tensor in tensors.items()})
    checkpoint.check_finite_weights(folder)
    solver.write(lambda tensors: {**tensors, NORM: torch.full((128,), float("nan")).to(dtype)})
    with pytest.raises(EngineError, match=r"'model\.norm\.weight' hold numbers .* \(1 of its tensors do\)\.$"):
        checkpoint.check_finite_weights(folder)


def test_what_is_not_a_number_is_found_in_every_file(solver):
    folder = solver.split()
    second = solver.folder / "model-00002-of-00002.safetensors"
    checkpoint.check_finite_weights(folder)
    save_file(spoilt(NORM, float("inf"))(load_file(second)), second, metadata={"format": "pt"})
    with pytest.raises(EngineError, match=r"'model\.norm\.weight'"):
        checkpoint.check_finite_weights(folder)


@pytest.mark.vllm
def test_vllm_loads_no_weights_that_are_not_numbers(solver, need, monkeypatch):
    need("vllm")
    from isocompute.runners.engines import vllm

    monkeypatch.setattr(vllm, "LLM", lambda **_: pytest.fail("it is loaded"))
    with pytest.raises(EngineError, match=BROKEN["not a number"][1]):
        engines.load_engine("vllm", solver.write(BROKEN["not a number"][0]))


def in_the_cache(cache, solver, files):
    """Put files of a model into a hub's cache, as the model me/solver."""
    place = cache / "models--me--solver"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("a" * 40)
    (place / "snapshots" / ("a" * 40)).mkdir(parents=True)
    for name in files:
        shutil.copy(solver.folder / name, place / "snapshots" / ("a" * 40) / name)
    return place / "snapshots" / ("a" * 40)


def test_of_a_model_on_the_hub_what_the_cache_holds_is_checked(solver, tmp_path):
    cache = str(tmp_path / "cache")
    assert not checkpoint.check_checkpoint_files("me/solver", cache=cache)
    checkpoint.check_finite_weights("me/solver", cache=cache)
    solver.split()
    first, second = (f"model-{i:05}-of-00002.safetensors" for i in (1, 2))
    place = in_the_cache(Path(cache), solver, ["config.json", "model.safetensors.index.json", first])
    assert not checkpoint.check_checkpoint_files("me/solver", cache=cache)  # the rest is fetched when it is loaded
    shutil.copy(solver.folder / second, place)
    assert checkpoint.check_checkpoint_files("me/solver", cache=cache)
    save_file(spoilt(NORM, float("nan"))(load_file(place / second)), place / second, metadata={"format": "pt"})
    with pytest.raises(EngineError, match=r"^The model 'me/solver' cannot be used: .*'model\.norm\.weight'"):
        checkpoint.check_finite_weights("me/solver", cache=cache)
    (place / second).write_text(POINTER)
    with pytest.raises(EngineError, match="is a git-lfs pointer"):
        checkpoint.check_checkpoint_files("me/solver", cache=cache)


AUTO = {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"}
CODE = {
    "a model": ("config.json", {"model_type": "evil", "auto_map": AUTO}),
    "a tokenizer": (
        "tokenizer_config.json",
        {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}},
    ),
}


@pytest.mark.parametrize("what", CODE)
@pytest.mark.parametrize("engine", ["transformers", IN_VLLM])
def test_code_in_a_model_s_folder_is_not_run(solver, engine, what, need):
    need("torch" if engine == "transformers" else "vllm")
    name, changes = CODE[what]
    with pytest.raises(EngineError, match=ASKED):
        engines.load_engine(engine, solver.settings(name, **changes))
    assert not solver.ran.exists()


@pytest.mark.parametrize("what", CODE)
@pytest.mark.parametrize("engine", ["transformers", IN_VLLM])
def test_code_in_a_reward_model_s_folder_is_not_run(prm, engine, what, need):
    need("torch" if engine == "transformers" else "vllm")
    name, changes = CODE[what]
    with pytest.raises(EngineError, match=ASKED):
        scorers.load_scorer("lab", prm.settings(name, **changes), engine)
    assert not prm.ran.exists()


def test_a_model_that_brings_code_and_needs_none_is_loaded_without_it(solver):
    assert text(solver.settings("config.json", auto_map=AUTO)) == text(str(LAB / "solver"))
    assert not solver.ran.exists()


@pytest.mark.vllm
@pytest.mark.parametrize("given", [True, False, None])
@pytest.mark.parametrize(
    "load", [engines.load_engine, lambda name, model, **o: scorers.load_scorer("lab", model, name, **o)]
)
def test_nobody_can_ask_vllm_to_run_a_model_s_code(prm, load, given, need):
    need("vllm")
    with pytest.raises(ConfigError, match=r"takes no option 'trust_remote_code': isocompute never runs a model's own"):
        load("vllm", str(prm.folder), trust_remote_code=given)


@pytest.mark.vllm
@pytest.mark.parametrize("given", ["dummy", "pt", "npcache", "hf", "DUMMY"])
@pytest.mark.parametrize(
    "load", [engines.load_engine, lambda name, model, **o: scorers.load_scorer("lab", model, name, **o)]
)
def test_vllm_reads_no_pickles_and_makes_up_no_weights(prm, load, given, need):
    need("vllm")
    with pytest.raises(ConfigError, match=rf"does not take 'load_format: {given.lower()}': it (fills|reads)"):
        load("vllm", str(prm.folder), load_format=given)


@pytest.mark.vllm
def test_other_formats_are_left_to_vllm(need):
    need("vllm")
    from isocompute.runners.engines.vllm import build_safe_options

    for given in ("gguf", "bitsandbytes", "tensorizer", "runai_streamer", "sharded_state", "fastsafetensors"):
        assert build_safe_options({"load_format": given}) == {"load_format": given, "trust_remote_code": False}
    for options in ({}, {"load_format": "auto"}, {"load_format": None}):
        assert build_safe_options(options) == {"load_format": "auto", "trust_remote_code": False}


@pytest.mark.parametrize("role", ["solver", "verifier", "scorer"])
def test_nothing_is_sampled_before_every_model_of_a_sweep_is_known_to_be_whole(small, scripted, tmp_path, role):
    """The verifier is loaded when all is solved, which may be days later."""
    models = {
        "solver": {"model": str(LAB / "solver"), "prompt": "lab-solve"},
        "verifier": {"model": str(LAB / "verifier"), "prompt": "lab-verify"},
        "scorer": {"kind": "lab", "model": str(LAB / "prm"), "engine": "transformers"},
    }
    broken = Broken(tmp_path, Path(models[role]["model"]).name)
    models[role]["model"] = broken.write(without(NORM))
    engine = scripted()
    with pytest.raises(EngineError, match=r"lacks the weights 'model\.norm\.weight'"):
        run_sweep(small(**models, scored=2), load=engine, load_scorer=engine)
    assert engine.asked == []
    assert not (tmp_path / "run").exists()


def test_an_index_that_contradicts_the_files_is_refused(solver):
    """What transformers and vLLM would read might be two different models."""
    folder = Path(solver.split())
    second = folder / "model-00002-of-00002.safetensors"
    first = load_file(folder / "model-00001-of-00002.safetensors")
    name = min(first)
    save_file({**load_file(second), name: torch.zeros_like(first[name])}, second, metadata={"format": "pt"})
    with pytest.raises(
        EngineError, match=r"holds the tensor '.*', which .* says is in model-00001-.*; 1 tensor is in two"
    ):
        checkpoint.check_checkpoint_files(str(folder))


@pytest.mark.parametrize("name", ["../x.safetensors", "/tmp/x.safetensors", 5, ["x"]])
def test_an_index_that_names_files_outside_its_folder_is_refused(solver, name):
    folder = Path(solver.split())
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {EMBEDDING: name}}))
    with pytest.raises(EngineError, match=r"names '.*', which is not a file in its folder|cannot be read: "):
        checkpoint.check_checkpoint_files(str(folder))


def test_a_file_that_nobody_reads_is_no_part_of_a_checkpoint(solver):
    save_file({"step": torch.tensor([float("nan")])}, solver.folder / "optimizer.safetensors")
    (solver.folder / "empty.safetensors").touch()
    engines.load_engine("transformers", str(solver.folder)).close()
    with pytest.raises(EngineError, match=r"empty\.safetensors has no readable header"):  # vLLM reads them all
        checkpoint.check_checkpoint_files(str(solver.folder), every=True)


def test_a_number_that_is_too_large_for_the_type_it_is_held_as_is_refused(solver):
    folder = solver.write(lambda tensors: {k: v.float() for k, v in spoilt(NORM, 1e9)(tensors).items()})
    check_weights(folder, "vllm", dtype="float32")
    with pytest.raises(EngineError, match=r"'model\.norm\.weight' hold numbers that are NaN or infinite"):
        check_weights(folder, "vllm", dtype="float16")


@pytest.mark.parametrize("part", ["k_proj", "up_proj"])
def test_a_part_of_what_vllm_fuses_is_missed_before_vllm_loads_it(solver, part):
    with pytest.raises(EngineError, match=rf"lacks the weights 'model\.layers\.0\..*{part}\.weight'"):
        check_weights(solver.write(without(part)), "vllm")


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("config.json", {"num_attention_heads": 0}),
        ("config.json", {"hidden_size": "many"}),
        ("config.json", {"hidden_act": "evil"}),
        ("config.json", {"dtype": "evil"}),
        ("config.json", {"quantization_config": ["evil"]}),
        ("tokenizer_config.json", {"tokenizer_class": ["evil"]}),
    ],
)
def test_a_configuration_that_makes_no_sense_is_a_sentence(solver, file, changes):
    with pytest.raises(EngineError, match="cannot be loaded"):
        engines.load_engine("transformers", solver.settings(file, **changes))


@pytest.mark.parametrize(
    "template",
    [None, "{{ raise_exception('no') }}", "{% if %}", "{{ x.y.z }}", "{{ ''.__class__() }}", "{{ 'x' * 10 ** 10 }}"],
)
def test_a_chat_template_that_cannot_be_used_is_a_sentence(solver, template):
    engine = engines.load_engine("transformers", solver.settings("tokenizer_config.json", chat_template=template))
    try:
        with pytest.raises(EngineError, match=r"The chat template of '.*' cannot be used: .*chat: false\.$"):
            list(engine.run(deque([Request(("a",), "1 + 1?", 1, Sampling(max_tokens=4), chat=True)])))
    finally:
        engine.close()
