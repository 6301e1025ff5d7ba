"""What every engine must keep, on the real engines with real models, and servers as real processes."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path

import pytest
import scipy.stats

from isocompute.errors import ConfigError, EngineError
from isocompute.runners import engines
from isocompute.runners.engines import Request, Sampling
from isocompute.testing import EngineSuite
from isocompute.testing.engines import collect_engine_completions

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"
PROMPT = "Problem: Start with {}, add 38, times 3, minus 29.\nSolution:\n"
DRAW = Sampling(temperature=1.0, max_tokens=120)
SHORT = Sampling(temperature=1.0, max_tokens=16)
GREEDY = Sampling(temperature=0.0, max_tokens=24)
LIMIT = 512
LOW = 32

LAB_ENGINES = [
    "transformers",
    pytest.param("vllm", marks=pytest.mark.vllm),
    pytest.param("vllm, two copies", marks=[pytest.mark.vllm, pytest.mark.soak]),
    pytest.param("openai-vllm", marks=pytest.mark.vllm),
]
ENGINES = [*LAB_ENGINES, "openai-llama.cpp"]

# Everything holds for every engine; these tests need to know the model, and the lab's is known.
on_the_lab = pytest.mark.parametrize("engine", LAB_ENGINES, indirect=True, scope="module")


def load(name, request):
    # float32, so that a text can be compared across engines and across what else is in the batch
    if name == "transformers":
        return engines.load_engine(name, str(LAB / "solver"), dtype="float32", batch_size=64)
    if name.startswith("vllm"):
        request.getfixturevalue("need")("vllm")
        shape = {"max_model_len": LIMIT, "max_num_seqs": 64, "block_size": 32, "enforce_eager": True}
        copies = {"replicas": 2} if "copies" in name else {}
        return engines.load_engine("vllm", str(LAB / "solver"), dtype="float32", **shape, **copies)
    if name == "openai-vllm":
        return engines.load_engine("openai", "lab", urls=[request.getfixturevalue("vllm_server")])
    # llama.cpp samples from all tokens, and computes a prompt anew, only if told to.
    extra = {"top_k": 0, "min_p": 0, "cache_prompt": False}
    return engines.load_engine("openai", "SmolLM2", urls=[request.getfixturevalue("llama_server")], extra=extra)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    loaded = load(request.param, request)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def reference():
    """The lab's model itself, asked for its probabilities."""
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(LAB / "solver", dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(LAB / "solver")


class TestEveryEngine(EngineSuite):
    """The suite that is shipped, on every engine of this module; steps are tried on the lab's model below."""

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, engine):
        return engine


def alone(engine, request):
    return collect_engine_completions(engine, [request])[request.key]


def problems(n, sampling=DRAW, seed=0):
    return [Request(("p", i), PROMPT.format(10 + i), 10**15 * (seed + i), sampling) for i in range(n)]


def ascii_of(text):
    return "".join(filter(str.isascii, text))


def test_every_completion_says_when_it_was_made(engine):
    began = time.time()
    done = collect_engine_completions(engine, problems(70, SHORT)).values()
    ended = time.time()
    assert all(began <= completion.started_at for completion in done)
    assert all(completion.seconds > 0 for completion in done)
    assert max(completion.started_at + completion.seconds for completion in done) <= ended + 0.1  # two clocks


@on_the_lab
def test_steps_that_go_on_from_each_other_are_the_text_sampled_at_once(engine):
    request = problems(1, GREEDY)[0]
    whole = alone(engine, request)
    tokens, text, used, ids = Sampling(temperature=0.0, max_tokens=24, step="\n"), "", 0, ()
    ends = []
    for i in range(24):
        sampling = replace(tokens, max_tokens=24 - used)
        part = alone(engine, Request(("step", i), request.prompt, 0, sampling, written=text, written_ids=ids))
        ends.append(part.finish_reason)
        text += part.text + ("\n" if part.finish_reason == "step" else "")
        used += part.completion_tokens
        ids = None if ids is None or part.token_ids is None else ids + part.token_ids
        assert part.prompt_tokens >= whole.prompt_tokens
        if part.finish_reason != "step" or used == 24:
            break
    assert text.rstrip("\n") == whole.text.rstrip("\n")
    assert (used, ends[-1]) in ((whole.completion_tokens, whole.finish_reason), (whole.completion_tokens, "step"))
    assert "step" in ends
    assert ids is None or len(ids) == used


def test_a_prompt_that_is_too_long_is_a_row_that_says_so(engine):
    long = Request("long", PROMPT.format(1) * 60, 0, SHORT)
    done = collect_engine_completions(engine, [*problems(3, SHORT), long])
    assert len(done) == 4
    assert (done["long"].text, done["long"].finish_reason, done["long"].completion_tokens) == (None, None, None)
    assert "512" in done["long"].status
    assert all(done["p", i].status == "ok" for i in range(3))


def test_each_token_has_its_own_log_probability_among_the_likeliest(engine):
    sampling = Sampling(temperature=0.0, max_tokens=24, logprobs=4)
    for completion in collect_engine_completions(engine, problems(6, sampling)).values():
        # llama.cpp reports neither the end token nor one that ends amid a character
        unsaid = (completion.finish_reason == "stop") + 3 * (len(completion.text) - len(ascii_of(completion.text)))
        assert completion.completion_tokens - unsaid <= len(completion.tokens) <= completion.completion_tokens
        joined = "".join(token.text for token in completion.tokens)
        assert ascii_of(joined).startswith(ascii_of(completion.text))
        for token in completion.tokens:
            assert 2 <= len(token.logprobs) <= 5
            assert all(logprob <= 1e-5 for logprob in token.logprobs.values())
            assert sum(map(math.exp, token.logprobs.values())) <= 1 + 1e-4
            assert token.logprobs[token.text] == max(token.logprobs.values())  # greedy


@on_the_lab
def test_log_probabilities_are_the_models_own_before_temperature(engine, reference):
    torch = pytest.importorskip("torch")
    model, tokenizer = reference
    sampling = Sampling(temperature=1.6, top_p=0.9, max_tokens=60, logprobs=3)
    for request, completion in engine.run(deque(problems(5, sampling))):
        prompt = tokenizer(request.prompt, return_tensors="pt", return_token_type_ids=False)["input_ids"][0].tolist()
        said = tokenizer(completion.text, add_special_tokens=False)["input_ids"]
        said += [tokenizer.eos_token_id] * (completion.finish_reason == "stop")
        assert len(said) == len(completion.tokens) == completion.completion_tokens
        logits = model(input_ids=torch.tensor([prompt + said])).logits[0, len(prompt) - 1 : -1]
        logprobs = logits.double().log_softmax(-1).detach()
        for place, own, token in zip(logprobs, said, completion.tokens, strict=True):
            assert token.logprobs[token.text] == pytest.approx(place[own].item(), abs=2e-3)
            likeliest = sorted(token.logprobs.values(), reverse=True)[:3]
            assert likeliest == pytest.approx(place.topk(3).values.tolist(), abs=2e-3)


@on_the_lab
def test_what_else_is_in_the_batch_changes_no_text(engine):
    together = collect_engine_completions(engine, problems(40))
    backwards = collect_engine_completions(engine, problems(40)[::-1])
    assert all(alone(engine, request).text == together[request.key].text for request in problems(5))
    assert {k: c.text for k, c in backwards.items()} == {k: c.text for k, c in together.items()}


def test_a_lower_token_limit_gives_the_beginning_of_the_same_text(engine):
    """So the rows of a run hold what a lower limit would have given; see docs/caps.md."""
    long, low = Sampling(temperature=1.0, max_tokens=96), Sampling(temperature=1.0, max_tokens=LOW)
    whole = collect_engine_completions(engine, problems(8, long))
    cut = collect_engine_completions(engine, problems(8, low))
    shortened = 0
    for key, completion in cut.items():
        assert completion.completion_tokens == min(whole[key].completion_tokens, LOW)
        if whole[key].completion_tokens <= LOW:
            assert (completion.text, completion.finish_reason) == (whole[key].text, whole[key].finish_reason)
        else:
            shortened += 1
            assert completion.finish_reason == "length"
            assert whole[key].text.startswith(completion.text.rstrip("\ufffd"))  # a cut character
    assert shortened >= 3


@on_the_lab
def test_seeds_draw_from_the_models_own_distribution(engine, reference):
    model, tokenizer = reference
    prompt = PROMPT.format(17) + "17+38: 5,5 = 55\n55*3: 5,6"
    logits = model(**tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)).logits[0, -1]
    expected = (logits.double() / 2).softmax(-1).detach().numpy()
    sampling = Sampling(temperature=2.0, max_tokens=1)
    drawn = collect_engine_completions(engine, [Request(i, prompt, i, sampling) for i in range(1500)])
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


@on_the_lab
def test_greedy_decoding_is_the_models_argmax(engine, reference):
    model, tokenizer = reference
    prompt = PROMPT.format(23)
    inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    ids = model.generate(**inputs, do_sample=False, max_new_tokens=100)[0, inputs["input_ids"].shape[1] :]
    greedy = alone(engine, Request(0, prompt, 0, Sampling(temperature=0.0, max_tokens=100)))
    assert greedy.text == tokenizer.decode(ids, skip_special_tokens=True)


@on_the_lab
def test_tokens_are_counted_with_the_end_token(engine, reference):
    _, tokenizer = reference
    for completion in collect_engine_completions(engine, problems(20)).values():
        assert completion.finish_reason == "stop"
        said = tokenizer(completion.text, add_special_tokens=False)["input_ids"]
        assert completion.completion_tokens == len(said) + 1
        assert completion.prompt_tokens == len(tokenizer(PROMPT.format(10))["input_ids"])


@on_the_lab
def test_each_text_ends_at_the_models_limit_by_its_own_prompt(engine, reference):
    _, tokenizer = reference
    body = tokenizer(PROMPT.format(77) * 20, add_special_tokens=False)["input_ids"]
    first = len(tokenizer("")["input_ids"])
    long = [
        Request(("long", room), tokenizer.decode(body[first + room - LIMIT :]), room, Sampling(1.0, max_tokens=400))
        for room in range(3, 11)
    ]
    done = collect_engine_completions(engine, [*problems(4, Sampling(1.0, max_tokens=400)), *long])
    assert all(done["p", i].finish_reason == "stop" and done["p", i].completion_tokens > 11 for i in range(4))
    cut = [done[request.key] for request in long if done[request.key].finish_reason == "length"]
    assert len(cut) >= 2
    assert all(completion.prompt_tokens + completion.completion_tokens == LIMIT for completion in cut)


@on_the_lab
def test_shared_prefixes_are_read_from_the_cache(engine):
    if type(engine).__name__ == "TransformersEngine":
        pytest.skip("the engine has no prefix cache")
    prompt = PROMPT.format(77) * 4
    collect_engine_completions(engine, [Request("first", prompt, 0, SHORT)])
    done = collect_engine_completions(engine, [Request(i, prompt, i, SHORT) for i in range(16)])
    assert sum(c.cached_tokens for c in done.values()) > 0.7 * sum(c.prompt_tokens for c in done.values())


def test_a_turn_of_a_conversation_is_answered_by_a_real_chat_model(llama_server):
    engine = engines.load_engine("openai", "SmolLM2", urls=[llama_server])
    sampling = Sampling(temperature=0.0, max_tokens=24, logprobs=2)
    question = "What is the capital city of France? Answer in one sentence."
    try:
        plain = alone(engine, Request(0, question, 0, sampling))
        turn = alone(engine, Request(1, question, 0, sampling, chat=True))
    finally:
        engine.close()
    assert "Paris" in turn.text
    assert turn.prompt_tokens > plain.prompt_tokens + 5  # the template's words
    assert "".join(token.text for token in turn.tokens).startswith(turn.text)


def test_a_model_folder_that_is_not_there_is_named():
    with pytest.raises(EngineError, match="The model folder 'data/none' does not exist"):
        engines.load_engine("transformers", "data/none")


def test_an_option_that_the_engine_does_not_take_is_named():
    with pytest.raises(ConfigError, match="batch_sise"):
        engines.load_engine("transformers", str(LAB / "solver"), batch_sise=3)


def test_an_engine_that_does_not_exist_is_named():
    with pytest.raises(ConfigError, match="The engine 'tgi' is unknown; there are: vllm, transformers, openai"):
        engines.load_engine("tgi", str(LAB / "solver"))
