"""An import adapter: JSON lines with the keys problem, gold and text, one line per solution."""

from isocompute.runners.imports import FormatEntry, ImportedProblem, ImportedSolution
from isocompute.runners.imports.fields import read_name_field, read_text_field


def read_answers(source):
    known = set()
    for path in source.find_files(".jsonl"):
        for where, line in source.read_json_lines(path):
            problem = read_name_field(line, "problem", where)
            if problem not in known:
                known.add(problem)
                yield ImportedProblem(problem, where, gold=read_text_field(line, "gold", where))
            yield ImportedSolution(problem, where, text=read_text_field(line, "text", where))


ANSWERS = FormatEntry("isocompute_example.adapter:read_answers", "JSON lines: problem, gold, text", grader="numeric")
