"""Details of lighteval: texts, metrics that say how many of them are right, and two forms of the file."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocompute.errors import DataError
from isocompute.runners.imports import ImportOptions, import_logged_run
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE

NAME = "details_lighteval|gsm8k|0_2025-11-05T14-43-47.148527.parquet"


@pytest.fixture
def take(tmp_path):
    """Writes rows as lighteval does, imports them, and returns the summary and the run."""

    def run(rows, grader=None, **choices):
        count = len(list(tmp_path.iterdir()))
        folder = tmp_path / f"out-{count}" / "details" / "org" / "m-1b" / "2025-11-05T14-43-47.148527"
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), folder / NAME)
        target = tmp_path / f"run-{count}"
        summary = import_logged_run(
            "lighteval", str(folder / NAME), str(target), ImportOptions(grader=grader, **choices)
        )
        return summary, Run(target)

    return run


def detail(texts=("It is 7.",), metric=None, gold="7", **response):
    """A row as versions since 0.11 write it."""
    doc = {"query": "3+4?", "choices": ["6", gold], "gold_index": [1], "id": "0", "task_name": "gsm8k"}
    answer = {"text": list(texts), "output_tokens": [[1, 2, 3]] * len(texts), "logprobs": [], **response}
    return {"doc": doc, "metric": metric or {"extractive_match": 1.0}, "model_response": answer}


def old_detail(predictions=("It is 7.",), metrics=None):
    """A row as versions 0.8 to 0.10 write it."""
    return {"example": "3+4?", "full_prompt": "Q: 3+4?", "predictions": list(predictions), "gold": ["7"],
            "choices": [], "gold_index": [], "metrics": metrics or {"qem": 1.0}}  # fmt: skip


def test_a_text_is_right_or_wrong_as_logged(take):
    summary, run = take([detail(), detail(metric={"extractive_match": 0.0})])
    assert (summary.imported.task, summary.imported.solver) == ("lighteval|gsm8k|0", "org/m-1b")
    assert (
        summary.notes[0]
        == "Right or wrong, as logged, is what 'extractive_match' says; --scorer (scorer= in Python) names another."
    )
    solutions = run.read_frame(SOLUTIONS_TABLE)
    assert solutions["correct"].tolist() == [True, False]
    assert solutions["completion_tokens"].tolist() == [3, 3]
    assert run.read_frame(PROBLEMS_TABLE)[["question", "gold"]].to_numpy().tolist() == [["3+4?", "7"]] * 2
    assert check_run(run).is_whole


def test_the_form_of_earlier_versions_is_read(take):
    summary, run = take([old_detail(), old_detail(metrics={"qem": 0.0})])
    assert summary.accuracy == 0.5
    assert run.read_frame(PROBLEMS_TABLE)["gold"].tolist() == ["7", "7"]
    with pytest.raises(DataError, match=r"row 1: the columns are texts of Python, as lighteval before 0\.8 wrote them"):
        take([{name: str(cell) for name, cell in old_detail().items()}])


@pytest.mark.parametrize(
    "metric", ["avg@n:n=4", "pass@k:k=1&n=4&strip_strings=True", "pass@k:k=1", "math_pass@1:4_samples"]
)
def test_of_several_texts_it_is_known_how_many_are_right(take, metric):
    texts = ["7", "8", "9", "6"]
    summary, run = take([detail(texts, {"maj@n:n=4": 1.0, metric: 0.25})])
    solutions = run.read_frame(SOLUTIONS_TABLE)
    assert (summary.accuracy, solutions["correct"].sum(), solutions["text"].isna().all()) == (0.25, 1, True)
    assert any("how many are right, and not which" in note for note in summary.notes)
    _, run = take([detail(texts, {metric: 0.0})])
    assert run.read_frame(SOLUTIONS_TABLE)["text"].tolist() == texts


def test_a_metric_that_does_not_count_right_texts_is_not_taken(take):
    texts = ["It is 7", "It is 8"]
    rows = [detail(texts, {"extractive_match": 1.0, "pass@k:k=2&n=2": 1.0, "avg@n:n=1": 1.0})]
    assert take(rows)[0].grader.startswith("math/")
    assert take(rows, "numeric")[0].accuracy == 0.5
    with pytest.raises(DataError, match=r"'extractive_match' does not say how many of the 2 texts are right"):
        take(rows, scorer="extractive_match")
    with pytest.raises(DataError, match=r"there is no metric 'f1'; there are: extractive_match, pass@k:k=2&n=2, avg"):
        take(rows, scorer="f1")
    several = detail(metric={"bleu": 0.3})
    several["doc"]["gold_index"] = [0, 1]
    with pytest.raises(
        DataError, match=r"no metric says how many of 1 texts are right: bleu; choose one with --scorer"
    ):
        take([several])
    several["metric"] = {"bleu_acc": 1.0}
    assert take([several], scorer="bleu_acc")[0].accuracy == 1


def test_a_partial_score_is_neither(take):
    summary, _ = take([detail(), detail(metric={"extractive_match": 0.4})])
    assert (summary.accuracy, summary.failures) == (1, {"scored as partly right": 1})


def test_the_text_without_thinking_is_taken(take):
    _, run = take([detail(["<think>8</think> 7"], text_post_processed=["7"])])
    assert run.read_frame(SOLUTIONS_TABLE)["text"].tolist() == ["7"]


def test_likelihoods_and_several_files_are_refused(take, tmp_path):
    with pytest.raises(DataError, match="Tasks that compare likelihoods sample nothing"):
        take([detail(texts=())])
    for name in (NAME, NAME.replace("gsm8k", "math")):
        (tmp_path / name).write_bytes(b"PAR1")
    with pytest.raises(DataError, match="holds several tasks or dates; name one: details_lighteval"):
        import_logged_run("lighteval", str(tmp_path), str(tmp_path / "run"))


def test_texts_are_graded_although_the_log_says_only_how_many_are_right(take):
    texts = ["The answer is 7.", "The answer is 8.", "7", "6"]
    summary, run = take([detail(texts, {"pass@k:k=1&n=4": 0.5})], "math")
    solutions = run.read_frame(SOLUTIONS_TABLE)
    assert solutions["text"].tolist() == texts
    assert solutions["correct"].tolist() == [True, False, True, False]
    assert solutions["completion_tokens"].tolist() == [3] * 4
    assert (summary.accuracy, summary.logged_accuracy, summary.differing) == (0.5, 0.5, 0)


@pytest.mark.parametrize(
    ("name", "scorer", "accuracy"),
    [("single", "em", 0.25), ("single", "extractive_match", 0.5), ("pass", "pass@k:k=1&n=4", 0.4375)],
)
def test_details_that_lighteval_wrote_have_the_accuracy_that_it_reports(golden, tmp_path, name, scorer, accuracy):
    (path,) = (golden / "written" / "lighteval").glob(f"details_toy_{name}_*.parquet")
    for grader in ("as-logged", "math"):
        options = ImportOptions(grader=grader, scorer=scorer)
        summary = import_logged_run("lighteval", str(path), str(tmp_path / grader), options)
        assert summary.logged_accuracy == accuracy
        assert summary.imported.task == f"toy_{name}"
    assert summary.accuracy == (0.4375 if name == "pass" else 0.5)
    assert summary.differing == (1 if scorer == "em" else 0)
