"""Logs of inspect_ai: scorers, samples that failed, and tokens that add up."""

from __future__ import annotations

import json

import pytest

import isocompute as iso
from isocompute.errors import ConfigError, DataError
from isocompute.runners.imports import import_logged_run
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
    summary = import_logged_run("inspect-ai", str(path), str(tmp_path / "drop"), "as-logged")
    assert summary.failures == {"scored as partly right": 2, "timeout": 1, "invalidated in the log": 1, "not scored": 1}
    assert summary.accuracy == 0.5
    assert iso.curve(tmp_path / "drop", "sc", S=[1])["accuracy"].tolist() == [0.5]
    summary = import_logged_run("inspect-ai", str(path), str(tmp_path / "wrong"), "as-logged", failed="wrong")
    assert summary.accuracy == pytest.approx(1 / 7)
    assert Run(summary.run).read_manifest()["imported"]["failed"] == "wrong"
    summary = import_logged_run("inspect-ai", str(path), str(tmp_path / "graded"), "numeric")
    assert summary.failures == {"timeout": 1, "invalidated in the log": 1}  # a grader reads what the log does not judge
    with pytest.raises(ConfigError, match="--failed is 'keep'; it must be one of drop, wrong"):
        import_logged_run("inspect-ai", str(path), str(tmp_path / "none"), failed="keep")


def test_inspect_ai_scorers_are_named_and_one_is_chosen(inspect_log, tmp_path):
    scores = {"format": {"value": "C"}, "match": {"value": "I"}}
    path = inspect_log(sample("a", scores=scores), sample("b", scores=scores))
    summary = import_logged_run("inspect-ai", str(path), str(tmp_path / "first"), "as-logged")
    assert summary.accuracy == 1
    assert "is what 'format' says; the log has format, match" in summary.notes[0]
    assert import_logged_run("inspect-ai", str(path), str(tmp_path / "x"), "as-logged", scorer="match").accuracy == 0
    with pytest.raises(DataError, match="there is no scorer 'f1'; there are: format, match"):
        import_logged_run("inspect-ai", str(path), str(tmp_path / "y"), "as-logged", scorer="f1")


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
