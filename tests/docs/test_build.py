"""The site is built without a warning, without the network, and the same twice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.site_pages import ROOT


def build_site(folder: Path) -> dict[str, bytes]:
    """Build the site as `make site` does, with no way out, and return its files."""
    offline = {f"{kind}_proxy": "http://127.0.0.1:9" for kind in ("http", "https")}
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, **offline, "PYTHONPATH": path, "SOURCE_DATE_EPOCH": "0", "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_site_is_the_same_twice_and_loads_nothing_from_elsewhere(tmp_path):
    first = build_site(tmp_path / "first")
    assert build_site(tmp_path / "second") == first
    for name, content in first.items():
        if name.endswith(".html"):
            text = content.decode()
            loaded = re.findall(r'<(?:script|img|iframe)[^>]* src="(https?:[^"]*)"', text)
            assert loaded + re.findall(r'<link[^>]* href="(https?:[^"]*)"', text) == [], name
