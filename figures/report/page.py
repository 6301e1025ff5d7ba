"""The page of a report: one HTML file with its style, its script, its library and its data inside."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from string import Template
from typing import Any

from isocompute.figures.report.advice import build_advice
from isocompute.figures.report.card import build_card
from isocompute.figures.report.markup import ReportPart, encode_script_data, escape, render_element, render_part
from isocompute.figures.report.samples import build_samples, build_trees
from isocompute.figures.report.slider import build_slider_data
from isocompute.figures.report.tables import build_measured_parts
from isocompute.figures.source import FigureSource
from isocompute.planner.costs.settings import CostSettings

SCRIPTS = ("d3.min.js", "plot.umd.min.js", "numbers.js", "slider.js", "charts.js", "page.js")
"""The scripts of a page in the order in which they run."""
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src {style}; script-src {script}"
)
"""The Content-Security-Policy: nothing is loaded, and only these scripts and this style run."""


def render_report(
    sources: Sequence[tuple[str, FigureSource]], settings: CostSettings, options: Sequence[str] = ()
) -> bytes:
    """Return the report of runs and profiles as an HTML file.

    Args:
        sources: each with its name or path.
        settings: prices, device and batch of the plans.
        options: the same as words of a command line, for the command that a page shows.
    """
    rendered = [render_source(f"s{at}", name, source, settings, options) for at, (name, source) in enumerate(sources)]
    names = [source.profile.name for _, source in sources]
    links = "".join(f'<li><a href="#s{at}">{escape(name)}</a></li>' for at, name in enumerate(names))
    style, scripts = read_asset("report.css"), [read_asset(name) for name in SCRIPTS]
    policy = POLICY.format(style=hash_content(style), script=" ".join(map(hash_content, scripts)))
    page = Template(read_asset("report.html")).substitute(
        policy=escape(policy),
        title=escape(f"isocompute: {', '.join(names)}"),
        style=style,
        navigation=f"<nav aria-label='Sources'><ul>{links}</ul></nav>" if len(names) > 1 else "",
        body="".join(markup for markup, _ in rendered),
        data=encode_script_data({f"s{at}": data for at, (_, data) in enumerate(rendered)}),
        scripts="".join(f"<script>{script}</script>\n" for script in scripts),
    )
    return page.encode()


def render_source(
    prefix: str, name: str, source: FigureSource, settings: CostSettings, options: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """Return the section of a run or a profile, and the data of its slider and charts."""
    plan, advice = build_advice(source.profile, settings)
    parts: dict[str, ReportPart] = {"advice": advice}
    measured, charts = build_measured_parts(source, plan.findings)
    parts |= measured
    if source.run is not None:
        found = {"samples": build_samples(source.run), "trees": build_trees(source.run)}
        parts |= {key: part for key, part in found.items() if part is not None}
    parts["card"] = build_card(source, name)
    rendered = {key: render_part(part, prefix, key) for key, part in parts.items()}
    slider = f'<section class="slider" data-slider="{prefix}" aria-labelledby="{prefix}-slider"></section>'
    heading = render_element("h2", source.profile.name) + render_element("p", f"{source.profile.description}.")
    markup = f'<article id="{prefix}">{heading}{rendered.pop("advice")}{slider}{"".join(rendered.values())}</article>'
    data = {
        "profile": name,
        "is_run": source.run is not None,
        "options": list(options),
        **build_slider_data(source.profile, settings),
        "charts": charts,
    }
    return markup, data


def read_asset(name: str) -> str:
    """Return a file that stands beside this module, with a script's or a style's end tag refused."""
    text = files("isocompute.figures.report").joinpath("assets", name).read_text(encoding="utf-8")
    assert name.endswith(".html") or "</script" not in text.lower(), name
    return text


def hash_content(text: str) -> str:
    """Return the hash of an inline script or style, as a Content-Security-Policy names it.

    >>> hash_content("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
