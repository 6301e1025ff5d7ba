"""`isocompute figures`: draw the figures of a run or a profile."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.markup import escape

from isocompute.cli.console import open_console
from isocompute.cli.help import HelpCommand
from isocompute.cli.screens.progress import show_progress
from isocompute.errors import ConfigError, DataError, IsocomputeError

if TYPE_CHECKING:
    from isocompute.figures.look import FigureStyle

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
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN|PROFILE", help="Runs' folders, or profiles.", show_default=False),
    ] = None,
    *,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="The folder for the figures; with several sources, those of each are in a folder of its name.",
            show_default=False,
        ),
    ],
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,NAME", help="Draw these figures only; may be repeated.", show_default=False),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format", metavar="FORMAT,FORMAT", help="png, pdf or svg; may be repeated.", show_default="png,pdf"
        ),
    ] = None,
    width: Annotated[
        str,
        typer.Option(
            metavar="WIDTH",
            help="column (3.25 inches, panels one below the other), page (6.75), slide (10, 16:9), or inches.",
        ),
    ] = "page",
    style: Annotated[str, typer.Option(metavar="STYLE", help="print, or dark for a dark background.")] = "print",
    tables: Annotated[bool, typer.Option("--tables", help="Write each table as LaTeX and Markdown too.")] = False,
    published: Annotated[
        bool, typer.Option("--published", help="Draw published results with our own runs; needs no RUN or PROFILE.")
    ] = False,
) -> None:
    """Draw the figures that runs or profiles can give, each with its table as CSV.

    [bold]Examples[/]

      isocompute figures lab -o figures
      isocompute figures lab -o paper --only frontiers --width column --tables
      isocompute figures lab lab-search -o talk --width slide --style dark
      isocompute figures --published -o figures

    [bold]Figures[/]
    """
    from isocompute.runners.storage.files import check_output_path

    check_output_path(posixpath.join(output, "solutions_and_compute.png"))
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise IsocomputeError(f"Figures need {error.name}: pip install 'isocompute[figures]'.") from None
    from isocompute.figures.files import PICTURE_FORMATS, FileOptions, draw_figures, select_figures, write_figures
    from isocompute.figures.look import FigureLook, parse_width
    from isocompute.figures.source import open_figure_source

    look = FigureLook(parse_width(width), cast("FigureStyle", style))
    options = FileOptions(split_names(formats) or PICTURE_FORMATS, look, tables)
    names = select_figures(split_names(only) or None) if sources or only else []
    if published:
        names = select_figures([*names, "published"])
    if not sources and names != ["published"]:
        raise ConfigError("Name a run or a profile to draw, or give --published alone for published results.")
    with show_progress(open_console(stderr=True)) as show:
        opened = []
        for source in sources or []:
            show(f"estimating {source}")
            opened.append(open_figure_source(source))
        show("drawing")
        drawn = list(draw_figures(opened, names, options))
    for path in write_figures(drawn, output):
        open_console().print(f"wrote {path}", soft_wrap=True)
    # A figure that is asked for by its name, and of no source can be drawn, is an error.
    lacking = set(names if only else ()) - {figure.name for figure in drawn if figure.contents}
    refusals = []
    for figure in drawn:
        if not figure.reason:
            continue
        sentence = f"{posixpath.join(figure.folder, figure.name)} not drawn: {figure.reason}"
        if figure.name in lacking:
            refusals.append(sentence)
        else:
            open_console().print(sentence, soft_wrap=True)
    if refusals:
        raise DataError(f"{'; '.join(refusals)}.")


def split_names(given: list[str] | None) -> list[str]:
    """Return the names of an option that may be repeated and may hold several names separated by commas, each once.

    >>> split_names(["png,pdf", "png"])
    ['png', 'pdf']

    Raises:
        ConfigError: a name is empty.
    """
    names = list(dict.fromkeys(name.strip() for text in given or [] for name in text.split(",")))
    if "" in names:
        raise ConfigError(f"A name in the list '{','.join(given or [])}' is empty; separate names by one comma.")
    return names
