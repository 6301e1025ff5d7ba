"""Sweeps that stop when the decision is good enough."""

from __future__ import annotations

import pytest
import yaml

import isocompute as iso
from isocompute.errors import ConfigError
from isocompute.planner.pilot.stopping import parse_stopping_rule
from isocompute.runners.sampling import sweep as sweeping
from isocompute.runners.sampling.sweep import list_batch_sizes, run_sweep
from isocompute.runners.storage.run import Run


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(sweeping, "FIRST_BATCH", 3)


def test_a_sweep_stops_after_a_batch_and_keeps_the_reason(small, scripted):
    looks = []

    def should_stop(run: Run) -> str | None:
        looks.append(len(iso.open_run(run.path).problems))
        return "after 5 problems" if looks[-1] >= 5 else None

    config = small(task={"name": "lab", "problems": 12})
    summary = run_sweep(config, load=scripted(), should_stop=should_stop)
    assert looks == [3, 5]
    assert summary.stopped == "after 5 problems"
    assert summary.sampled == 5 * (6 + 18)
    assert Run(config.run).read_manifest()["stopped"] == "after 5 problems"
    assert iso.fit(config.run, lam=1.0).problems == 5  # it is a whole run of fewer problems


def test_a_stopped_sweep_goes_on_and_gets_the_same_rows(small, scripted, tmp_path):
    changes = {"task": {"name": "lab", "problems": 8}}
    config = small(**changes)
    run_sweep(config, load=scripted(), should_stop=lambda run: "now")
    begun = iso.open_run(config.run).problems["problem_id"].tolist()
    again = run_sweep(config, load=scripted(), should_stop=lambda run: None)
    assert again.stopped is None
    assert "stopped" not in Run(config.run).read_manifest()
    other = small(run=str(tmp_path / "other"), **changes)
    run_sweep(other, load=scripted())
    first, second = iso.open_run(config.run), iso.open_run(other.run)
    assert set(begun) < set(second.problems["problem_id"])
    columns = ["problem_id", "solution_id", "text"]
    assert first.solutions[columns].equals(second.solutions[columns])
    # the batch is no prefix of the data, whose order may be by difficulty
    assert begun != second.problems["problem_id"].tolist()[: len(begun)]


def test_batches_grow_and_end_with_all_problems():
    assert list_batch_sizes(3) == [3]
    assert list_batch_sizes(1) == [1]
    assert list_batch_sizes(10) == [3, 5, 8, 10]


def test_the_command_stops_by_its_rule(small, scripted, command, tmp_path, monkeypatch):
    from isocompute.runners import engines

    monkeypatch.setattr(engines, "load_engine", scripted())
    monkeypatch.setattr(run_sweep, "__defaults__", (None, scripted(), *run_sweep.__defaults__[2:]))
    config = small(task={"name": "lab", "problems": 12})
    file = tmp_path / "sweep.yaml"
    file.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_defaults=True)))
    ended = command("sweep", file, "--until", "regret < 99 at 2x")
    assert ended.code == 0, ended.err
    assert "Stopped after 3 problems the expected regret at 2x is" in " ".join(ended.out.split())
    assert command("sweep", file, "--until", "soon").code == 2
    assert command("sweep", file, "--until", "regret < 1", "--dry-run").code == 2


@pytest.mark.parametrize("text", ["regret > 1", "regret < 0", "regret < 1 at 0.5x", "accuracy < 1", 3, ""])
def test_rules_that_mean_nothing_are_refused(text):
    with pytest.raises(ConfigError):
        parse_stopping_rule(text)


def test_a_sweep_with_nothing_to_decide_is_refused(small):
    config = small(verifications=0, verifier=None).model_dump(mode="json", exclude_defaults=True)
    with pytest.raises(ConfigError, match="verifies nothing"):
        iso.sweep(config, until="regret < 1")
