from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml

from isocompute.errors import ConfigError
from isocompute.runners import prompts
from isocompute.runners.config.sweep_reading import extract_sweep, read_sweep
from isocompute.runners.config.tasks import TASKS, BenchmarkTask, FileTask

RECIPES = Path(__file__).resolve().parents[3] / "runners" / "recipes"
GOOD = {
    "run": "runs/mine",
    "task": {"name": "lab"},
    "engine": "vllm",
    "solver": {"model": "data/lab/solver", "prompt": "lab-solve"},
    "verifier": {"model": "data/lab/verifier", "prompt": "lab-verify"},
    "solutions": 4,
    "verifications": 2,
}
SWEEP = (
    "run, task, engine, solver, verifier, solutions, solutions_from, problems, thinking_end, verifications, verified, "
    "scorer, step, boxed_ends, scored, searches, seed, checkpoint_seconds, cluster"
)
GIVE = (
    "task: give the 'name' of a task (math500, gsm8k, aime24, aime25, gpqa-diamond, lab, reasoning-gym), "
    "or the 'path' of a file; got "
)
ROLE = "model, prompt, chat, temperature, top_p, max_tokens, stop, thinking_end, logprobs, options, parameters"


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "sweep.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return str(path)

    return write


def changed(at: str, value: object = None):
    """The good file with one key set, or left out where the value is None."""
    content = copy.deepcopy(GOOD)
    *blocks, key = at.split(".")
    place = content
    for block in blocks:
        place = place[block]
    place.pop(key, None)
    return content if value is None else place.update({key: value}) or content


def refused(path: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_sweep(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence.removeprefix(path)


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_reads_and_asks_with_prompts_that_are_there(recipe):
    sweep = read_sweep(str(recipe))
    assert sweep.solutions or sweep.solutions_from
    roles = [role for role in (sweep.solver, sweep.verifier) if role is not None]
    assert {role.prompt for role in roles} <= set(prompts.list_prompts())
    for role in roles:
        assert role.max_tokens < role.options.get("max_model_len", 2**31)


def test_every_named_task_but_gsm8k_has_a_recipe():
    named = {getattr(read_sweep(str(recipe)).task, "name", None) for recipe in RECIPES.glob("*.yaml")}
    assert set(TASKS) - named == {"gsm8k"}


def test_the_recipes_run_in_folders_of_their_own():
    runs = [read_sweep(str(recipe)).run for recipe in RECIPES.glob("*.yaml")]
    assert len(set(runs)) == len(runs)


def test_all_solutions_are_verified_unless_said_otherwise(written):
    assert read_sweep(written(GOOD)).to_verify == 4
    assert read_sweep(written(changed("verified", 3))).to_verify == 3
    assert read_sweep(written(changed("verifications"))).to_verify == 0


def test_a_task_may_be_a_file(written):
    task = read_sweep(written(changed("task", {"path": "mine.jsonl", "name": "id"}))).task
    assert (task.path, task.question, task.answer, task.name) == ("mine.jsonl", "question", "answer", "id")


@pytest.mark.parametrize("name", ["math500", "gsm8k", "aime24", "aime25", "gpqa-diamond"])
def test_a_task_may_be_a_benchmark(written, name):
    task = read_sweep(written(changed("task", {"name": name, "problems": 7, "revision": "main"}))).task
    assert (type(task), task.name, task.problems, task.revision) == (BenchmarkTask, name, 7, "main")
    assert read_sweep(written(changed("task", {"name": name}))).task.problems is None


def test_a_task_may_be_a_generator(written):
    given = {"name": "reasoning-gym", "generator": "gsm_symbolic", "problems": 40, "options": {"difficulty": 1.0}}
    task = read_sweep(written(changed("task", given))).task
    assert (task.generator, task.problems, task.seed, task.options) == ("gsm_symbolic", 40, 0, {"difficulty": 1.0})


def test_a_path_makes_a_task_a_file_whatever_its_name_column_is_called(written):
    task = read_sweep(written(changed("task", {"path": "mine.csv", "name": "lab"}))).task
    assert (type(task), task.name) == (FileTask, "lab")


@pytest.mark.parametrize(
    ("keys", "choices", "grader"),
    [
        ({}, (), None),
        ({"grader": "math"}, (), "math"),
        ({"choices": "options"}, ("options",), None),
        ({"choices": ["a", "b"]}, ("a", "b"), None),
        ({"choices": ["a", "b"], "grader": "letter"}, ("a", "b"), "letter"),
    ],
)
def test_a_file_names_its_choices_and_its_grader(written, keys, choices, grader):
    task = read_sweep(written(changed("task", {"path": "mine.csv", **keys}))).task
    assert (task.choices, task.grader) == (choices, grader)


@pytest.mark.parametrize("task", [{"name": "lab"}, {"name": "aime24"}, {"path": "mine.csv", "choices": "options"}])
def test_a_manifest_gives_the_sweep_back(written, task):
    sweep = read_sweep(written(changed("task", task)))
    assert extract_sweep({"config": json.loads(sweep.model_dump_json())}, "run") == sweep


def test_the_identity_of_a_sweep_is_without_size_place_and_pace(written):
    before = read_sweep(written(GOOD)).build_identity()
    for at, value in (("run", "r"), ("solutions", 9), ("verifications", 9), ("verified", 1), ("checkpoint_seconds", 9)):
        assert read_sweep(written(changed(at, value))).build_identity() == before
    assert read_sweep(written(changed("task.problems", 9))).build_identity() == before
    for option, value in (("replicas", 4), ("device_ids", [1, 2]), ("in_flight", 9)):
        assert read_sweep(written(changed("solver.options", {option: value}))).build_identity() == before
        assert read_sweep(written(changed("verifier.options", {option: value}))).build_identity() == before
        scorer = {"kind": "rlhflow", "model": "prm"}
        scored = [changed("scorer", scorer | {"options": options}) for options in ({}, {option: value})]
        assert len({str(read_sweep(written(config)).build_identity()) for config in scored}) == 1
    for at, value in (("seed", 1), ("solver.temperature", 1), ("task.seed", 1), ("engine", "transformers")):
        assert read_sweep(written(changed(at, value))).build_identity() != before


@pytest.mark.parametrize(
    ("at", "known"),
    [
        ("solution", SWEEP),
        ("task.level", "name, problems, levels, seed"),
        ("solver.temp", ROLE),
        ("verifier.temp", ROLE),
    ],
)
def test_an_unknown_key_is_named_with_those_that_are_known(written, at, known):
    assert refused(written(changed(at, 1))) == f": the key '{at}' is unknown; known here: {known}."


@pytest.mark.parametrize(
    ("task", "known"),
    [
        (
            {"path": "mine.jsonl", "gold": "answer"},
            "path, question, answer, name, subject, level, choices, grader, problems, seed, unanswered",
        ),
        ({"name": "math500", "gold": "answer"}, "name, problems, revision, seed"),
        (
            {"name": "reasoning-gym", "generator": "gcd", "gold": "answer"},
            "name, generator, problems, seed, options",
        ),
    ],
)
def test_an_unknown_key_of_a_task_is_named_with_those_of_that_task(written, task, known):
    assert refused(written(changed("task", task))) == f": the key 'task.gold' is unknown; known here: {known}."


def test_a_generator_must_be_named(written):
    assert refused(written(changed("task", {"name": "reasoning-gym"}))) == ": the key 'task.generator' is missing."


@pytest.mark.parametrize("at", ["run", "engine", "solver", "solutions", "solver.model", "verifier.prompt"])
def test_a_missing_key_is_named(written, at):
    assert refused(written(changed(at))) == f": the key '{at}' is missing."


TAKING = {key: value for key, value in GOOD.items() if key not in ("task", "solver", "solutions")} | {
    "solutions_from": "runs/old"
}
BOTH = (
    "'task' and 'solutions_from' are both given; the problems come with the solutions, so leave 'task' out."
)  # fmt: skip
IDLE = (
    "'solver' has nothing to sample, because the solutions come from 'solutions_from'; leave it out."
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"task": {"name": "lab"}}, BOTH),
        ({"task": {"name": "lab"}, "solver": GOOD["solver"], "solutions": 4}, BOTH),
        ({"solver": GOOD["solver"]}, IDLE),
        (
            {"verifications": 0},
            "nothing is to be sampled; request 'verifications', 'scored' or 'searches'.",
        ),
        ({"solutions": 4, "verified": 5}, "'verified' is 5, more than the 4 solutions."),
        ({"verifier": None}, "verifications are requested, but no 'verifier' is given."),
        (
            {"scorer": {"kind": "rlhflow", "model": "org/prm"}, "searches": [{"strategy": "rebase", "n": 4}]},
            "searches are requested, but no 'solver' is given; name the model that made the solutions.",
        ),
        ({"problems": 0}, "problems: input should be greater than or equal to 1; got 0."),
        ({"solutions_from": ""}, "solutions_from: string should have at least 1 character; got ''."),
    ],
)
def test_what_does_not_go_with_the_solutions_of_another_run_is_refused(written, changes, sentence):
    assert read_sweep(written(TAKING)).solutions is None
    assert refused(written(TAKING | changes)) == f": {sentence}"


@pytest.mark.parametrize(
    ("at", "value", "sentence"),
    [
        (
            "task",
            None,
            "the key 'task' is missing; give it, or 'solutions_from' with the run whose solutions are taken.",
        ),
        ("problems", 3, "'problems' is only for 'solutions_from'; give 'task.problems' instead."),
        (
            "thinking_end",
            "</think>",
            "'thinking_end' is only for 'solutions_from'; give 'solver.thinking_end' instead.",
        ),
    ],
)
def test_what_goes_only_with_the_solutions_of_another_run_is_refused_without_them(written, at, value, sentence):
    assert refused(written(changed(at, value))) == f": {sentence}"


@pytest.mark.parametrize(
    ("at", "value", "sentence"),
    [
        ("solutions", -1, "solutions: input should be greater than or equal to 0; got -1."),
        ("solutions", "many", "solutions: input should be a valid integer; got 'many'."),
        ("solutions", True, "solutions: input should be a valid integer; got True."),
        ("verifications", -1, "verifications: input should be greater than or equal to 0; got -1."),
        ("engine", "llama", "engine: input should be 'vllm', 'transformers', 'openai' or 'openai-batch'; got 'llama'."),
        ("solver.temperature", -1, "solver.temperature: input should be greater than or equal to 0; got -1."),
        ("verifier.top_p", 1.5, "verifier.top_p: input should be less than or equal to 1; got 1.5."),
        ("task.problems", 0, "task.problems: input should be greater than or equal to 1; got 0."),
        ("task", "lab", "task: it must be a block of keys; got 'lab'."),
        ("task", {"name": "math"}, GIVE + "{'name': 'math'}."),
        ("task", {"problems": 3}, GIVE + "{'problems': 3}."),
        ("task", {"name": ["lab"]}, GIVE + "{'name': ['lab']}."),
        ("task", {}, GIVE + "{}."),
        ("task", ["lab"], "task: it must be a block of keys; got ['lab']."),
        ("task", {"path": 3}, "task.path: input should be a valid string; got 3."),
        ("task", {"path": "a.csv", "choices": 3}, "task.choices: input should be a valid tuple; got 3."),
        (
            "task",
            {"path": "a.csv", "choices": "options", "grader": "math"},
            "task.grader: with 'choices' an answer is a letter; leave the grader out; got 'math'.",
        ),
        (
            "task",
            {"path": "a.csv", "grader": "latex"},
            "task.grader: input should be 'boxed-number', 'math', 'letter', 'numeric' or 'exact'; got 'latex'.",
        ),
        ("solver", "data/lab/solver", "solver: it must be a block of keys; got 'data/lab/solver'."),
        ("run", "", "run: string should have at least 1 character; got ''."),
        ("verifier", None, "verifications are requested, but no 'verifier' is given."),
        ("verified", 5, "'verified' is 5, more than the 4 solutions."),
    ],
)
def test_a_bad_value_is_named_with_what_is_right(written, at, value, sentence):
    assert refused(written(changed(at, value))) == f": {sentence}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("run: [", ", line 1: not YAML: expected the node content, but found '<stream end>'."),
        ("run: \x01", ": not YAML: special characters are not allowed."),
        ("[" * 100_000, ", line 1: blocks are nested more than 30 deep."),
        ("", " is not a sweep: it must hold keys such as run, task, engine, solver."),
        ("- run", " is not a sweep: it must hold keys such as run, task, engine, solver."),
    ],
)
def test_what_is_not_yaml_or_not_a_sweep_is_refused(written, text, sentence):
    assert refused(written(text)) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("run: a\nseed: 1\nrun: b", ", line 3: the key 'run' appears twice, first in line 1; remove one of the two."),
        (
            "solver: {model: m, max_tokens: 120,\n max_tokens: 3}",
            ", line 2: the key 'max_tokens' appears twice, first in line 1; remove one of the two.",
        ),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_both_lines(written, text, sentence):
    assert refused(written(text)) == sentence


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none.yaml' cannot be read: No such file or directory\.$"):
        read_sweep(str(tmp_path / "none.yaml"))
    (tmp_path / "latin.yaml").write_bytes("run: é".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin.yaml' is not UTF-8 text\.$"):
        read_sweep(str(tmp_path / "latin.yaml"))


BEAM = {"strategy": "beam", "n": [4, 16], "width": 4, "seeds": 3}
SCORER = {"kind": "rlhflow", "model": "org/prm"}


def test_searches_are_told_apart_by_strategy_slots_width_and_lookahead(written):
    searches = [BEAM, {"strategy": "rebase", "n": 8}, {"strategy": "revise", "n": 8, "width": 2}]
    config = read_sweep(written({**GOOD, "scorer": SCORER, "searches": searches}))
    assert [tuple(shape) for shape in config.searches_by_shape] == [
        ("beam", 4, 4, 0), ("beam", 16, 4, 0), ("rebase", 8, 0, 0), ("revise", 8, 2, 0)
    ]  # fmt: skip
    assert config.revision_prompt == "math-revise"
    assert "searches" not in config.build_identity()
    assert extract_sweep({"config": config.model_dump(mode="json")}, "run") == config


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"searches": [BEAM]}, "no 'scorer' is given"),
        ({"scored": 2}, "no 'scorer' is given"),
        ({"scorer": SCORER, "scored": 10**6}, "'scored' is 1000000, more than the"),
        ({"scorer": SCORER, "searches": [BEAM, BEAM | {"rounds": 5}]}, "two searches have the same strategy"),
        ({"scorer": SCORER, "searches": [{"strategy": "rebase", "n": 4, "width": 2}]}, "'rebase' takes no 'width'"),
        ({"scorer": SCORER, "searches": [{"strategy": "revise", "n": 4, "lookahead": 2}]}, "neither 'rounds' nor"),
        ({"scorer": SCORER, "searches": [BEAM | {"prompt": "math-revise"}]}, "'beam' takes no 'prompt'"),
        ({"scorer": SCORER, "searches": [BEAM | {"n": []}]}, "searches.0.n: "),
        ({"scorer": SCORER, "searches": [BEAM | {"beams": 3}]}, "'searches.0.beams' is unknown; known here: strategy"),
        ({"scorer": SCORER | {"kind": "rlhf"}}, "scorer.kind: "),
        ({"scorer": {"kind": "verdicts", "verifications": 4, "model": "m"}}, "'verdicts' takes no 'model'"),
        ({"scorer": {"kind": "verdicts"}}, (
            "'verifications' is the number of verifications that 'verdicts' samples of a solution; give it"
        )),
        ({"scorer": SCORER | {"verifications": 2}}, "'rlhflow' takes none"),
        ({"scorer": {"kind": "lab"}}, "give its 'model'"),
        (
            {"scorer": {"kind": "verdicts", "verifications": 4}, "verifier": None, "verifications": 0},
            "no 'verifier' is given",
        ),
    ],
)  # fmt: skip
def test_a_search_that_cannot_be_is_named_with_what_is_right(written, changes, sentence):
    assert sentence in refused(written({**GOOD, **changes}))
