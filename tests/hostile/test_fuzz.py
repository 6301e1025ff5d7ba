"""Fuzz targets, one for each parser of foreign text or bytes: whatever is read, an error of the family or a value.

Each runs for a moment in `make test`, and for ``ISOCOMPUTE_FUZZ_SECONDS`` (60 unless set) in `make soak`. What was
found is kept with its target, and tried first.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings

from tests.hostile.fuzzing import answers, logs, own_files
from tests.hostile.fuzzing.drawing import refuse_or_return

FUZZ_SECONDS = float(os.environ.get("ISOCOMPUTE_FUZZ_SECONDS", "60"))
TARGETS = own_files.TARGETS | logs.TARGETS | answers.TARGETS


def run_target(name: str, folder: Path, examples: int, number: int) -> None:
    target = TARGETS[name]

    @seed(number)
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(target.values)
    def try_value(value: object) -> None:
        refuse_or_return(target.read, folder / target.file, value)

    try_value()


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.found])
def test_what_was_found_stays_fixed(name, tmp_path):
    target = TARGETS[name]
    for value in target.found:
        refuse_or_return(target.read, tmp_path / target.file, value)


@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_returns_or_refuses(name, tmp_path):
    run_target(name, tmp_path, 15, 0)


@pytest.mark.soak
@pytest.mark.parametrize("name", TARGETS)
def test_a_parser_returns_or_refuses_for_long(name, tmp_path):
    end, number = time.monotonic() + FUZZ_SECONDS, 1
    while time.monotonic() < end:
        run_target(name, tmp_path, 200, number)
        number += 1
