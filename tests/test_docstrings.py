"""Docstrings: public names have one, its first line is a statement, and the names that it quotes exist."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Container, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("api", "cli", "figures", "fits", "planner", "runners", "serving", "testing")
FOLDERS = (*PACKAGES, "src/isocompute", "experiments", "benchmarks")
FORMER_NAMES = "fits/former_names.py"  # lists names that no longer exist, so it proves nothing
QUESTION = re.compile(r"(what|which|who|whose|whom|how|where|when|whether|why|is|are|does|do you|can)\b.*", re.I | re.S)

# Quoted names that look like ours and are somebody else's, or stand for a name, with the reason.
FOREIGN_NAMES = {
    "ParticleFiltering": "a class of its_hub",
    "axes.figure": "an attribute of matplotlib's Axes",
    "gpu_memory_utilization": "an option of vLLM",
    "isocompute.strategies": "a group of entry points",
    "min_p": "a setting of llama.cpp",
    "parameters.role": "the form of a key of a manifest",
    "prepare_input": "a function of Skywork's code",
    "prompt_logprobs": "a parameter of vLLM",
    "score_answer": "a method of reasoning-gym's data sets",
    "take_first": "a filter of lm-evaluation-harness",
    "table.column": "the form of a column's name",
    "zmq_socket_ctx": "a function of vLLM",
}


class Docstring(NamedTuple):
    """A docstring, with the path and line of it, and what it describes."""

    path: str
    line: int
    owner: ast.AST
    text: str

    @property
    def first_line(self) -> str:
        return self.text.strip().splitlines()[0]

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}: {self.first_line}"


@cache
def parse_files() -> dict[str, ast.Module]:
    files = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))
    # an sdist holds copies of the packages in src/
    kept = (path for path in files if path.relative_to(ROOT).parts[:1] != ("src",) or path.parent.name == "isocompute")
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in kept}


def walk_docstrings() -> Iterator[Docstring]:
    """Yield every docstring, those of constants and fields included."""
    for path, tree in parse_files().items():
        for owner in ast.walk(tree):
            body = getattr(owner, "body", None)
            for statement in body if isinstance(body, list) else []:
                value = statement.value if isinstance(statement, ast.Expr) else None
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield Docstring(path, statement.lineno, owner, value.value)


def walk_public(node: ast.AST) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the public classes, functions and methods of a module; the tests of a suite have sentences for names."""
    for child in getattr(node, "body", []):
        is_definition = isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        overloads = [name for name in getattr(child, "decorator_list", []) if getattr(name, "id", "") == "overload"]
        if is_definition and not overloads and not child.name.startswith(("_", "test_")):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from walk_public(child)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_module_class_and_function_has_a_docstring_whose_first_line_is_a_sentence(package):
    bad = []
    for path, tree in parse_files().items():
        if path.split("/")[0] == package:
            for node in (tree, *walk_public(tree)):
                text = ast.get_docstring(node)
                if not text or not text.splitlines()[0].endswith("."):
                    bad.append(f"{path}:{getattr(node, 'lineno', 1)}: {getattr(node, 'name', 'the module')}")
    assert not bad


def test_no_docstring_begins_as_a_question():
    questions = [
        docstring.place
        for docstring in walk_docstrings()
        if (QUESTION.fullmatch(docstring.first_line) or docstring.first_line.endswith("?"))
    ]
    assert not questions


# ---- the names that docstrings quote

QUOTED = re.compile(r"``([^`\n]+)``|(?<!`)`([^`\n]+)`(?!`)")
CALL = re.compile(r"(?P<name>[A-Za-z_][\w.]*)\(.*\)")
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
FILE_NAME = re.compile(r"[\w./-]+\.(py|json|jsonl|csv|png|pdf|yaml|toml|parquet|ipynb|md|lock)")


class Names:
    """The names that the code defines and uses, docstrings aside."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        """Identifiers anywhere in the code, and whole strings: columns, keys and options."""
        self.modules: dict[str, set[str]] = {}
        """The names of each module, by its dotted path."""
        self.members: dict[str, set[str]] = defaultdict(set)
        """The attributes of each class, by its name, those of its bases included."""
        self.foreign: set[str] = set(sys.stdlib_module_names)
        """What is imported from elsewhere."""
        bases: dict[str, set[str]] = defaultdict(set)
        for path, tree in parse_files().items():
            if path != FORMER_NAMES:
                self._add_module(path, tree, bases)
        for _ in range(4):  # deeper than any class here
            for name, parents in bases.items():
                for parent in parents:
                    self.members[name] |= self.members.get(parent, set())

    def _add_module(self, path: str, tree: ast.Module, bases: dict[str, set[str]]) -> None:
        parts = path.removeprefix("src/isocompute/").removesuffix(".py").split("/")
        parts = parts if path.split("/")[0] in ("experiments", "benchmarks") else ["isocompute", *parts]
        dotted = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        own = self.modules.setdefault(dotted, set())
        skipped = {id(s.value) for node in ast.walk(tree) for s in iter_statements(node) if isinstance(s, ast.Expr)}
        for node in ast.walk(tree):
            found = set(list_names(node))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
                found |= {node.value}
            self.used |= found
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = getattr(node, "module", None)
                if not (module or node.names[0].name).startswith(("isocompute", "experiments")):
                    self.foreign |= found | {name.split(".")[0] for name in [module] if name}
            if isinstance(node, ast.ClassDef):
                bases[node.name] |= {base.id for base in node.bases if isinstance(base, ast.Name)}
                self.members[node.name] |= {name for inner in ast.walk(node) for name in list_defined(inner)}
        own |= {name for node in ast.walk(tree) for name in list_defined(node)}
        own |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}

    def has_dotted(self, dotted: str) -> bool:
        """Return whether a dotted name is a module, a name in one, a member of a class, or of another package."""
        parts = dotted.split(".")
        for cut in range(len(parts), 0, -1):
            head, rest = ".".join(parts[:cut]), parts[cut:]
            for module, names in self.modules.items():
                if f".{module}".endswith(f".{head}") and (not rest or self._has_members(rest, names)):
                    return True
        if parts[0] in self.members and self._has_members(parts, self.members.keys()):
            return True
        return parts[0] in self.foreign and parts[0] not in self.modules

    def _has_members(self, parts: list[str], names: Container[str]) -> bool:
        return parts[0] in names and all(later in self.members.get(first, ()) for first, later in pairwise(parts))


def iter_statements(node: ast.AST) -> list[ast.stmt]:
    body = getattr(node, "body", None)
    return body if isinstance(body, list) else []


def list_names(node: ast.AST) -> list[str]:
    """Return the identifiers of a node, its children's aside."""
    if isinstance(node, ast.alias):
        return [*node.name.split("."), *filter(None, [node.asname])]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [name for alias in node.names for name in list_names(alias)]
    return [
        getattr(node, field) for field in ("id", "attr", "arg", "name") if isinstance(getattr(node, field, None), str)
    ]


def list_defined(node: ast.AST) -> list[str]:
    """Return the names that a node defines or imports."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
        return list_names(node)
    return []


@cache
def collect_names() -> Names:
    return Names()


def is_known(quoted: str) -> bool:
    """Return whether a quoted text is an identifier that exists, or does not look like one of ours.

    Those that look like ours are dotted names, calls, and words with an underscore or an inner capital. A plain word
    such as ``known`` may be an argument, a value or a word of a file, so it is not looked up.
    """
    names = collect_names()
    call = CALL.fullmatch(quoted)
    name = call["name"] if call else quoted
    if quoted in FOREIGN_NAMES or FILE_NAME.fullmatch(name):
        return True
    if DOTTED.fullmatch(name):
        return names.has_dotted(name)
    if call:
        return name in names.used
    if re.fullmatch(r"[A-Za-z]\w*", name) and ("_" in name or re.search(r"[a-z][A-Z]", name)):
        return name in names.used or any(f".{module}".endswith(f".{name}") for module in names.modules)
    return True


def test_the_names_that_docstrings_quote_exist():
    unknown = []
    for docstring in walk_docstrings():
        for match in QUOTED.finditer(docstring.text):
            quoted = match[1] or match[2]
            if not is_known(quoted):
                unknown.append(f"{docstring.path}:{docstring.line}: {quoted}")
    assert not unknown


@pytest.mark.parametrize(
    "quoted",
    ["estimate_genrm", "fits.estimate_genrm", "isocompute.planner.plan", "Run.read_frame", "cached_tokens", "known"],
)
def test_a_name_that_exists_is_known(quoted):
    assert is_known(quoted)


@pytest.mark.parametrize(
    "quoted",
    ["cross_fit", "fits.genrm", "isocompute.planner.learn", "Run.rows_of", "genrm_held_out", "learn()"],
)
def test_a_name_that_does_not_exist_is_not_known(quoted):
    assert not is_known(quoted)


def test_every_exception_is_needed():
    quoted = {m[1] or m[2] for docstring in walk_docstrings() for m in QUOTED.finditer(docstring.text)}
    assert set(FOREIGN_NAMES) <= quoted
    assert len(FOREIGN_NAMES) <= 15
