"""The work of a sweep is counted before it is built, and refused with the figure if it would not fit into memory."""

import pytest

from isocompute.errors import ConfigError, RunError
from isocompute.limits import MEMORY_VARIABLE, describe_gib, require_memory
from isocompute.runners.config.sweep_reading import build_sweep, extract_sweep
from isocompute.runners.sampling import work_plan
from isocompute.runners.sampling.preparing import prepare_sweep
from isocompute.runners.storage.run import Run

ROLE = {"model": "m", "prompt": "lab-solve", "parameters": 1e6, "options": {"urls": "http://127.0.0.1:9/v1"}}
SWEEP = {"engine": "openai", "task": {"name": "lab", "problems": 2}, "solver": ROLE, "solutions": 2}
JUDGE = {"verifier": ROLE | {"prompt": "lab-verify"}, "scorer": {"kind": "verdicts", "verifications": 1}}


@pytest.fixture
def sweep(tmp_path):
    return lambda **changed: build_sweep({"run": str(tmp_path / "run")} | SWEEP | JUDGE | changed)


@pytest.mark.parametrize(
    ("changed", "figure"),
    [
        ({"solutions": 10**8}, r"2 problems, 200,000,000 solutions\) would take 186 GiB of memory; the limit is 8 GiB"),
        ({"solutions": 10**5, "verifications": 10**5}, "20,000,000,000 verifications"),
        ({"searches": [{"strategy": "beam", "n": 65_536, "seeds": 100}]}, r"200 searches\) would take 36.6 GiB"),
        ({"task": {"name": "lab", "problems": 10**6}, "solutions": 100}, "1,000,000 problems, 100,000,000 solutions"),
    ],
)
def test_work_that_does_not_fit_is_refused_with_the_figure(sweep, tmp_path, changed, figure):
    with pytest.raises(RunError, match=figure):
        prepare_sweep(sweep(**changed))
    assert not (tmp_path / "run").exists()


def test_the_limit_can_be_raised(sweep, monkeypatch):
    monkeypatch.setenv(MEMORY_VARIABLE, "200")
    prepare_sweep(sweep(solutions=10**8)).grader.close()
    monkeypatch.setenv(MEMORY_VARIABLE, "much")
    with pytest.raises(ConfigError, match=f"{MEMORY_VARIABLE} is 'much'; it must be a number of GiB"):
        prepare_sweep(sweep())


def test_rows_that_the_run_has_take_no_memory(written_run, monkeypatch):
    run = Run(written_run)
    monkeypatch.setattr(work_plan, "fits_memory", lambda needed: False)
    needed = []
    monkeypatch.setattr(work_plan, "require_memory", lambda size, *_, **__: needed.append(size))
    config = extract_sweep(run.read_manifest(), run.path)
    work_plan.check_work(config, 2, run)
    monkeypatch.setattr(run, "count_rows", lambda table: 0)
    work_plan.check_work(config, 2, run)
    assert needed[0] < needed[1]


def test_a_figure_has_three_digits():
    assert describe_gib(298.4 * 2**30) == "298 GiB"
    require_memory(8 * 2**30, "This")
