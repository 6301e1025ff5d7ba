"""The program with its commands, and its handling of errors.

Commands import their modules when they run, so that `plan` starts fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console

from isocompute.cli.commands import (
    check,
    compact,
    difficulty,
    evaluate,
    figures,
    fit,
    grade,
    import_run,
    next_rows,
    notebooks,
    pilot,
    plan,
    policies,
    report,
    runs,
    serve,
    solve,
    sweep,
    tasks,
    tree,
    upgrade,
)
from isocompute.cli.encoding import replace_unknown_characters
from isocompute.cli.help import HelpGroup
from isocompute.cli.options import VersionOption
from isocompute.errors import IsocomputeError

app = typer.Typer(
    name="isocompute",
    cls=HelpGroup,
    help="Choose how to spend test-time compute: sample and vote, sample and verify, or search.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for module in (
    sweep,
    import_run,
    grade,
    tasks,
    runs,
    check,
    compact,
    upgrade,
    tree,
    fit,
    plan,
    pilot,
    next_rows,
    difficulty,
    evaluate,
    policies,
    figures,
    notebooks,
    report,
    serve,
    solve,
):
    app.add_typer(module.commands)


@app.callback(invoke_without_command=True)
def handle_version_option(version: VersionOption = False) -> None:
    """Carry the option that asks for the version."""


def run_application(application: typer.Typer) -> Any:
    """Run a command; an `IsocomputeError` becomes one sentence on stderr and exit code 2."""
    # The matrix products of a plan are small: numpy's threads would wait for each other longer than they compute.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    replace_unknown_characters()
    errors = Console(stderr=True, soft_wrap=True)
    try:
        with block_standard_input():
            application()
    except IsocomputeError as error:
        errors.print("[bold red]error:[/] ", end="")
        # A message may quote a file, whose control characters must not reach the terminal.
        sentence = "".join(c if c.isprintable() else " " for c in str(error))
        errors.print(sentence, markup=False, highlight=False)
        sys.exit(2)


@contextmanager
def block_standard_input() -> Iterator[None]:
    """Give libraries an empty standard input, so that none prompts, for example whether to run a model's own code."""
    before = sys.stdin
    try:
        with open(os.devnull) as nothing:
            sys.stdin = nothing
            yield
    finally:
        sys.stdin = before


def main() -> None:
    """Run `isocompute`."""
    run_application(app)


def plan_main() -> None:
    """Run `plan`."""
    run_application(plan.plan_app)


if __name__ == "__main__":
    main()
