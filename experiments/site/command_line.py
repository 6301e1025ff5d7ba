"""The page of the command line, from the program itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from experiments.site.markdown import write_code, write_prose, write_table
from isocompute.cli.main import app
from isocompute.runners.grading.registry import GRADERS
from isocompute.runners.imports.formats import IMPORT_FORMATS
from isocompute.runners.search.registry import SEARCH_STRATEGIES

REGISTRIES = {"graders": GRADERS, "formats": IMPORT_FORMATS, "searches": SEARCH_STRATEGIES}
"""The registries whose names stand in help, by the placeholder for them."""

HEAD = """# Command line

`isocompute COMMAND --help` prints the same, for the version that is installed. `plan` is short for `isocompute plan`.
Bad input ends a command with one sentence and exit code 2.
"""


def write_page() -> str:
    """Return the page."""
    program: Any = get_command(app)
    return HEAD + "".join(describe_command(name, command) for name, command in program.commands.items())


def describe_command(name: str, command: Any) -> str:
    """Return the section of one command."""
    words = [f"isocompute {name}", *(write_argument(each) for each in list_arguments(command)), "[OPTIONS]"]
    arguments = [[write_code(write_argument(each)), read_help(each)] for each in list_arguments(command)]
    options = [describe_option(each) for each in command.params if each.param_type_name == "option"]
    parts = [f"\n## {name}\n", f"```text\n{' '.join(words)}\n```\n", write_help_text(command.help)]
    parts += [write_table(["argument", "meaning"], arguments)] if arguments else []
    parts += [write_table(["option", "value", "default", "meaning"], options)] if options else []
    return "\n".join(parts)


def list_arguments(command: Any) -> Iterator[Any]:
    """Yield the positional parameters of a command."""
    yield from (each for each in command.params if each.param_type_name == "argument")


def write_argument(argument: Any) -> str:
    """Return an argument as help shows it: in capitals, in brackets if it may be left out."""
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def describe_option(option: Any) -> list[str]:
    """Return the row of one option."""
    names = ", ".join(map(write_code, (*option.opts, *option.secondary_opts)))
    return [names, describe_value(option), describe_default(option), read_help(option)]


def describe_value(option: Any) -> str:
    """Return what an option takes; nothing for a flag."""
    if getattr(option, "is_flag", False):
        return ""
    kind = getattr(option.type_descriptor.annotation, "__name__", str(option.type_descriptor.annotation))
    bounds = [f"≥ {option.min}" if option.min is not None else "", f"≤ {option.max}" if option.max is not None else ""]
    names = {"str": "text", "int": "number", "float": "number", "list": "text, may be repeated"}
    value = write_code(option.metavar) if option.metavar else names.get(kind, kind)
    return " ".join([value, *filter(None, bounds)])


def describe_default(option: Any) -> str:
    """Return the default of an option; nothing for a flag, and where the help says what happens."""
    if option.required:
        return "required"
    if isinstance(option.show_default, str):
        return write_prose(option.show_default)
    if getattr(option, "is_flag", False) or option.default is None or callable(option.default):
        return ""
    values = option.default if isinstance(option.default, list | tuple) else [option.default]
    return ", ".join(map(write_code, values))


def read_help(parameter: Any) -> str:
    """Return the help of a parameter, with the names of registries filled in."""
    return write_prose(re.sub(r"\{(\w+)\}", lambda found: REGISTRIES[found[1]].names_as_text, parameter.help or ""))


def write_help_text(text: str) -> str:
    r"""Return a command's help as Markdown: bold titles, paragraphs, and examples as code.

    >>> write_help_text("Plan.\n\n[bold]Examples[/]\n\n  plan -b 8x\n  plan -b 9x")
    'Plan.\n\n**Examples**\n\n```text\nplan -b 8x\nplan -b 9x\n```\n'
    """
    parts = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if block.startswith("  "):
            lines = [re.sub(r"\[/?\w*\]", "", line.removeprefix("  ")).rstrip() for line in block.splitlines()]
            parts.append("```text\n" + "\n".join(lines) + "\n```")
        else:
            parts.append(re.sub(r"&#91;bold&#93;(.*?)&#91;/&#93;", r"**\1**", write_prose(block)))
    return "\n\n".join(parts) + "\n"
