from __future__ import annotations

import sys

import pytest
import yaml

from isocompute.errors import ConfigError
from isocompute.runners.cluster.connection import parse_cluster_address


@pytest.fixture
def sweep_file(tmp_path):
    path = tmp_path / "sweep.yaml"
    solver = {"model": "served", "prompt": "lab-solve", "options": {"urls": ["http://127.0.0.1:9/v1"]}}
    task = {"name": "lab", "problems": 2}
    content = {"run": str(tmp_path / "run"), "task": task, "engine": "openai", "solver": solver, "solutions": 2}
    path.write_text(yaml.safe_dump(content))
    return path


def test_addresses_are_read():
    assert parse_cluster_address("local").workers is None
    assert parse_cluster_address("local:12").workers == 12
    address = parse_cluster_address("ray://head.example:10001")
    assert (address.host, address.port) == ("head.example", 10001)
    assert parse_cluster_address("ray://[::1]:10001").host == "[::1]"


REFUSED = """local:0 local:-1 local:x here ray:// ray://head ray://head:0 ray://head:99999 http://head:10001
ray://user@head:10001"""


@pytest.mark.parametrize("text", ["", "local:2 ", *REFUSED.split()])
def test_other_addresses_are_refused(text):
    with pytest.raises(ConfigError, match=r"^--on \(on=\) takes ray://HOST:PORT, local or local:N"):
        parse_cluster_address(text)


def test_a_missing_ray_is_one_sentence(monkeypatch, refused, sweep_file):
    monkeypatch.setitem(sys.modules, "ray", None)
    said = refused("sweep", sweep_file, "--on", "local:2")
    assert said == "The option --on needs a package that is not installed (ray): pip install 'isocompute[ray]'."


def test_an_address_without_a_cluster_is_one_sentence(refused, sweep_file):
    pytest.importorskip("ray", reason="ray is not installed")
    said = refused("sweep", sweep_file, "--on", "ray://127.0.0.1:9")
    assert said == "No Ray cluster could be used at 'ray://127.0.0.1:9': [Errno 111] Connection refused."


def test_on_does_not_go_with_a_dry_run(command, sweep_file):
    ended = command("sweep", sweep_file, "--on", "local", "--dry-run")
    assert ended.code == 2
    assert "--on does not go with --dry-run" in ended.err
