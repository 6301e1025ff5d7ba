"""The tables of a run, and their columns with units and meanings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from isocompute.errors import DataError


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    type: pa.DataType
    meaning: str
    null: bool = False
    within: str | None = None
    """The column that this one is part of and never exceeds."""
    later: bool = False
    """True if parts of earlier versions lack the column; it is null there, which means unknown."""
    formerly: str | None = None
    """The column's name in parts of format 1, if it differs."""


@dataclass(frozen=True)
class RunTable:
    """One table of a run; its first ``key`` columns identify a row.

    Args:
        name: the table's name and folder.
        key: number of key columns.
        columns: the columns of a part.
        tokens: its columns of prompt, cached and completion tokens of the model that makes its rows.
        retired: columns that only parts of format 1 have; null where a part lacks them.
    """

    name: str
    key: int
    columns: tuple[Column, ...]
    tokens: tuple[str, ...] = ()
    retired: tuple[Column, ...] = ()

    def __hash__(self) -> int:
        """Return a number that follows from the name; rows are counted by table, and the columns take long to hash."""
        return hash(self.name)

    @property
    def key_names(self) -> list[str]:
        """The names of the key columns."""
        return [c.name for c in self.columns[: self.key]]

    @property
    def has_status(self) -> bool:
        """True if rows have a status, so that a failed row can be sampled again."""
        return any(c.name == "status" for c in self.columns)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of new parts."""
        return self.select_schema([c.name for c in self.columns])

    def select_schema(self, names: Sequence[str]) -> pa.Schema:
        """Return the Arrow schema of some columns, which may be retired ones."""
        fields = {c.name: pa.field(c.name, c.type, nullable=c.null) for c in (*self.columns, *self.retired)}
        return pa.schema([fields[name] for name in names])

    def find_former_names(self, schema: pa.Schema) -> dict[str, str]:
        """Return the format-1 names of renamed columns if a part has format 1; otherwise an empty dictionary.

        A former name that is in use today with another meaning (`cached_tokens` of searches) does not identify format
        1. A former name that no column has today does.
        """
        former = {c.name: c.formerly for c in self.columns if c.formerly is not None}
        format_1_only = set(former.values()) - {c.name for c in self.columns}
        return former if format_1_only & set(schema.names) else {}

    def find_columns(self, schema: pa.Schema, where: str) -> dict[str, str]:
        """Return the name in a file of each column that it has; raise unless its columns are this table's.

        Raises:
            DataError: a column is missing, repeated, unknown or of the wrong type; the message names file and column.
        """
        former, file_names = self.find_former_names(schema), dict[str, str]()
        for column in (*self.columns, *self.retired):
            name = former.get(column.name, column.name)
            if schema.names.count(name) > 1:
                raise DataError(f"{where}: the column '{name}' appears twice; each column may appear only once.")
            index = schema.get_field_index(name)
            if index < 0 and (column.later or column in self.retired):
                continue
            if index < 0:
                names = ", ".join(former.get(c.name, c.name) for c in self.columns)
                raise DataError(f"{where}: the column '{name}' is missing; {self.name} has {names}.")
            if schema.field(index).type != column.type:
                raise DataError(
                    f"{where}: the column '{name}' is {schema.field(index).type}; it must be {column.type}."
                )
            file_names[column.name] = name
        if extra := [name for name in schema.names if name not in file_names.values()]:
            raise DataError(f"{where}: the column '{extra[0]}' does not belong to {self.name}.")
        return file_names


PROBLEM_ID = Column("problem_id", pa.string(), "the problem's name, unique in its task")
SOLUTION_ID = Column("solution_id", pa.int32(), "number of the solution among the problem's samples: 0, 1, 2 …")
COMPLETION_COLUMNS = (
    Column("prompt_tokens", pa.int32(), "tokens in the prompt", null=True),
    Column(
        "cached_tokens", pa.int32(), "prompt tokens read from the prefix cache; null if unknown",
        null=True, within="prompt_tokens",
    ),
    Column("completion_tokens", pa.int32(), "tokens sampled, including the end token", null=True),
    Column(
        "finish_reason", pa.string(), "stop: complete; length: cut at the token limit; skipped: nothing to verify",
        null=True,
    ),
    Column("status", pa.string(), "ok, or what went wrong; failed rows are never scored"),
)  # fmt: skip

CLOCK_COLUMNS = (
    Column(
        "started_at", pa.timestamp("us", tz="UTC"), "when the engine started the request; null if unknown",
        null=True, later=True,
    ),
    Column(
        "seconds", pa.float64(), "wall time until completion, while other requests ran too; null if unknown",
        null=True, later=True,
    ),
)  # fmt: skip

MODEL_TOKENS = ("prompt_tokens", "cached_tokens", "completion_tokens")
"""The columns of the solver's or verifier's prompt, cached and completion tokens."""

DIGEST_COLUMN = Column(
    "solution_digest", pa.string(), "digest of the solution text that the row is about, see `digests`; null if unknown",
    null=True, later=True,
)  # fmt: skip

LOGGED_COLUMNS = (
    Column("logged_answer", pa.string(), "the answer in the log of an import; null without one", null=True, later=True),
    Column(
        "logged_correct", pa.bool_(), "whether the log of an import says right; null if it says nothing",
        null=True, later=True,
    ),
)  # fmt: skip

PROBLEMS_TABLE = RunTable(
    "problems", 1,
    (
        PROBLEM_ID,
        Column("task", pa.string(), "the task's name"),
        Column("question", pa.string(), "the question; null only if an import lacks it", null=True),
        Column("gold", pa.string(), "the right answer, as given; null if it is unknown", null=True),
        Column("subject", pa.string(), "field of knowledge", null=True),
        Column("level", pa.int32(), "difficulty; 1 is the easiest", null=True),
        Column("cluster", pa.string(), "the group of problems that it was sampled with", null=True, later=True),
    ),
)  # fmt: skip

SOLUTIONS_TABLE = RunTable(
    "solutions", 2,
    (
        PROBLEM_ID,
        SOLUTION_ID,
        Column("text", pa.string(), "what the solver wrote", null=True),
        Column("answer", pa.string(), "the canonical answer; null if unreadable or unknown", null=True),
        Column(
            "correct", pa.bool_(), "whether the answer equals the gold answer; null if unknown, or if the row failed",
            null=True,
        ),
        *COMPLETION_COLUMNS,
        *CLOCK_COLUMNS,
        *LOGGED_COLUMNS,
    ),
    MODEL_TOKENS,
    retired=(Column("step_scores", pa.list_(pa.float32()), "step scores of an import; now in `scores`", null=True),),
)  # fmt: skip

VERIFICATIONS_TABLE = RunTable(
    "verifications", 3,
    (
        PROBLEM_ID,
        SOLUTION_ID,
        Column("verification_id", pa.int32(), "number of the verification among the solution's samples: 0, 1, 2 …"),
        Column("text", pa.string(), "what the verifier wrote", null=True),
        Column("verdict", pa.float32(), "1 for yes, 0 for no; null if unparsed", null=True),
        Column("p_yes", pa.float32(), "probability of yes at the verdict; null if not measured", null=True),
        *COMPLETION_COLUMNS,
        DIGEST_COLUMN,
        *CLOCK_COLUMNS,
    ),
    MODEL_TOKENS,
)  # fmt: skip

SCORER_COLUMNS = (
    Column("scorer_prompt_tokens", pa.int64(), "tokens read by the scorer", null=True, formerly="scored_tokens"),
    Column(
        "scorer_cached_tokens", pa.int64(), "scorer prompt tokens read from its prefix cache; null if unknown",
        null=True, within="scorer_prompt_tokens", formerly="scored_cached_tokens",
    ),
    Column("scorer_calls", pa.int32(), "sequences that the scorer read", null=True),
    Column(
        "scorer_completion_tokens", pa.int64(), "tokens sampled by the scorer; 0 except for the kind verdicts",
        null=True, formerly="scorer_sampled_tokens",
    ),
)  # fmt: skip

SCORER_TOKENS = ("scorer_prompt_tokens", "scorer_cached_tokens", "scorer_completion_tokens")
"""The columns of the scorer's prompt, cached and completion tokens."""

SCORES_TABLE = RunTable(
    "scores", 2,
    (
        PROBLEM_ID,
        SOLUTION_ID,
        Column("step_scores", pa.list_(pa.float64()), "the scorer's score after each step", null=True),
        *SCORER_COLUMNS,
        COMPLETION_COLUMNS[-1],
        DIGEST_COLUMN,
        *CLOCK_COLUMNS,
    ),
    SCORER_TOKENS,
)  # fmt: skip

SEARCH_KEY_COLUMNS = (
    PROBLEM_ID,
    Column("strategy", pa.string(), "the search strategy: beam, dvts …"),
    Column("n", pa.int32(), "candidates held at once"),
    Column("beam_width", pa.int32(), "continuations of each kept beam; 0 if the strategy decides"),
    Column("lookahead", pa.int32(), "further steps sampled before scoring"),
    Column("seed", pa.int64(), "number of the repetition: 0, 1, 2 …"),
)  # fmt: skip

NODES_TABLE = RunTable(
    "nodes", 7,
    (
        *SEARCH_KEY_COLUMNS,
        Column("node_id", pa.int32(), "1, 2, 3 … in the order in which the search requested the nodes"),
        Column("parent", pa.int32(), "the node that this node continues; 0 is the problem"),
        Column("round", pa.int32(), "the round in which it was sampled: 1, 2, 3 …"),
        Column("text", pa.string(), "the step with its delimiter; for revisions, the complete attempt", null=True),
        Column("token_ids", pa.list_(pa.int32()), "the solver's token ids of the step; null if unknown", null=True),
        Column("score", pa.float64(), "aggregated score of the path, or of its rollout; null if none", null=True),
        Column("step_score", pa.float64(), "the score of this step alone; null if the step is empty", null=True),
        *COMPLETION_COLUMNS[:3],
        Column("lookahead_tokens", pa.int32(), "tokens sampled in the discarded rollout from this node", null=True),
        *SCORER_COLUMNS,
        Column("end", pa.string(), "stop: the solution is complete; length: cut; null: it continues", null=True),
        Column("fate", pa.string(), "kept, dropped, finished, cut; limit: unfinished when the rounds ended",
               null=True),
        Column("answer", pa.string(), "the canonical answer of a finished node; null if unreadable", null=True),
        Column("correct", pa.bool_(), "for a finished node, whether the answer equals the gold answer", null=True),
        COMPLETION_COLUMNS[-1],
        *(
            replace(column, meaning=f"for its sampling, including the rollout: {column.meaning}")
            for column in CLOCK_COLUMNS
        ),
        Column("scorer_seconds", pa.float64(), "wall time from then until its scores arrived; null if unknown",
               null=True, later=True),
    ),
)  # fmt: skip

SEARCHES_TABLE = RunTable(
    "searches", 6,
    (
        *SEARCH_KEY_COLUMNS[:3],
        *(
            replace(column, meaning=f"{column.meaning}; null if unknown", null=True)
            for column in SEARCH_KEY_COLUMNS[3:]
        ),
        Column("answer", pa.string(), "the selected answer", null=True),
        Column("correct", pa.bool_(), "whether it equals the gold answer", null=True),
        Column("selected", pa.int32(), "the selected candidate's node; null if unknown", null=True),
        Column("candidates", pa.list_(pa.int32()), "the nodes that it was selected from, one per slot", null=True),
        Column("finished", pa.int32(), "number of complete candidates", null=True),
        Column("prompt_tokens", pa.int64(), "tokens in the prompts of all steps, including the text before each step",
               null=True),
        Column("cached_tokens", pa.int64(), "prompt tokens read from the prefix cache; null if unknown",
               null=True, within="prompt_tokens", formerly="prompt_cached_tokens"),
        Column("generated_tokens", pa.int64(), "tokens sampled in the complete search, including rollouts", null=True),
        SCORER_COLUMNS[0],
        replace(SCORER_COLUMNS[1], formerly="cached_tokens"),
        *SCORER_COLUMNS[2:],
        Column("steps", pa.int32(), "rounds until the search ended", null=True),
        COMPLETION_COLUMNS[-1],
        replace(CLOCK_COLUMNS[0], meaning="when the first node was started; null if unknown"),
        replace(
            CLOCK_COLUMNS[1], meaning="wall time in which a node was in work, summed over rounds; null if unknown"
        ),
    ),
    ("prompt_tokens", "cached_tokens", "generated_tokens"),
)  # fmt: skip

GRADES_TABLE = RunTable(
    "grades", 2,
    (
        PROBLEM_ID,
        SOLUTION_ID,
        Column("answer", pa.string(), "the solution's answer, graded again", null=True),
        Column("correct", pa.bool_(), "whether that answer equals the gold answer"),
        Column("grader", pa.string(), "name and version of the grader; the same in every row"),
        DIGEST_COLUMN,
    ),
)  # fmt: skip

WAITING_STATUS = "waits: another node of its round failed"
"""Status of a complete node whose round is not decided because another node failed; the next run reuses it."""

TABLES = {
    table.name: table
    for table in (
        PROBLEMS_TABLE,
        SOLUTIONS_TABLE,
        VERIFICATIONS_TABLE,
        SCORES_TABLE,
        NODES_TABLE,
        SEARCHES_TABLE,
        GRADES_TABLE,
    )
}

JUDGEMENT_TABLES = (VERIFICATIONS_TABLE, SCORES_TABLE, GRADES_TABLE)
"""The tables whose rows judge the text of a solution."""

OVERLAYS = {SOLUTIONS_TABLE.name: GRADES_TABLE}
"""The overlay of each table, by the table's name. An overlay is a table of one part, replaced as a whole, with the same
key. Its columns replace those of the same name in the table below: regraded answers replace the original ones."""
