"""A disk that fills up while a sweep runs: what was written is whole, and the sweep goes on when there is room."""

from __future__ import annotations

import random
import resource
import shutil
import subprocess
from contextlib import contextmanager

import pytest

from isocompute.errors import RunError
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE

LONG = 40_000
"""Characters of a solution, incompressible: a part of them does not fit."""


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 300 kB; only root may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def files_of_at_most(size):
    """Writes beyond so many bytes of a file fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def wordy(scripted):
    """Solutions that do not compress, and a short verification of each."""
    well = scripted().says

    def says(prompt, seed):
        noise = (
            ""
            if prompt.endswith("Verification:\n")
            else "".join(random.Random(seed).choices("0123456789abcdef", k=LONG))
        )
        return f"{noise}\n{well(prompt, seed)}"

    return scripted(says)


def test_a_sweep_on_a_full_disk_leaves_a_valid_run_and_goes_on_when_there_is_room(small, scripted, tiny_disk):
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(100_000))
    config = small(run=str(tiny_disk / "run"), checkpoint_seconds=1e-9)
    with pytest.raises(RunError) as caught:
        run_sweep(config, load=wordy(scripted))
    assert "could not be written: No space left on device. What was written before is intact" in str(caught.value)
    run = Run(config.run)
    there = run.read_keys(SOLUTIONS_TABLE)
    assert 0 < len(there) < 24
    assert check_run(run).is_whole
    assert not any("file" in note for note in check_run(run).notes)  # no half-written file keeps the disk full

    with pytest.raises(RunError):  # still full: nothing is damaged by trying
        run_sweep(config, load=wordy(scripted))
    assert run.read_keys(SOLUTIONS_TABLE) >= there

    ballast.unlink()
    larger = tiny_disk.parent / "run"
    shutil.copytree(config.run, larger)
    engine = scripted()
    run_sweep(small(), load=engine)
    assert not {request.key[1:] for request in engine.asked if request.key[0] is SOLUTIONS_TABLE} & there
    assert check_run(Run(larger)).missing == {"solutions": [], "verifications": []}


def test_a_part_that_does_not_fit_is_not_there(small, scripted):
    config = small(verifications=0)
    with files_of_at_most(20_000), pytest.raises(RunError, match=r"part-00000\.parquet could not be written: File too"):
        run_sweep(config, load=wordy(scripted))
    run = Run(config.run)
    assert check_run(run).is_whole
    assert run.list_parts(SOLUTIONS_TABLE) == []
    run_sweep(small(), load=scripted())
    assert (len(run.read_keys(SOLUTIONS_TABLE)), len(run.read_keys(VERIFICATIONS_TABLE))) == (24, 72)
    assert check_run(run).is_whole
