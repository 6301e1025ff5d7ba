"""Each adapter on a sample of its format: every value that it takes, and what it leaves unknown."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.schema import (
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
)

TOKENS = ("prompt_tokens", "cached_tokens", "completion_tokens")


def unknown(run):
    return set(run.read_manifest()["imported"]["unknown"])


def test_sc_genrm_scaling_yaml(take, cells, golden):
    run = take("sc-genrm-scaling", golden / "sc-genrm-scaling")
    question = "What is $2+3$?"
    assert cells(run, PROBLEMS_TABLE, "problem_id", "task", "question", "gold") == [
        ("0", "sc-genrm-scaling", question, "5"),
        ("1", "sc-genrm-scaling", question, r"\frac{1}{2}"),
    ]
    assert cells(run, SOLUTIONS_TABLE, "problem_id", "solution_id", "text", "answer", "correct", "status") == [
        ("0", 0, "The final answer is $5$. I hope it is correct.", "5", True, "ok"),
        ("0", 1, r"So the sum is $\boxed{6}$.", "6", False, "ok"),
        ("0", 2, "I do not know.", None, False, "ok"),
        ("1", 0, r"$\boxed{0.5}$", "1/2", True, "ok"),
        ("1", 1, r"$\boxed{\frac12}$", "1/2", True, "ok"),
        ("1", 2, r"$\boxed{2}$", "2", False, "ok"),
    ]
    judged = cells(run, VERIFICATIONS_TABLE, "problem_id", "solution_id", "verification_id", "verdict", "p_yes")
    assert judged == [
        ("0", 0, 0, 1.0, 0.75),
        ("0", 0, 1, 0.0, 0.0),
        ("0", 1, 0, 1.0, 0.75),
        ("0", 1, 1, None, None),
        ("1", 0, 0, 1.0, 0.75),
        ("1", 0, 1, 0.0, 0.0),
        ("1", 2, 0, 0.0, None),
        ("1", 2, 1, 0.0, 0.0),
    ]
    texts = cells(run, VERIFICATIONS_TABLE, "text")
    assert texts[0] == ("Verification: Is the answer correct (Yes/No)? Yes",)
    assert texts[3] == ("cut off before the ver",)
    manifest = run.read_manifest()
    assert manifest["grader"].startswith("math/")
    assert manifest["verdicts"].startswith("verdict-forms/")
    assert manifest["imported"]["files"] == 6
    assert manifest["imported"]["sha256"] is None
    assert unknown(run) == {f"{table}.{column}" for table in ("solutions", "verifications") for column in TOKENS} | {
        "solutions.finish_reason"
    }
    assert check_run(run).is_whole


def test_sc_genrm_scaling_solutions_without_verifications(take, golden):
    run = take("sc_genrm_scaling", golden / "sc-genrm-scaling" / "solutions", "boxed-number")
    assert run.read_manifest()["imported"]["rows"] == {"problems": 2, "solutions": 6, "searches": 0, "verifications": 0}


def test_sc_genrm_scaling_arrays(take, cells, tmp_path):
    scores = np.array([[[0, 1, np.nan], [0.25, 0, 0]], [[1, 1, 1], [0, 0.75, 0]]], dtype=np.float32)
    np.savez(tmp_path / "raw.npz", answers=np.array([[2, -1, 0], [1, 1, 3]], np.int8), gold=[2, 3], scores=scores)
    run = take("sc-genrm-scaling", tmp_path / "raw.npz")
    assert cells(run, PROBLEMS_TABLE, "problem_id", "question", "gold") == [("0", None, "2"), ("1", None, "3")]
    assert cells(run, SOLUTIONS_TABLE, "problem_id", "solution_id", "text", "answer", "correct") == [
        ("0", 0, None, "2", True),
        ("0", 1, None, None, False),
        ("0", 2, None, "0", False),
        ("1", 0, None, "1", False),
        ("1", 1, None, "1", False),
        ("1", 2, None, "3", True),
    ]
    verdicts = cells(run, VERIFICATIONS_TABLE, "verdict")
    assert [verdict for (verdict,) in verdicts] == [0, 1, None, 0.25, 0, 0, 1, 1, 1, 0, 0.75, 0]
    assert run.read_manifest()["grader"] == run.read_manifest()["verdicts"] == "as-logged/sc-genrm-scaling"
    assert len(run.read_manifest()["imported"]["sha256"]) == 64
    assert {"problems.question", "solutions.text", "verifications.text", "verifications.p_yes"} <= unknown(run)
    assert check_run(run).is_whole


def test_search_and_learn_keeps_searches_apart_from_independent_solutions(take, cells, golden):
    run = take("search-and-learn", golden / "search-and-learn")
    assert cells(run, PROBLEMS_TABLE, "problem_id", "question", "gold", "subject", "level") == [
        ("test/algebra/1.json", "What is $2+3$?", "5", "Algebra", 1),
        ("test/algebra/2.json", "What is $2+3$?", "7", "Algebra", 2),
    ]
    solutions = cells(run, SOLUTIONS_TABLE, "problem_id", "solution_id", "answer", "correct", "completion_tokens")
    assert solutions == [
        ("test/algebra/1.json", 0, "5", True, 12),
        ("test/algebra/1.json", 1, "6", False, 5),
        ("test/algebra/2.json", 0, "7", True, 4),
        ("test/algebra/2.json", 1, None, False, 1),
    ]
    assert [scores.tolist() for (scores,) in cells(run, SCORES_TABLE, "step_scores")] == [
        [0.5, 0.25],
        [0.125],
        [1],
        [0],
    ]
    assert cells(run, SOLUTIONS_TABLE, "text")[3] == ("",)
    columns = (
        "problem_id",
        "strategy",
        "n",
        "beam_width",
        "lookahead",
        "seed",
        "answer",
        "correct",
        "generated_tokens",
    )
    assert cells(run, SEARCHES_TABLE, *columns) == [
        ("test/algebra/1.json", "beam", 4, None, None, None, "6", False, None),
        ("test/algebra/2.json", "dvts", 4, 2, 1, 3, "7", True, None),
    ]
    assert {"searches.generated_tokens", "searches.scorer_prompt_tokens", "searches.steps"} <= unknown(run)
    assert check_run(run).is_whole


def test_large_language_monkeys_yaml(take, cells, golden):
    run = take("large-language-monkeys", golden / "large-language-monkeys" / "yaml")
    assert cells(run, PROBLEMS_TABLE, "problem_id", "gold") == [("10", "1,000"), ("3", "5")]
    assert cells(run, SOLUTIONS_TABLE, "problem_id", "solution_id", "answer", "correct") == [
        ("10", 0, "1000", True),
        ("10", 1, None, False),
        ("3", 0, "5", True),
        ("3", 1, "6", False),
        ("3", 2, "5", True),
    ]
    assert run.read_manifest()["grader"] == "numeric/2"


@pytest.mark.parametrize("ending", ["jsonl", "json"])
def test_large_language_monkeys_as_published(take, cells, golden, tmp_path, ending):
    lines = (golden / "large-language-monkeys" / "monkeys.jsonl").read_text().splitlines()
    path = tmp_path / f"monkeys.{ending}"
    path.write_text("\n".join(lines) if ending == "jsonl" else f"[{','.join(lines)}]")
    run = take("large-language-monkeys", path)
    assert cells(run, SOLUTIONS_TABLE, "problem_id", "answer", "correct") == [
        ("test-7", "5", True),
        ("test-7", "6", False),
        ("test-7", "5", True),
        ("test-9", "2", True),
        ("test-9", "2", True),
        ("test-9", "3", False),
    ]


def test_of_code_only_right_and_wrong_are_known(take, cells, golden):
    run = take("large-language-monkeys", golden / "large-language-monkeys" / "code.jsonl")
    assert cells(run, PROBLEMS_TABLE, "problem_id", "gold") == [("test-7", None), ("valid-7", None)]
    assert [row[1:] for row in cells(run, SOLUTIONS_TABLE, "text", "answer", "correct")] == [
        (None, True), (None, False), (None, False), (None, False), (None, True), (None, True),
    ]  # fmt: skip
    assert run.read_manifest()["grader"] == "as-logged/large-language-monkeys"
    assert check_run(run).is_whole


def samples(golden, task):
    return next((golden / "lm-eval").glob(f"samples_{task}_*.jsonl"))


def test_lm_eval_repeats_are_solutions(take, cells, golden):
    run = take("lm-eval", samples(golden, "gsm8k_cot"))
    assert cells(run, PROBLEMS_TABLE, "problem_id", "task", "question", "gold") == [
        ("0", "gsm8k_cot", "Question: How many pens?\nAnswer:", "5"),
        ("1", "gsm8k_cot", "Question: How many pens?\nAnswer:", "12"),
    ]
    assert cells(run, SOLUTIONS_TABLE, "problem_id", "solution_id", "text", "answer", "correct") == [
        ("0", 0, "The answer is 5.", "5", True),
        ("0", 1, "The answer is 6.", "6", False),
        ("0", 2, "five", "5", True),
        ("1", 0, "The answer is 11.", "11", False),
        ("1", 1, "The answer is 12.", "12", True),
        ("1", 2, "The answer is 12.", "12", True),
    ]
    assert run.read_manifest()["grader"] == "numeric/2"


def test_lm_eval_takes_what_the_first_filter_read(take, cells, golden):
    run = take("lm-eval", samples(golden, "capitals"))
    assert cells(run, PROBLEMS_TABLE, "gold") == [("Paris",), ("Rome",)]
    assert cells(run, SOLUTIONS_TABLE, "text", "answer", "correct") == [
        ("It is paris", "paris", True),
        ("No idea", None, False),
    ]
    assert run.read_manifest()["grader"] == "as-logged/lm-eval"


SUMS = [
    ("1", 0, "B", True, 64, 14, 3, "stop"),
    ("1", 1, "C", False, 64, 0, 5, "length"),
    ("two", 0, "A", False, 60, None, 4, "stop"),
    ("two", 1, "C", True, 60, None, 6, "stop"),
]


def zipped(path, log, method, names=("header.json",)):
    """Write a log as an archive, as the tool does."""
    header = json.dumps({key: value for key, value in log.items() if key != "samples"})
    with zipfile.ZipFile(path, "w", method) as archive:
        for sample in reversed(log["samples"]):
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
        for name in names:
            archive.writestr(name, header)


@pytest.mark.parametrize("kind", ["json", "stored", "deflated", "unfinished"])
def test_inspect_ai_epochs_are_solutions(take, cells, golden, tmp_path, kind):
    path = golden / "inspect-ai" / "sums.json"
    if kind != "json":
        log, method = json.loads(path.read_text()), {"stored": zipfile.ZIP_STORED}.get(kind, zipfile.ZIP_DEFLATED)
        path = tmp_path / "sums.eval"
        zipped(path, log, method, ("_journal/start.json",) if kind == "unfinished" else ("header.json",))
    run = take("inspect-ai", path)
    assert cells(run, PROBLEMS_TABLE, "problem_id", "task", "question", "gold") == [
        ("1", "inspect_evals/sums", "2 + 3?\n\n(A) 4\n(B) 5\n(C) 6", "B"),
        ("two", "inspect_evals/sums", "2 + 3?\n\n(A) 4\n(B) 5\n(C) 6", "C"),
    ]
    assert (
        cells(run, SOLUTIONS_TABLE, "problem_id", "solution_id", "answer", "correct", *TOKENS, "finish_reason") == SUMS
    )
    assert run.read_manifest()["grader"] == "letter/2"
    assert run.read_manifest()["imported"]["solver"] == "openai/m"


def test_inspect_ai_says_how_long_a_solution_took_if_it_was_one_call(take, cells, golden, tmp_path):
    log = json.loads((golden / "inspect-ai" / "sums.json").read_text())
    log["samples"][0]["messages"] += [{"role": "assistant", "content": "again"}]
    del log["samples"][1]["output"]["time"]
    (tmp_path / "log.json").write_text(json.dumps(log))
    run = take("inspect-ai", tmp_path / "log.json")
    assert cells(run, SOLUTIONS_TABLE, "started_at", "seconds") == [
        (None, None),
        (None, 1.5),
        (None, None),
        (None, 1.5),
    ]


def test_inspect_ai_logs_in_zstandard_are_read(take, cells, golden, tmp_path):
    log = json.loads((golden / "inspect-ai" / "sums.json").read_text())
    path = tmp_path / "sums.eval"
    zipped(path, log, zipfile.ZIP_STORED)
    path.write_bytes(in_zstandard(path))
    with pytest.raises(NotImplementedError), zipfile.ZipFile(path) as archive:
        archive.read("header.json")
    run = take("inspect-ai", path)
    assert (
        cells(run, SOLUTIONS_TABLE, "problem_id", "solution_id", "answer", "correct", *TOKENS, "finish_reason") == SUMS
    )


def in_zstandard(path) -> bytes:
    """Return a stored archive with each member in two frames of Zstandard, which Python 3.11 cannot write."""
    codec, out, central = pa.Codec("zstd"), io.BytesIO(), []
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            content, name = archive.read(info), info.filename.encode()
            packed = b"".join(codec.compress(half, asbytes=True) for half in (content[:7], content[7:]))
            fields = (0, 93, 0, 33, info.CRC, len(packed), len(content), len(name))
            central.append(
                (
                    struct.pack("<4s6H3I5H2I", b"PK\1\2", 63, 63, *fields[:4], *fields[4:], 0, 0, 0, 0, 0, out.tell()),
                    name,
                )
            )
            out.write(struct.pack("<4s5H3I2H", b"PK\3\4", 63, *fields, 0) + name + packed)
    start = out.tell()
    out.write(b"".join(header + name for header, name in central))
    out.write(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(central), len(central), out.tell() - start, start, 0))
    return out.getvalue()


def test_inspect_ai_samples_that_failed_are_failures(take, cells, golden, tmp_path):
    log = json.loads((golden / "inspect-ai" / "sums.json").read_text())
    sample = log["samples"][3]
    sample |= {"error": {"message": "out of quota"}, "output": {"choices": []}, "scores": {}}
    (tmp_path / "log.json").write_text(json.dumps(log))
    run = take("inspect-ai", tmp_path / "log.json")
    assert cells(run, SOLUTIONS_TABLE, "answer", "correct", "status")[3] == (None, None, "out of quota")
    assert check_run(run).is_whole


def test_inspect_ai_texts_in_parts_and_attachments(take, cells, golden, tmp_path):
    log = json.loads((golden / "inspect-ai" / "sums.json").read_text())
    first, second = log["samples"][0], log["samples"][2]
    parts = [{"type": "reasoning", "reasoning": "ANSWER: A"}, {"type": "text", "text": "attachment://0a"}]
    first["output"] = {"choices": [{"message": {"content": parts}, "stop_reason": "unknown"}]}
    first["attachments"] = {"0a": "ANSWER: B"}
    second["input"] = [{"role": "user", "content": "2 + 3?"}]
    first |= {"model_usage": {"openai/m": {"input_tokens": 9, "output_tokens": 4}}}
    (tmp_path / "log.json").write_text(json.dumps(log))
    run = take("inspect-ai", tmp_path / "log.json")
    assert cells(run, SOLUTIONS_TABLE, "text", "answer", "prompt_tokens", "finish_reason")[0] == (
        "ANSWER: B",
        "B",
        9,
        None,
    )


def test_inspect_ai_scores_as_logged(take, cells, golden):
    run = take("inspect-ai", golden / "inspect-ai" / "sums.json", "as-logged")
    assert [correct for (correct,) in cells(run, SOLUTIONS_TABLE, "correct")] == [True, False, False, True]
    assert run.read_manifest()["grader"] == "as-logged/inspect-ai"


def test_a_table_of_solutions_under_other_names(take, cells, golden):
    named = {"id": "problem_id", "asked": "question", "right": "gold", "reply": "solution"}
    run = take("table", golden / "table" / "solutions.csv", "numeric", **named)
    assert cells(run, PROBLEMS_TABLE, "problem_id", "question", "gold") == [("a", "2 + 3?", "5"), ("b", "2 + 3?", "7")]
    columns = ("problem_id", "solution_id", "text", "answer", "correct", "completion_tokens", "finish_reason")
    assert cells(run, SOLUTIONS_TABLE, *columns) == [
        ("a", 0, "so 5", "5", True, 7, "stop"),
        ("a", 1, "it is 6, I think", "6", False, 9, "length"),
        ("b", 0, "The answer is 7.", "7", True, None, "stop"),
        ("b", 1, "no idea", None, False, 3, "stop"),
    ]


JUDGED = [
    ("a", 0, 0, 1.0, 0.75, 20),
    ("a", 0, 1, 0.0, 0.25, 30),
    ("a", 1, 0, None, None, 25),
    ("a", 1, 1, 1.0, 1.0, 25),
    ("b", 0, 0, 0.0, 0.0, 20),
    ("b", 0, 1, 0.0, None, 20),
    ("b", 1, 0, 1.0, None, 30),
    ("b", 1, 1, None, None, 30),
]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_table_of_verifications(take, cells, golden, tmp_path, ending):
    path = golden / "table" / "verifications.csv"
    if ending != "csv":
        frame = pd.read_csv(path, dtype=object, keep_default_na=False).replace("", None)
        path = tmp_path / f"verifications.{ending}"
        frame.to_parquet(path) if ending == "parquet" else frame.to_json(path, orient="records", lines=True)
    run = take("table", path)
    assert cells(run, SOLUTIONS_TABLE, "problem_id", "solution_id", "answer", "correct", "completion_tokens") == [
        ("a", 0, "x", True, 10),
        ("a", 1, "y", False, 20),
        ("b", 0, None, False, 10),
        ("b", 1, "z", True, 20),
    ]
    columns = ("problem_id", "solution_id", "verification_id", "verdict", "p_yes", "completion_tokens")
    assert cells(run, VERIFICATIONS_TABLE, *columns) == JUDGED
    assert check_run(run).is_whole
