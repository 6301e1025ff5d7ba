"""How the steps of a solution are scored: one protocol of one method, and the scorers that keep it.

A scorer takes requests from the left of a queue as it has room and yields each one with its scores as it finishes, in
any order. Whoever reads may add to the queue meanwhile. A score is a number in [0, 1], and a function of the question
and of the steps up to its own: the same text has the same score (up to the floating-point order of the arithmetic).

=================  ====================================================================================
``rlhflow``        RLHFlow's models: a chat, a step a turn, ``+`` or ``-`` in reply
``math-shepherd``  Math-Shepherd: ``ки`` after each step, ``+`` or ``-`` predicted there
``qwen-prm``       Qwen2.5-Math-PRM: ``<extra_0>`` after each step, classified there
``skywork``        Skywork-o1-Open-PRM: a value at each line's end; transformers only
``lab``            the lab's own PRM: `` +`` or `` -`` predicted after each line
``outcome``        an outcome reward model: one score for the solution so far
``verdicts``       GenRM's mean verdict on the solution so far; a class of its own (`verdicts.Verdicts`)
=================  ====================================================================================

A solution is most often one step to an outcome reward model, and to ``verdicts``.
"""

from isocompute.runners.scorers.base import Scored, Scorer, ScoreRequest
from isocompute.runners.scorers.registry import KINDS, load

__all__ = ["KINDS", "ScoreRequest", "Scored", "Scorer", "load"]
