"""The benchmarks, through the real `datasets` library, from folders with the hub's layout and columns."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from isocompute.errors import ConfigError, DataError
from isocompute.runners.config.tasks import TASKS, BenchmarkTask
from isocompute.runners.tasks import hub, load_task, read_hub_problems

datasets = pytest.importorskip("datasets")

MATH = [
    {"problem": f"{i}+1?", "solution": "add", "answer": str(i + 1), "subject": "Algebra", "level": 1 + i % 5,
     "unique_id": f"test/algebra/{i}.json"}
    for i in range(3)
]  # fmt: skip
GPQA = [
    {"Record ID": f"rec{i}", "Question": f"Which of {i}?", "Correct Answer": f"right {i}\n", "Incorrect Answer 1": "no",
     "Incorrect Answer 2": "never", "Incorrect Answer 3": "0", "High-level domain": "Physics", "Subdomain": "x"}
    for i in range(40)
]  # fmt: skip


def lines(folder: Path, name: str, rows: list[dict[str, object]]) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def layout(folder: Path, config: str, split: str, file: str) -> None:
    """What a dataset's card says of its files."""
    card = f"configs:\n- config_name: {config}\n  data_files:\n  - split: {split}\n    path: {file}\n"
    (folder / "README.md").write_text(f"---\n{card}---\n")


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Puts a folder in the place of a benchmark's repository."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()

    def place(name: str, rows: list[dict[str, object]]) -> Path:
        folder, source = tmp_path / name, hub.BENCHMARK_SOURCES[name]
        if name == "gpqa-diamond":
            datasets.Dataset.from_list(rows).to_csv(str(folder.mkdir() or folder / "gpqa_diamond.csv"))
            layout(folder, source.config, source.split, "gpqa_diamond.csv")
        elif name == "gsm8k":
            (folder / "main").mkdir(parents=True)
            datasets.Dataset.from_list(rows).to_parquet(str(folder / "main" / "test-00000-of-00001.parquet"))
            layout(folder, source.config, source.split, "main/test-*")
        else:
            lines(folder, f"{source.split}.jsonl", rows)
        monkeypatch.setitem(hub.BENCHMARK_SOURCES, name, replace(source, path=str(folder), size=len(rows)))
        return folder

    return place


def test_the_names_of_the_registry_are_those_of_the_sources():
    assert [name for name, entry in TASKS.items() if entry.block_class is BenchmarkTask] == list(hub.BENCHMARK_SOURCES)


def test_every_source_is_pinned_to_a_commit():
    for source in hub.BENCHMARK_SOURCES.values():
        assert len(source.revision) == 40
        int(source.revision, 16)


def test_math500_has_its_names_subjects_and_levels(mirror):
    mirror("math500", MATH)
    assert [tuple(vars(problem).values()) for problem in read_hub_problems("math500")] == [
        (f"test/algebra/{i}.json", "math500", f"{i}+1?", str(i + 1), "Algebra", i + 1, None) for i in range(3)
    ]


def test_math500_as_it_is_published_reads(mirror, shared_data):
    # This copy has the SHA-256 of test.jsonl at the pinned revision.
    rows = [json.loads(line) for line in (shared_data / "math500.jsonl").read_text().splitlines()]
    mirror("math500", rows)
    problems = read_hub_problems("math500")
    assert len({problem.problem_id for problem in problems}) == len(problems) == 500
    assert [problem.gold for problem in problems] == [row["answer"].strip() for row in rows]


def test_gsm8k_gives_what_follows_the_mark(mirror):
    mirror("gsm8k", [{"question": "6*7?", "answer": "6*7 = <<6*7=42>>42\n#### 1,042"}])
    assert [(p.problem_id, p.gold) for p in read_hub_problems("gsm8k")] == [("1", "1,042")]


@pytest.mark.parametrize("name", ["aime24", "aime25"])
def test_aime_gives_numbers_as_they_stand(mirror, name):
    mirror(name, [{"id": 60, "problem": "p", "solution": "s", "answer": "025", "url": "u", "year": "2024"}])
    assert [(p.problem_id, p.task, p.gold) for p in read_hub_problems(name)] == [("60", name, "025")]


def test_gpqa_shuffles_its_options_by_a_seed_that_the_configuration_holds(mirror):
    mirror("gpqa-diamond", GPQA)
    problems = read_hub_problems("gpqa-diamond", seed=1)
    assert {problem.gold for problem in problems} == set("ABCD")
    for i, problem in enumerate(problems):
        assert problem.question.startswith(f"Which of {i}?\n\n(A) ")
        assert f"\n({problem.gold}) right {i}\n" in f"{problem.question}\n"
        assert (problem.problem_id, problem.subject, problem.level) == (f"rec{i}", "Physics", None)
    assert read_hub_problems("gpqa-diamond", seed=1) == problems
    assert read_hub_problems("gpqa-diamond", seed=2) != problems
    task = BenchmarkTask(name="gpqa-diamond", problems=5, seed=1)
    assert load_task(task).problems == problems[:5]
    assert load_task(task).grader == "letter"


def test_the_origin_names_the_revision_and_the_hash_of_all_that_is_there(mirror):
    folder = mirror("math500", MATH)
    origin = load_task(BenchmarkTask(name="math500", problems=2)).origin
    assert origin == {
        "dataset": str(folder),
        "config": "default",
        "split": "test",
        "revision": hub.BENCHMARK_SOURCES["math500"].revision,
        "sha256": hub.hash_problems(read_hub_problems("math500")),
    }
    mirror_of = load_task(BenchmarkTask(name="math500", revision="main")).origin
    assert (mirror_of["revision"], mirror_of["sha256"]) == ("main", origin["sha256"])
    lines(folder, "test.jsonl", [*MATH[:2], MATH[2] | {"answer": "7"}])
    assert load_task(BenchmarkTask(name="math500")).origin["sha256"] != origin["sha256"]


def test_a_column_that_is_missing_is_one_sentence(mirror):
    mirror("math500", [{"problem": "p", "solution": "s", "unique_id": "u", "subject": "x", "level": 1}])
    with pytest.raises(DataError) as caught:
        read_hub_problems("math500")
    where = f"math500 ({hub.BENCHMARK_SOURCES['math500'].path} at 6e4ed1a2)"
    assert (
        str(caught.value)
        == f"{where}: there is no column 'answer'; it has problem, solution, unique_id, subject, level."
    )


def test_a_row_that_lacks_its_answer_is_named(mirror):
    mirror("math500", [*MATH[:2], MATH[2] | {"answer": ""}])
    with pytest.raises(DataError, match=r"^math500 \(.* at 6e4ed1a2\), row 3: 'answer' is empty\.$"):
        read_hub_problems("math500")


def test_a_split_that_came_in_short_is_refused_at_the_pinned_revision_only(mirror, monkeypatch):
    mirror("math500", MATH)
    monkeypatch.setitem(hub.BENCHMARK_SOURCES, "math500", replace(hub.BENCHMARK_SOURCES["math500"], size=500))
    with pytest.raises(DataError, match=r"there are 3 rows, but this revision has 500\.$"):
        read_hub_problems("math500")
    assert len(read_hub_problems("math500", revision="main")) == 3


def test_more_problems_than_there_are_is_a_sentence(mirror):
    mirror("math500", MATH)
    with pytest.raises(ConfigError, match=r"^task.problems: math500 has 3 problems, but 4 are requested\.$"):
        load_task(BenchmarkTask(name="math500", problems=4))


def test_a_dataset_that_cannot_be_had_is_one_sentence(mirror, monkeypatch):
    folder = mirror("math500", MATH)
    said = r"^task.name: the dataset of 'math500' cannot be loaded: {}\. It is .*, 'default', at 6e4ed1a2; see https://.*\.$"
    monkeypatch.setitem(hub.BENCHMARK_SOURCES, "math500", replace(hub.BENCHMARK_SOURCES["math500"], split="train"))
    with pytest.raises(ConfigError, match=said.format(r"Unknown split \"train\".*")):
        read_hub_problems("math500")
    os.rename(folder, f"{folder}-away")
    with pytest.raises(ConfigError, match=said.format("Couldn't find any data file at .*")):
        read_hub_problems("math500")


def test_a_dataset_that_is_a_script_is_not_run(mirror, tmp_path, monkeypatch):
    folder = mirror("math500", MATH)
    (folder / "math500.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(
        ConfigError, match=r"^task.name: the dataset of 'math500' is a script, .*, which isocompute does"
    ):
        read_hub_problems("math500")
    assert not (tmp_path / "ran").exists()


def test_datasets_before_version_4_is_told_to_run_no_script(monkeypatch):
    def refuse(*arguments, trust_remote_code=None, **named):
        assert trust_remote_code is False
        raise ValueError("The repository contains custom code.\nPlease pass `trust_remote_code=True` to allow it.")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(ConfigError) as caught:
        read_hub_problems("math500")
    assert "trust_remote_code" not in str(caught.value)


def test_offline_a_dataset_that_is_not_there_is_one_sentence(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        ConfigError, match=r"^task.name: the dataset of 'gpqa-diamond' cannot be loaded: Couldn't (reach|find)"
    ):
        read_hub_problems("gpqa-diamond")


def test_a_password_in_a_mirror_s_address_is_not_shown(monkeypatch):
    def refuse(*arguments, **named):
        raise ConnectionError("403 for url: https://me:secret@mirror.example/api\nand more")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(ConfigError) as caught:
        read_hub_problems("aime24")
    assert "secret" not in str(caught.value)
    assert "403 for url: https://mirror.example/api. It is" in str(caught.value)


def test_without_the_library_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigError) as caught:
        read_hub_problems("math500")
    assert str(caught.value) == "The task 'math500' needs datasets: pip install 'isocompute[datasets]'."
