"""The answer of one problem's samples: the strategies' rule, applied to samples that are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isocompute.api.frames import is_missing, normalise_frame_answer, read_list_cell
from isocompute.api.profiles import ProfileSource, load_profile
from isocompute.api.results import Result
from isocompute.errors import ConfigError, DataError
from isocompute.fits.choice.answer import RULES, AnswerSupport, weigh_answers
from isocompute.runners.imports.fields import read_probability_field

if TYPE_CHECKING:
    import pandas as pd


class SelectionResult(Result):
    """The answer that was chosen, and what spoke for each.

    Args:
        strategy: by which it was chosen.
        names: the answers, in the order of their text.
        found: what speaks for each.
        answer: the one that was chosen; None if the best solutions have no answer.
    """

    def __init__(self, strategy: str, names: list[str], found: AnswerSupport, answer: str | None) -> None:
        self.strategy, self.answer = strategy, answer
        self._names, self._found = names, found

    @property
    def support(self) -> dict[str, float]:
        """What speaks for each answer: votes, weights or the best score."""
        return dict(zip(self._names, self._found.support.tolist(), strict=True))

    @property
    def tied(self) -> list[str]:
        """The answers among which a tie was drawn; the answer alone if there was none."""
        return sorted(name for name, p in zip(self._names, self._found.probability, strict=True) if p > 0)

    @property
    def probability(self) -> dict[str, float]:
        """How probable each answer is to be chosen, over the draws of ties."""
        return dict(zip(self._names, self._found.probability.tolist(), strict=True))

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each answer, the best first: answer, support, probability, chosen."""
        import pandas as pd

        cells = {"answer": self._names, "support": self._found.support, "probability": self._found.probability}
        frame = pd.DataFrame({**cells, "chosen": [name == self.answer for name in self._names]})
        return frame.sort_values(["chosen", "probability", "support"], ascending=False, ignore_index=True)

    def to_dict(self) -> Any:
        """Return the strategy, the answer, its support and the tied answers."""
        return {"strategy": self.strategy, "answer": self.answer, "support": self.support, "tied": self.tied}

    def _describe(self) -> list[str]:
        tied = f", drawn from {len(self.tied)} that tie" if len(self.tied) > 1 else ""
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

    A tie is drawn with the seed; the same samples give the same answer in whatever order they come.

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
    if strategy not in RULES:
        raise ConfigError(f"strategy={strategy!r:.60} is unknown to select; there are {', '.join(RULES)}.")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ConfigError(f"seed must be a whole number, 0 or more; it is {seed!r:.60}.")
    told = [normalise_frame_answer(answer) for answer in read_samples(answers, "answers")]
    names = sorted({answer for answer in told if answer is not None})
    if not names:
        raise DataError("No answer can be read: every entry of answers is empty.")
    codes = np.array([-1 if answer is None else names.index(answer) for answer in told], dtype=np.int64)
    needs = "scores" if strategy in ("bon", "prm-weighted") else "" if strategy == "sc" else "verdicts"
    judged = read_verdict_rows(verdicts, len(told)) if needs == "verdicts" else None
    scored = read_score_row(scores, len(told)) if needs == "scores" else None
    found = weigh_answers(strategy, codes, judged, scored, get_trust(profile) if strategy == "fused" else 1.0)
    chosen = draw_answer(found.probability, seed)
    return SelectionResult(strategy, names, found, None if chosen is None else names[chosen])


def draw_answer(probability: NDArray[np.float64], seed: int) -> int | None:
    """Return the answer that the seed draws; None where it draws a solution without an answer."""
    place = int(np.searchsorted(np.cumsum(probability), np.random.default_rng(seed).random(), side="right"))
    if place < len(probability):
        return place
    return int(np.flatnonzero(probability)[-1]) if probability.sum() > 1 - 1e-9 else None


def read_samples(values: Any, name: str, count: int | None = None) -> list[Any]:
    """Return samples as a list.

    Raises:
        DataError: they are not a list, are none, or are not as many as the answers.
    """
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__") or not hasattr(values, "__len__"):
        raise DataError(f"{name} must be a list with an entry for each solution; it is {values!r:.60}.")
    found = list(values)
    if not found or (count is not None and len(found) != count):
        raise DataError(
            f"{name} must have {count or 'at least 1'} entries, one for each solution; it has {len(found)}."
        )
    return found


def read_verdict_rows(verdicts: Any, count: int) -> NDArray[np.float64]:
    """Return verdicts as (N, M), NaN behind a solution's last.

    Raises:
        ConfigError: there are none.
        DataError: they are not as many as the answers, or one is not in 0 … 1.
    """
    if verdicts is None:
        raise ConfigError("This strategy needs verdicts.")
    rows = [
        [row] if (entries := read_list_cell(row)) is None else entries
        for row in read_samples(verdicts, "verdicts", count)
    ]
    array = np.full((count, max(1, *map(len, rows)) if count > 1 else max(1, len(rows[0]))), np.nan)
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
    return np.array(
        [read_share(value, f"scores[{i}]") for i, value in enumerate(read_samples(scores, "scores", count))]
    )


def read_share(value: Any, where: str) -> float:
    """Return a verdict or a score; NaN of an empty one."""
    value = value.item() if isinstance(value, np.generic) else value
    found = read_probability_field({"value": None if is_missing(value) else value}, "value", where)
    return np.nan if found is None else found


def get_trust(profile: ProfileSource | None) -> float:
    """Return κ of the fused vote.

    Raises:
        ConfigError: there is no profile, or it holds no fused vote.
    """
    trust = None if profile is None else load_profile(profile)._profile.odds_exponent
    if trust is None:
        raise ConfigError("strategy='fused' needs profile=, one with a fused vote: it says how far to trust verdicts.")
    return trust
