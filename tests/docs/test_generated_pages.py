"""The reference is generated from the code: all names are there, and hostile text stays text."""

from __future__ import annotations

import doctest
import tomllib

import pytest
import yaml

import isocompute
from experiments.site import command_line, json_pages, markdown, python_api, registries, run_tables, sweep_file
from experiments.site.markdown import write_code, write_prose
from isocompute.runners.config.model_role import ModelRole
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.storage.schema import TABLES
from tests.docs.site_pages import PAGES, ROOT, read_blocks


@pytest.mark.parametrize("module", [command_line, json_pages, markdown, registries, sweep_file])
def test_the_examples_of_a_generator_hold(module):
    found = doctest.testmod(module)
    assert found.attempted > found.failed == 0


def test_every_public_name_has_its_documentation():
    page = python_api.write_python_page()
    assert all(f"::: {module}.{name}\n" in page for name, module in isocompute.PUBLIC.items())


def test_every_command_has_its_options():
    page = command_line.write_page()
    assert "## plan\n" in page
    assert "## next\n" in page
    assert f"{write_code('--budget')}, {write_code('-b')}" in page
    assert "{formats}" not in page


def test_every_key_of_a_sweep_file_has_a_meaning():
    page = sweep_file.write_page()
    for block in (Sweep, ModelRole):
        assert all(f"| {write_code(name)} | " in page for name in block.model_fields)
    assert "|  |\n" not in page


def test_every_column_of_a_run_has_its_row():
    page = run_tables.write_page()
    for table in TABLES.values():
        section = page.partition(f"## {table.name}\n")[2].partition("\n## ")[0]
        assert all(f"| {write_code(column.name)} | " in section for column in table.columns)


def test_every_schema_and_every_registry_has_a_section():
    page = json_pages.write_page()
    assert all(f"](../json/{path.name})" in page for path in (ROOT / "docs" / "json").glob("*.json"))
    page = registries.write_page()
    assert all(
        f"| {write_code(name)} |" in page for _, registry, _, _ in registries.REGISTRIES for name in registry.own
    )


def test_text_from_the_code_cannot_break_a_page():
    assert write_prose("<script> [a](b) | *c*") == "&lt;script&gt; &#91;a&#93;(b) &#124; &#42;c&#42;"
    assert write_prose("as `a|b`\n\nand ``x[0]``") == "as <code>a&#124;b</code> and <code>x&#91;0&#93;</code>"


def test_every_sweep_file_on_a_page_is_well_formed():
    checked = 0
    for page in PAGES:
        blocks = list(read_blocks(page))
        if all(block.title != "pyproject.toml" for block in blocks):  # such a page runs its sweep with its own package
            for block in blocks:
                if block.language == "yaml" and block.body.startswith("run:"):
                    Sweep.model_validate(yaml.safe_load(block.body))
                    checked += 1
    assert checked >= 6


def test_the_packages_on_the_pages_are_parts_of_the_one_that_is_tested():
    example = ROOT / "tests" / "example_package"
    points = tomllib.loads((example / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    shown = 0
    for page in PAGES:
        for block in read_blocks(page):
            if block.title == "pyproject.toml":
                given = tomllib.loads(block.body)["project"]["entry-points"]
                assert all(points[group].items() >= names.items() for group, names in given.items())
            if block.title and block.title.startswith("isocompute_example/") and "__init__" not in block.title:
                assert block.body == (example / block.title).read_text(encoding="utf-8")
                shown += 1
    assert shown == 4
