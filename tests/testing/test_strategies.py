"""Every strategy of isocompute passes the suite that it ships; all but the one that learns, by enumeration."""

from __future__ import annotations

import math

from isocompute.planner.strategies.registry import STRATEGIES
from isocompute.testing import StrategySuite


def mean_verdict(verdicts):
    read = [verdict for verdict in verdicts if not math.isnan(verdict)]
    return sum(read) / len(read) if read else 0.0


def share(answers):
    """Give equal chances to some solutions' answers."""
    return {answer: answers.count(answer) / len(answers) for answer in set(answers)}


def vote(answers, weights):
    totals = {}
    for answer, weight in zip(answers, weights, strict=True):
        if answer >= 0:
            totals[answer] = totals.get(answer, 0.0) + weight
    return share([answer for answer, total in totals.items() if math.isclose(total, max(totals.values()))])


def keep_best(answers, values):
    return [answer for answer, value in zip(answers, values, strict=True) if math.isclose(value, max(values))]


class TestSC(StrategySuite):
    strategy = STRATEGIES["sc"]

    def choose(self, answers, verdicts, scores):
        return vote(answers, [1] * len(answers))


class TestGenRM(StrategySuite):
    strategy = STRATEGIES["genrm"]

    def choose(self, answers, verdicts, scores):
        means = [mean_verdict(drawn) * (answer >= 0) for answer, drawn in zip(answers, verdicts, strict=True)]
        return share(keep_best(answers, means))


class TestGenRMVote(StrategySuite):
    strategy = STRATEGIES["genrm+vote"]

    def choose(self, answers, verdicts, scores):
        means = [mean_verdict(drawn) * (answer >= 0) for answer, drawn in zip(answers, verdicts, strict=True)]
        kept = keep_best(answers, means)
        return vote(kept, [1] * len(kept))


class TestWeighted(StrategySuite):
    strategy = STRATEGIES["weighted"]

    def choose(self, answers, verdicts, scores):
        return vote(answers, [mean_verdict(drawn) for drawn in verdicts])


class TestFused(StrategySuite):
    strategy = STRATEGIES["fused"]


class TestBoN(StrategySuite):
    strategy = STRATEGIES["bon"]

    def choose(self, answers, verdicts, scores):
        return share(keep_best(answers, scores))


class TestPRMWeighted(StrategySuite):
    strategy = STRATEGIES["prm-weighted"]

    def choose(self, answers, verdicts, scores):
        return vote(answers, scores)


def test_no_strategy_is_left_out():
    suites = (TestSC, TestGenRM, TestGenRMVote, TestWeighted, TestFused, TestBoN, TestPRMWeighted)
    assert [STRATEGIES[name] for name in STRATEGIES.own] == [suite.strategy for suite in suites]
