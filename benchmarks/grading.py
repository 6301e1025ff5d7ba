"""Errors and time of the graders, beside math-verify called plainly and a comparison of strings.

    python -m benchmarks.grading [PAIRS.tsv …]

A file of pairs has the columns grader, gold, solution, right and kind; without one, tests/golden/answer_pairs.tsv. The
time of our grader is that of distinct pairs, each compared in its own process as in a run, once that process is warm.
"""

from __future__ import annotations

import csv
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from math_verify import parse, verify

from isocompute.errors import DataError
from isocompute.runners.grading import AnswerClasses, load_grader_by_name
from isocompute.runners.grading.extraction import extract_boxed_answer

OWN_PAIRS = Path(__file__).resolve().parents[1] / "tests" / "golden" / "answer_pairs.tsv"
LINE_BREAK_PATTERN = re.compile(r"\\n(?!e(?![a-z])|eq|ot|u(?![a-z])|abla|i(?![a-z])|ewline|mid|exists|earrow|warrow)")

Pair = dict[str, str]


def read_pairs(path: Path) -> list[Pair]:
    r"""Return the pairs of a file; ``\n`` in a solution is a line break."""
    with path.open(encoding="utf-8", newline="") as file:
        pairs = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [{**pair, "solution": LINE_BREAK_PATTERN.sub("\n", pair["solution"])} for pair in pairs]


def grade_pairs(pairs: list[Pair]) -> list[bool]:
    """Return whether our graders take each solution as right; a gold answer that cannot be read is wrong."""
    graders = {name: load_grader_by_name(name) for name in {pair["grader"] for pair in pairs}}
    right = []
    for pair in pairs:
        try:
            right.append(AnswerClasses(graders[pair["grader"]], pair["gold"]).grade(pair["solution"])[1])
        except DataError:
            right.append(False)
    for grader in graders.values():
        grader.close()
    return right


def verify_pair(pair: Pair) -> bool:
    """Return whether math-verify, called plainly, takes a solution as right."""
    gold = parse(f"${pair['gold']}$", parsing_timeout=None)
    return bool(verify(gold, parse(pair["solution"], parsing_timeout=None), timeout_seconds=None))


def compare_strings(pair: Pair) -> bool:
    """Return whether the last box, or the last word, is the gold answer without blanks."""
    said = extract_boxed_answer(pair["solution"]) or (pair["solution"].split() or [""])[-1].rstrip(".")
    return said.replace(" ", "") == pair["gold"].replace(" ", "")


def count_errors(pairs: list[Pair], right: list[bool]) -> Counter[tuple[str, str]]:
    """Return the number of false accepts and false rejects by grader."""
    errors = Counter[tuple[str, str]]()
    for pair, accepted in zip(pairs, right, strict=True):
        if accepted != (pair["right"] == "yes"):
            errors[pair["grader"], "false accepts" if accepted else "false rejects"] += 1
    return errors


def measure_ways(pairs: list[Pair]) -> None:
    """Print errors and milliseconds per pair of each way of grading."""
    grade_pairs(pairs[:1])
    ways: dict[str, Callable[[list[Pair]], list[bool]]] = {
        "isocompute": grade_pairs,
        "math-verify": lambda pairs: [verify_pair(pair) for pair in pairs],
        "strings": lambda pairs: [compare_strings(pair) for pair in pairs],
    }
    graders = sorted({pair["grader"] for pair in pairs})
    print(f"{len(pairs)} pairs: " + ", ".join(f"{sum(p['grader'] == g for p in pairs)} {g}" for g in graders))
    print(f"{'':12} {'ms a pair':>10}  " + "  ".join(f"{g:>22}" for g in graders) + "   (false accepts, false rejects)")
    for name, grade in ways.items():
        start = time.perf_counter()
        right = grade(pairs)
        spent = 1000 * (time.perf_counter() - start) / len(pairs)
        errors = count_errors(pairs, right)
        cells = (f"{errors[g, 'false accepts']:>10}, {errors[g, 'false rejects']:>10}" for g in graders)
        print(f"{name:12} {spent:>10.1f}  " + "  ".join(cells))


if __name__ == "__main__":
    for given in map(Path, sys.argv[1:] or [OWN_PAIRS]):
        measure_ways(read_pairs(given))
