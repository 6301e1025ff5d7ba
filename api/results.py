"""The base of every result of the public API: how it shows itself, and what tab completion offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

SHOWN_LINES = 10
SHOWN_WIDTH = 120


class Result(ABC):
    """A result that shows itself in a few lines, and turns into a data frame or a dictionary."""

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """Return the result as a tidy data frame."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return what the command prints with ``--json``."""

    @abstractmethod
    def _describe(self) -> list[str]:
        """Return the lines that say what the result is."""

    def __repr__(self) -> str:
        lines = [line for text in self._describe() for line in wrap(text, SHOWN_WIDTH, subsequent_indent="  ") or [""]]
        return "\n".join(lines if len(lines) <= SHOWN_LINES else [*lines[: SHOWN_LINES - 1], "…"])

    def _repr_html_(self) -> str:
        """Return the description and the first rows of the frame, for a notebook."""
        from html import escape

        table = self.to_frame().head(20).to_html(index=False, na_rep="", float_format=lambda x: f"{x:.4g}")
        return f"<p>{'<br>'.join(map(escape, self._describe()[:SHOWN_LINES]))}</p>{table}"

    def __dir__(self) -> list[str]:
        return sorted(name for name in {*vars(type(self)), *vars(self), "to_frame", "to_dict"} if name[:1] != "_")
