"""Logs of lm-evaluation-harness: right or wrong is what its metrics say; filters and metrics can be chosen."""

from __future__ import annotations

import json

import pytest

from isocompute.errors import ConfigError, DataError
from isocompute.runners.imports import ImportOptions, import_logged_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE


@pytest.fixture
def take(tmp_path):
    """Imports lines, or a file, as a run; returns the summary and the solutions."""

    def run(lines, **choices):
        path = lines
        if isinstance(lines, list):
            path = tmp_path / "samples_toy_2025-01-31T10-20-30.123456.jsonl"
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        target = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        summary = import_logged_run("lm-eval", str(path), str(target), ImportOptions(**choices))
        return summary, Run(target).read_frame(SOLUTIONS_TABLE)

    return run


def line(document=0, texts=("7",), filtered=None, name="none", target="", metrics=None):
    """A line of the log, with the metrics as given."""
    scores = {"exact_match": 1.0} if metrics is None else metrics
    return {
        "doc_id": document, "doc": {}, "target": target, "arguments": {"gen_args_0": {"arg_0": "3+4?"}},
        "resps": [list(texts)], "filtered_resps": list(texts) if filtered is None else filtered, "filter": name,
        "metrics": list(scores), **scores,
    }  # fmt: skip


@pytest.mark.parametrize("metric", ["exact_match", "acc", "pass@1", "math_verify", "exact_match,strict-match"])
def test_a_metric_that_says_right_or_wrong_is_taken_as_logged(take, metric):
    summary, solutions = take([line(metrics={"f1": 0.3, metric: 1.0}), line(1, metrics={"f1": 0.3, metric: 0.0})])
    assert solutions["correct"].tolist() == [True, False]
    assert summary.accuracy == 0.5
    assert f"is what '{metric}' says" in summary.notes[0]


def test_a_log_that_says_neither_names_its_metrics(take):
    lines = [line(metrics={"bleu_max": 12.0, "bleu_acc": 1})]
    with pytest.raises(DataError, match="known to say right or wrong: bleu_max, bleu_acc; choose one"):
        take(lines)
    assert take(lines, scorer="bleu_acc")[0].accuracy == 1
    with pytest.raises(DataError, match="there is no metric 'f1'; there are: bleu_max, bleu_acc"):
        take(lines, scorer="f1")


def test_a_share_of_right_texts_is_kept_without_saying_which(take):
    texts = ["a", "b", "c", "d"]
    summary, solutions = take([line(texts=texts, filtered=[texts], metrics={"pass@1": 0.25, "pass@4": 1.0})])
    assert solutions["correct"].tolist() == [True, False, False, False]
    assert solutions["text"].isna().all()
    assert any("how many are right, and not which" in note for note in summary.notes)
    assert summary.accuracy == 0.25
    _, solutions = take([line(texts=texts, filtered=[texts], metrics={"pass@1": 1.0})])
    assert solutions["text"].tolist() == texts


def test_programs_are_right_or_wrong_and_never_compared(take):
    program = "def add(a, b):\n    return a + b"
    for metric in ("pass@1", "pass_at_1"):
        summary, solutions = take([line(texts=(program,), metrics={metric: value}) for value in (1.0, 0.0)])
        assert solutions["correct"].tolist() == [True, False]
        assert solutions["answer"].isna().all()
        assert "Programs are right or wrong as logged; they are never compared with each other." in summary.notes


def test_which_texts_are_right_is_known_where_as_many_equal_the_target(take):
    texts = ["a 7", "b 8", "c 7", "d"]
    read = ["7", "8", "7", "[invalid]"]
    _, solutions = take([line(texts=texts, filtered=[read], target="7", metrics={"exact_match": 0.5})])
    assert solutions["correct"].tolist() == [True, False, True, False]
    assert solutions["text"].tolist() == texts
    _, solutions = take([line(texts=texts, filtered=[read], target="7", metrics={"exact_match": 0.75})])
    assert solutions["correct"].tolist() == [True, True, True, False]
    assert solutions["text"].isna().all()  # one more is right than equal the target


@pytest.mark.parametrize("first", [0.5, 1.0])
def test_texts_are_graded_although_the_log_says_only_how_many_are_right(take, first):
    texts, read = ["It is 7.0", "It is 8"], ["7.0", "8"]
    lines = [
        line(i, texts=texts, filtered=[read], target="3+4\n#### 7", metrics={"exact_match": share})
        for i, share in enumerate([first, 1.5 - first])
    ]
    summary, solutions = take(lines)  # whichever comes first
    assert summary.grader == "numeric/2"
    assert solutions["text"].tolist() == texts * 2
    assert solutions["correct"].tolist() == [True, False] * 2
    assert summary.logged_accuracy == 0.75
    assert summary.differing == 1  # in the document that is all right in the log
    assert take(lines, grader="as-logged")[0].accuracy == 0.75


@pytest.mark.parametrize("metrics", [{"mae": 0.5}, {"acc": 0.5}, {"exact_match": float("nan")}])
def test_a_metric_that_says_neither_is_refused_unless_a_grader_is_named(take, metrics):
    lines = [line(target="3+4\n#### 7", metrics=metrics)]
    with pytest.raises(DataError, match=r"say right or wrong|says neither right nor wrong"):
        take(lines)
    assert take(lines, grader="numeric")[0].accuracy == 1


def test_several_filters_are_named_and_one_is_chosen(take):
    lines = [line(name="strict", metrics={"exact_match": 0.0}), line(name="flexible", metrics={"exact_match": 1.0})]
    summary, _ = take(lines)
    assert summary.accuracy == 0
    assert "of the filter 'strict'; the log has strict, flexible" in summary.notes[0]
    assert take(lines, filter="flexible")[0].accuracy == 1
    with pytest.raises(DataError, match="has no filter 'none'; it has: strict, flexible"):
        take(lines, filter="none")
    with pytest.raises(ConfigError, match=r"--filter \(filter= in Python\) is only for the format lm-eval"):
        import_logged_run("table", ".", "run", ImportOptions(filter="strict"))


def test_a_document_that_comes_again_has_further_solutions(take):
    summary, solutions = take([line(), line(1), line(texts=["8"], metrics={"exact_match": 0.0})])
    assert summary.imported.rows["problems"] == 2
    assert solutions.sort_values(["problem_id", "solution_id"])["correct"].tolist() == [True, False, True]
    with pytest.raises(DataError, match="the document '0' has another target than before"):
        take([line(target="7"), line(target="8")])


@pytest.mark.parametrize("key", ["doc_hash", "doc", "prompt_hash", "arguments"])
def test_documents_that_share_a_number_are_told_apart_by_their_content(take, key):
    contents = [{"gen_args_0": {"arg_0": text}} for text in ("3+4?", "2+5?")]
    lines = [
        line(i) | {key: contents[task] if key[-1] in "cs" else f"{task}{i}"} for task in range(2) for i in range(2)
    ]
    summary, solutions = take([*lines, lines[0] | {"exact_match": 0.0}])
    assert summary.imported.rows["problems"] == 4
    assert sorted(solutions["problem_id"]) == ["0", "0", "0 (2)", "1", "1 (2)"]
    assert "Several documents share a number (doc_id)" in summary.notes[0]
    assert "2 more problems than numbers" in summary.notes[0]


def test_a_document_is_the_same_with_other_examples_in_its_prompt(take):
    lines = [line() | {"doc": {"q": "3+4?"}, "arguments": {"gen_args_0": {"arg_0": text}}} for text in ("a", "b")]
    assert take(lines)[0].imported.rows["problems"] == 1


def test_documents_without_the_chosen_filter_are_counted(take):
    summary, _ = take([line(name="strict"), line(1, name="flexible"), line(2, name="flexible")])
    assert summary.imported.rows["problems"] == 1
    assert "Documents without a line of the filter 'strict' are left out; there are 2." in summary.notes


def test_the_log_s_own_accuracy_of_first_texts_stands_beside_ours(take):
    texts = ["7", "8", "7"]
    lines = [line(i, texts, texts[i : i + 1], target="7", metrics={"exact_match": 1.0 - i}) for i in range(2)]
    summary, _ = take(lines[:1])
    assert summary.accuracy == pytest.approx(2 / 3)
    assert "(1 for 3; the first text of each) in 1 of 1 lines, so the log's verdicts are" in summary.notes[0]
    assert summary.notes[0].endswith("by 'exact_match' the log's own accuracy is 1.000.")
    summary, _ = take(lines)
    assert "texts (1 for 3; such as the first or a vote) in 2 of 2 lines, so" in summary.notes[0]
    assert summary.notes[0].endswith("the log's own accuracy is 0.500.")


def test_a_number_of_outputs_that_is_neither_one_nor_that_of_the_texts_is_said(take):
    texts = ["7", "8", "7"]
    summary, solutions = take([line(0, texts, [texts[:2]], target="7", metrics={"exact_match": 0.5})])
    assert "(2 for 3; such as the first or a vote)" in summary.notes[0]
    assert solutions["correct"].tolist() == [True, False, True]


def test_the_given_logs(take, shared_data):
    folder = shared_data.parent / "cases" / "imports"
    if not folder.is_dir():
        pytest.skip(f"no cases at {folder}")
    expected = {"he4": 0.35, "gsmx": 1.0, "gsmrep": 1.0, "dup": 1.0, "mc": 1.0, "gsm8k": 0.4}
    for name, accuracy in expected.items():
        (path,) = folder.glob(f"samples_{name}_*.jsonl")
        assert take(path)[0].accuracy == pytest.approx(accuracy), name
    (path,) = folder.glob("samples_truthfulqa_gen_*.jsonl")
    assert take(path, scorer="rouge2_acc")[0].accuracy == pytest.approx(0.35)
    assert take(folder / "lm_eval_old_arguments_list.jsonl")[0].accuracy == 0


def test_pass_at_more_than_one_is_no_share_of_right_texts(take):
    texts = ["def f(): return 1", "def f(): return 2"]
    lines = [line(texts=texts, filtered=[texts], target="check(f)", metrics={"pass@1": 0.5, "pass@2": 1.0})]
    assert take(lines)[0].accuracy == 0.5
    with pytest.raises(DataError, match=r"'pass@2' says how likely one of several texts is right.*choose pass@1"):
        take(lines, scorer="pass@2")
