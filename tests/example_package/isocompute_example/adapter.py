"""An import adapter: JSON lines with the keys problem, gold and text, a line a solution."""

from isocompute.runners.imports import FormatEntry, Problem, Solution
from isocompute.runners.imports.fields import name, text


def read_answers(source):
    known = set()
    for path in source.files(".jsonl"):
        for where, line in source.lines(path):
            problem = name(line, "problem", where)
            if problem not in known:
                known.add(problem)
                yield Problem(problem, where, gold=text(line, "gold", where))
            yield Solution(problem, where, text=text(line, "text", where))


ANSWERS = FormatEntry("isocompute_example.adapter:read_answers", "JSON lines: problem, gold, text", grader="numeric")
