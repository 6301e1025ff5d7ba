"""sc-genrm-scaling's raw data as arrays in an .npz file: ``scores`` (P, K, M), ``answers`` (P, N) and ``gold`` (P,).

Scores are 0, 1 or p(yes), and NaN without a readable verdict; answers are codes, and -1 if no answer was read. There
are no texts, so nothing can be graded again, and no tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isocompute.errors import DataError
from isocompute.limits import DOCUMENT_GIB, require_memory
from isocompute.runners.imports.rows import ImportedProblem, ImportedRow, ImportedSolution, ImportedVerification
from isocompute.runners.imports.source import ARCHIVE_ERRORS, ImportSource
from isocompute.runners.parsing.printable import describe_reason
from isocompute.runners.storage.files import open_regular_file

ARRAY_NAMES = ("answers", "gold", "scores")

ARRAY_START = b"\x93NUMPY"
"""The bytes with which a single array begins."""

MAX_ARRAY_BYTES = 2**31
"""Bytes of the largest array."""


def read_array_rows(source: ImportSource) -> Iterator[ImportedRow]:
    """Yield the rows of an .npz file.

    Raises:
        DataError: it is not an .npz file, holds objects, or its arrays do not match.
    """
    if source.path.suffix in (".pickle", ".pkl"):
        raise DataError(
            f"'{source.path}' is a pickle, which may run code when it is read: save its arrays as .npz, with "
            "scores (problems, solutions, verifications), answers (problems, solutions) and gold (problems,)."
        )
    [path] = source.find_files(".npz")
    answers, gold, scores = load_sc_genrm_arrays(path)
    source.bytes_read = source.total_bytes
    for p, row in enumerate(answers):
        name, where = str(p), f"{path}, problem {p}"
        yield ImportedProblem(name, where, gold=str(gold[p]))
        for i, answer in enumerate(row.tolist()):
            text = None if answer == -1 else str(answer)
            yield ImportedSolution(name, f"{where}, solution {i}", answer=text, correct=answer == gold[p])
        if scores is not None:
            for (i, j), score in np.ndenumerate(scores[p]):
                verdict = None if np.isnan(score) else float(score)
                yield ImportedVerification(name, i, f"{where}, solution {i}, verification {j}", verdict=verdict)


def read_array(archive: Any, name: str, path: Path) -> NDArray[Any]:
    """Return an array of an .npz file, whose header says its size before any of it is read.

    Raises:
        DataError: it would take too much memory.
        ValueError: it holds objects, or is damaged.
    """
    with archive.zip.open(f"{name}.npy") as member:
        formats: Any = np.lib.format
        version = formats.read_magic(member)
        read_header = {(1, 0): formats.read_array_header_1_0, (2, 0): formats.read_array_header_2_0}
        if version not in read_header:
            raise ValueError(f"the format of '{name}' is not known")
        shape, _, dtype = read_header[version](member)
    require_memory(math.prod(shape) * dtype.itemsize, f"{path}, '{name}', of the shape {shape},", DOCUMENT_GIB)
    array: NDArray[Any] = archive[name]
    return array


def load_sc_genrm_arrays(path: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Return the checked answers, gold and scores; the scores may be missing.

    Raises:
        DataError: see `read_array_rows`.
    """
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with open_regular_file(path) as file:
            if file.read(len(ARRAY_START)) == ARRAY_START:
                raise DataError(f"{path} is a single array; an .npz file holds several, each with a name.")
        with np.load(path, allow_pickle=False) as archive:
            for info in archive.zip.infolist():
                if info.file_size > MAX_ARRAY_BYTES:
                    raise DataError(
                        f"{path}: '{info.filename}' has {info.file_size:,} bytes; at most {MAX_ARRAY_BYTES:,} are read."
                    )
            arrays = {name: read_array(archive, name, path) for name in ARRAY_NAMES if name in archive}
    except DataError:
        raise
    except (*ARCHIVE_ERRORS, AttributeError, MemoryError, SyntaxError, TokenError, TypeError) as error:
        raise DataError(f"{path} is not a file of plain arrays: {describe_reason(error)}.") from None
    shapes = {name: array.shape for name, array in arrays.items()}
    P, N = shapes["answers"] if len(shapes.get("answers", ())) == 2 else (0, 0)
    scores = arrays.get("scores")
    if not P * N or shapes.get("gold") != (P,):
        raise DataError(f"{path} must hold answers (problems, solutions) and gold (problems,); it holds {shapes}.")
    if scores is not None and (scores.ndim != 3 or len(scores) != P or scores.shape[1] > N):
        raise DataError(f"{path}: scores must have the shape ({P}, at most {N}, verifications); it is {scores.shape}.")
    for name, lowest in (("answers", -1), ("gold", 0)):
        if arrays[name].dtype.kind not in "iu" or arrays[name].min() < lowest:
            raise DataError(
                f"{path}: {name} must be codes, whole numbers from {lowest}; they are {arrays[name].dtype}."
            )
    if scores is not None and (scores.dtype.kind not in "biuf" or ((scores < 0) | (scores > 1)).any()):
        raise DataError(f"{path}: scores must be numbers from 0 to 1, or NaN if unparsed.")
    return arrays["answers"], arrays["gold"], scores
