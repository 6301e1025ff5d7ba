"""The option --json, which most commands have, and how they print what it asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

import isocompute

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_version(asked: bool) -> None:
    """Print the version and end, if it is asked for."""
    if asked:
        print(f"isocompute {isocompute.__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)]


def print_json(fields: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print for a program, in UTF-8.

    Raises:
        ValueError: a number is not finite; what has no value is to be None.
    """
    print(json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False))
