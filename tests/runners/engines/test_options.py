"""Options of engines: numbers outside their ranges, and of another type, are refused before any work starts."""

import math

import pytest

from isocompute.errors import ConfigError
from isocompute.runners import engines
from isocompute.runners.config.sweep_reading import build_sweep
from isocompute.runners.engines.options import RESERVED_OPTIONS, SERVER_OPTIONS, find_bad_option

SWEEP = {
    "run": "r",
    "task": {"name": "lab", "problems": 2},
    "solver": {"model": "m", "prompt": "lab-solve"},
    "solutions": 2,
}
BAD = [
    ("openai", "concurrency", 10**9),
    ("openai", "concurrency", 0),
    ("openai", "retries", 1.5),
    ("openai", "retries", True),
    ("openai", "timeout", math.inf),
    ("openai", "timeout", math.nan),
    ("openai", "patience", "1"),
    pytest.param("openai", "backoff", 10**5000, id="thousands of digits"),
    ("openai", "extra", [1]),
    ("openai", "key_env", "A B"),
    ("openai-batch", "poll", 0),
    ("transformers", "batch_size", 0),
    ("transformers", "batch_size", -1),
    ("transformers", "batch_size", "x"),
    ("transformers", "dtype", "float99"),
    ("transformers", "device", "toaster"),
    ("vllm", "gpu_memory_utilization", 1.5),
    ("vllm", "in_flight", 0),
    *(("openai", name, "x") for name in sorted(RESERVED_OPTIONS)),
]


@pytest.mark.parametrize(("engine", "option", "value"), BAD)
def test_a_sweep_with_a_bad_option_is_refused(engine, option, value):
    sweep = SWEEP | {"engine": engine}
    sweep["solver"] = sweep["solver"] | {"options": {option: value}}
    with pytest.raises(ConfigError, match=rf"solver.options: .*'{option}'") as refused:
        build_sweep(sweep)
    assert len(str(refused.value)) < 400


def test_an_engine_is_not_loaded_with_a_bad_option():
    with pytest.raises(ConfigError, match=r"^The engine 'openai': the option 'retries' must be a whole number"):
        engines.load_engine("openai", "m", urls="http://127.0.0.1:9/v1", retries=1.5)


def test_every_usual_value_is_taken():
    usual = {"timeout": 3600, "retries": 0, "patience": 900.0, "backoff": 0.01, "key_env": "OPENAI_API_KEY"}
    assert find_bad_option(SERVER_OPTIONS, usual | {"extra": None, "unknown": object()}) is None
