"""A browser, pages in it, and reports."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

from isocompute.figures.report.files import open_report_source, write_report
from isocompute.runners.sampling.sweep import run_sweep

NEEDED = bool(os.environ.get("ISOCOMPUTE_NEED_BROWSER"))
QWEN = "qwen2.5-coder-1.5b-gsm-symbolic"


class OpenedPage:
    """A report in a browser, with all that it asked for and complained of."""

    def __init__(self, browser, path: Path, **context: object) -> None:
        self.page = browser.new_context(**context).new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        # wait_for_function would call eval, which the page's policy forbids
        self.page.locator(".chart:not(:has(svg))").first.wait_for(state="detached")


@pytest.fixture(scope="module")
def browser():
    """Chromium; without it a test is skipped, unless all is to be there.

    It is closed after each file: until then Playwright's event loop runs in this thread, and no other may run.
    """
    chromium = shutil.which("chromium")
    if not NEEDED and (chromium is None or importlib.util.find_spec("playwright") is None):
        pytest.skip("chromium or playwright is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # as root, which containers run as, Chromium starts without its sandbox only
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def shown(browser):
    """Opens reports; a context may have a viewport and a colour scheme."""
    pages: list[OpenedPage] = []

    def show(path: Path, **context: object) -> OpenedPage:
        pages.append(OpenedPage(browser, path, **context))
        return pages[-1]

    yield show
    for each in pages:
        each.page.context.close()


@pytest.fixture(scope="session")
def qwen(tmp_path_factory) -> Path:
    """The report of a profile with votes and verdicts."""
    path = tmp_path_factory.mktemp("report") / "qwen.html"
    write_report([open_report_source(QWEN)], str(path))
    return path


@pytest.fixture
def searched_run(searching, stepping):
    """A run with a scored pool and searches, and no verifications."""
    engine, scorer = stepping()
    searches = [
        {"strategy": "beam", "n": [2, 4], "width": 2, "rounds": 4},
        {"strategy": "rebase", "n": [3], "rounds": 4},
    ]
    config = searching(searches=searches, solutions=6, scored=4)
    return run_sweep(config, load=engine, load_scorer=scorer).run
