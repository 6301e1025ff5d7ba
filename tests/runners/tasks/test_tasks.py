from __future__ import annotations

import json
import random
import subprocess
import sys
from hashlib import sha256

import pytest
from rich.console import Console

from isocompute.cli.screens.runs import print_tasks
from isocompute.errors import ConfigError
from isocompute.runners.config.tasks import TASKS, FileTask, LabTask
from isocompute.runners.parsing.steps import split_steps
from isocompute.runners.tasks import list_generators, list_tasks, load_task, make_lab_problems
from isocompute.runners.tasks.lab import grade_lab_steps
from isocompute.runners.tasks.lab_generator import LAB_LEVELS, parse_lab_question, sample_lab_problem


def test_lab_problems_are_all_different_and_spread_over_the_levels():
    problems = make_lab_problems(50, list(LAB_LEVELS), seed=0)
    assert len({p.problem_id for p in problems}) == len({p.question for p in problems}) == 50
    assert [sum(p.level == level for p in problems) for level in LAB_LEVELS] == [10] * 5


def test_a_longer_list_of_lab_problems_begins_with_the_shorter_one():
    assert make_lab_problems(40, [1, 3], seed=4)[:7] == make_lab_problems(7, [1, 3], seed=4)
    assert make_lab_problems(7, [1, 3], seed=4) != make_lab_problems(7, [1, 3], seed=5)


@pytest.mark.parametrize(
    ("count", "levels", "sentence"),
    [
        (2, [1, 6], "task.levels: the lab has no level 6; it has 1, 2, 3, 4, 5."),
        (2, [1, 1], "task.levels: a level appears twice in [1, 1]."),
    ],
)
def test_bad_levels_are_refused(count, levels, sentence):
    with pytest.raises(ConfigError) as caught:
        make_lab_problems(count, levels, seed=0)
    assert str(caught.value) == sentence


def test_more_problems_than_there_are_is_a_sentence(monkeypatch):
    monkeypatch.setattr(
        "isocompute.runners.tasks.lab_generator.is_held_out", lambda problem: problem.question == "Start with 1."
    )
    with pytest.raises(
        ConfigError, match="level 1 of the lab does not have that many different problems; request fewer"
    ):
        make_lab_problems(1, [1], seed=0)


def test_the_lab_s_task_is_loaded_as_its_block_says():
    task = load_task(LabTask(name="lab", problems=7, levels=[1, 3], seed=4))
    assert (task.problems, task.grader) == (make_lab_problems(7, [1, 3], seed=4), "boxed-number")


def test_a_file_s_task_is_loaded_with_its_columns_and_its_hash(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("id,q,a,b,right,area,hard\nx,Which?,one,two,two,sums,3\n")
    columns = {"question": "q", "answer": "right", "name": "id", "subject": "area", "level": "hard"}
    task = load_task(FileTask(path=str(path), **columns, choices=("a", "b")))
    (problem,) = task.problems
    assert (problem.problem_id, problem.gold, problem.subject, problem.level) == ("x", "B", "sums", 3)
    assert (task.grader, task.origin) == ("letter", {"sha256": sha256(path.read_bytes()).hexdigest()})


def test_more_problems_than_a_file_has_are_not_promised(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "q", "answer": "1"}\n' * 3)
    assert len(load_task(FileTask(path=str(path), problems=3)).problems) == 3
    with pytest.raises(ConfigError, match=r"^task.problems: .*mine.jsonl has 3 problems, but 4 are requested\.$"):
        load_task(FileTask(path=str(path), problems=4))


def test_the_list_of_tasks_has_every_name_that_a_sweep_may_give():
    assert list(list_tasks()) == [*TASKS, "path: FILE"]


@pytest.mark.parametrize("width", [80, 160])
def test_the_list_of_tasks_shows_size_and_grader_in_full(width):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_tasks(console, list_tasks(), list_generators())
    shown = console.export_text()
    assert "…" not in shown
    for name, entry in list_tasks().items():
        line = next(line for line in shown.splitlines() if line.startswith(f"{name} "))
        assert ("any" if entry.size is None else f"{entry.size:,}") in line
        assert entry.grader.split()[0] in line
    assert all(name in shown for names in list_generators().values() for name in names)


def test_listing_the_tasks_loads_none_of_the_libraries_that_make_them():
    code = "import sys; from isocompute.cli.main import main; sys.argv[1:] = ['tasks']\n"
    code += "try: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "gpqa-diamond" in done.stdout
    assert not {"datasets", "reasoning_gym", "torch", "transformers"} & set(done.stderr.split())


def test_a_task_s_origin_can_be_written_into_a_manifest(tmp_path):
    (tmp_path / "mine.jsonl").write_text('{"question": "q", "answer": "1"}\n')
    for block in (LabTask(name="lab", problems=1), FileTask(path=str(tmp_path / "mine.jsonl"))):
        assert json.loads(json.dumps(load_task(block).origin)) == load_task(block).origin


def test_the_steps_of_a_reference_solution_are_right_and_a_slip_is_wrong_alone():
    rng = random.Random(3)
    for level in LAB_LEVELS:
        problem = sample_lab_problem(level, rng)
        assert parse_lab_question(problem.question) == problem
        steps = split_steps(problem.solution, "\n")
        assert grade_lab_steps(problem.question, steps) == [True] * len(steps)
        slip = steps[0].rpartition(" = ")[0] + " = 1\n"
        graded = grade_lab_steps(problem.question, [slip, *steps[1:]])
        assert graded is not None
        assert graded[:2] == [False, False]  # the next line goes on from a number that is not there


def test_steps_of_another_task_are_not_graded():
    assert grade_lab_steps("What is 2 + 2?", ["4"]) is None
    assert grade_lab_steps("Start with 4, add 3.", ["4+3: 7 = 7\n\n\\boxed{7}"]) is None
    assert TASKS["lab"].step_grader == "isocompute.runners.tasks.lab:grade_lab_steps"
    assert not TASKS["gsm8k"].step_grader
