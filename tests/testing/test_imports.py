"""Every import adapter of isocompute passes the suite that it ships."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocompute.runners.imports import IMPORT_FORMATS
from isocompute.testing import ImportSuite

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "imports"


class TestSearchAndLearn(ImportSuite):
    format = "search-and-learn"
    sample = GOLDEN / "search-and-learn" / "best_of_n_completions.jsonl"


class TestMonkeys(ImportSuite):
    format = "large-language-monkeys"
    sample = GOLDEN / "large-language-monkeys" / "monkeys.jsonl"


class TestLMEval(ImportSuite):
    format = "lm-eval"
    sample = GOLDEN / "lm-eval" / "samples_gsm8k_cot_2025-01-31T10-20-30.123456.jsonl"


class TestInspect(ImportSuite):
    format = "inspect-ai"
    sample = GOLDEN / "inspect-ai" / "sums.json"


class TestTable(ImportSuite):
    format = "table"
    grader = "numeric"

    @pytest.fixture(autouse=True)
    def written(self, tmp_path, monkeypatch):
        sample = tmp_path / "sample.csv"
        rows = (f"p{i % 3},7,It is {6 + i % 2}.\n" for i in range(9))
        sample.write_text("problem_id,gold,solution\n" + "".join(rows))
        monkeypatch.setattr(TestTable, "sample", sample, raising=False)


class TestLiveCodeBench(ImportSuite):
    format = "livecodebench"
    sample = GOLDEN / "livecodebench" / "Scenario.codegeneration_2_0.2_eval_all.json"


class TestEvalPlus(ImportSuite):
    format = "evalplus"
    sample = GOLDEN / "evalplus" / "mistralai--Mistral-7B-Instruct-v0.2_vllm_temp_0.0-sanitized_eval_results.json"


class TestCounts(ImportSuite):
    format = "counts"
    sample = GOLDEN / "counts" / "counts.csv"


class TestLighteval(ImportSuite):
    format = "lighteval"

    @pytest.fixture(autouse=True)
    def written(self, tmp_path, monkeypatch):
        sample = tmp_path / "details_x_2025-11-05T14-43-47.148527.parquet"
        rows = [
            {
                "doc": {"query": f"{i}?", "choices": ["7"], "gold_index": [0]},
                "metric": {"extractive_match": float(i % 2)},
                "model_response": {"text": [f"It is {6 + i % 2}."]},
            }
            for i in range(9)
        ]
        pq.write_table(pa.Table.from_pylist(rows), sample)
        monkeypatch.setattr(TestLighteval, "sample", sample, raising=False)


def test_no_format_of_single_files_is_left_out():
    suites = (
        TestSearchAndLearn,
        TestMonkeys,
        TestLMEval,
        TestInspect,
        TestTable,
        TestLiveCodeBench,
        TestEvalPlus,
        TestCounts,
        TestLighteval,
    )
    assert {suite.format for suite in suites} == set(IMPORT_FORMATS.own) - {
        "sc-genrm-scaling"
    }  # whose logs are folders
