"""HTML from text: every text that is put into a page is escaped here."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from isocompute.terminal import make_printable


@dataclass(frozen=True)
class ReportTable:
    """A table of a report, which a button copies.

    Args:
        name: its id in the page.
        title: its caption.
        columns: the headings.
        rows: a row of cells each.
        note: a sentence on how the numbers are made.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class ReportPart:
    """A part of a report under a heading: sentences, tables, and charts by their names."""

    title: str
    sentences: Sequence[str] = ()
    charts: Sequence[str] = ()
    tables: Sequence[ReportTable] = ()
    markup: str = ""


def escape(text: str) -> str:
    """Return a text in which no character is markup, and none is hidden or changes the direction of others."""
    return html.escape(make_printable(text))


def render_element(tag: str, text: str, **attributes: str) -> str:
    """Return an element with a text, escaped.

    >>> render_element("p", "a < b", title='"')
    '<p title="&quot;">a &lt; b</p>'
    """
    written = "".join(f' {name.replace("_", "-").strip("-")}="{escape(value)}"' for name, value in attributes.items())
    return f"<{tag}{written}>{escape(text)}</{tag}>"


def render_report_table(table: ReportTable, prefix: str) -> str:
    """Return a table with its caption and a button that copies it."""
    identity = f"{prefix}-{table.name}"
    head = "".join(render_element("th", name, scope="col") for name in table.columns)
    body = "".join(
        "<tr>"
        + render_element("th", row[0], scope="row")
        + "".join(render_element("td", cell) for cell in row[1:])
        + "</tr>"
        for row in table.rows
    )
    note = render_element("p", table.note, class_="note") if table.note else ""
    button = render_element(
        "button", "Copy table", type="button", data_copy=identity, aria_label=f"Copy table: {table.title}"
    )
    scroll = f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title)}">'
    return (
        f'{scroll}<table id="{escape(identity)}">{render_element("caption", table.title)}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{note}<p class='tools'>{button}</p>"
    )


def render_part(part: ReportPart, prefix: str, name: str) -> str:
    """Return a part under its heading."""
    sentences = "".join(render_element("p", sentence) for sentence in part.sentences)
    charts = "".join(
        f'<figure class="chart" data-chart="{escape(prefix)}-{escape(chart)}"></figure>' for chart in part.charts
    )
    tables = "".join(render_report_table(table, prefix) for table in part.tables)
    heading = render_element("h3", part.title, id=f"{prefix}-{name}")
    inside = f"{heading}{sentences}{charts}{part.markup}{tables}"
    return f'<section aria-labelledby="{escape(prefix)}-{escape(name)}">{inside}</section>'


def encode_script_data(data: Any) -> str:
    """Return data as JSON that can stand in a script element: no text in it can end the element.

    >>> encode_script_data(["</script>"])
    '["\\\\u003c/script>"]'
    """
    text = make_printable(json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    return text.replace("<", "\\u003c")


def format_share(value: float | None) -> str:
    """Return an accuracy in percent; a dash where it is unknown."""
    return "–" if value is None or value != value else f"{100 * value:z.1f}"


def format_number(value: float | None) -> str:
    """Return a number with four significant digits; a dash where it is unknown."""
    return "–" if value is None or value != value else f"{value:,.4g}"
