"""Logs that lm-evaluation-harness and inspect_ai wrote themselves: an import agrees with the tools' own results.

The committed logs are read, and in `make soak` also logs that both tools have just written.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

import isocompute as iso
from experiments.golden_logs.make import HERE, PRIVATE_TEXT
from isocompute.errors import DataError
from isocompute.runners.imports import ImportOptions, import_logged_run
from isocompute.runners.imports.source import ImportSource
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE

ROOT = Path(__file__).resolve().parents[3]
WRITTEN = ROOT / "tests" / "golden" / "imports" / "written"


def require_registry():
    """Skip a test where no package registry can be reached."""
    pin = next(line for line in (HERE / "lm_eval.lock").read_text().splitlines() if line.startswith("lm_eval=="))
    command = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--no-deps", "--retries", "1", pin]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no package registry offers {pin}: {done.stderr.strip().splitlines()[-1]}")


pytestmark = pytest.mark.timeout(3600)  # two installations and a model: many minutes on a busy machine


@pytest.fixture(scope="module", params=["committed", pytest.param("written anew", marks=pytest.mark.soak)])
def logs(request, tmp_path_factory):
    """The folder with the logs of both tools."""
    if request.param == "committed":
        return WRITTEN
    request.getfixturevalue("smollm")
    request.getfixturevalue("need")("xllamacpp")
    require_registry()
    folder = tmp_path_factory.mktemp("written")
    command = [sys.executable, "-m", "experiments.golden_logs.make", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture
def take(tmp_path):
    """Imports a log as a run; returns the summary, the run's folder and the solutions."""

    def run(name, path, grader="as-logged", **choices):
        target = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        summary = import_logged_run(name, str(path), str(target), ImportOptions(grader=grader, **choices))
        return summary, target, Run(target).read_frame(SOLUTIONS_TABLE)

    return run


def find_samples(logs, task):
    """Return the file with a task's lines, and what the tool reports of the task."""
    (path,) = (logs / "lm-eval").glob(f"samples_{task}_????-*.jsonl")
    report = json.loads(path.with_name(f"results_{path.stem.rpartition('_')[2]}.json").read_text())
    return path, report["results"][task], report


def read_lines(path, filter):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line["filter"] == filter]


FILTERS = [(task, name) for task in ("sums", "sums_chat") for name in ("strict-match", "flexible-extract")]


@pytest.mark.parametrize(("task", "name"), FILTERS)
def test_lm_eval_filters_have_the_accuracy_that_the_tool_reports(logs, take, task, name):
    path, reported, report = find_samples(logs, task)
    summary, run, solutions = take("lm-eval", path, filter=name)
    assert summary.accuracy == summary.logged_accuracy == pytest.approx(reported[f"exact_match,{name}"])
    repeats = report["configs"][task]["repeats"]
    assert solutions.groupby("problem_id").size().tolist() == [repeats] * report["n-samples"][task]["effective"]
    assert f"of the filter '{name}'; the log has strict-match, flexible-extract" in summary.notes[0]
    assert summary.imported.task == task
    if name == "strict-match":
        assert take("lm-eval", path)[0].accuracy == summary.accuracy  # the first is the default
        curve = iso.curve(run, "sc", S=[1])
        assert curve["accuracy"].tolist() == pytest.approx([reported[f"exact_match,{name}"]])


@pytest.mark.parametrize("name", ["strict-match", "flexible-extract"])
def test_lm_eval_repeats_are_right_where_the_filter_read_the_target(logs, take, name):
    path, _, _ = find_samples(logs, "sums")
    _, _, solutions = take("lm-eval", path, filter=name)
    found = {
        document: list(zip(rows["text"], rows["answer"].fillna("[invalid]"), rows["correct"], strict=True))
        for document, rows in solutions.sort_values("solution_id").groupby("problem_id")
    }
    for line in read_lines(path, name):
        read = line["filtered_resps"][0]
        right = [answer == line["target"] for answer in read]
        assert sum(right) == 4 * line["exact_match"]  # the tool compares without options in this task
        assert found[str(line["doc_id"])] == list(zip(line["resps"][0], read, right, strict=True))


def test_lm_eval_texts_are_graded_beside_what_the_log_says(logs, take):
    path, reported, _ = find_samples(logs, "sums")
    summary, _, solutions = take("lm-eval", path, "numeric")
    assert summary.logged_accuracy == pytest.approx(reported["exact_match,strict-match"])
    assert summary.differing == (solutions["correct"] != take("lm-eval", path)[2]["correct"]).sum()


@pytest.mark.parametrize("name", ["score-first", "maj@4"])
def test_lm_eval_filters_that_keep_one_of_four_texts_need_a_grader(logs, take, name):
    path, reported, _ = find_samples(logs, "sums")
    with pytest.raises(DataError, match="the log does not say whether the solution is right; name a grader"):
        take("lm-eval", path, filter=name)
    summary, _, solutions = take("lm-eval", path, "numeric", filter=name)
    assert solutions["text"].tolist() == take("lm-eval", path, "numeric")[2]["text"].tolist()
    assert summary.logged_accuracy is None
    (note,) = [note for note in summary.notes if "exact_match" in note]
    assert f"The filter '{name}' has another number of outputs than texts (1 for 4" in note
    assert note.endswith(f"by 'exact_match' the log's own accuracy is {reported[f'exact_match,{name}']:.3f}.")


@pytest.mark.parametrize(("task", "metrics"), [("words", "bleu, word_f1"), ("distances", "distance")])
@pytest.mark.parametrize("grader", [None, "as-logged"])
def test_lm_eval_metrics_that_say_neither_right_nor_wrong_are_named(logs, take, task, metrics, grader):
    path, reported, _ = find_samples(logs, task)
    assert all(f"{metric},none" in reported for metric in metrics.split(", "))
    with pytest.raises(DataError, match=f"none of the metrics is known to say right or wrong: {metrics}; choose one"):
        take("lm-eval", path, grader)
    assert take("lm-eval", path, "numeric" if task == "distances" else "exact")[0].logged_accuracy is None


def test_lm_eval_metrics_that_hold_texts_cannot_be_chosen(logs, take):
    path, _, _ = find_samples(logs, "words")
    with pytest.raises(DataError, match=r"the metric 'bleu' is \['Bonjour', .*\], which says neither right nor wrong"):
        take("lm-eval", path, scorer="bleu")


def test_lm_eval_tasks_that_compare_likelihoods_sample_nothing(logs, take):
    path, reported, _ = find_samples(logs, "cities")
    assert {"acc,none", "acc_norm,none"} <= set(reported)
    with pytest.raises(DataError, match=r"Tasks that compare likelihoods sample nothing\."):
        take("lm-eval", path)


def test_lm_eval_questions_of_a_chat_are_its_messages(logs, take):
    path, _, _ = find_samples(logs, "sums_chat")
    _, run, _ = take("lm-eval", path)
    (question, *_) = Run(run).read_frame(PROBLEMS_TABLE)["question"]
    assert json.loads(question) == [{"role": "user", "content": "What is 4 + 4? Answer with one short sentence."}]


def find_inspect_log(logs, task, ending="json"):
    (path,) = (logs / "inspect-ai").glob(f"*_{task}_*.{ending}")
    return path


def read_reported(log, scorer):
    """Return the accuracy that the tool reports, and that of each problem."""
    (score,) = (score for score in log["results"]["scores"] if score["name"] == scorer)
    (reduced,) = (reduced["samples"] for reduced in log["reductions"] if reduced["scorer"] == scorer)
    return score["metrics"]["accuracy"]["value"], {each["sample_id"]: each["value"] for each in reduced}


@pytest.mark.parametrize(("task", "scorer"), [("sums", "match"), ("sums", "closeness"), ("thinking", "match")])
def test_inspect_ai_scorers_have_the_accuracy_that_the_tool_reports(logs, take, task, scorer):
    path = find_inspect_log(logs, task)
    log = json.loads(path.read_text())
    accuracy, by_problem = read_reported(log, scorer)
    summary, _, solutions = take("inspect-ai", path, scorer=scorer)
    credit = {"ok": lambda row: float(row.correct), "scored as partly right": lambda row: 0.5}
    credits = defaultdict(list)
    for row in solutions.itertuples():
        if row.status in credit:
            credits[row.problem_id].append(credit[row.status](row))
    means = {problem: sum(values) / len(values) for problem, values in credits.items()}
    assert means == pytest.approx(by_problem)
    assert sum(means.values()) / len(means) == pytest.approx(accuracy)
    assert len(solutions) == log["results"]["total_samples"]
    if task == "sums":
        assert any(f"is what '{scorer}' says; the log has match, closeness" in note for note in summary.notes)


@pytest.mark.parametrize("scorer", ["match", "closeness"])
def test_inspect_ai_samples_without_a_verdict_are_dropped_or_wrong(logs, take, scorer):
    path = find_inspect_log(logs, "sums")
    log = json.loads(path.read_text())
    values = Counter(
        "made to fail" if sample.get("error") else str(sample["scores"][scorer]["value"]) for sample in log["samples"]
    )
    assert log["results"]["total_samples"] - log["results"]["completed_samples"] == values["made to fail"] == 1
    reasons = {"RuntimeError('made to fail')": 1, "scored as partly right": values["P"], "not scored": values["nan"]}
    failures = {reason: count for reason, count in reasons.items() if count}
    dropped, _, _ = take("inspect-ai", path, scorer=scorer)
    wrong, _, _ = take("inspect-ai", path, scorer=scorer, failed="wrong")
    assert dropped.failures == wrong.failures == failures
    assert dropped.accuracy == pytest.approx(values["C"] / (values["C"] + values["I"]))
    assert wrong.accuracy == pytest.approx(values["C"] / log["results"]["total_samples"])


@pytest.mark.parametrize("task", ["sums", "thinking"])
def test_inspect_ai_tokens_add_up_to_those_that_the_tool_reports(logs, take, task):
    path = find_inspect_log(logs, task)
    (usage,) = json.loads(path.read_text())["stats"]["model_usage"].values()
    _, _, solutions = take("inspect-ai", path)
    assert solutions["prompt_tokens"].sum() + solutions["completion_tokens"].sum() == usage["total_tokens"]
    assert solutions["cached_tokens"].sum() == usage["input_tokens_cache_read"]


def test_inspect_ai_tokens_of_reasoning_are_counted_once(logs, take):
    summary, _, solutions = take("inspect-ai", find_inspect_log(logs, "thinking"))
    rows = solutions.assign(is_timed=solutions["seconds"].notna())
    rows = rows[["problem_id", "prompt_tokens", "completion_tokens", "is_timed"]].drop_duplicates()
    assert sorted(rows.itertuples(index=False, name=None)) == [
        ("cached", 12, 10, True), ("inside", 12, 40, True), ("outside", 12, 40, True), ("twice", 24, 20, False),
    ]  # fmt: skip
    assert set(solutions["text"].dropna()) == {"The sum is 13.", "The sum is 14."}
    assert summary.failures == {"invalidated in the log": 1, "RuntimeError('made to fail')": 1}


@pytest.mark.parametrize("task", ["sums", "thinking"])
def test_inspect_ai_logs_are_the_same_in_both_formats(logs, take, task):
    tables = [take("inspect-ai", find_inspect_log(logs, task, ending))[2] for ending in ("json", "eval")]
    first, second = (table.sort_values(["problem_id", "solution_id"]).reset_index(drop=True) for table in tables)
    key = ["problem_id", "text", "answer", "correct", "status", "completion_tokens"]
    assert Counter(map(str, first[key].values.tolist())) == Counter(map(str, second[key].values.tolist()))


def test_the_command_takes_filter_scorer_and_what_failed(logs, command, tmp_path):
    path, reported, _ = find_samples(logs, "sums")
    options = ("--grader", "as-logged", "--json")
    said = command("import", "lm-eval", path, "-o", tmp_path / "a", "--filter", "flexible-extract", *options)
    assert json.loads(said.out)["accuracy"] == pytest.approx(reported["exact_match,flexible-extract"])
    path = find_inspect_log(logs, "sums")
    values = [sample["scores"].get("closeness", {}).get("value") for sample in json.loads(path.read_text())["samples"]]
    options = ("--scorer", "closeness", "--failed", "wrong", *options)
    said = command("import", "inspect-ai", path, "-o", tmp_path / "b", *options)
    assert json.loads(said.out)["accuracy"] == pytest.approx(values.count("C") / len(values))


def test_the_logs_name_no_folder_of_a_machine(logs):
    texts = [path.read_text() for path in logs.rglob("*.json*")]
    for path in logs.rglob("*.eval"):
        with ImportSource(str(path)).open_archive(path) as archive:
            named = [name for name in archive.names if name.startswith(("header", "samples/"))]
            texts += [json.dumps(archive.read_json(name)) for name in named]
    assert len(texts) > 20
    for text in texts:
        assert not PRIVATE_TEXT.search(text)
