"""Runs as Python objects: opened, sampled, imported, or made from a data frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from isocompute.api.results import Result
from isocompute.errors import ConfigError
from isocompute.runners.parsing.printable import format_error_value
from isocompute.runners.storage.building import build_hidden_run
from isocompute.runners.storage.files import describe_place, read_object
from isocompute.runners.storage.locking import LOCK_FILE_PATTERN
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.scan import count_ok_rows
from isocompute.runners.storage.schema import (
    NODES_TABLE,
    PROBLEMS_TABLE,
    SCORES_TABLE,
    SEARCHES_TABLE,
    SOLUTIONS_TABLE,
    VERIFICATIONS_TABLE,
    RunTable,
)
from isocompute.runners.storage.unequal import check_fewest_solutions

if TYPE_CHECKING:
    import pandas as pd

    from isocompute.figures.source import FigureSource

MAX_COPIED_BYTES = 8 * 2**30
"""The largest file of a run that `OpenedRun.save` copies."""


class OpenedRun(Result):
    """A run: its tables as data frames, and what `fit`, `curve`, `difficulty` and the figures take.

    Args:
        run: the run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._run.read_manifest()  # raises if there is no run

    @property
    def path(self) -> str:
        """The path of the run; a run in memory has a path that begins with ``memory://``."""
        return self._run.path

    @property
    def problems(self) -> pd.DataFrame:
        """The problems, a row each."""
        return self._read_sorted(PROBLEMS_TABLE)

    @property
    def solutions(self) -> pd.DataFrame:
        """The solutions, a row each."""
        return self._read_sorted(SOLUTIONS_TABLE)

    @property
    def verifications(self) -> pd.DataFrame:
        """The verifications, a row each."""
        return self._read_sorted(VERIFICATIONS_TABLE)

    @property
    def scores(self) -> pd.DataFrame:
        """The step scores, a row for each scored solution."""
        return self._read_sorted(SCORES_TABLE)

    @property
    def searches(self) -> pd.DataFrame:
        """The searches, a row each."""
        return self._read_sorted(SEARCHES_TABLE)

    @property
    def nodes(self) -> pd.DataFrame:
        """The nodes of the searches, a row each."""
        return self._read_sorted(NODES_TABLE)

    def save(self, path: str | os.PathLike[str]) -> OpenedRun:
        """Write the run to a new folder, whole or not at all.

        Args:
            path: the folder or the URL of an object store; nothing may be there yet.

        Returns:
            The run in its new place.

        Raises:
            RunError: something is there already, or it cannot be written.
        """
        target = Run(require_path(path, "path"))
        with build_hidden_run(target, "save", "saving") as begun:
            root = self._run.root.rstrip("/")
            for file in self._run.fs.find(root):
                name = file[len(root) :].strip("/")
                if LOCK_FILE_PATTERN.fullmatch(name):
                    continue
                place = f"{begun.root}/{name}"
                begun.fs.makedirs(place.rpartition("/")[0], exist_ok=True)
                begun.fs.pipe_file(place, read_object(self._run.fs, file, MAX_COPIED_BYTES))
        return OpenedRun(target)

    def to_frame(self) -> pd.DataFrame:
        """Return the solutions with their problem's level and their verdicts' count and mean."""
        frame = self.solutions.merge(self.problems[["problem_id", "level", "gold"]], on="problem_id", how="left")
        keys = ["problem_id", "solution_id"]
        verdicts = self.verifications.groupby(keys)["verdict"].agg(verifications="size", mean_verdict="mean")
        return frame.merge(verdicts.reset_index(), on=keys, how="left")

    def to_dict(self) -> dict[str, Any]:
        """Return what ``isocompute runs RUN --json`` prints of the run."""
        from isocompute.api.json_schema.runs import build_runs_json
        from isocompute.runners.storage.progress import measure_run_progress

        return build_runs_json([measure_run_progress(self._run)])[0].to_dict()

    def _open_figure_source(self) -> FigureSource:
        from isocompute.figures.source import read_figure_source

        return read_figure_source(self._run)

    def _read_sorted(self, table: RunTable) -> pd.DataFrame:
        self._run.read_manifest()  # raises if the run has gone
        return self._run.read_frame(table).sort_values(table.key_names, ignore_index=True)

    def _describe(self) -> list[str]:
        tables = (SOLUTIONS_TABLE, VERIFICATIONS_TABLE, SCORES_TABLE, SEARCHES_TABLE)
        counts = {PROBLEMS_TABLE.name: len(self._run.read_keys(PROBLEMS_TABLE))}
        counts |= {table.name: count_ok_rows(self._run, table) for table in tables}
        return [
            f"Run {describe_place(self.path)}",
            ", ".join(f"{count:,} {name}" for name, count in counts.items() if count),
        ]


RunSource = OpenedRun | str | os.PathLike[str]


def open_run(path: RunSource) -> OpenedRun:
    """Open a run.

    Args:
        path: its folder, or the URL of one in an object store.

    Raises:
        RunError, DataError: there is no run, or its manifest cannot be read.
    """
    return path if isinstance(path, OpenedRun) else OpenedRun(Run(require_path(path, "the run", RUN_KINDS)))


def import_run(
    format: str,
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    grader: str | None = None,
    columns: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    filter: str | None = None,
    scorer: str | None = None,
    failed: str = "drop",
    deinterleave: bool = False,
    *,
    task: str | None = None,
    model: str | None = None,
    problems_with: int | None = None,
) -> OpenedRun:
    """Import another tool's log as a run, as ``isocompute import`` does.

    Args:
        format: one of `isocompute.runners.imports.IMPORT_FORMATS`.
        path: what the tool wrote: a file or a folder.
        output: the new run; nothing may be there yet.
        grader: a grader's name, or ``as-logged``; None for what the right answers call for.
        columns: of a table, what each of its columns is called here.
        progress: called with the bytes read so far and in total.
        filter: of lm-eval: the filter whose answers are read; the first if not given.
        scorer: of lm-eval and inspect-ai: the metric or scorer that says right or wrong; the first that does if not
            given.
        failed: ``drop`` leaves solutions that failed in the log out of estimates, ``wrong`` counts them as wrong.
        deinterleave: of search-and-learn: put completions back under their own problems, in files from before January
            2025.
        task: the task's name, whatever the log says.
        model: the name of the model that solved, whatever the log says.
        problems_with: problems with fewer solutions are left out; all are kept if not given.

    Raises:
        ConfigError, DataError, RunError: as `isocompute.runners.imports.import_logged_run`.
    """
    from isocompute.runners.imports import ImportOptions, import_logged_run

    if not isinstance(format, str):
        raise ConfigError(f"format must be text; it is {format_error_value(format)}.")
    if columns is not None and not isinstance(columns, Mapping):
        raise ConfigError(f"columns must map names to names; it is {format_error_value(columns)}.")
    target = require_path(output, "output")
    source = require_path(path, "path")
    for name, given in (("task", task), ("model", model)):
        if given is not None and not isinstance(given, str):
            raise ConfigError(f"{name} must be text; it is {format_error_value(given)}.")
    options = ImportOptions(
        grader,
        columns,
        filter,
        scorer,
        failed,
        deinterleave,
        task,
        model,
        check_fewest_solutions(problems_with),
    )
    import_logged_run(format, source, target, options, progress)
    return open_run(target)


def sweep(
    config: str | os.PathLike[str] | Mapping[str, Any],
    keep_going: bool = False,
    *,
    until: str | None = None,
    on: str | None = None,
    shard: str | None = None,
) -> OpenedRun:
    """Sample whatever a sweep's run lacks, as ``isocompute sweep`` does.

    Args:
        config: the sweep's YAML file, or its content as a mapping.
        keep_going: whether to go on even if none of the first 40 answers can be read.
        until: a rule to stop, such as ``"regret < 1"`` or ``"regret < 1 at 64x"`` (points); all is sampled without one.
        on: where the models run, ``ray://HOST:PORT``, ``local`` or ``local:N`` with Ray; in this process if not given.
        shard: ``"3/8"`` to sample as the third of eight processes that write the run on a shared disk; not with
            ``until``.

    Raises:
        ConfigError, DataError, EngineError, RunError: as `isocompute.runners.sampling.sweep.run_sweep`.
    """
    from isocompute.planner.pilot.stopping import parse_stopping_rule
    from isocompute.runners.cluster import open_model_loading
    from isocompute.runners.config.sweep_reading import build_sweep, read_sweep
    from isocompute.runners.display import SilentDisplay
    from isocompute.runners.sampling.shards import parse_shard, run_shard
    from isocompute.runners.sampling.sweep import run_sweep

    if until is not None and shard is not None:
        raise ConfigError("sweep takes 'until' or 'shard', not both.")
    rule = None if until is None else parse_stopping_rule(until)
    sweep_config = build_sweep(config) if isinstance(config, Mapping) else read_sweep(require_path(config, "config"))
    own_shard = None if shard is None else parse_shard(shard)
    if rule is not None:
        rule.check_sweep(sweep_config)
    should_stop = None if rule is None else rule.find_reason
    with open_model_loading(on, SilentDisplay(), sweep_config) as models:
        if own_shard is not None:
            summary = run_shard(sweep_config, own_shard, models.display, keep_going=keep_going, **models.functions)
        else:
            summary = run_sweep(
                sweep_config, models.display, keep_going=keep_going, should_stop=should_stop, **models.functions
            )
    return open_run(summary.run)


RUN_KINDS = "a run, or the path or URL of one"
SOURCE_KINDS = "a run, a profile, or the path or URL of one"
RESULT_KINDS = {
    "DataFrame": "a data frame; iso.from_frame makes a run of it",
    "OpenedRun": "a run; iso.fit(run) makes a profile of it",
    "FittedProfile": "a profile, which is fitted already",
}
"""Descriptions of objects that are given in the place of others, with the function that helps."""


def require_path(path: object, name: str, kinds: str = "a path or a URL") -> str:
    """Return a path as text.

    Args:
        path: the argument.
        name: its name, for errors.
        kinds: what it may be, for errors.

    Raises:
        ConfigError: it is not a path.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if isinstance(text, str) and text and "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text):
        return text
    description = RESULT_KINDS.get(type(path).__name__) or format_error_value(path)
    raise ConfigError(f"{name} must be {kinds}; it is {description}.")
