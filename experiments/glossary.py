"""The glossary, docs/glossary.md, made from the words that screens use.

python -m experiments.glossary
"""

from __future__ import annotations

from pathlib import Path

from isocompute.cli.screens.words import build_glossary

GLOSSARY = Path(__file__).resolve().parents[1] / "docs" / "glossary.md"


def main() -> None:
    GLOSSARY.write_text(build_glossary(), encoding="utf-8")


if __name__ == "__main__":
    main()
