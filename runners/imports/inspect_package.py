"""Samples of inspect_ai's logs as its own reader sees them, where that package is installed.

The package knows how its earlier versions wrote a log. Its reader holds a whole log in memory and sets no limit, so a
log is first read here, with the limits and checks of every import, and given to the package only if it is small. What
the package cannot read stays as it was read here. Its reader runs nothing that a log names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from isocompute.runners.parsing.printable import format_one_line

MAX_PACKAGE_BYTES = 64 * 2**20
"""Bytes of the largest log, unpacked, that the package reads."""


def resolve_samples(
    path: Path, samples: Iterator[tuple[str, dict[str, Any]]], measure_bytes: Callable[[], int], notes: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the samples of a log as the package reads them, in their order; without it as they are.

    Args:
        path: the log.
        samples: its samples, as read here, each with its location.
        measure_bytes: returns the unpacked bytes of the samples so far.
        notes: sentences on the import, to which is added why the package did not read the log.
    """
    if find_spec("inspect_ai") is None:
        yield from samples
        return
    checked = []
    for each in samples:
        checked.append(each)
        if measure_bytes() > MAX_PACKAGE_BYTES:
            yield from chain(checked, samples)
            return
    interpreted = read_samples_by_package(path, notes)
    for where, sample in checked:
        yield where, interpreted.get(get_sample_key(sample), sample)


def read_samples_by_package(path: Path, notes: list[str]) -> dict[tuple[str, Any], dict[str, Any]]:
    """Return the samples that the package reads, by id and epoch; none if it cannot read the log."""
    from inspect_ai.log import read_eval_log

    try:
        log = read_eval_log(str(path))
        fields = [each.model_dump(mode="json", exclude_unset=True, exclude={"events"}) for each in log.samples or []]
    except Exception as error:  # noqa: BLE001 - its errors are of many kinds, and the log was read here already
        reason = format_one_line((str(error).strip() or type(error).__name__).splitlines()[0], 100)
        notes.append(f"inspect_ai's own reader does not read this log ({reason}), so it was read without it.")
        return {}
    return {get_sample_key(sample): sample for sample in fields}


def get_sample_key(sample: dict[str, Any]) -> tuple[str, Any]:
    """Return what identifies a sample in its log."""
    return str(sample.get("id")), sample.get("epoch")
