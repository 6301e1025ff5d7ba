"""What the `openai` engine sends, what it reads, and how it keeps servers busy: scripted servers on loopback."""

from __future__ import annotations

import base64
import json
import random
import time
from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocompute.errors import ConfigError
from isocompute.runners import engines
from isocompute.runners.engines import Request, Sampling, Token
from isocompute.runners.engines.openai_protocol import encode_request, parse_completion
from isocompute.runners.engines.redaction import build_redactor
from isocompute.runners.engines.servers import draw_backoff, parse_retry_after, parse_servers


def requests(n, **changes):
    return [Request(i, f"prompt {i}", 10**15 + i, Sampling(**changes)) for i in range(n)]


def ask(engine, pending):
    return {request.key: completion for request, completion in engine.run(deque(pending))}


def test_a_prompt_is_sent_with_all_that_its_sampling_says(stage, connect):
    server = stage.server()
    sampling = Sampling(temperature=0.0, top_p=0.9, max_tokens=7, stop=("\n", "x"), logprobs=3)
    ask(connect(server.url, extra={"top_k": 20}), [Request(0, "hällo \ud800", 2**62 + 5, sampling)])
    assert server.asked[0].path == "/v1/completions"
    assert server.asked[0].body == {
        "model": "scripted",
        "prompt": "hällo \ud800",
        "temperature": 0.0,
        "top_p": 0.9,
        "max_tokens": 7,
        "stop": ["\n", "x"],
        "logprobs": 3,
        "seed": (2**62 + 5) % (2**31 - 1),
        "top_k": 20,
    }


def test_a_turn_of_a_conversation_goes_to_the_chat_endpoint(stage, connect):
    server = stage.server()
    requests = [
        Request(i, "hi", 3, Sampling(max_tokens=5, logprobs=logprobs), chat=True) for i, logprobs in enumerate([0, 2])
    ]
    done = ask(connect(server.url, concurrency=1), requests)
    assert [asked.path for asked in server.asked] == ["/v1/chat/completions"] * 2
    plain, probed = (asked.body for asked in server.asked)
    assert plain["messages"] == [{"role": "user", "content": "hi"}]
    assert not {"logprobs", "top_logprobs", "prompt", "stop"} & set(plain)
    assert (probed["logprobs"], probed["top_logprobs"]) == (True, 2)
    assert done[0].text == stage.text("hi", 3)


def test_an_extra_field_of_null_takes_one_out():
    _, body = encode_request(requests(1)[0], "m", {"max_tokens": None, "max_completion_tokens": 9})
    assert b'"max_tokens"' not in body
    assert b'"max_completion_tokens": 9' in body


@given(st.integers(0, 2**63 - 1))
def test_a_seed_fits_31_bits_and_is_a_function_of_the_seed(seed):
    bodies = [encode_request(Request(0, "a", seed, Sampling()), "m", {})[1] for _ in range(2)]
    sent = int(bodies[0].split(b'"seed": ')[1].split(b",")[0])
    assert bodies[0] == bodies[1]
    assert 0 <= sent < 2**31 - 1


def test_what_was_written_is_gone_on_from_as_text():
    sampling, begun = Sampling(stop=("END",), step="\n\n"), "one\n\n"
    path, body = encode_request(Request(0, "2+2=", 7, sampling, written=begun, written_ids=(1, 2)), "m", {})
    assert (path, json.loads(body)["prompt"], json.loads(body)["stop"]) == (
        "/completions",
        "2+2=one\n\n",
        ["END", "\n\n"],
    )
    path, body = encode_request(Request(0, "2+2=", 7, sampling, chat=True, written=begun), "m", {})
    sent = json.loads(body)
    assert sent["messages"] == [{"role": "user", "content": "2+2="}, {"role": "assistant", "content": begun}]
    assert (sent["continue_final_message"], sent["add_generation_prompt"]) == (True, False)
    assert "continue_final_message" not in json.loads(
        encode_request(Request(0, "2+2=", 7, sampling, chat=True), "m", {})[1]
    )


def test_a_step_ends_where_the_server_says_that_its_delimiter_stopped_it():
    for said, reason in (("\n\n", "step"), ("END", "stop"), (None, "stop"), (128009, "stop")):
        assert parse_completion(answer(text="a", stop_reason=said), "\n\n").finish_reason == reason
    assert parse_completion(answer(text="a", finish_reason="length"), "\n\n").finish_reason == "length"
    read = parse_completion(answer({"completion_tokens": 4}, text="a"), "\n\n")
    assert (read.text, read.completion_tokens) == (None, 4)
    assert read.status.startswith("the server does not say which string stopped a text")


def answer(usage=None, **choice):
    return {"choices": [{"index": 0, "finish_reason": "stop", **choice}], "usage": usage}


def test_tokens_are_counted_as_the_server_reports_them():
    usage = {"prompt_tokens": 12, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}}
    read = parse_completion(answer(usage, text="a"))
    assert (read.prompt_tokens, read.cached_tokens, read.completion_tokens) == (12, 8, 5)
    read = parse_completion(answer({"prompt_tokens": 12, "completion_tokens": 0}, text=""))
    assert (read.prompt_tokens, read.cached_tokens, read.completion_tokens) == (12, None, 0)
    for nothing in (None, {}, {"prompt_tokens": "12", "completion_tokens": -1, "prompt_tokens_details": None}):
        read = parse_completion(answer(nothing, text="a"))
        assert (read.prompt_tokens, read.cached_tokens, read.completion_tokens) == (None, None, None)
    assert parse_completion(answer({"completion_tokens": 10**400}, text="a")).completion_tokens is None


HUGE = 2**31


@pytest.mark.parametrize(
    "wrong",
    [True, False, -1, 5.0, 5.5, float("nan"), "5", "", HUGE, pytest.param(10**400, id="vast"), [5], {"n": 5}, None],
)
def test_a_count_that_cannot_be_is_unknown_and_the_text_is_kept(wrong):
    usage = {"prompt_tokens": 12, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}}
    read = parse_completion(answer(usage | {"completion_tokens": wrong}, text="a"))
    assert (read.text, read.prompt_tokens, read.cached_tokens, read.completion_tokens) == ("a", 12, 8, None)
    read = parse_completion(answer(usage | {"prompt_tokens_details": {"cached_tokens": wrong}}, text="a"))
    assert (read.text, read.prompt_tokens, read.cached_tokens, read.completion_tokens) == ("a", 12, None, 5)
    read = parse_completion(answer(usage | {"prompt_tokens": wrong}, text="a"))  # what is cached is a part of nothing
    assert (read.text, read.prompt_tokens, read.cached_tokens, read.completion_tokens) == ("a", None, None, 5)


def test_counts_that_contradict_each_other_or_the_text_are_unknown():
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 50}}
    read = parse_completion(answer(usage, text="a"))
    assert (read.prompt_tokens, read.cached_tokens, read.completion_tokens) == (5, None, 3)
    read = parse_completion(answer({"prompt_tokens": 0, "completion_tokens": 0}, text="a"))
    assert (read.prompt_tokens, read.completion_tokens) == (None, None)
    usage["prompt_tokens_details"] = {"cached_tokens": 5}
    assert parse_completion(answer(usage, text="a")).cached_tokens == 5


@pytest.mark.parametrize("usage", [[1], "x", 5, True, {"prompt_tokens_details": [1]}, {"prompt_tokens_details": "x"}])
def test_usage_of_another_shape_says_nothing_and_the_text_is_kept(usage):
    read = parse_completion(answer(usage, text="a"))
    assert (read.text, read.status) == ("a", "ok")
    assert (read.prompt_tokens, read.cached_tokens, read.completion_tokens) == (None, None, None)


def test_thinking_of_another_shape_is_passed_over_and_an_empty_message_too():
    assert parse_completion(answer(message={"content": "4", "reasoning": {"effort": "high"}})).text == "4"
    assert parse_completion(answer(message=None, text="4")).text == "4"


@pytest.mark.parametrize("wrong", [5, False, [5], [{"type": "text"}], {"a": 1}])
def test_a_text_that_is_none_is_no_answer(wrong):
    for said in ({"text": wrong}, {"message": {"content": wrong}}, {"message": {"content": wrong, "reasoning": "2"}}):
        with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
            parse_completion(answer(**said))


def test_ends_are_stop_or_length_and_with_no_text_any_other_is_a_failure_with_its_tokens():
    reasons = {"stop": "stop", "eos_token": "stop", "length": "length", "content_filter": None, "": None, None: None}
    for said, reason in reasons.items():
        read = parse_completion(answer(text="a", finish_reason=said))
        assert (read.text, read.status, read.finish_reason) == ("a", "ok", reason)
    for said in ("abort", "error"):
        assert parse_completion(answer(text="a", finish_reason=said)).text is None
    for said in (None, ""):
        read = parse_completion(answer(text="", finish_reason=said))
        assert (read.text, read.status) == (None, "the server sent no text, and no reason for that")
    read = parse_completion(answer({"completion_tokens": 4}, message={"content": None}, finish_reason="content_filter"))
    assert read.status == "the server ended the text for the reason 'content_filter'"
    assert (read.text, read.finish_reason, read.completion_tokens) == (None, None, 4)


def test_thinking_that_a_server_took_out_is_put_back():
    for name in ("reasoning_content", "reasoning"):
        assert parse_completion(answer(message={"content": "4", name: "2+2"})).text == "<think>2+2</think>4"
        cut = parse_completion(answer(message={"content": None, name: "2+"}, finish_reason="length"))
        assert (cut.text, cut.finish_reason) == ("<think>2+", "length")
    assert parse_completion(answer(message={"content": None})).text == ""


def test_half_a_surrogate_pair_does_not_reach_the_log():
    read = parse_completion(answer(text="a\ud800b", logprobs={"tokens": ["\ud800"], "token_logprobs": [-1.0]}))
    (read.text + read.tokens[0].text).encode()
    assert read.text == "a?b"


PLACES = (Token("Yes", {"Yes": -0.1, "No": -2.5}), Token(" it", {" it": -3.0, ".": -0.2}))


def test_probabilities_are_read_as_completions_give_them():
    given = {
        "tokens": ["Yes", " it"],
        "token_logprobs": [-0.1, -3.0],
        "top_logprobs": [{"Yes": -0.1, "No": -2.5}, {".": -0.2}],
    }
    assert parse_completion(answer(text="Yes it", logprobs=given)).tokens == PLACES
    given["top_logprobs"] = None
    assert parse_completion(answer(text="Yes it", logprobs=given)).tokens == (
        Token("Yes", {"Yes": -0.1}),
        Token(" it", {" it": -3.0}),
    )


@pytest.mark.parametrize("said", [{"text": "Yes it"}, {"message": {"content": "Yes it"}}])
def test_probabilities_are_read_as_chats_and_llama_cpp_give_them(said):
    def entry(text, logprob):
        return {"token": text, "logprob": logprob, "bytes": list(text.encode())}

    given = {
        "content": [
            entry("Yes", -0.1) | {"top_logprobs": [entry("Yes", -0.1), entry("No", -2.5), entry("No", -7.0)]},
            entry(" it", -3.0) | {"top_logprobs": [entry(".", -0.2)]},
        ],
        "refusal": None,
    }
    assert parse_completion(answer(**said, logprobs=given)).tokens == PLACES


def test_no_probabilities_are_none():
    for nothing in (None, {}, {"content": None}, {"tokens": None}):
        assert parse_completion(answer(text="a", logprobs=nothing)).tokens is None
    assert parse_completion(answer(text="", logprobs={"tokens": [], "token_logprobs": []})).tokens == ()


def test_no_more_than_concurrency_fly_and_little_is_taken_ahead(stage, connect):
    server = stage.server(lambda asked: stage.Reply(stage.echo(asked).body, delay=0.02))
    engine = connect(server.url, concurrency=6)
    pending = deque(requests(120))
    left = [(len(pending), taken) for taken, _ in enumerate(engine.run(pending), 1)]
    assert server.most == 6
    assert server.connections == 6  # each used again and again
    assert all(120 - waiting - taken < 2 * 6 for waiting, taken in left)


def test_a_slow_reader_does_not_keep_the_server_waiting(stage, connect):
    server = stage.server()
    reader = connect(server.url, concurrency=3).run(deque(requests(50)))
    next(reader)
    time.sleep(0.3)
    assert len(server.asked) >= 6
    reader.close()


def test_a_queue_that_is_empty_for_a_moment_is_not_the_end(stage, connect):
    server = stage.server()
    pending = deque(requests(1))
    seen = []
    for request, _ in connect(server.url).run(pending):
        seen.append(request.key)
        if len(seen) < 20:
            pending.append(Request(len(seen), "again", len(seen), Sampling()))
    assert seen == list(range(20))


def test_an_empty_queue_is_the_end(stage, connect):
    assert list(connect(stage.server().url).run(deque())) == []


def test_several_servers_share_the_work_and_the_faster_has_more(stage, connect):
    slow = stage.server(lambda asked: stage.Reply(stage.echo(asked).body, delay=0.15))
    fast = stage.server(lambda asked: stage.Reply(stage.echo(asked).body, delay=0.01))
    done = ask(connect(slow.url, fast.url, concurrency=4), requests(100))
    assert len(done) == 100
    assert len(slow.asked) + len(fast.asked) == 100
    assert 2 <= len(slow.asked) < len(fast.asked) / 2


def test_the_loader_gives_it_a_name_that_is_no_folder(stage, connect):
    server = stage.server()
    engine = engines.load_engine("openai", "Qwen2.5-7B", urls=[server.url])
    try:
        assert ask(engine, requests(2))[1].status == "ok"
    finally:
        engine.close()
    assert {asked.body["model"] for asked in server.asked} == {"Qwen2.5-7B"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "needs 'urls'"),
        ({"urls": ["http://a/v1", "localhost:8000"]}, "URL number 2 of 'urls' is not a base URL such as http:"),
        ({"urls": "http://u:secret@host:port/v1"}, "URL number 1"),
        ({"urls": "https://host/v1?api-key=secret"}, "URL number 1"),
        ({"urls": [5]}, "URL number 1"),
        ({"urls": "http://a", "concurrency": 0}, "must be a whole number from 1 to 4,096"),
        ({"urls": "http://a", "timeout": -1}, "above 0"),
        ({"urls": "http://a", "concurency": 3}, "concurency"),
        ({"urls": "http://a", "extra": {"top_k": {1}}}, "not JSON serializable"),
    ],
)
def test_a_wrong_option_is_one_sentence_without_secrets(options, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        engines.load_engine("openai", "m", **options)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/", "http://localhost:8000/v1"),
        ("https://API.example.com/openai/v1/", "https://api.example.com/openai/v1"),
        ("http://me:pw@[::1]:80/v1", "http://[::1]:80/v1"),
    ],
)
def test_a_base_url_is_read_without_user_and_password(url, base):
    servers, _ = parse_servers(url, "NO_SUCH_VARIABLE")
    assert [server.url for server in servers] == [base]


SECRET = "sk-test-4242424242abcdef"


def in_base64(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "said",
    [
        SECRET,
        SECRET.upper(),
        f"{SECRET[:8]}\n{SECRET[8:]}",
        f"{SECRET[:8]}\\n{SECRET[8:]}",
        f"{SECRET[:8]}\u200b{SECRET[8:]}",
        " ".join(SECRET),
        "".join(f"%{ord(c):02x}" for c in SECRET),
        "".join(f"\\u{ord(c):04x}" for c in SECRET),
        "".join(f"&#{ord(c)};" for c in SECRET),
        in_base64(SECRET),
        in_base64(f":{SECRET}"),
        in_base64(f"user:{SECRET}"),
        in_base64(f"me:{SECRET} and more"),
        base64.urlsafe_b64encode(b"\xff\xfe" + SECRET.encode()).decode(),
        f"{SECRET}{SECRET}",
        SECRET[:-3],
    ],
)
def test_a_key_is_blotted_out_however_it_is_written(said):
    assert build_redactor([SECRET])(f"The key '{said}' is bad.") == "The key '***' is bad."


def test_a_key_that_looks_like_an_escape_and_one_that_is_no_ascii_are_blotted_out():
    redact = build_redactor(["pass%2Fword", "schlüsselbund"])
    assert redact("pass%2Fword, pass%252Fword, pass/word, schl%C3%BCsselbund, SCHLÜSSELBUND") == ", ".join(["***"] * 5)


def test_a_message_without_the_key_stays_as_it_is():
    said = "The prompt is empty (1 token): \\\\frac{1}{2} %41 &amp; caf\u00e9 \u200b in the test\n\tof this none."
    for secrets in ([SECRET], ["EMPTY"], ["1"], ["sk"], ["test"], ["none"], [], ["", " "]):
        assert build_redactor(secrets)(said) == said


def test_a_short_key_is_blotted_out_as_a_whole_word_only():
    redact = build_redactor(["olive"])
    assert redact("Olive, %6f%6c%69%76%65; olives, to o live") == "***, ***; olives, to o live"


@pytest.mark.timeout(60)  # a second; hours, were it quadratic
def test_a_key_is_looked_for_in_time_that_does_not_grow_with_the_square_of_the_text():
    redact = build_redactor([SECRET])
    assert redact(in_base64(SECRET) * 5000).strip("*") == ""
    redact("ab" * 10**6)


def test_backoff_is_full_jitter_that_doubles_up_to_a_minute():
    rng = random.Random(0)
    for attempt, most in [(1, 1.0), (2, 2.0), (4, 8.0), (7, 60.0), (5000, 60.0)]:
        waits = [draw_backoff(attempt, 1.0, rng) for _ in range(4000)]
        assert max(waits) <= most
        assert Counter(int(8 * wait / most) for wait in waits).most_common()[-1][1] > 380  # of 500 in each eighth


@pytest.mark.parametrize("header", ["", "soon", "-3", "0", "nan", "inf", "1e999", "Thu, 99 Foo 1970"])
def test_a_retry_after_that_says_nothing_is_none(header):
    assert parse_retry_after(header, 100.0) is None
