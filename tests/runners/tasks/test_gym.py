from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256

import pytest

from isocompute.errors import ConfigError
from isocompute.runners.config.tasks import GymTask
from isocompute.runners.grading.canonical import RATIONAL_PATTERN
from isocompute.runners.tasks import list_generators, load_task, make_gym_problems
from isocompute.runners.tasks.gym import GENERATOR_GRADERS, GENERATOR_SIZE, derive_library_seed, draw_gym_entries

reasoning_gym = pytest.importorskip("reasoning_gym")


def refused(*arguments, **named) -> str:
    with pytest.raises(ConfigError) as caught:
        make_gym_problems(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("generator", sorted(GENERATOR_GRADERS))
def test_a_generator_s_problems_have_one_answer_that_its_own_scorer_calls_right(generator):
    dataset = reasoning_gym.create_dataset(generator, seed=derive_library_seed(generator, 0), size=GENERATOR_SIZE)
    for problem in make_gym_problems(generator, 8):
        index = int(problem.problem_id.rpartition("-")[2])
        entry = dataset[index]
        assert (problem.question, problem.gold) == (entry["question"], entry["answer"].strip())
        assert dataset.score_answer(problem.gold, entry) == 1.0
        assert "\n" not in problem.gold
        assert 0 < len(problem.gold) <= 200
        if GENERATOR_GRADERS[generator] == "numeric":
            assert RATIONAL_PATTERN.fullmatch(problem.gold)
        assert (problem.task, problem.subject) == (f"reasoning-gym/{generator}", dataset.category)


def test_every_process_makes_the_same_problems():
    code = (
        "import random; random.seed({seed})\n"
        "from isocompute.runners.tasks.gym import GENERATOR_GRADERS, make_gym_problems\n"
        "for name in GENERATOR_GRADERS: print(name, [vars(p) for p in make_gym_problems(name, 6, seed=1)])"
    )
    said = []
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code.format(seed=seed)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env, check=True)
        said.append({line.split()[0]: sha256(line.encode()).hexdigest() for line in done.stdout.splitlines()})
    assert said[0] == said[1]
    assert list(said[0]) == list(GENERATOR_GRADERS)


def test_a_longer_list_begins_with_the_shorter_one_and_no_two_are_alike():
    problems = make_gym_problems("self_reference", 120, seed=3)
    assert make_gym_problems("self_reference", 30, seed=3) == problems[:30]
    assert len({p.question for p in problems}) == len({p.problem_id for p in problems}) == 120
    assert problems[-1].problem_id != "self_reference-3-119"  # some were drawn twice, and left out


def test_two_seeds_share_no_problems_though_the_library_s_do():
    draws = [{p.question for p in make_gym_problems("gsm_symbolic", 30, seed)} for seed in range(3)]
    assert len(set().union(*draws)) == 90
    mine, next_one = (reasoning_gym.create_dataset("chain_sum", seed=seed, size=30) for seed in (0, 1))
    assert mine[1]["question"] == next_one[0]["question"]


def test_a_generator_takes_its_options():
    small = make_gym_problems("chain_sum", 20, options={"min_digits": 1, "max_digits": 1, "max_terms": 2})
    assert all(len(p.question.split(":")[1].split()) == 4 for p in small)


def test_the_task_is_loaded_as_its_block_says():
    task = load_task(GymTask(name="reasoning-gym", generator="gcd", problems=5, seed=2, options={"max_value": 50}))
    assert task.problems == make_gym_problems("gcd", 5, 2, {"max_value": 50})
    assert task.grader == "numeric"
    assert task.origin["library"].startswith("reasoning-gym 0.1.")
    seeded = reasoning_gym.create_dataset("gcd", seed=task.origin["library_seed"], size=GENERATOR_SIZE, max_value=50)
    assert seeded[0]["question"] == task.problems[0].question


@pytest.mark.parametrize(
    ("generator", "reason"),
    [
        ("countdown", "has answers that no grader here can compare"),  # several are right
        ("isomorphic_strings", "has answers that no grader here can compare"),  # another problem in every process
        ("gsm8k", "is not a generator of reasoning-gym"),
    ],
)
def test_a_generator_that_is_not_taken_is_refused_with_those_that_are(generator, reason):
    taken = ", ".join(sorted(GENERATOR_GRADERS))
    assert refused(generator, 1) == f"task.generator: '{generator}' {reason}; take one of {taken}."


def test_the_generators_that_are_taken_are_in_the_library():
    from reasoning_gym.factory import DATASETS

    assert set(GENERATOR_GRADERS) <= set(DATASETS)
    assert sorted(name for names in list_generators().values() for name in names) == sorted(GENERATOR_GRADERS)


def test_an_option_that_is_unknown_or_wrong_is_refused():
    assert refused("gcd", 1, options={"maximum": 5}) == (
        "task.options: the option 'maximum' is unknown; gcd takes min_numbers, max_numbers, min_value, max_value."
    )
    assert refused("gcd", 1, options={"seed": 5}).startswith("task.options: the option 'seed' is unknown; ")
    assert refused("gcd", 1, options={"min_value": 9, "max_value": 2}).startswith(
        "task.options: gcd cannot use these options: ",
    )
    assert refused("gcd", 1, options={"max_value": "many"}).startswith("task.options: gcd cannot use these options: ")


def test_more_different_problems_than_there_are_is_a_sentence(monkeypatch):
    monkeypatch.setattr("isocompute.runners.tasks.gym.GENERATOR_SIZE", 300)
    options = {"min_value": 1, "max_value": 3, "max_numbers": 2}
    assert refused("gcd", 10, options=options) == (
        "task.problems: gcd has 9 different problems under these options; request fewer."
    )
    assert len(list(draw_gym_entries("gcd", 0, options))) == 300


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    assert refused("gcd", 1) == "The task 'reasoning-gym' needs its package: pip install 'isocompute[reasoning-gym]'."
