"""`isocompute figures`: draw the figures of a run or a profile."""

from __future__ import annotations

import posixpath
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from isocompute.cli.help import HelpCommand
from isocompute.errors import IsocomputeError

commands = typer.Typer()


class FiguresCommand(HelpCommand):
    """The `figures` command, whose help lists all registered figures, including those of other packages."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help; the figures are loaded only here, as no other command needs them."""
        own, self.help = self.help, f"{self.help}\n\n{list_figures()}"
        super().format_help(ctx, formatter)
        self.help = own


def list_figures() -> str:
    """Return a line for each figure that a run or a profile can give, or the reason why it cannot be loaded."""
    from isocompute.figures.registry import FIGURES

    descriptions = {}
    for name in FIGURES:
        try:
            entry = FIGURES[name]
            if entry.needs != "search":
                descriptions[name] = entry.description
        except IsocomputeError as error:
            descriptions[name] = str(error)
    width = max(map(len, descriptions))
    return "\n".join(
        f"  [bold]{escape(name)}[/]{' ' * (width - len(name))}  {escape(text)}" for name, text in descriptions.items()
    )


@commands.command(cls=FiguresCommand)
def figures(
    source: Annotated[
        str, typer.Argument(metavar="RUN|PROFILE", help="A run's folder, or a profile.", show_default=False)
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="The folder for the figures.", show_default=False)],
) -> None:
    """Draw every figure that a run or a profile can give, as PNG and PDF, each with its table as CSV.

    [bold]Example[/]

      isocompute figures lab -o figures

    [bold]Figures[/]
    """
    from isocompute.runners.storage.files import check_output_path

    check_output_path(posixpath.join(output, "figure1.png"))
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise IsocomputeError(f"Figures need {error.name}: pip install 'isocompute[figures]'.") from None
    from isocompute.figures.files import write_figures
    from isocompute.figures.registry import FIGURES
    from isocompute.figures.source import open_figure_source

    drawn = set()
    for path in write_figures(open_figure_source(source), output):
        drawn.add(posixpath.splitext(posixpath.basename(path))[0])
        Console().print(f"wrote {path}", highlight=False, soft_wrap=True)
    lacking = [name for name in FIGURES if name not in drawn and FIGURES[name].needs != "search"]
    if lacking:
        sentence = f"not drawn, because the data that they need is missing or has no known cost: {', '.join(lacking)}"
        Console().print(sentence, highlight=False, soft_wrap=True)
