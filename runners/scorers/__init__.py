"""Scorers: the protocol by which a solution's steps are scored, and its implementations.

A scorer takes requests from the left of a queue as it has room and yields each one with its scores as it finishes, in
any order. The caller may add to the queue meanwhile. A score is a number in [0, 1], and a function of the question and
of the steps up to its own: the same text has the same score, up to the floating-point order of the arithmetic.

`SCORERS` lists them: reward models in a `format`, run by vLLM or transformers; ``verdicts``, which uses the sweep's
verifier (`genrm.VerdictScorer`); and those of other packages.

Outcome reward models and ``verdicts`` usually get a solution as one step.
"""

from isocompute.runners.scorers.base import Scorer, ScoreRequest, ScoreResult
from isocompute.runners.scorers.registry import SCORERS, ScorerEntry, load_scorer

__all__ = ["SCORERS", "ScoreRequest", "ScoreResult", "Scorer", "ScorerEntry", "load_scorer"]
