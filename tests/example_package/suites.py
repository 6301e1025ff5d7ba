"""The package passes the suites that isocompute ships: run by tests/test_plugins.py, where it is installed."""

import json
import math

import pytest

from isocompute.figures.registry import FIGURES
from isocompute.planner.strategies.registry import STRATEGIES
from isocompute.runners import engines, grading, scorers
from isocompute.runners.search.registry import SEARCH_STRATEGIES
from isocompute.testing import (
    EngineSuite,
    FigureSuite,
    GraderSuite,
    ImportSuite,
    ScorerSuite,
    SearchSuite,
    StrategySuite,
    TaskSuite,
)


class TestDice(EngineSuite):
    step = "\n\n"

    def load(self):
        return engines.load_engine("dice", "six-sided")

    def make_prompt(self, number):
        return f"Add {number} and 38."


class TestSumChecker(ScorerSuite):
    steps = ("[3, 1]\n\n", "so \\boxed{58}\n\n", "or \\boxed{59}")

    def load(self):
        return scorers.load_scorer("sum-checker", "none")

    def make_question(self, number):
        return f"Add {number} and 38."


class TestChains(SearchSuite):
    entry = SEARCH_STRATEGIES["chains"]


class TestMine(StrategySuite):
    strategy = STRATEGIES["mine"]

    def choose(self, answers, verdicts, scores):
        votes = {}
        for answer, drawn in zip(answers, verdicts, strict=True):
            read = [verdict for verdict in drawn if not math.isnan(verdict)]
            if answer >= 0:
                votes[answer] = votes.get(answer, 0) + (sum(read) / len(read) if read else 0)
        winners = [answer for answer, vote in votes.items() if math.isclose(vote, max(votes.values()))]
        return {answer: 1 / len(winners) for answer in winners}


class TestCoverage(FigureSuite):
    entry = FIGURES["coverage"]


class TestLastNumber(GraderSuite):
    right = (("3 and 4 make 7", "7"), ("\\boxed{007}", "7"))
    wrong = (("it is 7, or 8", "7"), ("seven", "7"))

    def load(self):
        return grading.load_grader_by_name("last-number")


class TestSums(TaskSuite):
    def make_block(self):
        return {"name": "sums", "seed": 3}


class TestAnswers(ImportSuite):
    format = "answers-jsonl"

    @pytest.fixture(autouse=True)
    def written(self, tmp_path, monkeypatch):
        sample = tmp_path / "sample.jsonl"
        lines = [{"problem": f"p{i % 3}", "gold": "7", "text": f"It is {6 + i % 2}."} for i in range(9)]
        sample.write_text("".join(json.dumps(line) + "\n" for line in lines))
        monkeypatch.setattr(type(self), "sample", sample, raising=False)
