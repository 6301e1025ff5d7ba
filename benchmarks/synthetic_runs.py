"""Synthetic runs of any size: problems, solutions and verifications that no model wrote, in the form of a sweep's run.

    python -m benchmarks.synthetic_runs FOLDER PROBLEMS SOLUTIONS VERIFICATIONS

Answers and verdicts are drawn at random, with an accuracy of its own for each problem. Texts are words in a random
order, about 100 bytes a verification, far shorter than a model's. Rows are in the order in which 64 requests at a time
would finish, in parts of 50,000, and a share of them failed and was sampled again. The manifest names the models
'synthetic'. Equal arguments give equal rows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.digests import digest_text
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import PROBLEMS_TABLE, SOLUTIONS_TABLE, VERIFICATIONS_TABLE

PART_ROWS = 50_000
FAILED_EVERY = 10_007
"""One verification in so many failed at first."""
DISTINCT_TEXTS = 400_000
"""Texts of verifications; more verifications than these have the same ones again."""
AT_ONCE = 64
BEGUN = 1_700_000_000_000_000
"""The start of the first request, in microseconds."""
SENTENCE = "so the sum of and is carry digit step first then times minus check right wrong since 4 7 12 85"
WORDS = SENTENCE.split()


def build_synthetic_sweep(folder: str, problems: int, solutions: int, verifications: int) -> Sweep:
    """Return the sweep that the rows of a synthetic run would be from."""
    role = {"model": "synthetic/model", "prompt": "lab-solve", "parameters": 1e9}
    verifier = {"model": "synthetic/model", "prompt": "lab-verify", "parameters": 1e9}
    return Sweep.model_validate(
        {
            "run": folder,
            "task": {"name": "lab", "problems": problems},
            "engine": "vllm",
            "solver": role,
            "verifier": verifier,
            "solutions": solutions,
            "verifications": verifications,
        }
    )


def write_synthetic_run(folder: str, problems: int, solutions: int, verifications: int, seed: int = 0) -> Run:
    """Write a synthetic run with all rows that its sweep requests."""
    run = Run(folder)
    config = build_synthetic_sweep(folder, problems, solutions, verifications)
    run.write_manifest({"config": config.model_dump(mode="json"), "format": 2, "grader": "lab/1"})
    names = [f"synthetic-{number:05d}" for number in range(problems)]
    rows = [
        {"problem_id": name, "task": "lab", "question": f"What is {i}?", "gold": "0"} for i, name in enumerate(names)
    ]
    writer = run.open_writer(PROBLEMS_TABLE, 3600)
    writer.add_rows(rows)
    writer.flush()
    rng = np.random.default_rng(seed)
    skill = rng.beta(2, 2, problems)
    answers = np.where(rng.random((problems, solutions)) < skill[:, None], 0, rng.integers(1, 9, (problems, solutions)))
    texts = [f"{' '.join(rng.choice(WORDS, 40))} #### {answer}" for answer in answers.ravel()]
    digests = pa.array([digest_text(text) for text in texts])
    judged = [join_words(rng, PART_ROWS) for _ in range(DISTINCT_TEXTS // PART_ROWS)]
    for number, part in enumerate(cut_parts(build_solutions(names, answers, texts, rng))):
        run.write_part(SOLUTIONS_TABLE, f"part-{number:05d}.parquet", part)
    number = 0
    for at in range(0, problems * solutions * verifications, PART_ROWS):
        places = np.arange(at, min(at + PART_ROWS, problems * solutions * verifications))
        for part in build_verifications(names, answers, digests, judged, verifications, places, rng):
            run.write_part(VERIFICATIONS_TABLE, f"part-{number:05d}.parquet", part)
            number += 1
    return run


def build_solutions(names: list[str], answers: np.ndarray, texts: list[str], rng: np.random.Generator) -> pa.Table:
    """Return the solutions (P, N) as rows."""
    count, each = answers.size, answers.shape[1]
    tokens = rng.integers(100, 200, count).astype(np.int32)
    return build_table(
        SOLUTIONS_TABLE.schema,
        count,
        problem_id=pa.array(names).take(pa.array(np.arange(count) // each)),
        solution_id=(np.arange(count) % each).astype(np.int32),
        text=texts,
        answer=pa.array(answers.ravel().astype(str)),
        correct=answers.ravel() == 0,
        **build_shared_columns(np.arange(count), tokens, rng, 100, each),
    )


def build_verifications(
    names: list[str],
    answers: np.ndarray,
    digests: pa.Array,
    texts: list[pa.Array],
    verifications: int,
    places: np.ndarray,
    rng: np.random.Generator,
) -> Iterator[pa.Table]:
    """Yield the verifications at some places of (P, N, V): all of them, and retries of those that failed."""
    solution = places // verifications
    yes = rng.random(len(places)) < np.where(answers.ravel()[solution] == 0, 0.8, 0.3)
    unread = rng.random(len(places)) < 0.01
    tokens = rng.integers(20, 60, len(places)).astype(np.int32)
    text = texts[int(places[0]) // PART_ROWS % len(texts)].slice(0, len(places))
    table = build_table(
        VERIFICATIONS_TABLE.schema,
        len(places),
        problem_id=pa.array(names).take(pa.array(solution // answers.shape[1])),
        solution_id=(solution % answers.shape[1]).astype(np.int32),
        verification_id=(places % verifications).astype(np.int32),
        text=text,
        verdict=pa.array(yes.astype(np.float32), mask=unread),
        solution_digest=digests.take(pa.array(solution)),
        **build_shared_columns(places, tokens, rng, 300, verifications),
    )
    failed = places % FAILED_EVERY == 0
    if failed.any():
        lost = table.filter(pa.array(failed))
        status = pa.array(["synthetic failure"] * lost.num_rows)
        nulls = {name: pa.nulls(lost.num_rows, table.schema.field(name).type) for name in ("text", "verdict")}
        for name, column in {**nulls, "status": status}.items():
            lost = lost.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
        yield lost
    yield table


def build_shared_columns(
    places: np.ndarray, tokens: np.ndarray, rng: np.random.Generator, prompt: int, each: int
) -> dict[str, object]:
    """Return the columns of tokens and times that solutions and verifications share."""
    seconds = tokens * rng.uniform(0.02, 0.03, len(places))
    begun = BEGUN + (places * (1.0e6 / AT_ONCE)).astype(np.int64)
    return {
        "prompt_tokens": (prompt + places // each % 50).astype(np.int32),
        "cached_tokens": np.where(places % each, prompt - 12, 0).astype(np.int32),
        "completion_tokens": tokens,
        "finish_reason": np.where(rng.random(len(places)) < 0.005, "length", "stop"),
        "status": ["ok"] * len(places),
        "started_at": pa.array(begun, pa.timestamp("us", tz="UTC")),
        "seconds": seconds,
    }


def join_words(rng: np.random.Generator, rows: int) -> pa.Array:
    """Return texts of random words."""
    phrases = pa.array([" ".join(rng.choice(WORDS, 6)) for _ in range(4096)])
    parts = [phrases.take(pa.array(rng.integers(0, 4096, rows))) for _ in range(4)]
    return pc.binary_join_element_wise(*parts, " ")


def build_table(schema: pa.Schema, rows: int, **columns: object) -> pa.Table:
    """Return columns as a table; those that are not given are null."""
    cells = []
    for field in schema:
        cell = columns.get(field.name)
        cells.append(
            cell if isinstance(cell, pa.Array) else pa.array([None] * rows if cell is None else cell, field.type)
        )
    return pa.table(cells, schema)


def cut_parts(table: pa.Table) -> Iterator[pa.Table]:
    """Yield a table in parts of `PART_ROWS`."""
    for at in range(0, table.num_rows, PART_ROWS):
        yield table.slice(at, PART_ROWS)


if __name__ == "__main__":
    write_synthetic_run(sys.argv[1], *map(int, sys.argv[2:5]))
