"""What every engine must keep, on the real engines with a real model."""

from __future__ import annotations

import os
from collections import Counter, deque
from pathlib import Path

import pytest
import scipy.stats

from isocompute.errors import ConfigError, EngineError
from isocompute.runners import engines
from isocompute.runners.engines import Request, Sampling

LAB = Path(__file__).resolve().parents[2] / "data" / "lab"
PROMPT = "Problem: Start with {}, add 38, times 3, minus 29.\nSolution:\n"
DRAW = Sampling(temperature=1.0, max_tokens=120)


def options(name: str) -> dict:
    if name == "vllm":
        # float32, so that a text can be compared across engines and across what else is in the batch
        return {
            "dtype": "float32",
            "max_model_len": 512,
            "max_num_seqs": 64,
            "block_size": 32,
            "enforce_eager": True,
        }
    return {"dtype": "float32", "batch_size": 64}


@pytest.fixture(scope="module", params=["transformers", pytest.param("vllm", marks=pytest.mark.vllm)])
def engine(request):
    if request.param == "vllm" and not os.environ.get("ISOCOMPUTE_NEED_VLLM"):
        pytest.importorskip("vllm", reason="vLLM is not installed")
    loaded = engines.load(request.param, str(LAB / "solver"), **options(request.param))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def reference():
    """The model itself, asked for its probabilities."""
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(LAB / "solver", dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(LAB / "solver")


def ask(engine, requests):
    return {request.key: completion for request, completion in engine.run(deque(requests))}


def problems(n, sampling=DRAW, seed=0):
    return [Request(("p", i), PROMPT.format(10 + i), seed + i, sampling) for i in range(n)]


def test_every_request_comes_back_once(engine):
    keys = [request.key for request, _ in engine.run(deque(problems(150)))]
    assert Counter(keys) == Counter(("p", i) for i in range(150))


def test_the_same_seed_gives_the_same_text_whatever_else_is_in_the_batch(engine):
    together = ask(engine, problems(40))
    alone = {key: done for request in problems(5) for key, done in ask(engine, [request]).items()}
    backwards = ask(engine, problems(40)[::-1])
    assert all(alone[key] == together[key] or alone[key].text == together[key].text for key in alone)
    assert {k: c.text for k, c in backwards.items()} == {k: c.text for k, c in together.items()}


def test_seeds_draw_from_the_models_own_distribution(engine, reference):
    model, tokenizer = reference
    prompt = PROMPT.format(17) + "17+38: 5,5 = 55\n55*3: 5,6"
    logits = model(**tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)).logits[0, -1]
    expected = (logits.double() / 2).softmax(-1).detach().numpy()
    sampling = Sampling(temperature=2.0, max_tokens=1)
    drawn = ask(engine, [Request(i, prompt, i, sampling) for i in range(1500)])
    counts = Counter(tokenizer(c.text, add_special_tokens=False)["input_ids"][0] for c in drawn.values() if c.text)
    likely = [
        t
        for t in expected.argsort()[::-1]
        if expected[t] * 1500 >= 8 and tokenizer.decode([t], skip_special_tokens=True)
    ]
    seen = [counts[t] for t in likely]
    wanted = [expected[t] * 1500 for t in likely]
    rest = 1500 - sum(seen), 1500 - sum(wanted)
    assert len(likely) >= 3
    assert scipy.stats.chisquare([*seen, rest[0]], [*wanted, rest[1]]).pvalue > 1e-4


def test_greedy_decoding_is_the_models_argmax(engine, reference):
    model, tokenizer = reference
    prompt = PROMPT.format(23)
    inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    ids = model.generate(**inputs, do_sample=False, max_new_tokens=100)[0, inputs["input_ids"].shape[1] :]
    greedy = ask(engine, [Request(0, prompt, 0, Sampling(temperature=0.0, max_tokens=100))])[0]
    assert greedy.text == tokenizer.decode(ids, skip_special_tokens=True)


def test_tokens_are_counted_with_the_end_token(engine, reference):
    _, tokenizer = reference
    for completion in ask(engine, problems(20)).values():
        assert completion.finish_reason == "stop"
        assert (
            completion.completion_tokens == len(tokenizer(completion.text, add_special_tokens=False)["input_ids"]) + 1
        )
        assert completion.prompt_tokens == len(tokenizer(PROMPT.format(10))["input_ids"])


def test_a_token_limit_cuts_and_says_so(engine):
    for completion in ask(engine, problems(8, Sampling(temperature=1.0, max_tokens=5))).values():
        assert (completion.finish_reason, completion.completion_tokens) == ("length", 5)


def test_a_stop_string_ends_the_text_before_it(engine):
    for completion in ask(engine, problems(8, Sampling(temperature=0.0, max_tokens=100, stop=("\n",)))).values():
        assert completion.finish_reason == "stop"
        assert "\n" not in completion.text
        assert " = " in completion.text


def test_a_prompt_that_is_too_long_is_a_row_that_says_so(engine):
    long = Request("long", PROMPT.format(1) * 60, 0, DRAW)
    done = ask(engine, [*problems(3), long])
    assert len(done) == 4
    assert done["long"].text is None
    assert done["long"].status != "ok"
    assert all(done["p", i].status == "ok" for i in range(3))


def test_what_is_added_while_it_runs_is_answered_too(engine):
    pending = deque(problems(3))
    seen = []
    for request, _ in engine.run(pending):
        seen.append(request.key)
        if len(seen) <= 3:
            pending.append(Request(("added", len(seen)), PROMPT.format(50), 7, DRAW))
    assert len(seen) == len(set(seen)) == 6


def test_an_engine_works_on_after_a_reader_stopped(engine):
    reader = engine.run(deque(problems(30)))
    next(reader)
    reader.close()
    assert len(ask(engine, problems(5, seed=99))) == 5


@pytest.mark.vllm
def test_shared_prefixes_are_read_from_the_cache(engine):
    if type(engine).__name__ != "VLLM":
        pytest.skip("the engine has no prefix cache")
    prompt = PROMPT.format(77) * 4
    done = ask(engine, [Request(i, prompt, i, DRAW) for i in range(16)])
    assert sum(c.cached_tokens for c in done.values()) > 0.7 * sum(c.prompt_tokens for c in done.values())


def test_a_model_folder_that_is_not_there_is_named():
    with pytest.raises(EngineError, match="The model folder 'data/none' is not there"):
        engines.load("transformers", "data/none")


def test_an_option_that_the_engine_does_not_take_is_named():
    with pytest.raises(ConfigError, match="batch_sise"):
        engines.load("transformers", str(LAB / "solver"), batch_sise=3)


def test_an_engine_that_does_not_exist_is_named():
    with pytest.raises(ConfigError, match="The engine 'tgi' is unknown; there are: transformers, vllm"):
        engines.load("tgi", str(LAB / "solver"))
