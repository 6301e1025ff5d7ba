"""Tests that every import adapter must pass."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from isocompute.errors import IsocomputeError
from isocompute.runners.imports import (
    IMPORT_FORMATS,
    ImportedProblem,
    ImportedRow,
    ImportedSearch,
    ImportedSolution,
    ImportedVerification,
    ImportOptions,
    ImportSource,
    import_logged_run,
)
from isocompute.runners.storage.check import check_run
from isocompute.runners.storage.run import Run


class ImportSuite:
    """Tests of an import adapter.

    Attributes:
        format: name of the format.
        sample: a file that the tool wrote.
        grader: grader of the sample's texts, if it must be named.
    """

    format: ClassVar[str]
    sample: ClassVar[Path]
    grader: ClassVar[str | None] = None

    def read_rows(self, path: Path) -> list[ImportedRow]:
        """Return the rows that the adapter reads from a file."""
        return list(IMPORT_FORMATS[self.format].adapter_function(ImportSource(str(path))))

    def test_a_problem_comes_before_what_is_said_of_it(self) -> None:
        problems: set[str] = set()
        solutions: dict[str, int] = {}
        for row in self.read_rows(self.sample):
            if isinstance(row, ImportedProblem):
                assert row.problem_id not in problems
                problems.add(row.problem_id)
            elif isinstance(row, ImportedSolution | ImportedVerification | ImportedSearch):
                assert row.problem_id in problems
                assert row.where
            if isinstance(row, ImportedSolution):
                solutions[row.problem_id] = solutions.get(row.problem_id, 0) + 1
            if isinstance(row, ImportedVerification):
                assert 0 <= row.solution_id < solutions[row.problem_id]
        assert problems

    def test_it_becomes_a_run_that_is_whole(self, tmp_path: Path) -> None:
        import_logged_run(self.format, str(self.sample), str(tmp_path / "run"), ImportOptions(grader=self.grader))
        report = check_run(Run(tmp_path / "run"))
        assert not report.damage
        assert report.rows

    def test_a_file_that_is_cut_short_is_an_error_or_fewer_rows_and_never_a_traceback(self, tmp_path: Path) -> None:
        whole = self.sample.read_bytes()
        every = len(self.read_rows(self.sample))
        for part in range(1, 10):
            cut = tmp_path / f"{part}{self.sample.suffix}"
            cut.write_bytes(whole[: len(whole) * part // 10])
            with suppress(IsocomputeError):
                assert len(self.read_rows(cut)) <= every
