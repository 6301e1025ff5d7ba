"""Problems from the benchmarks on the Hugging Face hub, through its `datasets` library.

Every source is pinned to a revision. The pins were read in public code that fetches these datasets; no dataset was
fetched during development, which had no access to the hub. So a split is checked when it is loaded: its columns, and,
at the pinned revision, its number of rows. Its hash goes into the manifest of a run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from isocompute.errors import ConfigError, DataError
from isocompute.runners.tasks.problem import Problem, ProblemColumns, read_problem_rows, require_columns


@dataclass(frozen=True)
class BenchmarkSource:
    """One split of a dataset on the hub.

    Args:
        path: the repository, or a folder of the same layout.
        config: the dataset's configuration.
        split: name of the split.
        revision: the commit.
        size: rows of the split at that commit.
        columns: names of its columns.
        grader: name of the grader.
        licence: as stated by the dataset card or the original source; "gated" if access must be requested.
    """

    path: str
    config: str
    split: str
    revision: str
    size: int
    columns: ProblemColumns
    grader: str
    licence: str


BENCHMARK_SOURCES = {
    "math500": BenchmarkSource(
        path="HuggingFaceH4/MATH-500",
        config="default",
        split="test",
        revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
        size=500,
        columns=ProblemColumns("problem", "answer", "unique_id", "subject", "level"),
        grader="math",
        licence="MIT",
    ),
    "gsm8k": BenchmarkSource(
        path="openai/gsm8k",
        config="main",
        split="test",
        revision="740312add88f781978c0658806c59bc2815b9866",
        size=1319,
        columns=ProblemColumns("question", "answer"),
        grader="numeric",
        licence="MIT",
    ),
    "aime24": BenchmarkSource(
        path="HuggingFaceH4/aime_2024",
        config="default",
        split="train",
        revision="2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
        size=30,
        columns=ProblemColumns("problem", "answer", "id"),
        grader="math",
        licence="none stated",
    ),
    "aime25": BenchmarkSource(
        path="math-ai/aime25",
        config="default",
        split="test",
        revision="563bb8404243c5f09de6ec262f2db674fe5bce9b",
        size=30,
        columns=ProblemColumns("problem", "answer", "id"),
        grader="math",
        licence="unknown",
    ),
    "gpqa-diamond": BenchmarkSource(
        path="Idavidrein/gpqa",
        config="gpqa_diamond",
        split="train",
        revision="633f5ee89ab8ad4522a9f850766b73f62147ffdd",
        size=198,
        columns=ProblemColumns(
            "Question",
            "Correct Answer",
            "Record ID",
            "High-level domain",
            choices=("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"),
        ),
        grader="letter",
        licence="CC-BY-4.0, gated",
    ),
}  # fmt: skip


def read_hub_problems(name: str, revision: str | None = None, seed: int = 0) -> list[Problem]:
    """Read all problems of a benchmark.

    Args:
        name: one of `BENCHMARK_SOURCES`.
        revision: a commit, branch or tag of the dataset; the pinned one if not given.
        seed: shuffles the options of multiple choice if the right one has a column of its own.

    Raises:
        ConfigError: the `datasets` library is not installed, or the dataset cannot be loaded.
        DataError: its columns or rows differ from those at the pinned revision.
    """
    pinned = BENCHMARK_SOURCES[name]
    source = replace(pinned, revision=revision or pinned.revision)
    where = f"{name} ({source.path} at {source.revision[:8]})"
    split = load_split(name, source)
    require_columns(where, source.columns, split.column_names)
    if source.revision == pinned.revision and len(split) != pinned.size:
        raise DataError(f"{where}: there are {len(split):,} rows, but this revision has {pinned.size:,}.")
    table = ((f"{where}, row {number}", row) for number, row in enumerate(split, start=1))
    return read_problem_rows(name, table, source.columns, seed)


def load_split(name: str, source: BenchmarkSource) -> Any:
    """Return a source's split as `datasets` gives it, from its cache or the hub.

    Raises:
        ConfigError: the library is not installed, or the dataset cannot be loaded.
    """
    try:
        import datasets
    except ModuleNotFoundError:
        raise ConfigError(f"The task '{name}' needs datasets: pip install 'isocompute[datasets]'.") from None
    try:
        # A dataset may be a script. Versions before 4 would prompt before running it; later ones refuse it.
        return datasets.load_dataset(
            source.path, source.config, split=source.split, revision=source.revision, trust_remote_code=False
        )
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        if any(words in str(error) for words in ("trust_remote_code", "custom code", "scripts are no longer")):
            raise ConfigError(
                f"task.name: the dataset of '{name}' is a script, {source.path} at {source.revision[:8]}, which "
                "isocompute does not run; name a revision that holds data files."
            ) from None
        # A mirror's URL may hold a password.
        message = re.sub(r"//[^/\s@]+@", "//", (str(error).splitlines() or [""])[0])
        raise ConfigError(
            f"task.name: the dataset of '{name}' cannot be loaded: {message[:200].rstrip('.')}. It is {source.path}, "
            f"'{source.config}', at {source.revision[:8]}; see https://huggingface.co/datasets/{source.path} for "
            "who may read it."
        ) from None


def hash_problems(problems: Iterable[Problem]) -> str:
    """Return the SHA-256 of problems, the same wherever they come from."""
    # No benchmark has clusters; without the column, digests stay those of earlier versions.
    rows = ({name: value for name, value in vars(problem).items() if name != "cluster"} for problem in problems)
    lines = (json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)
    return sha256("\n".join(lines).encode()).hexdigest()
