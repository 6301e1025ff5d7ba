"""Names: a verb first, two words or more, and one meaning each in the whole package."""

from __future__ import annotations

import ast
import collections
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("api", "cli", "figures", "fits", "planner", "runners", "serving", "testing")
MOST_ONE_WORD = 0.25

# The first word of a function's name says what it does.
VERBS = frozenset(
    """
    add advise aggregate align allocate allow append apply assign average bind block bound build calibrate call
    certify check choose claim classify clean clear clip close code collect combine compare complete compute convert
    copy count cut decide decode derive describe detect digest divide download draw drop enclose encode enter
    enumerate escape estimate evaluate exclude execute expand explain explore extend extract extrapolate fetch fill
    filter find finish fit flatten flush fold follow forget format gather get grade group grow guard handle hash hold
    identify ignore import infer insert install integrate interpolate invert join judge keep kill label launch limit
    link list load locate lock log make map mark mask match measure merge move multiply name normalise note open
    order pack pad parse pause permute pick place predict prefer prepare price print prompt propose protect prune
    put quote raise rank read rebuild receive recommend record redact reduce refuse register regrade reject release
    remove rename render repair replace replay report request require resample
    reset resolve restore resume retry return
    reuse revise round run sample save scale scan schedule score search seed select send serve set share show shrink
    shuffle simplify simulate skip smooth solve sort split stack start step stop store stream strip submit subtract
    sum summarise swap take test tokenise track train transform translate trim try turn unpack update upgrade use
    validate verify wait walk warn weigh widen wrap write yield
    """.split()  # noqa: SIM905 - a list of words is read as a list
)
# Functions of the public API and commands of one name.
COMMANDS = frozenset(
    {
        "check",
        "curve",
        "difficulty",
        "evaluate",
        "figures",
        "fit",
        "grade",
        "next_rows",
        "pilot",
        "plan",
        "policies",
        "report",
        "runs",
        "serve",
        "select",
        "solve",
        "sweep",
        "tasks",
        "tree",
        "upgrade",
    }
)

PREDICATES = ("is", "has", "can", "to", "from")

# Not ours to name, or the name of what a user types.
EXCEPTIONS = {
    "cli/main.py": {"main": "the entry point of the command", "plan_main": "the entry point of `plan`"},
    "runners/imports/packed.py": dict.fromkeys(("readable", "readinto"), "overrides a method of io.RawIOBase"),
    "cli/console.py": dict.fromkeys(("render", "on_broken_pipe"), "overrides a method of Rich"),
    "runners/documents.py": dict.fromkeys(
        ("compose_node", "compose_scalar_node", "compose_sequence_node", "compose_mapping_node"),
        "overrides a method of PyYAML",
    ),
    "runners/storage/sharing.py": dict.fromkeys(("ls", "pipe_file"), "overrides a method of fsspec"),
    "serving/endpoint/connections.py": dict.fromkeys(
        (
            "connection_made",
            "connection_lost",
            "data_received",
            "on_message_begin",
            "on_headers_complete",
            "on_body",
            "on_message_complete",
        ),
        "overrides a method of uvicorn's protocol",
    ),
}

# Public names that two modules may define, with the reason.
TWICE = {"commands": "each command's Typer application, which cli/main.py collects"}


def definitions(package: str):
    """Yield (path, node, is_method, enclosing class) of the functions, and the classes, of a package."""

    def walk(node, path, owner):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, child, owner
                yield from walk(child, path, None)
            else:
                yield from walk(child, path, child.name if isinstance(child, ast.ClassDef) else owner)

    for path in sorted((ROOT / package).rglob("*.py")):
        relative = path.relative_to(ROOT).as_posix()
        yield from walk(ast.parse(path.read_text(encoding="utf-8")), relative, None)


def functions(package: str):
    """Yield (path, name) of the functions and methods of a package, but for dunders, properties and commands."""
    for path, node, _ in definitions(package):
        is_noun = any(word in ast.unparse(d) for d in node.decorator_list for word in ("property", "fixture"))
        if not is_noun and not re.fullmatch("__.*__|_repr_[a-z]+_", node.name):
            yield path, node.name


@pytest.mark.parametrize("package", PACKAGES)
def test_the_first_word_of_a_function_is_a_verb(package):
    strange = []
    for path, name in functions(package):
        is_command = name in COMMANDS or (path.startswith("cli/commands/") and "_" not in name)
        first = name.lstrip("_").split("_")[0]
        known = first in VERBS or first in PREDICATES or is_command or name in EXCEPTIONS.get(path, {})
        if not known:
            strange.append(f"{path}: {name}")
    assert not strange


@pytest.mark.parametrize("package", PACKAGES)
def test_few_functions_have_one_word(package):
    names = [name for path, name in functions(package) if name not in COMMANDS]
    assert sum("_" not in name.strip("_") for name in names) < MOST_ONE_WORD * len(names)


def test_no_public_name_is_defined_in_two_modules():
    homes = collections.defaultdict(set)
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if path.parent in (ROOT / "cli" / "commands", ROOT / "api"):
                continue
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    names = [node.name]
                elif isinstance(node, ast.Assign | ast.AnnAssign):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    names = [target.id for target in targets if isinstance(target, ast.Name)]
                else:
                    continue
                for name in names:
                    if not name.startswith("_"):
                        homes[name].add(path.relative_to(ROOT).as_posix())
    twice = {name: sorted(paths) for name, paths in homes.items() if len(paths) > 1 and name not in TWICE}
    assert not twice
    assert len(TWICE) <= 10
