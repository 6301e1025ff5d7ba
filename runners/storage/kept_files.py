"""Small files beside a run's tables, which an engine keeps for its own later use; no table is read from them."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from isocompute.runners.storage.run import Run


@dataclass(frozen=True)
class KeptFiles:
    """A folder of such files in a run, which is created with its first file.

    Args:
        run: the run; only a process that has locked it writes.
        folder: the folder's name.
    """

    run: Run
    folder: str

    def read_files(self) -> dict[str, bytes]:
        """Return the content of every file, by name.

        Raises:
            RunError: the disk or the store refuses to read one.
        """
        return {posixpath.basename(path): content for path, content in self.run.read_kept_files(self.folder).items()}

    def write_file(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all.

        Raises:
            RunError: it could not be written, or the run is locked by another process now.
        """
        self.run.write_kept_file(self.folder, name, content)

    def describe_file(self, name: str) -> str:
        """Return where a file is, for errors."""
        return posixpath.join(self.run.path, self.folder, name)
