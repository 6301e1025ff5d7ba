"""What a server says of its model's size, in the form of each server that says it; and how little of it is believed."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from isocompute.runners.config.sweep import Sweep
from isocompute.runners.engines import server_sizes
from isocompute.runners.engines.server_sizes import fetch_served_parameters
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"


def card(**said: object) -> dict:
    return {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, **said}]}


def shown(**info: object) -> dict:
    return {"details": {"parameter_size": "8.0B"}, "model_info": {"general.architecture": "llama", **info}}


LLAMA = card(owned_by="llamacpp", meta={"n_vocab": 49152, "n_params": 134515008, "size": 85000000})
OLLAMA = card(owned_by="library")
VLLM = card(owned_by="vllm", root=str(LAB / "solver"), parent=None, max_model_len=512)


@pytest.fixture
def serving(stage, monkeypatch):
    """Starts a server that answers each path with what is given for it, 404 elsewhere; gives it and its options."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def start(**answers: object):
        paths = {"models": "/v1/models", "show": "/api/show"}
        replies = {paths[name]: answer for name, answer in answers.items()}

        def says(asked):
            answer = replies.get(asked.path, stage.Reply({"error": "not found"}, 404))
            return answer if isinstance(answer, stage.Reply) else stage.Reply(answer)

        server = stage.server(says, models=says)
        return server, {"urls": [server.url]}

    return start


@pytest.mark.parametrize(
    ("answers", "size", "paths"),
    [
        ({"models": LLAMA}, 134515008, ["/v1/models"]),
        ({"models": VLLM}, 860416, ["/v1/models"]),
        (
            {"models": OLLAMA, "show": shown(**{"general.parameter_count": 8030261248})},
            8030261248,
            ["/v1/models", "/api/show"],
        ),
    ],
    ids=["llama.cpp", "vllm", "ollama"],
)
def test_a_server_is_asked_in_its_own_way(serving, answers, size, paths):
    server, options = serving(**answers)
    assert fetch_served_parameters("m", options) == size
    assert [asked.path for asked in server.asked] == paths
    assert [asked.body for asked in server.asked if asked.path == "/api/show"] in ([], [{"model": "m"}])


def test_llama_cpp_serves_its_one_model_whatever_it_is_called(serving):
    assert fetch_served_parameters("any name", serving(models=LLAMA)[1]) == 134515008
    named = card(owned_by="vllm", root=str(LAB / "solver"))
    assert fetch_served_parameters("any name", serving(models=named)[1]) is None
    two = {"data": [*LLAMA["data"], {"id": "other", "owned_by": "llamacpp", "meta": {"n_params": 7}}]}
    assert fetch_served_parameters("any name", serving(models=two)[1]) is None
    assert fetch_served_parameters("other", serving(models=two)[1]) == 7
    alias = card(owned_by="llamacpp", aliases=["mine"], meta={"n_params": 9})
    assert fetch_served_parameters("mine", serving(models={"data": [*alias["data"], *two["data"]]})[1]) == 9


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"models": {"object": "list", "data": []}},
        {"models": card(owned_by="openai")},
        {"models": card(owned_by="llamacpp", meta=None)},
        {"models": card(meta={"n_params": -1})},
        {"models": card(meta={"n_params": True})},
        {"models": card(meta={"n_params": "8B"})},
        {"models": card(meta={"n_params": 10**30})},
        {"models": card(meta={"n_params": 0})},
        {"models": card(root="meta-llama/Llama-3.1-8B-Instruct")},
        {"models": card(root="data/lab/solver")},
        {"models": card(root="/nowhere/at/all")},
        {"models": card(root="/\0")},
        {"models": card(root=7)},
        {"models": [1, 2]},
        {"models": {"data": {"id": "m"}}},
        {"models": {"data": ["m", None, {"id": ["m"], "aliases": "m"}]}},
        {"models": b"[" * 100_000},
        {"models": b"<html>"},
        {"models": OLLAMA, "show": shown()},
        {"models": OLLAMA, "show": shown(**{"general.parameter_count": 30532122624, "llama.expert_count": 128})},
        {"models": OLLAMA, "show": {"model_info": [1]}},
        {"models": OLLAMA, "show": b"\xff\xfe"},
    ],
)
def test_what_a_server_does_not_say_is_unknown(serving, answers):
    assert fetch_served_parameters("m", serving(**answers)[1]) is None


def test_a_folder_that_another_machine_names_is_not_looked_for_here(serving, monkeypatch):
    monkeypatch.setattr(server_sizes, "is_local_url", lambda url: False)
    assert fetch_served_parameters("m", serving(models=VLLM)[1]) is None
    assert fetch_served_parameters("m", serving(models=LLAMA)[1]) == 134515008


def test_servers_that_agree_are_believed_and_others_are_not(serving):
    one, same, other, silent = (
        serving(models=answer)[1]["urls"][0]
        for answer in (LLAMA, LLAMA, card(owned_by="llamacpp", meta={"n_params": 5}), card())
    )
    assert fetch_served_parameters("m", {"urls": [one, same]}) == 134515008
    assert fetch_served_parameters("m", {"urls": [one, other]}) is None
    assert fetch_served_parameters("m", {"urls": [one, silent]}) is None
    assert fetch_served_parameters("m", {"urls": one}) == 134515008


def test_redirects_are_not_followed_and_long_or_late_answers_not_waited_for(stage, serving, monkeypatch):
    beyond, _ = serving(models=LLAMA)
    moved = stage.Reply({}, 302, {"Location": f"{beyond.url}/models"})
    assert fetch_served_parameters("m", serving(models=moved)[1]) is None
    assert beyond.asked == []
    late = stage.Reply(LLAMA, delay=60.0)
    monkeypatch.setattr(server_sizes, "SIZE_QUERY_SECONDS", 0.2)
    server, options = serving(models=late)
    assert fetch_served_parameters("m", options) is None
    assert len(server.asked) == 1
    monkeypatch.setattr(server_sizes, "SIZE_QUERY_SECONDS", 30.0)
    monkeypatch.setattr("isocompute.runners.engines.server_client.LONGEST_RESPONSE_BYTES", 50)
    assert fetch_served_parameters("m", serving(models=LLAMA)[1]) is None


def test_options_that_no_engine_takes_and_servers_that_are_not_there_are_left_to_the_engine(serving):
    server, _ = serving(models=LLAMA)
    server.stop()
    for options in ({"urls": [server.url]}, {}, {"urls": ["localhost"]}, {"urls": [], "speed": 3}, {"retries": -1}):
        assert fetch_served_parameters("m", options) is None


def test_the_key_is_sent_and_never_logged(serving, monkeypatch, caplog):
    key = "sk-live-0123456789abcdef"
    monkeypatch.setenv("MY_KEY", key)
    server, options = serving(models=OLLAMA, show=shown(**{"general.parameter_count": 5}))
    with caplog.at_level(logging.DEBUG):
        assert fetch_served_parameters("m", {**options, "key_env": "MY_KEY"}) == 5
    assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {key}"}
    assert "/v1/models" in caplog.text
    assert key not in caplog.text


@pytest.fixture
def served_sweep(tmp_path, scripted, notes):
    """Sweeps with the engine `openai`, its models scripted; gives the run's sizes and what was said."""

    def run(solver: dict, verifier: dict, **changes: object):
        roles = {
            "solver": {"model": "m", "prompt": "lab-solve", **solver},
            "verifier": {"model": "v", "prompt": "lab-verify", **verifier},
        }
        config = {"run": str(tmp_path / "run"), "task": {"name": "lab", "problems": 1}, "engine": "openai"}
        config |= {"solutions": 1, "verifications": 1, **roles, **changes}
        shown = notes()
        there = Run(run_sweep(Sweep.model_validate(config), shown, load=scripted()).run)
        return there.read_manifest()["parameters"], shown.said

    return run


def test_a_run_holds_what_the_servers_said_when_it_began(serving, served_sweep):
    server, options = serving(models=LLAMA)
    _, silent = serving(models={"data": []})
    sizes, said = served_sweep({"options": options}, {"options": silent})
    assert sizes == {"solver": 134515008}
    assert said == [
        "The size of the solver's model 'm' is 134,515,008 parameters, as the server reports; if fewer are active "
        "per token, as in a mixture of experts, set 'solver.parameters' to that number.",
        "The size of the verifier's model 'v' is unknown: the server does not report it; set 'verifier.parameters'.",
    ]
    asked = len(server.asked)
    server.stop()
    assert served_sweep({"options": options}, {"options": silent, "parameters": 7e9})[0] == {
        "solver": 134515008, "verifier": 7e9,
    }  # fmt: skip
    assert len(server.asked) == asked


def test_the_sweep_file_wins_over_the_server_which_is_then_not_asked(serving, served_sweep):
    server, options = serving(models=LLAMA)
    sizes, said = served_sweep({"options": options, "parameters": 3e9}, {"options": options, "parameters": 1e9})
    assert sizes == {"solver": 3e9, "verifier": 1e9}
    assert (said, server.asked) == ([], [])


def test_one_model_in_both_roles_is_asked_about_once(serving, served_sweep):
    server, options = serving(models=LLAMA)
    assert served_sweep({"options": options}, {"model": "m", "options": options})[0] == {
        "solver": 134515008, "verifier": 134515008,
    }  # fmt: skip
    assert len(server.asked) == 1


def test_another_model_of_a_run_that_has_no_rows_is_asked_about_anew(serving, served_sweep, scripted, tmp_path):
    _, small = serving(models=LLAMA)
    other = {"id": "n", "owned_by": "llamacpp", "meta": {"n_params": 11}}
    _, large = serving(models={"data": [other]})
    served_sweep({"options": small}, {"options": small}, verifications=0)
    sizes, _ = served_sweep({"options": small}, {"model": "n", "options": large})
    assert sizes == {"solver": 134515008, "verifier": 11}


def test_llama_cpp_s_own_server_says_it(llama_server):
    assert fetch_served_parameters("SmolLM2", {"urls": [llama_server]}) == 134515008


@pytest.mark.vllm
def test_vllm_s_own_server_says_it(vllm_server):
    assert fetch_served_parameters("lab", {"urls": [vllm_server]}) == 860416
