"""Options that several commands share, and the functions that apply them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

import isocompute
from isocompute.cli.encoding import can_print_unicode
from isocompute.terminal import is_visible

if TYPE_CHECKING:
    from isocompute.api.json_schema.blocks import CommandJson

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
PricesOption = Annotated[
    str | None,
    typer.Option("--prices", metavar="FILE", help="Dollars per million tokens by model.", show_default=False),
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", help="a100, h100, h200, b200 or l4, for kv and gpu-hours.", show_default=False),
]
BatchOption = Annotated[
    int | None,
    typer.Option("--batch", min=1, help="Requests decoded together, for kv and seconds.", show_default=False),
]
OnOption = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="CLUSTER",
        help="Run the models as replicas with Ray: ray://HOST:PORT, or local:N for N of each role here.",
        show_default=False,
    ),
]


def print_version(requested: bool) -> None:
    """Print the version and exit, if it is requested."""
    if requested:
        print(f"isocompute {isocompute.__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
]


def print_json(result: CommandJson | Sequence[CommandJson]) -> None:
    """Print a command's JSON, in ASCII where standard output does not take every character.

    Characters that a terminal obeys are escaped.

    Raises:
        ValueError: a number is not finite; use None for a missing value.
    """
    fields = [block.to_dict() for block in result] if isinstance(result, Sequence) else result.to_dict()
    text = json.dumps(fields, indent=2, ensure_ascii=not can_print_unicode(), allow_nan=False)
    print(escape_unprintable(text))


def escape_unprintable(text: str) -> str:
    r"""Return JSON in which no character moves a terminal's cursor: each is escaped, so that its value is the same.

    >>> escape_unprintable('{\n  "name": "a\x7fb\u202e"\n}')
    '{\n  "name": "a\\u007fb\\u202e"\n}'
    """
    lines = text.split("\n")
    return "\n".join(
        line
        if line.isascii() and line.isprintable()
        else "".join(c if is_visible(c) else json.dumps(c)[1:-1] for c in line)
        for line in lines
    )


def check_lambda_option(text: str | None) -> str | None:
    """Return --lambda as it is written, if it is a number or a way of counting tokens.

    Raises:
        typer.BadParameter: it is neither.
        DataError: the number is outside the range of λ.
    """
    from isocompute.planner.profile import COUNTING_WAYS, check_lambda

    if text is None or text in COUNTING_WAYS:
        return text
    try:
        number = float(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is neither a number nor one of {', '.join(COUNTING_WAYS)}.") from None
    check_lambda(number)
    return text


def check_rho_option(rho: float | None) -> float | None:
    """Return --rho, if it is a cost.

    Raises:
        DataError: it is not.
    """
    from isocompute.planner.profile import check_rho

    return None if rho is None else check_rho(rho)


LambdaOption = Annotated[
    str | None,
    typer.Option(
        "--lambda",
        metavar="NUMBER|WAY",
        help="Cost of a verification in solutions; or which tokens are counted, of scorers and searches too: "
        "completion, prompts or cached. Default: completion.",
        callback=check_lambda_option,
        show_default=False,
    ),
]

RhoOption = Annotated[
    float | None,
    typer.Option(
        "--rho",
        help="Cost of scoring a solution in solutions, for a run that does not record the scorer's tokens.",
        callback=check_rho_option,
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
