"""Grading: answer extraction, graders, and the classes of equal answers that votes are counted over."""

from isocompute.runners.grading.canonical import extract_lab_answer, normalise_lab_answer
from isocompute.runners.grading.classes import AnswerClasses
from isocompute.runners.grading.comparison_process import AnswerComparer, ComparisonResult
from isocompute.runners.grading.extraction import extract_boxed_answer
from isocompute.runners.grading.graders import Grader
from isocompute.runners.grading.logged import make_logged_grader
from isocompute.runners.grading.registry import GRADERS, GraderEntry, load_grader_by_name

__all__ = [
    "GRADERS",
    "AnswerClasses",
    "AnswerComparer",
    "ComparisonResult",
    "Grader",
    "GraderEntry",
    "extract_boxed_answer",
    "extract_lab_answer",
    "load_grader_by_name",
    "make_logged_grader",
    "normalise_lab_answer",
]  # fmt: skip
