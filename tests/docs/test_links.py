"""Pages that stand in the repository lead to each other: files, and headings within them."""

from __future__ import annotations

import re

import pytest
from markdown.extensions.toc import slugify

from experiments.site.project_pages import PAGES as PROJECT_PAGES
from experiments.site.project_pages import rewrite_links
from tests.docs.site_pages import PAGES, ROOT

FILES = sorted({*PAGES, *(ROOT / name for name in PROJECT_PAGES), ROOT / "README.md"})
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?!\w+:)([^)\s#]*)#([^)\s]+)\)")


def list_anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as the site and code hosts make them."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return {slugify(title.replace("`", ""), "-") for title in re.findall(r"^#+ (.*)$", text, re.M)}


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_anchor_is_a_heading(file):
    for target, anchor in LINK.findall(file.read_text(encoding="utf-8")):
        page = (file.parent / target).resolve() if target else file
        if page.suffix == ".md" and page.exists():  # generated pages are checked by the site's build
            assert anchor in list_anchors(page.read_text(encoding="utf-8")), f"{target}#{anchor}"


def test_links_that_leave_the_site_become_links_within_it_or_text():
    text = "[a](../CHANGELOG.md), [b](../data/lab/README.md#training), [c](costs.md), [d](../fits/pool.py)\n"
    wanted = "[a](project/changelog.md), [b](project/data/lab.md#training), [c](costs.md), d (`fits/pool.py`)\n"
    assert rewrite_links(text, "docs/new.md", "new.md") == wanted
    fenced = "```\n[a](../CHANGELOG.md)\n```\n"
    assert rewrite_links(fenced, "docs/new.md", "new.md") == fenced
