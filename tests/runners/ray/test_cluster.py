"""A sweep on a cluster: who gets which request, what goes wrong, and what is said of it."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from isocompute.runners.seeds import derive_seed
from isocompute.runners.storage.schema import SOLUTIONS_TABLE

LAB = Path(__file__).resolve().parents[3] / "data" / "lab"
ONLY_SOLVED = {"verifier": None, "verifications": 0, "verified": None, "scorer": None, "searches": [], "solutions": 8}


def double(**options: object) -> dict[str, object]:
    return {"model": "m", "prompt": "lab-solve", "options": {"seconds": 0.02, **options}}


def test_a_run_goes_on_without_ray_and_with_it_again(sweeping, two_nodes, alone, content):
    first = {"task": {"name": "lab", "problems": 2}}
    said = sweeping.finish("moved", "--on", two_nodes.url, **first)
    assert "tok/s by replica" in said
    sweeping.finish("moved", task={"name": "lab", "problems": 4})
    sweeping.finish("moved", "--on", two_nodes.url, cluster={"solver": {"max": 1}})
    assert content(sweeping.run("moved")) == content(alone)


@pytest.fixture
def make_deadly(alone, tmp_path):
    """Makes rows deadly to who is asked for them, by the places of their problems; returns their problems' ids."""

    def make(*places: tuple[int, int]) -> list[str]:
        problems = sorted(set(alone.read_frame(SOLUTIONS_TABLE, ["problem_id"])["problem_id"]))
        for place, number in places:
            (tmp_path / str(derive_seed(0, "solutions", problems[place], number))).touch()
        return problems

    return make


def test_a_request_that_kills_its_replica_becomes_a_failed_row(sweeping, two_nodes, make_deadly, tmp_path):
    problems = make_deadly((0, 3))
    said = sweeping.finish("deadly", "--on", two_nodes.url, **ONLY_SOLVED, solver=double(deadly=str(tmp_path)))
    frame = sweeping.run("deadly").read_frame(SOLUTIONS_TABLE, ["problem_id", "solution_id", "status"])
    failed = frame[frame["status"] != "ok"]
    assert failed[["problem_id", "solution_id"]].values.tolist() == [[problems[0], 3]]
    assert failed["status"].item().startswith("3 replicas died while they worked on it")
    assert len(frame) == 40
    assert "3 died" in said


@pytest.mark.parametrize("how", ["sleep", pytest.param("stop", marks=pytest.mark.soak)])
def test_a_replica_that_hangs_is_given_up_and_its_rows_go_to_others(
    how, sweeping, two_nodes, alone, make_deadly, tmp_path
):
    make_deadly((0, 3))
    next(tmp_path.iterdir()).write_text(how)
    changed = {**ONLY_SOLVED, "solver": double(hanging=str(tmp_path)), "cluster": {"timeout": 2.0}}
    said = sweeping.finish(f"hanging-{how}", "--on", two_nodes.url, **changed)
    assert re.search(
        r"A replica of the solver on [^:]* hung: it answered none of its requests for 2 s \(cluster\.timeout\)\. "
        r"Its \d+ unfinished requests go to others\.",
        said,
    )
    frame = sweeping.run(f"hanging-{how}").read_frame(SOLUTIONS_TABLE, ["solution_id", "text", "status"])
    assert set(frame["status"]) == {"ok"}
    expected = alone.read_frame(SOLUTIONS_TABLE, ["solution_id", "text", "status"])
    assert frame.values.tolist() == expected[expected["solution_id"] < 8].values.tolist()
    assert not two_nodes.find_replicas()


def test_a_model_that_cannot_be_loaded_is_reported_as_on_one_machine(sweeping, two_nodes):
    changed = {**ONLY_SOLVED, "solver": double(broken=True)}
    on_cluster = sweeping.end(sweeping.start("broken", "--on", two_nodes.url, **changed), 2)
    here = sweeping.end(sweeping.start("broken", **changed), 2)
    phase, error = "solving: 0 of 40 rows are there", "error: The model 'm' is broken."
    assert here == f"{phase} {error}"
    assert on_cluster == f"connecting to {two_nodes.url} {phase} solver: starting 2 replicas {error}"


def test_a_cluster_without_room_says_what_is_missing(sweeping, two_nodes):
    needs = {"solver": {"gpus": 8}, "wait": 0}
    said = sweeping.end(sweeping.start("large", "--on", two_nodes.url, **ONLY_SOLVED, cluster=needs), 2)
    assert said.endswith(
        "error: There is no room for a replica of the solver: it needs 8 GPUs and 1 CPU, but the cluster has 4 GPUs "
        "and 4 CPUs on 3 nodes."
    )


@pytest.mark.parametrize("gpus", [2, 4])
def test_the_gpus_of_a_replica_are_reserved_together_on_one_node_or_over_several(gpus, sweeping, two_nodes):
    changed = {**ONLY_SOLVED, "solver": double(gpus=gpus), "cluster": {"solver": {"gpus": gpus}}}
    sweeping.finish(f"gpus-{gpus}", "--on", two_nodes.url, **changed)
    assert len(sweeping.run(f"gpus-{gpus}").read_keys(SOLUTIONS_TABLE)) == 40


@pytest.mark.soak
def test_replicas_that_keep_dying_end_the_sweep(sweeping, two_nodes, make_deadly, tmp_path):
    make_deadly(*((place, number) for place in range(5) for number in range(8)))
    changed = {**ONLY_SOLVED, "solver": double(deadly=str(tmp_path))}
    said = sweeping.end(sweeping.start("dying", "--on", two_nodes.url, **changed), 2)
    assert "error: The replicas of the solver keep dying" in said


def test_a_drained_node_gets_no_more_and_loses_nothing(sweeping, two_nodes, alone, content):
    process = sweeping.start("drained", "--on", two_nodes.url)
    assert sweeping.wait_for_parts("drained", process, 2)
    two_nodes.drain_busy_node()
    said = sweeping.end(process)
    assert "is being drained" in said
    assert content(sweeping.run("drained")) == content(alone)


def test_ray_on_this_machine_stops_on_a_signal_and_equals_one_process(sweeping, alone, content):
    pytest.importorskip("ray", reason="ray is not installed")
    process = sweeping.start("local", "--on", "local:2")
    assert sweeping.wait_for_parts("local", process, 2)
    process.send_signal(signal.SIGTERM)
    assert "the same command continues from there" in sweeping.end(process, 128 + signal.SIGTERM)
    sweeping.finish("local", "--on", "local:2")
    assert content(sweeping.run("local")) == content(alone)


@pytest.mark.soak
def test_the_labs_models_on_two_replicas_equal_one_machine(sweeping, content):
    pytest.importorskip("ray", reason="ray is not installed")
    exact = {"options": {"batch_size": 1, "dtype": "float32"}, "max_tokens": 60}
    changed = {
        "task": {"name": "lab", "problems": 4, "levels": [1, 2]},
        "engine": "transformers",
        "solver": {"model": str(LAB / "solver"), "prompt": "lab-solve", **exact},
        "verifier": {"model": str(LAB / "verifier"), "prompt": "lab-verify", **exact},
        "solutions": 4,
        "verified": 2,
        "verifications": 2,
        "scorer": {"kind": "lab", "model": str(LAB / "prm"), "engine": "transformers", "options": {"batch_size": 1}},
        "step": "\n",
        "searches": [{"strategy": "beam", "n": [2], "width": 2, "rounds": 3}],
    }
    sweeping.finish("lab-alone", **changed)
    sweeping.finish("lab-two", "--on", "local:2", **changed)
    assert content(sweeping.run("lab-two")) == content(sweeping.run("lab-alone"))
