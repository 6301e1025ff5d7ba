"""The program with its commands, and its handling of errors.

Commands import their modules when they run, so that `plan` starts fast.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import typer
from rich.text import Text

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
from isocompute.cli.console import open_console
from isocompute.cli.encoding import replace_unknown_characters
from isocompute.cli.help import HelpGroup
from isocompute.cli.options import VersionOption
from isocompute.errors import IsocomputeError
from isocompute.terminal import make_printable, shorten_message

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


COMPLETION_PATTERN = re.compile(r"_(?:ISOCOMPUTE|PLAN)_COMPLETE")
"""Names of the variables by which a shell asks for the words that may follow."""

SIGPIPE = 13
"""The signal's number, also for systems that have no such signal."""

USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]
"""The error for arguments that do not fit, of click or of typer's own copy of it."""


def run_application(application: typer.Typer, name: str) -> Any:
    """Run a command; an `IsocomputeError` becomes one sentence on stderr and exit code 2.

    Args:
        application: the command.
        name: its name in a shell, however it was started.
    """
    # The matrix products of a plan are small: numpy's threads would wait for each other longer than they compute.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    replace_unknown_characters()
    drop_nonsense_variables()
    streams = sys.stdout, sys.stderr
    output = copy_output_descriptor()
    try:
        with block_standard_input():
            code = application(prog_name=name, standalone_mode=False)
        flush_output()
    except SystemExit as ended:  # typer and Rich end so when a pipe is closed, which need not be standard output
        if not ended.code or any(COMPLETION_PATTERN.fullmatch(name) for name in os.environ):
            raise
        sys.stdout, sys.stderr = streams
        if is_reader_gone(output):
            stop_without_reader()
        print_error("The command was ended before all of it was done.")
    except USAGE_ERROR as error:
        sys.exit(print_usage_error(error))
    except IsocomputeError as error:
        print_error(str(error))
    except OSError as error:  # what no command expects: a full disk, a terminal that is gone
        if isinstance(error, BrokenPipeError) and is_reader_gone(output):
            stop_without_reader()
        place = f": '{error.filename}'" if error.filename else ""
        print_error(f"The system refused: {describe_system_error(error)}{place}.")
    except UnicodeError:
        print_error("A name or a text has characters that are not valid text, and cannot be written as UTF-8.")
    except RecursionError:
        print_error("A document is nested too deep to be read.")
    except (KeyboardInterrupt, typer.Abort):
        print_error("It was stopped before it had ended.")
        sys.exit(128 + signal.SIGINT)
    except MemoryError:
        print_error("There is not enough memory for this.")
    else:
        sys.exit(code if isinstance(code, int) else 0)
    sys.exit(2)


def drop_nonsense_variables() -> None:
    """Ignore variables of the terminal that are no number of characters, and words for completion that are no text."""
    for name in ("COLUMNS", "LINES", "TERMINAL_WIDTH"):
        if name in os.environ and not re.fullmatch(r"[1-9][0-9]{1,3}", os.environ[name]):
            del os.environ[name]
    for name in [name for name, value in os.environ.items() if COMPLETION_PATTERN.fullmatch(name)]:
        if not os.environ[name].isprintable():
            del os.environ[name]


def print_error(sentence: str) -> None:
    """Print a sentence that says why a command ends, as far as standard error can be written."""
    drop_broken_output()
    console = open_console(stderr=True, soft_wrap=True)
    with suppress(OSError):
        console.print(Text.assemble(("error:", "bold red"), " ", make_printable(shorten_message(sentence), keep="")))


def copy_output_descriptor() -> int | None:
    """Return a second descriptor of standard output, since Rich redirects the first when a pipe is closed."""
    try:
        return os.dup(sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):  # closed, or a test's buffer
        return None


def is_reader_gone(output: int | None) -> bool:
    """Return whether standard output is a pipe whose reader has closed it."""
    if output is None or not hasattr(select, "poll"):  # Windows has none
        return False
    poll = select.poll()
    poll.register(output, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def stop_without_reader() -> NoReturn:
    """End in silence, as `| head` has all that it wants, with the code of a closed pipe."""
    drop_broken_output()
    sys.exit(128 + SIGPIPE)


def print_usage_error(error: Any) -> int:
    """Print what is wrong with the arguments of a command and how it is used, and return the exit code."""
    console = open_console(stderr=True, soft_wrap=True)
    message = make_printable(shorten_message(error.format_message()), keep="")
    with suppress(OSError):
        if error.ctx is not None and message:
            console.print(error.ctx.get_usage())
            console.print(f"Try '{error.ctx.command_path} {error.ctx.help_option_names[0]}' for help.")
        if message:
            console.print(Text.assemble(("error:", "bold red"), " ", message))
    return int(error.exit_code)


def flush_output() -> None:
    """Write what standard output still holds, so that a full disk is reported and not found at the very end.

    Raises:
        OSError: it cannot be written.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def drop_broken_output() -> None:
    """Give up what standard output holds and cannot write; Python would try again, and fail, when it ends."""
    try:
        flush_output()
    except OSError:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())


def describe_system_error(error: OSError) -> str:
    """Return what the system says is wrong."""
    return (error.strerror or str(error) or type(error).__name__).rstrip(".")


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
    run_application(app, "isocompute")


def plan_main() -> None:
    """Run `plan`."""
    run_application(plan.plan_app, "plan")


if __name__ == "__main__":
    main()
