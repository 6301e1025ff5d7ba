"""The formats of other tools' logs that can be imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from isocompute.registry import Registry, load_object
from isocompute.runners.imports.rows import Row
from isocompute.runners.imports.source import Source


@dataclass(frozen=True)
class FormatEntry:
    """A format.

    Args:
        adapter: ``module:function`` that takes a `Source` and yields the rows that it holds.
        description: what its files are, for people.
        grader: what grades its texts where the form of the right answers does not say it; None if it could be any.
        has_columns: whether a user may say what its columns are called.
    """

    adapter: str
    description: str
    grader: str | None = None
    has_columns: bool = False

    @property
    def load_adapter(self) -> Callable[[Source], Iterator[Row]]:
        """The function that `adapter` names."""
        found: Callable[[Source], Iterator[Row]] = load_object(self.adapter)
        return found


IMPORTS = "isocompute.runners.imports"

SC_GENRM_SCALING = FormatEntry(
    f"{IMPORTS}.sc_genrm:sc_genrm_rows", "a folder of YAML trees, or arrays as .npz", grader="math"
)
SEARCH_AND_LEARN = FormatEntry(
    f"{IMPORTS}.search_and_learn:search_and_learn_rows",
    "APPROACH_completions.jsonl, or a folder of them",
    grader="math",
)
LARGE_LANGUAGE_MONKEYS = FormatEntry(
    f"{IMPORTS}.monkeys:monkeys_rows", "a folder of YAML, or .jsonl, .json", grader="math"
)
LM_EVAL = FormatEntry(f"{IMPORTS}.lm_eval:lm_eval_rows", "samples_TASK_DATE.jsonl, from --log_samples")
INSPECT_AI = FormatEntry(f"{IMPORTS}.inspect_ai:inspect_rows", "a log, .eval or .json")
TABLE = FormatEntry(f"{IMPORTS}.long_table:table_rows", "a long table, .csv, .parquet or .jsonl", has_columns=True)

HERE = "isocompute.runners.imports.formats"

FORMATS: Registry[FormatEntry] = Registry(
    "format",
    "isocompute.imports",
    {
        name: f"{HERE}:{name.upper().replace('-', '_')}"
        for name in ("sc-genrm-scaling", "search-and-learn", "large-language-monkeys", "lm-eval", "inspect-ai", "table")
    },
    FormatEntry,
)
"""Every format by its name."""


def normalize_format(name: str) -> str:
    """Return a format's name as the registry has it; ``_`` is as good as ``-``.

    >>> normalize_format("LM_Eval")
    'lm-eval'

    Raises:
        ConfigError: there is none of that name.
    """
    plain = name.replace("_", "-").lower()
    if plain not in FORMATS:
        FORMATS.find(name)  # raises
    return plain
