"""The registry of formats of other tools' logs that can be imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from isocompute.registry import Registry, load_object
from isocompute.runners.imports.rows import ImportedRow
from isocompute.runners.imports.source import ImportSource


@dataclass(frozen=True)
class FormatEntry:
    """A format.

    Args:
        adapter: ``module:function`` that takes an `ImportSource` and yields its rows.
        description: a description of its files, for users.
        grader: the grader if the form of the right answers does not suggest one; None if it could be any.
        has_columns: whether a user may rename its columns.
        has_scorers: whether a log may hold several scorers, of which a user may choose.
        has_filters: whether a log may hold the answers of several filters, of which a user may choose.
        can_deinterleave: whether completions can be put back under their own problems.
    """

    adapter: str
    description: str
    grader: str | None = None
    has_columns: bool = False
    has_scorers: bool = False
    has_filters: bool = False
    can_deinterleave: bool = False

    @property
    def adapter_function(self) -> Callable[[ImportSource], Iterator[ImportedRow]]:
        """The function that `adapter` names."""
        adapter: Callable[[ImportSource], Iterator[ImportedRow]] = load_object(self.adapter)
        return adapter


IMPORTS_PACKAGE = "isocompute.runners.imports"

SC_GENRM_SCALING = FormatEntry(
    f"{IMPORTS_PACKAGE}.sc_genrm:read_sc_genrm_rows", "a folder of YAML trees, or arrays as .npz", grader="math"
)
SEARCH_AND_LEARN = FormatEntry(
    f"{IMPORTS_PACKAGE}.search_and_learn:read_search_and_learn_rows",
    "APPROACH_completions.jsonl, or a folder of them",
    grader="math",
    can_deinterleave=True,
)
LARGE_LANGUAGE_MONKEYS = FormatEntry(
    f"{IMPORTS_PACKAGE}.monkeys:read_monkeys_rows", "a folder of YAML, or .jsonl, .json", grader="math"
)
LM_EVAL = FormatEntry(
    f"{IMPORTS_PACKAGE}.lm_eval:read_lm_eval_rows",
    "samples_TASK_DATE.jsonl, from --log_samples",
    has_scorers=True,
    has_filters=True,
)
INSPECT_AI = FormatEntry(f"{IMPORTS_PACKAGE}.inspect_ai:read_inspect_rows", "a log, .eval or .json", has_scorers=True)
TABLE = FormatEntry(
    f"{IMPORTS_PACKAGE}.long_table:read_table_rows", "tables, .csv, .parquet, .jsonl or .json", has_columns=True
)
COUNTS = FormatEntry(
    f"{IMPORTS_PACKAGE}.counts:read_count_rows",
    "tables of problem, n, right (counts only), .csv, .parquet, .jsonl or .json",
    has_columns=True,
)
LIVECODEBENCH = FormatEntry(f"{IMPORTS_PACKAGE}.livecodebench:read_livecodebench_rows", "SCENARIO_eval_all.json")
EVALPLUS = FormatEntry(
    f"{IMPORTS_PACKAGE}.evalplus:read_evalplus_rows", "…_eval_results.json, of HumanEval+ or MBPP+", has_scorers=True
)
LIGHTEVAL = FormatEntry(
    f"{IMPORTS_PACKAGE}.lighteval:read_lighteval_rows", "details_TASK_DATE.parquet", has_scorers=True
)

IMPORT_FORMATS_MODULE = "isocompute.runners.imports.formats"

IMPORT_FORMATS: Registry[FormatEntry] = Registry(
    "format",
    "isocompute.imports",
    {
        name: f"{IMPORT_FORMATS_MODULE}:{name.upper().replace('-', '_')}"
        for name in (
            "sc-genrm-scaling",
            "search-and-learn",
            "large-language-monkeys",
            "lm-eval",
            "inspect-ai",
            "lighteval",
            "livecodebench",
            "evalplus",
            "table",
            "counts",
        )
    },
    FormatEntry,
)
"""Every format by its name."""


def normalise_import_format(name: str) -> str:
    """Return a format's name as in the registry; ``_`` may replace ``-``.

    >>> normalise_import_format("LM_Eval")
    'lm-eval'

    Raises:
        ConfigError: the name is unknown.
    """
    plain = name.replace("_", "-").lower()
    if plain not in IMPORT_FORMATS:
        IMPORT_FORMATS.find(name)  # raises the ConfigError
    return plain
