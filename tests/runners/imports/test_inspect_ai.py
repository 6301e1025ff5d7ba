"""Logs of inspect_ai: scorers, samples that failed, and tokens that add up."""

from __future__ import annotations

import io
import json
import sys
import types
import zipfile

import pytest

import isocompute as iso
from isocompute.errors import ConfigError, DataError
from isocompute.runners.imports import IMPORT_FORMATS, ImportOptions, ImportSource, import_logged_run, inspect_package
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE


@pytest.fixture
def inspect_log(tmp_path):
    """Writes a log of inspect_ai with some samples, and returns its path."""

    def write(*samples):
        path = tmp_path / f"log-{len(list(tmp_path.iterdir()))}.json"
        path.write_text(json.dumps({"eval": {"task": "toy", "model": "m"}, "samples": list(samples)}))
        return path

    return write


def sample(name, epoch=1, value="C", usage=None, scores=None, **more):
    """A sample of a log of inspect_ai."""
    output = {"completion": "7", "choices": [{"message": {"content": "7"}, "stop_reason": "stop"}]}
    output |= {} if usage is None else {"usage": usage}
    given = {"match": {"value": value, "answer": "7"}} if scores is None else scores
    return {"id": name, "epoch": epoch, "input": "3+4?", "target": "7", "output": output, "scores": given, **more}


def test_inspect_ai_counts_what_failed_in_the_log_as_asked_for(inspect_log, tmp_path):
    path = inspect_log(
        sample("a"), sample("a", 2, error={"message": "timeout"}), sample("a", 3, invalidation={"reason": "x"}),
        sample("a", 4, scores={"match": {"value": "I", "answer": "8"}}), sample("a", 5, value="P"),
        sample("a", 6, value=0.5), sample("a", 7, scores={}),
    )  # fmt: skip
    summary = import_logged_run("inspect-ai", str(path), str(tmp_path / "drop"), ImportOptions(grader="as-logged"))
    assert summary.failures == {"scored as partly right": 2, "timeout": 1, "invalidated in the log": 1, "not scored": 1}
    assert summary.accuracy == 0.5
    assert iso.curve(tmp_path / "drop", "sc", S=[1])["accuracy"].tolist() == [0.5]
    summary = import_logged_run(
        "inspect-ai", str(path), str(tmp_path / "wrong"), ImportOptions(grader="as-logged", failed="wrong")
    )
    assert summary.accuracy == pytest.approx(1 / 7)
    assert Run(summary.run).read_manifest()["imported"]["failed"] == "wrong"
    summary = import_logged_run("inspect-ai", str(path), str(tmp_path / "graded"), ImportOptions(grader="numeric"))
    assert summary.failures == {"timeout": 1, "invalidated in the log": 1}  # a grader reads what the log does not judge
    with pytest.raises(ConfigError, match=r"--failed \(failed= in Python\) is 'keep'; it must be one of drop, wrong"):
        import_logged_run("inspect-ai", str(path), str(tmp_path / "none"), ImportOptions(failed="keep"))


def test_inspect_ai_samples_with_several_right_answers_are_taken_as_logged_only(inspect_log, tmp_path):
    path = inspect_log(sample("a") | {"target": ["7", "seven"]}, sample("b") | {"target": ["7", "7"]})
    assert (
        import_logged_run("inspect-ai", str(path), str(tmp_path / "run"), ImportOptions(grader="as-logged")).accuracy
        == 1
    )
    sentence = (
        r"has 2 right answers, \['7', 'seven'\], and a grader compares with one only; --grader as-logged \(grader="
    )
    with pytest.raises(DataError, match=sentence):
        import_logged_run("inspect-ai", str(path), str(tmp_path / "graded"), ImportOptions(grader="math"))


def test_inspect_ai_epochs_with_other_right_answers_are_refused(inspect_log, tmp_path):
    path = inspect_log(sample("a"), sample("a", 2) | {"target": "8"})
    with pytest.raises(DataError, match="the sample 'a' has the right answer '8', but in an earlier epoch '7'; give"):
        import_logged_run("inspect-ai", str(path), str(tmp_path / "run"))


def test_inspect_ai_scorers_are_named_and_one_is_chosen(inspect_log, tmp_path):
    scores = {"format": {"value": "C"}, "match": {"value": "I"}}
    path = inspect_log(sample("a", scores=scores), sample("b", scores=scores))
    summary = import_logged_run("inspect-ai", str(path), str(tmp_path / "first"), ImportOptions(grader="as-logged"))
    assert summary.accuracy == 1
    assert any("is what 'format' says; the log has format, match" in note for note in summary.notes)
    assert (
        import_logged_run(
            "inspect-ai", str(path), str(tmp_path / "x"), ImportOptions(grader="as-logged", scorer="match")
        ).accuracy
        == 0
    )
    with pytest.raises(DataError, match="there is no scorer 'f1'; there are: format, match"):
        import_logged_run("inspect-ai", str(path), str(tmp_path / "y"), ImportOptions(grader="as-logged", scorer="f1"))


@pytest.mark.parametrize(
    ("usage", "prompt", "completion"),
    [
        ({"input_tokens": 10, "output_tokens": 20, "total_tokens": 30}, 10, 20),
        ({"input_tokens": 10, "output_tokens": 20, "total_tokens": 530, "reasoning_tokens": 500}, 10, 520),
        ({"input_tokens": 10, "output_tokens": 520, "total_tokens": 530, "reasoning_tokens": 500}, 10, 520),
        ({"input_tokens": 10, "output_tokens": 20, "total_tokens": 38, "input_tokens_cache_read": 8}, 18, 20),
        ({"input_tokens": 18, "output_tokens": 20, "total_tokens": 38, "input_tokens_cache_read": 8}, 18, 20),
    ],
)
def test_inspect_ai_tokens_add_up_to_the_log_s_total(inspect_log, tmp_path, usage, prompt, completion):
    import_logged_run("inspect-ai", str(inspect_log(sample("a", usage=usage))), str(tmp_path / "run"))
    row = Run(tmp_path / "run").read_frame(SOLUTIONS_TABLE).iloc[0]
    assert (row["prompt_tokens"], row["completion_tokens"]) == (prompt, completion)


def read_rows(path):
    """The rows of a log, and the notes on it."""
    source = ImportSource(str(path))
    return list(IMPORT_FORMATS["inspect-ai"].adapter_function(source)), source.notes


def list_logs(golden, shared_data):
    cases = shared_data.parent / "cases" / "imports"
    return [*(golden / "inspect-ai").rglob("*.eval"), *(golden / "inspect-ai").rglob("*.json"), *cases.glob("*.json")]


def test_inspect_ai_s_own_reader_gives_the_same_rows(golden, shared_data, monkeypatch):
    pytest.importorskip("inspect_ai.log")
    for path in list_logs(golden, shared_data):
        if path.name.startswith("lcb_"):
            continue
        by_package = read_rows(path)[0]
        monkeypatch.setattr(inspect_package, "find_spec", lambda name: None)
        assert read_rows(path)[0] == by_package, path.name
        monkeypatch.undo()


@pytest.fixture
def package(monkeypatch):
    """Puts a package in the place of inspect_ai whose reader does as it is told."""

    def use(read_eval_log):
        module = types.ModuleType("inspect_ai.log")
        module.read_eval_log = read_eval_log
        monkeypatch.setitem(sys.modules, "inspect_ai", types.ModuleType("inspect_ai"))
        monkeypatch.setitem(sys.modules, "inspect_ai.log", module)
        monkeypatch.setattr(inspect_package, "find_spec", lambda name: True)

    return use


class PackageSample:
    """A sample as the package holds it."""

    def __init__(self, **fields):
        self.fields = fields

    def model_dump(self, **_):
        return self.fields


def test_samples_are_those_of_the_package_where_it_reads_the_log(package, inspect_log):
    path = inspect_log(sample("a"), sample("b"))
    package(lambda path: types.SimpleNamespace(samples=[PackageSample(**sample("a", value="I"))]))
    rows, notes = read_rows(path)
    assert [row.correct for row in rows if hasattr(row, "correct")] == [False, True]
    assert notes == []


def test_a_log_that_the_package_cannot_read_is_read_without_it(package, inspect_log):
    path = inspect_log(sample("a"))
    whole = read_rows(path)[0]

    def fail(path):
        raise ValueError("no such version\nin this log")

    package(fail)
    rows, notes = read_rows(path)
    assert rows == whole
    assert notes == ["inspect_ai's own reader does not read this log (no such version), so it was read without it."]


def test_the_package_is_given_no_log_that_is_large_or_that_is_refused_here(package, inspect_log, monkeypatch):
    def fail(path):
        raise AssertionError("it was given the log")

    package(fail)
    monkeypatch.setattr(inspect_package, "MAX_PACKAGE_BYTES", 1000)
    rows, notes = read_rows(inspect_log(*(sample(f"s{i}") for i in range(20))))
    assert (len(rows), notes) == (41, [])
    monkeypatch.undo()
    package(fail)
    with pytest.raises(DataError, match="'id', which names the problem, is missing"):
        read_rows(inspect_log({"epoch": 1}))


def write_archive(path, members):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        for name, content in [("header.json", {"eval": {"task": "t", "model": "m"}}), *members]:
            file.writestr(name, json.dumps(content))
    path.write_bytes(held.getvalue())
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_sample_that_was_run_again_counts_as_it_was_written_last(tmp_path):
    name = "samples/a_epoch_1.json"
    path = write_archive(tmp_path / "x.eval", [(name, sample("a", value="I")), (name, sample("a"))])
    assert [row.correct for row in read_rows(path)[0] if hasattr(row, "correct")] == [True]


def test_samples_in_chunks_are_said_to_be_so(tmp_path):
    path = write_archive(tmp_path / "x.eval", [("samples/a_epoch_1/sample.json", sample("a"))])
    with pytest.raises(DataError, match="holds its samples in chunks, which are not read"):
        read_rows(path)


def test_an_early_log_has_a_score_without_a_name(inspect_log):
    early = sample("a", score={"value": "C", "answer": "7"})
    del early["scores"]
    assert [row.correct for row in read_rows(inspect_log(early))[0] if hasattr(row, "correct")] == [True]


def test_a_scorer_is_chosen_once_for_all_samples(inspect_log, tmp_path):
    rows = [sample(i, scores={"b": {"value": "C"}} | ({"a": {"value": "I"}} if i else {})) for i in range(4)]
    summary = import_logged_run(
        "inspect-ai", str(inspect_log(*rows)), str(tmp_path / "run"), ImportOptions(grader="as-logged")
    )
    assert summary.accuracy == 1.0
    assert any("Right or wrong is what 'b' says" in note for note in summary.notes)
    summary = import_logged_run(
        "inspect-ai", str(inspect_log(*rows)), str(tmp_path / "a"), ImportOptions(grader="as-logged", scorer="a")
    )
    assert (summary.accuracy, summary.failures) == (0.0, {"not scored": 1})


@pytest.mark.parametrize("value", [8, {"correct": 1, "style": 0.5}, "good"])
def test_a_score_that_says_neither_is_refused_unless_a_grader_is_named(inspect_log, tmp_path, value):
    path = inspect_log(sample(1, scores={"a": {"value": value}}))
    with pytest.raises(DataError, match=r"the scorer .a. says .*, which is neither right nor wrong"):
        import_logged_run("inspect-ai", str(path), str(tmp_path / "none"))
    assert (
        import_logged_run("inspect-ai", str(path), str(tmp_path / "run"), ImportOptions(grader="numeric")).accuracy
        is not None
    )
