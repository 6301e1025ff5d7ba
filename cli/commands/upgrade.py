"""`isocompute upgrade`: write a run or a profile in the newest format, beside the old one."""

from __future__ import annotations

from typing import Annotated

import typer

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.options import JsonOption, print_json

commands = typer.Typer()


@commands.command(cls=HelpCommand)
def upgrade(
    source: Annotated[
        str, typer.Argument(metavar="RUN|PROFILE", help="A run's folder, or a profile's file.", show_default=False)
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="NEW", help="The new run, or profile.", show_default=False)
    ],
    json_: JsonOption = False,
) -> None:
    """Write a run or a profile of an earlier version in the newest format. The old one is not changed.

    Commands read both formats, so an upgrade is optional: it gives other tools one set of columns. What the old format
    does not record stays unknown. If the source already has the newest format, nothing is written.

    [bold]Examples[/]

      isocompute upgrade runs/old -o runs/new
      isocompute upgrade old.json -o new.json
    """
    from isocompute.api.json_schema.runs import build_upgraded_profile_json, build_upgraded_run_json
    from isocompute.cli.screens.upgrade import print_upgraded_profile, print_upgraded_run
    from isocompute.errors import RunError
    from isocompute.planner.profile import find_bundled_profiles, upgrade_profile
    from isocompute.runners.storage.files import has_file, refuse_memory_path
    from isocompute.runners.storage.run import Run
    from isocompute.runners.storage.upgrade import upgrade_run

    refuse_memory_path(output)
    source_run = Run(source)
    if source_run.is_folder:
        with open_console(stderr=True).status("upgrading …"):
            run = upgrade_run(source_run, Run(output))
        if json_:
            print_json(build_upgraded_run_json(source, run))
        else:
            print_upgraded_run(open_console(), source, run)
        return
    if source not in find_bundled_profiles() and not has_file(source):
        raise RunError(f"There is neither a run nor a profile at '{source}'.")
    target = output if output.endswith((".json", "/")) else f"{output}.json"
    profile = upgrade_profile(source, target)
    if json_:
        print_json(build_upgraded_profile_json(source, profile, target))
    else:
        print_upgraded_profile(open_console(), source, profile, target)
