"""Is the answer right? Graders, the classes of equal answers that votes are counted over."""

from isocompute.runners.grading.canonical import answer_of, canonical
from isocompute.runners.grading.classes import Classes
from isocompute.runners.grading.comparison_process import Judge, Judgement
from isocompute.runners.grading.extraction import boxed
from isocompute.runners.grading.graders import Grader
from isocompute.runners.grading.registry import GRADERS, GraderEntry, load

__all__ = [
    "GRADERS", "Classes", "Grader", "GraderEntry", "Judge", "Judgement",
    "answer_of", "boxed", "canonical", "load",
]  # fmt: skip
