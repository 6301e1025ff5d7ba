"""docs/regret.md: splits are evaluated once, a run that was stopped goes on, and the page says what is in the rows."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from experiments.advice import regret, regret_page
from isocompute.planner.evaluation.pilots import PilotShape

SHAPE = PilotShape(2, 4, 2, 1)
RULES = {"advice": 0.01, "always sc": 0.05, "published law": 0.03, "weighted V=1": 0.004}


def build_row(data, split, lost=0.0, shape=SHAPE):
    regrets = {rule: [value + lost, value + lost + 0.01] for rule, value in RULES.items()}
    return {
        "version": regret.compute_version(),
        "data": data,
        "shape": list(vars(shape).values()),
        "split": split,
        "cost_share": 0.1,
        "budgets": [8.0, 16.0],
        "regret": regrets,
    }


@pytest.fixture
def evaluated(monkeypatch):
    """The splits that are evaluated, in place of what takes long."""
    asked = []

    def evaluate(chunk, version):
        asked.extend(chunk)
        return [build_row(data, split, shape=shape) for data, shape, split in chunk]

    monkeypatch.setattr(regret, "evaluate_chunk", evaluate)
    monkeypatch.setattr(regret, "ProcessPoolExecutor", ThreadPoolExecutor)
    return asked


def test_a_run_that_was_stopped_goes_on(evaluated, tmp_path):
    file = tmp_path / "runs" / "regret.jsonl"
    wanted = [(data, SHAPE, split) for data in ("lab", "world-1") for split in range(12)]
    assert len(regret.collect_rows(wanted[:5], file, 1)) == 5
    old = {**build_row("lab", 5), "version": "older"}
    with file.open("a") as saved:
        saved.write(json.dumps(old) + "\n" + json.dumps(build_row("lab", 6))[:40])  # stopped within a line
    evaluated.clear()
    rows = regret.collect_rows(wanted, file, 1)
    assert evaluated == wanted[5:]
    assert [(row["data"], row["split"]) for row in rows] == [(data, split) for data, _, split in wanted]
    evaluated.clear()
    assert regret.collect_rows(wanted, file, 1) == rows
    assert not evaluated


def test_worlds_have_odd_numbers_and_fewer_splits():
    listed = regret.list_splits(200, ["lab", *regret.WORLDS])
    assert sum(data == "lab" for data, _, _ in listed) == 200 * len(regret.SHAPES["lab"])
    assert sum(data == "world-1" for data, _, _ in listed) == 10 * len(regret.SHAPES["world"])
    assert all(int(name.partition("-")[2]) % 2 == 1 for name in regret.WORLDS)
    assert len(regret.WORLDS) == 20


def test_the_page_has_a_row_for_each_kind_and_shape(tmp_path):
    rows = [build_row("lab", split, lost) for split, lost in enumerate((0.0, 0.01))]
    rows += [build_row(f"world-{number}", 0, number / 1000) for number in (1, 3, 5)]
    regret_page.write_page(tmp_path / "page.md", rows, 2)
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert regret_page.ABSENT in page
    cells = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    lab, worlds, second = cells[1:4]
    # Regrets of 1, 2, 2 and 3 points in two splits, with means of 1.5 and 2.5.
    assert lab[1:] == [
        "2 × (4, 2, 1)",
        "10.0%",
        "2.00 ± 0.50",
        "2.70",
        "0%",
        "25%",
        "6.00",
        "4.00",
        "1.40 (weighted V=1)",
    ]
    assert worlds[0] == "3 worlds"
    assert worlds[3] == "1.80 ± 0.12"
    assert (second[0], second[3]) == ("1 worlds of the second family", "1.80")


def test_a_split_of_a_world_is_a_row(monkeypatch):
    monkeypatch.setattr(regret, "WORLD_PROBLEMS", 6)
    regret.load_data.cache_clear()
    (row,) = regret.evaluate_chunk([("world-1", PilotShape(3, 4, 2, 1), 0)], "v1")
    regret.load_data.cache_clear()
    assert list(row["budgets"]) == [8, 16, 32, 64, 128, 256, 512]
    assert set(row["regret"]) >= set(RULES)
    json.dumps(row)
