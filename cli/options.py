"""Options that several commands share, and the functions that apply them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

import isocompute

if TYPE_CHECKING:
    from isocompute.api.json_schema.blocks import CommandJson

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_version(requested: bool) -> None:
    """Print the version and exit, if it is requested."""
    if requested:
        print(f"isocompute {isocompute.__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
]


def print_json(result: CommandJson | Sequence[CommandJson]) -> None:
    """Print a command's JSON in UTF-8.

    Raises:
        ValueError: a number is not finite; use None for a missing value.
    """
    fields = [block.to_dict() for block in result] if isinstance(result, Sequence) else result.to_dict()
    print(json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False))


class RegistryHelpCommand(TyperCommand):
    """A command whose help replaces ``{graders}``, ``{formats}`` and ``{searches}`` by the names in a registry.

    The registries, including the entries of other packages, are read only when help is requested.
    """

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with the names filled in."""
        from isocompute.runners.grading.registry import GRADERS
        from isocompute.runners.imports.formats import IMPORT_FORMATS
        from isocompute.runners.search.registry import SEARCH_STRATEGIES

        names = {
            "graders": GRADERS.names_as_text,
            "formats": IMPORT_FORMATS.names_as_text,
            "searches": SEARCH_STRATEGIES.names_as_text,
        }
        for parameter in self.params:
            if text := getattr(parameter, "help", None):
                parameter.help = text.format(**names)  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def check_lambda_option(text: str | None) -> str | None:
    """Return --lambda as it is written, if it is a number or a way of counting tokens.

    Raises:
        typer.BadParameter: it is neither.
    """
    from isocompute.planner.profile import COUNTING_WAYS

    if text is None or text in COUNTING_WAYS:
        return text
    try:
        float(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is neither a number nor one of {', '.join(COUNTING_WAYS)}.") from None
    return text


LambdaOption = Annotated[
    str | None,
    typer.Option(
        "--lambda",
        metavar="NUMBER|completion|prompts|cached",
        help="Cost of a verification in solutions, or the way of counting tokens (for scorers and "
        "searches too). Default: completion.",
        callback=check_lambda_option,
        show_default=False,
    ),
]

RhoOption = Annotated[
    float | None,
    typer.Option(
        "--rho",
        help="Cost of scoring a solution in solutions, for a run that does not record the scorer's tokens.",
        show_default=False,
    ),
]

ProblemsWithOption = Annotated[
    int | None,
    typer.Option(
        "--problems-with",
        metavar="N",
        min=1,
        help="Leave out problems with fewer than N solutions.",
        show_default=False,
    ),
]
