"""How many replicas a role has, and what they need; no Ray is needed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from isocompute.errors import ConfigError
from isocompute.runners.cluster.loading import ClusterLoader, choose_replica_counts, count_engine_gpus
from isocompute.runners.cluster.resources import ReplicaShape
from isocompute.runners.config.cluster import ReplicaCounts
from isocompute.runners.config.sweep_reading import build_sweep
from isocompute.runners.storage.manifest import redact_config


@pytest.mark.parametrize(
    ("counts", "workers", "options", "fitting", "expected"),
    [
        ({}, None, {}, 8, (1, 4)),
        ({}, None, {}, 0, (1, 1)),
        ({}, 3, {}, 8, (3, 3)),
        ({"min": 2, "max": 5}, None, {}, 1, (2, 5)),
        ({}, None, {"replicas": 6}, 1, (1, 6)),
        ({"min": 3}, None, {}, 1, (3, 3)),
    ],
)
def test_counts_come_from_the_command_then_the_sweep_file_then_the_cluster(counts, workers, options, fitting, expected):
    assert choose_replica_counts(ReplicaCounts(**counts), workers, options, fitting) == expected


def test_a_number_of_copies_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="got 'many'"):
        choose_replica_counts(ReplicaCounts(), None, {"replicas": "many"}, 1)


def test_gpus_follow_from_how_a_model_is_split():
    assert count_engine_gpus("vllm", {"tensor_parallel_size": 4, "pipeline_parallel_size": 2}) == 8
    assert count_engine_gpus("transformers", {}) == 1
    assert count_engine_gpus("openai", {}) == 0


def test_a_model_that_no_node_holds_spans_nodes():
    nodes = [{"CPU": 8, "GPU": 4}, {"CPU": 8, "GPU": 4}]
    assert ReplicaShape(1, 4).list_bundles(nodes) == [{"CPU": 1, "GPU": 4}]
    assert ReplicaShape(1, 8).list_bundles(nodes) == [{"CPU": 1, "GPU": 1}] * 8
    assert ReplicaShape(1, 8).count_fitting(nodes) == 1
    assert ReplicaShape(1, 16).count_fitting(nodes) == 0
    assert ReplicaShape(0.5, 0.5).count_fitting(nodes) == 16


def make_sweep(**changes):
    solver = {"model": "m", "prompt": "lab-solve"}
    content = {"run": "r", "task": {"name": "lab"}, "engine": "openai", "solver": solver, "solutions": 2}
    return build_sweep({**content, **changes})


def test_the_block_says_nothing_of_the_rows():
    plain, clustered = make_sweep(), make_sweep(cluster={"solver": {"min": 1, "max": 8}, "wait": 600})
    assert plain.build_identity() == clustered.build_identity()
    assert redact_config(plain) == redact_config(clustered)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"solver": {"min": 4, "max": 2}}, "cluster.solver: 'max' is 2, less than 'min', which is 4"),
        ({"solver": {"gpus": 1.5}}, "cluster.solver: 'gpus' is 1.5; more than one GPU must be a whole number of them"),
        ({"solver": {"gpu": 1}}, "the key 'cluster.solver.gpu' is unknown; known here: min, max, gpus, cpus."),
        ({"solvers": {}}, "the key 'cluster.solvers' is unknown; known here: solver, verifier, scorer, wait, timeout."),
    ],
)
def test_a_bad_block_is_one_sentence(block, message):
    with pytest.raises(ConfigError) as refused:
        make_sweep(cluster=block)
    assert message in str(refused.value)


def test_batches_are_refused_on_a_cluster():
    loader = ClusterLoader(SimpleNamespace(), SimpleNamespace())
    with pytest.raises(ConfigError, match=r"^The engine 'openai-batch' does not go with --on: .*; leave it out\.$"):
        loader.load_engine("openai-batch", "gpt")
