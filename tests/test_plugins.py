"""A package of somebody else's: installed beside isocompute, it adds one of each kind, and all goes through."""

from __future__ import annotations

import json
import os
import re
import shutil
import site
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "tests" / "example_package"

SWEEP = """
run: run
task: {name: sums, problems: 20}
engine: dice
solver: {model: six-sided, prompt: solve.txt, options: {right: 3}}
verifier: {model: six-sided, prompt: verify.txt, options: {right: 4}}
solutions: 16
verified: 8
verifications: 4
scorer: {kind: sum-checker, model: none}
scored: 8
searches:
  - {strategy: chains, n: [2, 4]}
"""


class Environment:
    """A fresh environment with two packages: isocompute and the example. What they need lies beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
        self.python = folder / "env" / "bin" / "python"
        asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
        self.site = Path(subprocess.check_output([self.python, "-c", asked], text=True).strip())
        needed = [path for path in (*site.getsitepackages(), *sys.path) if path.endswith("site-packages")]
        (self.site / "needed.pth").write_text("\n".join(dict.fromkeys(needed)) + "\n")

    def install(self, source: Path) -> None:
        """Build a wheel of a package, and install it."""
        wheels = self.folder / "wheels" / source.name
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", wheels, source]
        install = [sys.executable, "-m", "pip", "--python", self.python, "install", "--no-deps", "--no-index", "-q"]
        subprocess.run(build, check=True, capture_output=True)
        subprocess.run([*install, next(wheels.glob("*.whl"))], check=True, capture_output=True)

    def run(self, *arguments: object) -> str:
        """Run a module, and return what it says."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment["NUMBA_NUM_THREADS"] = "1"  # as in the other tests, see `single_thread`
        command = [str(self.python), "-m", *map(str, arguments)]
        ended = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """The environment; the package's files are the blocks of CONTRIBUTING, as the first test shows."""
    made = Environment(tmp_path_factory.mktemp("plugins"))
    source = made.folder / "isocompute-example"
    shutil.copytree(EXAMPLE, source)
    made.install(ROOT)
    made.install(source)
    (made.folder / "solve.txt").write_text("{question}")
    (made.folder / "verify.txt").write_text("{question} Somebody says: {solution} Is it right?")
    (made.folder / "sweep.yaml").write_text(SWEEP)
    return made


def blocks() -> dict[str, str]:
    """Return the code blocks of CONTRIBUTING, by the file that the first line names."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.findall(r"```\w+\n# (isocompute_example/\w+\.py|pyproject\.toml)\n(.*?)```", text, re.S)
    return dict(found)


def test_the_recipes_of_contributing_are_the_files_of_the_example():
    recipes = blocks()
    assert set(recipes) == {"pyproject.toml", *(f"isocompute_example/{path.name}" for path in modules())}
    for name, code in recipes.items():
        assert code == (EXAMPLE / name).read_text(encoding="utf-8"), name


def modules() -> list[Path]:
    return [path for path in (EXAMPLE / "isocompute_example").glob("*.py") if path.name != "__init__.py"]


def test_it_passes_the_suites_that_are_shipped(environment):
    shutil.copy(EXAMPLE / "suites.py", environment.folder / "test_suites.py")
    said = environment.run("pytest", "-q", "-p", "no:cacheprovider", "test_suites.py")
    assert re.search(r"\d\d passed", said)
    assert "skipped" not in said


def test_it_is_the_installed_package_that_is_run(environment):
    code = "import isocompute, isocompute_example; print(isocompute.__file__, isocompute_example.__file__)"
    (environment.folder / "where.py").write_text(code)
    assert all(path.startswith(str(environment.site)) for path in environment.run("where").split())


def test_it_goes_from_a_sweep_to_figures(environment):
    run = environment.run
    run("isocompute", "sweep", "sweep.yaml")
    manifest = json.loads((environment.folder / "run" / "manifest.json").read_text())
    assert manifest["versions"]["isocompute-example"] == "0.1"
    assert manifest["grader"] == "last-number/1"
    assert json.loads(run("isocompute", "check", "run", "--json"))["damage"] == []
    run("isocompute", "fit", "run", "-o", "profile.json")
    strategies = json.loads((environment.folder / "profile.json").read_text())["strategies"]
    assert strategies["mine"] == strategies["weighted"]
    assert {"bon", "prm-weighted", "chains+weighted"} <= set(strategies)
    plan = json.loads(run("isocompute", "plan", "-b", "16x", "-p", "profile.json", "--json"))
    options = {option["strategy"]: option for option in (plan["recommendation"], *plan["alternatives"])}
    # No simulated world has it, so that its expectations differ from those of its twin.
    assert abs(options["mine"]["accuracy"] - options["weighted"]["accuracy"]) < 0.1
    assert options["mine"]["interval"][0] < options["mine"]["accuracy"] < options["mine"]["interval"][1]
    levels = json.loads(run("isocompute", "difficulty", "run", "--bins", "level", "--json"))
    assert levels["budgets"]
    names = ("frontiers", "search_by_n", "coverage")
    drawn = run("isocompute", "figures", "run", "--only", ",".join(names), "-o", "figures")
    assert {f"wrote figures/{name}.png" for name in names} <= set(drawn.splitlines())


def test_its_strategy_can_be_recommended(environment):
    profile = json.loads((environment.folder / "profile.json").read_text())
    kept = {name: profile["strategies"][name] for name in ("sc", "mine")}
    kept["sc"]["accuracy"] = [[0.0 for _ in row] for row in kept["sc"]["accuracy"]]
    profile["strategies"] = kept
    (environment.folder / "alone.json").write_text(json.dumps(profile))
    said = environment.run("isocompute", "plan", "-b", "16x", "-p", "alone.json")
    assert said.startswith("Sample 8 solutions")
    assert "(mine S=8" in " ".join(said.split())


def test_its_names_stand_in_help_and_lists(environment):
    assert "last-number" in environment.run("isocompute", "grade", "--help")
    assert "answers-jsonl" in environment.run("isocompute", "import", "--help")
    assert "chains" in environment.run("isocompute", "tree", "--help")
    assert re.search(r"^sums +any last-number", environment.run("isocompute", "tasks"), re.M)
