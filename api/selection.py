"""Choice of one problem's answer from its samples, by the rule of a strategy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isocompute.api.cells import clean_cell, normalise_answer_cell, read_list_cell
from isocompute.api.profiles import ProfileSource, load_profile
from isocompute.api.results import Result
from isocompute.errors import ConfigError, DataError
from isocompute.fits.choice.answer import RULES, AnswerSupport, describe_samples, draw_answer, weigh_answers
from isocompute.runners.imports.fields import read_probability_field
from isocompute.runners.parsing.printable import format_error_value

if TYPE_CHECKING:
    import pandas as pd


class SelectionResult(Result):
    """The answer that was chosen, and the support of every answer.

    Args:
        strategy: name of the strategy by which it was chosen.
        names: the answers, in the order of their text.
        support: the votes, weights or scores of each answer.
        answer: the one that was chosen; None if the best solutions have no answer.
    """

    def __init__(self, strategy: str, names: list[str], support: AnswerSupport, answer: str | None) -> None:
        self.strategy, self.answer = strategy, answer
        self._names, self._support = names, support

    @property
    def support(self) -> dict[str, float]:
        """The support of each answer: votes, weights or the best score (NaN for an answer without a score)."""
        return dict(zip(self._names, self._support.support.tolist(), strict=True))

    @property
    def tied(self) -> list[str]:
        """The answers that may be drawn; one alone if there is no tie. A solution without an answer may tie too."""
        return sorted(name for name, p in zip(self._names, self._support.probability, strict=True) if p > 0)

    @property
    def probability(self) -> dict[str, float]:
        """The probability that each answer is chosen, over the draws of ties."""
        return dict(zip(self._names, self._support.probability.tolist(), strict=True))

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each answer, the best first: answer, support, probability, chosen."""
        import pandas as pd

        cells = {"answer": self._names, "support": self._support.support, "probability": self._support.probability}
        frame = pd.DataFrame({**cells, "chosen": [name == self.answer for name in self._names]})
        return frame.sort_values(["chosen", "probability", "support"], ascending=False, ignore_index=True)

    def to_dict(self) -> dict[str, Any]:
        """Return the strategy, the answer, its support and the tied answers."""
        return {"strategy": self.strategy, "answer": self.answer, "support": self.support, "tied": self.tied}

    def _describe(self) -> list[str]:
        tied = f", drawn from {len(self.tied)} tied answers" if len(self.tied) > 1 else ""
        best = sorted(self.support.items(), key=lambda item: -item[1])[:5]
        return [
            f"{self.strategy}: {self.answer!r}{tied}",
            "support: " + ", ".join(f"{name!r} {value:.4g}" for name, value in best),
        ]


def select(
    answers: Sequence[Any],
    verdicts: Sequence[Any] | None = None,
    scores: Sequence[Any] | None = None,
    strategy: str = "weighted",
    profile: ProfileSource | None = None,
    seed: int = 0,
) -> SelectionResult:
    """Choose the answer of one problem from its samples.

    A tie is drawn with the seed; the same samples give the same answer in whatever order they come. In ``genrm`` and
    ``genrm+vote`` a verdict counts as yes above 1/2, and as no otherwise, as in the estimators.

    Args:
        answers: of the N solutions, text or numbers; None, NaN or "" where no answer could be read.
        verdicts: of each solution a verdict or a list of them: yes or no, booleans, numbers in 0 … 1, None or NaN.
        scores: of each solution a reward score in 0 … 1; None or NaN where there is none.
        strategy: sc, genrm, genrm+vote, weighted, fused, bon or prm-weighted.
        profile: for ``fused``, which takes from it how far verdicts are trusted.
        seed: of the draw, 0 or more.

    Raises:
        ConfigError: the strategy is unknown, or its verdicts, scores or profile are missing.
        DataError: lengths differ, no answer can be read, or a verdict or score is not in 0 … 1.

    Example:
        >>> select(["7", "8", "8"], verdicts=[[1, 1], [0, 1], [0, 0]]).answer
        '7'
    """
    if not isinstance(strategy, str) or strategy not in RULES:
        raise ConfigError(f"strategy={format_error_value(strategy)} is unknown; select has {', '.join(RULES)}.")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ConfigError(f"seed must be a whole number, 0 or more; it is {format_error_value(seed)}.")
    given_answers = [read_answer(answer) for answer in read_samples(answers, "answers")]
    names = sorted({answer for answer in given_answers if answer is not None})
    if not names:
        raise DataError("No answer can be read: every entry of answers is empty.")
    codes = np.array([-1 if answer is None else names.index(answer) for answer in given_answers], dtype=np.int64)
    needs = "scores" if strategy in ("bon", "prm-weighted") else "" if strategy == "sc" else "verdicts"
    judged = read_verdict_rows(verdicts, len(given_answers)) if needs == "verdicts" else None
    scored = read_score_row(scores, len(given_answers)) if needs == "scores" else None
    support = weigh_answers(strategy, codes, judged, scored, get_trust(profile) if strategy == "fused" else 1.0)
    chosen = draw_answer(support.probability, describe_samples(given_answers, judged, scored), int(seed))
    return SelectionResult(strategy, names, support, None if chosen is None else names[chosen])


def read_answer(cell: Any) -> str | None:
    """Return an answer as text; None of an empty one.

    Raises:
        DataError: it is a list or another collection.
    """
    if isinstance(cell, list | tuple | dict | set):
        raise DataError(f"An answer is {format_error_value(cell)}; it must be text or a number.")
    return normalise_answer_cell(cell)


def read_samples(values: Any, name: str, count: int | None = None) -> list[Any]:
    """Return samples as a list, of arrays by row.

    Raises:
        DataError: they have no order, or are not as many as the answers.
    """
    values = values.to_numpy() if hasattr(values, "to_numpy") else values
    values = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(values, list | tuple):
        raise DataError(f"{name} must be a list with an entry for each solution; it is {format_error_value(values)}.")
    if not values or (count is not None and len(values) != count):
        needed = f"{count or 'at least 1'} entries, one for each solution"
        raise DataError(f"{name} must have {needed}; it has {len(values)}.")
    return list(values)


def read_verdict_rows(verdicts: Any, count: int) -> NDArray[np.float64]:
    """Return verdicts as (N, M), NaN behind a solution's last.

    Raises:
        ConfigError: there are none.
        DataError: they are not as many as the answers, or one is not in 0 … 1.
    """
    if verdicts is None:
        raise ConfigError("This strategy needs verdicts.")
    read = ((row, read_list_cell(row)) for row in read_samples(verdicts, "verdicts", count))
    rows = [[row] if entries is None else entries for row, entries in read]
    array = np.full((count, max(1, *map(len, rows))), np.nan) if count > 1 else np.full((1, len(rows[0]) or 1), np.nan)
    for i, row in enumerate(rows):
        for m, value in enumerate(row):
            array[i, m] = read_share(value, f"verdicts[{i}]")
    return array


def read_score_row(scores: Any, count: int) -> NDArray[np.float64]:
    """Return scores as (N,), NaN where there is none.

    Raises:
        ConfigError: there are none.
        DataError: they are not as many as the answers, or one is not in 0 … 1.
    """
    if scores is None:
        raise ConfigError("This strategy needs scores.")
    rows = enumerate(read_samples(scores, "scores", count))
    return np.array([read_share(value, f"scores[{i}]") for i, value in rows])


def read_share(value: Any, where: str) -> float:
    """Return a verdict or a score; NaN of an empty one."""
    share = read_probability_field({"value": clean_cell(value)}, "value", where)
    return np.nan if share is None else share


def get_trust(profile: ProfileSource | None) -> float:
    """Return κ of the fused vote.

    Raises:
        ConfigError: there is no profile, or it holds no fused vote.
    """
    trust = None if profile is None else load_profile(profile)._profile.odds_exponent
    if trust is None:
        raise ConfigError("strategy='fused' needs profile= with a fused vote, which gives the trust in verdicts.")
    return trust
