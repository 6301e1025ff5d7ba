"""What the fuzz targets draw: values, documents and files that are changed in some places, and texts without form."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from isocompute.errors import IsocomputeError
from isocompute.terminal import LONGEST_MESSAGE


@dataclass(frozen=True)
class FuzzTarget:
    """A parser of foreign text or bytes, and what it is given.

    Args:
        read: takes a path at which nothing stands, and a drawn value; it may write the value there. It may raise
            errors of the family, and no other.
        values: what is drawn.
        file: the name of the path.
        found: values that once broke the parser or its like, which are tried first.
    """

    read: Callable[[Path, Any], object]
    values: st.SearchStrategy[Any]
    file: str = "x"
    found: list[Any] = field(default_factory=list)


def refuse_or_return(read: Callable[..., object], *given: Any) -> None:
    """Call a parser, which may raise an error of the family with a message that can be printed, and no other."""
    try:
        read(*given)
    except IsocomputeError as error:
        said = str(error)
        assert said.isprintable(), said
        assert len(said) <= LONGEST_MESSAGE


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, -1, 10**9, 10**30, 2**63, 1e308, -1e308, float("inf"), float("nan"), "", "x", "1", "yes"])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\ud800", "\x1b]0;pwn\x07", "[/red]", "\\boxed{\\boxed{", "1/0", "9" * 5000, "\0"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
MARKUP = st.text(st.sampled_from("{}[]:,&*!|>%@'\"\\#-? \n\t0123456789.eabx<~=_")) | st.text()


def dump(value: Any) -> str:
    """Return a value as JSON, and a text as it is."""
    return value if isinstance(value, str) else json.dumps(value)


def encode(value: Any) -> bytes:
    """Return the bytes of a value as JSON; a half of a surrogate pair becomes bytes that are not UTF-8."""
    return dump(value).encode("utf-8", "surrogatepass")


def dump_yaml(value: Any) -> str:
    """Return a value as YAML, and a text as it is."""
    return value if isinstance(value, str) else yaml.safe_dump(value, allow_unicode=True)


def dump_lines(value: Any) -> str:
    """Return a list as JSON lines, another value as JSON, and a text as it is."""
    return "\n".join(json.dumps(each) for each in value) + "\n" if isinstance(value, list) else dump(value)


def write_text(path: Path, text: str) -> None:
    """Write a text, of which a half of a surrogate pair becomes bytes that are not UTF-8."""
    path.write_text(text, encoding="utf-8", errors="surrogatepass")


def list_places(document: Any) -> list[tuple[str | int, ...]]:
    """Return the paths of a document's values, those of long lists up to the third."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(document, dict):
        items = list(document.items())
    elif isinstance(document, list):
        items = list(enumerate(document[:3]))
    return [(key, *rest) for key, value in items for rest in [(), *list_places(value)]]


@st.composite
def change_document(draw: st.DrawFn, document: Any, places: list[tuple[str | int, ...]]) -> Any:
    """Draw a document with other values, other keys, or without some."""
    changed = json.loads(json.dumps(document))
    for _ in range(draw(st.integers(1, 3))):
        *path, key = draw(st.sampled_from(places))
        at = changed
        try:
            for step in path:
                at = at[step]
            if draw(st.integers(0, 9)) == 0:
                del at[key]
            elif isinstance(at, dict) and draw(st.integers(0, 9)) == 0:
                at[draw(st.text(max_size=8))] = draw(VALUES)
            elif draw(st.integers(0, 9)) == 0:
                at[key] = [at[key], at[key]]
            else:
                at[key] = draw(VALUES)
        except (KeyError, IndexError, TypeError):  # an earlier change took the place away
            continue
    return changed


def mutate(document: Any) -> st.SearchStrategy[Any]:
    """Return documents that are changed in some places, other values, and texts without form."""
    return MARKUP | VALUES | change_document(document, list_places(document))


def mutate_lines(document: list[Any]) -> st.SearchStrategy[Any]:
    """Return documents likewise, and more of them that are changed in some places, since each try takes long."""
    changed = change_document(document, list_places(document))
    return changed | changed | changed | mutate(document)


def mutate_bytes(content: bytes) -> st.SearchStrategy[bytes]:
    """Return a file in which some bytes are others, some are gone, or the end is missing."""

    def change(places: list[tuple[int, int]], gap: tuple[int, int], end: int) -> bytes:
        changed = bytearray(content)
        for place, value in places:
            changed[place] = value
        del changed[gap[0] : gap[0] + gap[1]]
        return bytes(changed[: len(changed) - end])

    place = st.integers(0, len(content) - 1)
    rarely = st.just(0) | st.just(0) | st.integers(0, 40)
    return st.builds(
        change,
        st.lists(st.tuples(place, st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255)), max_size=6),
        st.tuples(place, rarely),
        rarely,
    )
