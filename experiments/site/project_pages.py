"""The pages made from files beside the docs: changelog, contributing, security, data cards, and how to cite."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from experiments.site.markdown import escape_text

ROOT = Path(__file__).resolve().parents[2]

DATA_CARDS = ("data/lab/README.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("data/runs/*/README.md")))

PAGES = {
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "data/README.md": "project/data.md",
    **{card: f"project/data/{PurePosixPath(card).parent.name}.md" for card in DATA_CARDS},
}
"""The page of the site that shows a file of the repository, which is written outside docs/."""

MADE_FROM = {
    "CITATION.cff": "project/cite.md",
    "api/json_schema/schemas.py": "reference/json.md",
    "cli/main.py": "reference/command_line.md",
    "fits/__init__.py": "reference/estimators.md",
    "runners/config/sweep.py": "reference/sweep_file.md",
    "runners/storage/schema.py": "reference/run_tables.md",
    "src/isocompute/__init__.py": "reference/python.md",
    "src/isocompute/errors.py": "reference/errors.md",
    "src/isocompute/registry.py": "reference/registries.md",
    "testing/__init__.py": "reference/testing.md",
}
"""The generated page of a file; pages link to the file, so that the link also works where there is no site."""

LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)\s]+)\)")


def write_pages() -> dict[str, str]:
    """Return the text of each page by its place; links lead to pages of the site."""
    pages = {page: rewrite_links((ROOT / file).read_text(encoding="utf-8"), file, page) for file, page in PAGES.items()}
    return pages | {"project/cite.md": write_cite_page()}


def rewrite_links(text: str, file: str, page: str) -> str:
    """Return Markdown whose relative links lead from a page of the site to others.

    A link to a file that is no page of the site, such as a module, becomes its text and the file's path.

    Args:
        text: the Markdown.
        file: the file that it was written in, relative to the repository; links are relative to it.
        page: the page, relative to docs/.
    """

    def replace_link(found: re.Match[str]) -> str:
        image, label, (target, _, anchor) = found[1], found[2], found[3].partition("#")
        path = os.path.normpath(PurePosixPath(file).parent / target)
        place = find_place(path)
        if place is not None:
            link = os.path.relpath(place, PurePosixPath(page).parent)
            return f"{image}[{label}]({link}{'#' + anchor if anchor else ''})"
        if not (ROOT / path).exists():
            return found[0]  # mkdocs warns of it
        return label if label.strip("`/") == path else f"{label} (`{path}`)"

    return rewrite_outside_code(text, lambda part: LINK.sub(replace_link, part))


def rewrite_outside_code(text: str, rewrite: Callable[[str], str]) -> str:
    """Return Markdown after rewriting all of it but fenced blocks."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if i % 2 else rewrite(part) for i, part in enumerate(parts))


def find_place(path: str) -> str | None:
    """Return the place in the site of a file of the repository, or of a page of docs/; None if it has none."""
    inside = path.removeprefix("docs/") if path.startswith("docs/") else None
    return PAGES.get(path) or PAGES.get(f"{path}/README.md") or MADE_FROM.get(path) or inside


def write_cite_page() -> str:
    """Return the page of how to cite, from CITATION.cff."""
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    authors = ", ".join(map(join_name, content["authors"]))
    own = f"{authors}. *{escape_text(content['title'])}*. Version {content['version']}."
    studies = "\n".join(f"- {format_reference(reference)}" for reference in content["references"])
    return (
        f"# How to cite\n\n{content['message']}\n\n{own}\n\nThe studies:\n\n{studies}\n\n"
        f"`CITATION.cff`, which reference managers read:\n\n```yaml\n{text}```\n"
    )


def format_reference(reference: dict[str, Any]) -> str:
    """Return a study as a line: authors, title, year, and where it is."""
    identifiers = ", ".join(str(each["value"]) for each in reference.get("identifiers", []))
    authors = ", ".join(map(join_name, reference["authors"]))
    return f"{authors}. *{escape_text(reference['title'])}*. {reference['year']}. {identifiers}."


def join_name(author: dict[str, str]) -> str:
    """Return an author's name."""
    return author.get("name") or f"{author['given-names']} {author['family-names']}"
