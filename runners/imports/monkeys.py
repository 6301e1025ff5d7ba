"""large_language_monkeys: a YAML file a problem, or the same keys as an object a problem in JSON.

    question, samples, gt_answer (mathematics only), is_corrects (once evaluated)
    orig_dset_split, orig_dset_idx (in the published collection, which is JSON)

Read in github.com/ScalingIntelligence/large_language_monkeys at ed2bdb0 (generate/*.py, evaluate/*.py). Tokens and
verdicts are not logged. Of code and proofs there is no right answer, only whether each sample passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from isocompute.errors import DataError
from isocompute.runners.imports.fields import flag, text, texts
from isocompute.runners.imports.rows import Problem, Row, Solution
from isocompute.runners.imports.source import Source, block
from isocompute.runners.parsing.printable import shown


def monkeys_rows(source: Source) -> Iterator[Row]:
    """Yield the rows of a folder of YAML, or of a file of YAML or JSON.

    Raises:
        DataError: a file does not hold what it should; says which.
    """
    for name, where, content in contents(source):
        samples = texts(content, "samples", where)
        passed = content.get("is_corrects")
        if passed is not None and (not isinstance(passed, list) or len(passed) != len(samples)):
            raise DataError(f"{where}: 'is_corrects' must say yes or no of each of the {len(samples):,} samples.")
        yield Problem(name, where, text(content, "question", where), text(content, "gt_answer", where))
        for i, sample in enumerate(samples):
            here = f"{where}, sample {i}"
            correct = None if passed is None else flag({"is_corrects": passed[i]}, "is_corrects", here)
            yield Solution(name, here, sample, correct=correct)


def contents(source: Source) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield what is held of each problem, with its name and where it stands."""
    for path in source.files(".yaml", ".yml", ".jsonl", ".json"):
        if path.suffix in (".yaml", ".yml"):
            yield path.stem, str(path), source.yaml(path)
        elif path.suffix == ".jsonl":
            for number, (where, content) in enumerate(source.lines(path), start=1):
                yield published(content, number, where), where, content
        else:
            held = source.json(path)
            if not isinstance(held, list):
                raise DataError(f"{path} must hold a list of problems; it is {shown(held)}.")
            for number, content in enumerate(held, start=1):
                where = f"{path}, problem {number}"
                yield published(block(content, where), number, where), where, content


def published(content: dict[str, Any], number: int, where: str) -> str:
    """Return a problem's name: its split and its number there, as far as it has them."""
    parts = [text(content, key, where) for key in ("orig_dset_split", "orig_dset_idx")]
    return "-".join(part for part in parts if part) if parts[1] else str(number)
