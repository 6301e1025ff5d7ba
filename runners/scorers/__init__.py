"""How the steps of a solution are scored: one protocol of one method, and the scorers that keep it.

A scorer takes requests from the left of a queue as it has room and yields each one with its scores as it finishes, in
any order. Whoever reads may add to the queue meanwhile. A score is a number in [0, 1], and a function of the question
and of the steps up to its own: the same text has the same score (up to the floating-point order of the arithmetic).

`SCORERS` says which there are: models in a `format`, that vLLM or transformers host; ``verdicts``, which asks the
sweep's verifier (`genrm.VerdictScorer`); and what other packages add.

A solution is most often one step to an outcome reward model, and to ``verdicts``.
"""

from isocompute.runners.scorers.base import Scorer, ScoreRequest, ScoreResult
from isocompute.runners.scorers.registry import SCORERS, ScorerEntry, load_scorer

__all__ = ["SCORERS", "ScoreRequest", "ScoreResult", "Scorer", "ScorerEntry", "load_scorer"]
