"""The gallery: every figure once, with a sentence of what it shows and the command that draws it.

    python -m experiments.gallery

Runs the commands and writes docs/gallery.md and the pictures in docs/gallery/. Profiles are used where they hold what a
figure shows, because they are drawn in seconds; what needs the rows of a run is drawn from a shipped run.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image

from isocompute.figures.registry import FIGURES

ROOT = Path(__file__).resolve().parents[1]
PAGE, FOLDER = ROOT / "docs" / "gallery.md", ROOT / "docs" / "gallery"
TREE = "isocompute tree data/runs/lab-search lab-3-4-0 --strategy beam --n 4 --seed 0"
SOURCES = {
    "solutions_and_compute": "lab",
    "solutions_and_compute_by_level": "lab",
    "frontiers": "lab-both-small",
    "difficulty": "lab-both-small",
    "caps": "qwen2.5-coder-1.5b-gsm-symbolic",
    "policies": "lab",
    "surface": "lab",
    "allocation_law": "lab",
    "crossover": "lab",
    "regret": "lab",
    "models": "lab-both-small lab-both-large",
    "search_by_n": "lab-both-small",
    "difficulty_bars": "lab-both-small",
    "verifier": "data/runs/lab",
    "step_scores": "data/runs/lab-search",
}
"""The profiles or the run that each figure is drawn from."""
HEAD = """# Gallery

Every figure that `isocompute figures` draws, in the width of a page and in print style. `make figures` draws them anew.
Each comes with a table of its points as CSV; `--format pdf` gives a file for a paper, and `--style dark --width slide`
one for a talk.
"""


def get_command(name: str, folder: str = "figures") -> str:
    """Return the command that draws a figure into a folder."""
    if name == "search_tree":
        return f"{TREE} -o {folder}/search_tree.png"
    if name == "published":
        return f"isocompute figures --published --format png -o {folder}"
    return f"isocompute figures {SOURCES[name]} --only {name} --format png -o {folder}"


def draw_figure(name: str) -> bytes:
    """Run the command that draws a figure, and return the picture.

    Raises:
        CalledProcessError: the command fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", *shlex.split(get_command(name, folder))],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        (path,) = Path(folder).rglob(f"{name}.png")
        picture = BytesIO()
        with Image.open(path) as drawn:  # the same pixels in fewer bytes: without transparency, which no figure has
            drawn.convert("RGB").save(picture, "PNG", optimize=True)
        return picture.getvalue()


def render_page() -> str:
    """Return the page."""
    parts = [
        f"## {name}\n\nIt shows {FIGURES[name].description}.\n\n`{get_command(name)}`\n\n"
        f"![{FIGURES[name].description}](gallery/{name}.png)\n"
        for name in FIGURES
    ]
    return "\n".join([HEAD, *parts])


def write_gallery() -> None:
    """Draw every figure, then write the pictures and the page."""
    pictures = {name: draw_figure(name) for name in FIGURES}
    FOLDER.mkdir(exist_ok=True)
    for name, picture in pictures.items():
        (FOLDER / f"{name}.png").write_bytes(picture)
    PAGE.write_text(render_page(), encoding="utf-8")


if __name__ == "__main__":
    write_gallery()
