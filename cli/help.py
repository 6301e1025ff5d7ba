"""Commands with tidy help: paragraphs wrap at any width, and options have the kind of value that they take.

They also refuse empty values, and bytes that are not text.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import typer
from rich.markup import escape
from typer.core import TyperArgument, TyperCommand, TyperGroup

from isocompute.cli.encoding import replace_unknown
from isocompute.terminal import has_surrogates, make_printable

VALUE_WORDS = {"str": "TEXT", "int": "N", "float": "NUMBER", "path": "FILE"}
"""The word for a value of a type."""


def join_paragraphs(text: str) -> str:
    r"""Join the lines of each paragraph; indented lines, as of examples, stay.

    >>> join_paragraphs("Plan\nwell.\n\nExamples\n\n  plan -b 8x\n  plan -b 9x")
    'Plan well.\n\nExamples\n\n  plan -b 8x\n  plan -b 9x'
    """
    paragraphs = text.split("\n\n")
    return "\n\n".join(part if part.startswith(" ") else " ".join(part.split("\n")) for part in paragraphs)


def prepare_help(command: Any, ctx: Any) -> None:
    """Join the lines of a command's help, show flags without a type, and other options with a word for their value.

    Characters that the terminal lacks are replaced here, before lines are broken.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if command.help:
        command.help = replace_unknown(join_paragraphs(command.help), encoding)
    for parameter in command.get_params(ctx):
        if getattr(parameter, "help", None):
            parameter.help = replace_unknown(parameter.help, encoding)
        if isinstance(parameter, TyperArgument):
            parameter.display_type_rich = lambda ctx: None  # type: ignore[method-assign]
        elif parameter.metavar is None:
            parameter.metavar = "" if parameter.is_flag else name_value(parameter.display_type(ctx))


def name_value(kind: str) -> str:
    """Return the word for the values of a type.

    >>> name_value("<int range>"), name_value("<list[str]>")
    ('N', 'TEXT')
    """
    return VALUE_WORDS[re.sub(r"^<(list\[)?|\]?>$| range", "", kind)]


def refuse_invalid_texts(ctx: Any, parameters: list[Any]) -> None:
    """Refuse an argument or an option whose value is an empty text, as of a shell's variable that is not set.

    Likewise one with bytes that are not UTF-8, which no manifest, page or table can hold.

    Raises:
        typer.BadParameter: one is empty or invalid.
    """
    for parameter in parameters:
        value = ctx.params.get(parameter.name)
        values = value if isinstance(value, list | tuple) else [value]
        if "" in values:
            raise typer.BadParameter("the value is empty.", ctx=ctx, param=parameter)
        if any(isinstance(each, str) and has_surrogates(each) for each in values):
            raise typer.BadParameter("the value has bytes that are not UTF-8.", ctx=ctx, param=parameter)


class HelpCommand(TyperCommand):
    """A command with tidy help, which refuses empty values and bytes that are not text."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments."""
        rest = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:  # as when a shell completes words
            refuse_invalid_texts(ctx, self.params)
        return rest

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        prepare_help(self, ctx)
        super().format_help(ctx, formatter)


class HelpGroup(TyperGroup):
    """A group of commands with tidy help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        prepare_help(self, ctx)
        super().format_help(ctx, formatter)


class RegistryHelpCommand(HelpCommand):
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
        names = {word: escape(make_printable(text, keep="")) for word, text in names.items()}
        for parameter in self.params:
            if text := getattr(parameter, "help", None):
                parameter.help = text.format(**names)  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)
