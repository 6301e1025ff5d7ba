"""The hook that mkdocs calls while it builds the site, see mkdocs.yml.

It adds the pages that are generated from the code, and turns links that leave docs/ into links within the site.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mkdocs.structure.files import File

from experiments.site import command_line, json_pages, project_pages, python_api, registries, run_tables, sweep_file

REFERENCE: dict[str, Callable[[], str]] = {
    "reference/python.md": python_api.write_python_page,
    "reference/estimators.md": python_api.write_estimators_page,
    "reference/testing.md": python_api.write_testing_page,
    "reference/errors.md": python_api.write_errors_page,
    "reference/command_line.md": command_line.write_page,
    "reference/sweep_file.md": sweep_file.write_page,
    "reference/run_tables.md": run_tables.write_page,
    "reference/json.md": json_pages.write_page,
    "reference/registries.md": registries.write_page,
}
"""The function that writes each generated page."""


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    pages = {place: write() for place, write in REFERENCE.items()} | project_pages.write_pages()
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **context: Any) -> str:
    """Turn the links of a hand-written page that leave docs/ into links within the site."""
    if page.file.generated_by is not None:
        return markdown
    place = page.file.src_uri
    return project_pages.rewrite_links(markdown, f"docs/{place}", place)
