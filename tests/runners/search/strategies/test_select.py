from __future__ import annotations

import math
import random
from collections import Counter
from itertools import permutations

import pytest

from isocompute.runners.search.strategies import SELECTION_RULES, select_candidate
from isocompute.runners.search.strategies.node import Node, make_root_node


def candidates(*given):
    """Nodes from (score, answer) or (score, answer, end), and their answers."""
    nodes, answers = [], {}
    for i, (score, answer, *end) in enumerate(given, 1):
        luck = (i * 0.381966) % 1
        nodes.append(Node(i, make_root_node(), 1, "", (), 1, end[0] if end else "stop", (score,), score, luck))
        answers[i] = answer
    return nodes, answers


GIVEN = [(0.9, "7"), (0.5, "3"), (0.5, "3"), (0.2, "5"), (0.2, "5"), (0.2, "5")]


@pytest.mark.parametrize(("rule", "number"), [("vanilla", 1), ("weighted", 2), ("majority", 4)])
def test_each_rule_selects_by_its_own_sum(rule, number):
    nodes, answers = candidates(*GIVEN)
    selected = select_candidate(nodes, answers, rule)
    assert answers[selected.id] == answers[number]
    assert selected.score == nodes[number - 1].score


@pytest.mark.parametrize("rule", SELECTION_RULES)
def test_the_order_of_the_candidates_does_not_matter(rule):
    nodes, answers = candidates((0.5, "7"), (0.5, "3"), (0.5, "7"), (0.5, "3"))
    assert len({select_candidate(order, answers, rule).id for order in permutations(nodes)}) == 1


@pytest.mark.parametrize("rule", SELECTION_RULES)
def test_an_unfinished_candidate_is_never_selected_while_there_is_a_finished_one(rule):
    nodes, answers = candidates((0.9, "7", None), (0.9, "7", "length"), (0.1, "3"))
    assert select_candidate(nodes, answers, rule).id == 3
    nodes, answers = candidates((0.9, "7", None), (0.8, "7", "length"))
    assert select_candidate(nodes, answers, rule).id == 1


@pytest.mark.parametrize("rule", ["weighted", "majority"])
def test_who_has_no_answer_has_no_vote(rule):
    nodes, answers = candidates((0.9, None), (0.9, None), (0.1, "3"))
    assert select_candidate(nodes, answers, rule).id == 3
    nodes, answers = candidates((0.1, None), (0.9, None))
    assert select_candidate(nodes, answers, rule).id == 2


def test_a_candidate_that_is_there_twice_counts_twice():
    nodes, answers = candidates((0.5, "3"), (0.6, "7"))
    assert select_candidate([nodes[0], nodes[0], nodes[1]], answers, "weighted").id == 1
    assert select_candidate([nodes[0], nodes[0], nodes[1]], answers, "majority").id == 1


def test_a_score_that_is_nan_weighs_nothing_and_comes_last():
    nodes, answers = candidates((math.nan, "3"), (-5.0, "7"))
    assert select_candidate(nodes, answers, "vanilla").id == 2
    nodes, answers = candidates((math.nan, "3"), (0.1, "7"))
    assert select_candidate(nodes, answers, "weighted").id == 2


def test_tied_answers_are_selected_equally_often_however_many_they_are_of():
    wins, rng = Counter(), random.Random(0)
    for _ in range(4000):
        luck = [rng.random() for _ in range(3)]
        nodes = [
            Node(i + 1, make_root_node(), 1, "", (), 1, "stop", (), s, luck[i]) for i, s in enumerate((0.5, 0.5, 1.0))
        ]
        wins[select_candidate(nodes, {1: "a", 2: "a", 3: "b"}, "weighted").id > 2] += 1
    assert wins[True] / 4000 == pytest.approx(0.5, abs=0.05)
