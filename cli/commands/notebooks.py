"""`isocompute notebooks`: copy the notebooks and the runs that they read."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.errors import DataError

commands = typer.Typer()

NOTEBOOK_RUNS = ("lab", "lab-search")
"""The runs that notebooks read."""


@commands.command(cls=HelpCommand)
def notebooks(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="The folder for the notebooks; it is made.", show_default=False)
    ],
) -> None:
    """Copy the notebooks into a folder, executed, with the runs that they read.

    Each runs in under half a minute, without a GPU and without a model. They need `pip install
    'isocompute\\[notebooks]'`. A folder that holds one of the files already is refused, so that nothing of yours is
    overwritten.

    [bold]Example[/]

      isocompute notebooks mine
    """
    written = copy_notebooks(Path(folder))
    console = open_console()
    for path in written:
        console.print(f"wrote {path}", soft_wrap=True)
    start = f"To begin: jupyter lab {written[0]}"
    console.print(start, soft_wrap=True)


def copy_notebooks(folder: Path) -> list[Path]:
    """Copy the notebooks and their runs into a folder, and return the paths of the notebooks.

    Raises:
        DataError: a file is there already, or cannot be written.
    """
    package = Path(str(files("isocompute")))
    sources = {folder / path.name: path for path in sorted((package / "notebooks").glob("*.ipynb"))}
    runs = {folder / "data" / "runs" / name: package / "data" / "runs" / name for name in NOTEBOOK_RUNS}
    if there := next((path for path in (*sources, *runs) if path.exists()), None):
        raise DataError(f"'{there}' is there already; name another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target, run in runs.items():
            shutil.copytree(run, target)
        for target, source in sources.items():
            shutil.copyfile(source, target)
    except (OSError, ValueError) as error:
        raise DataError(f"The notebooks cannot be written to '{folder}': {error}.") from None
    return list(sources)
