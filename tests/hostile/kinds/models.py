"""Model folders whose files are cut short, garbled, of wrong types or sizes, or missing."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.hostile.cases import HostileInput, Maker
from tests.hostile.material import DATA, dump_json

SOLVER = DATA / "lab" / "solver"
SMALL = {"task": {"name": "lab", "problems": 1, "seed": 1}, "engine": "transformers", "solutions": 1, "run": "out/run"}


def change_folder(change: Callable[[Path], object]) -> Maker:
    """Return a function that copies the lab's solver, and changes the copy."""

    def make(path: Path) -> None:
        path.mkdir()
        for file in SOLVER.iterdir():
            (path / file.name).write_bytes(file.read_bytes())
        change(path)

    return make


def edit_json(name: str, **values: Any) -> Callable[[Path], object]:
    """Return a function that sets keys of a JSON file."""

    def change(folder: Path) -> None:
        path = folder / name
        content = json.loads(path.read_text()) if path.is_file() else {}
        path.write_text(json.dumps(content | values))

    return change


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def write_header(header: object, length: int | None = None) -> Callable[[Path], object]:
    """Return a function that writes a safetensors file with a header, and perhaps another length of it."""
    text = json.dumps(header).encode()
    size = len(text) if length is None else length
    return write("model.safetensors", size.to_bytes(8, "little") + text + bytes(64))


def edit_weights(rng: random.Random) -> Callable[[Path], object]:
    """Return a function that changes bytes of the header of the weights."""
    places = [(rng.randrange(400), rng.randrange(256)) for _ in range(4)]

    def change(folder: Path) -> None:
        path = folder / "model.safetensors"
        content = bytearray(path.read_bytes())
        for place, value in places:
            content[place] = value
        path.write_bytes(content)

    return change


TENSOR = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
FOLDERS: dict[str, Callable[[Path], object]] = {
    "weights-empty": write("model.safetensors", b""),
    "weights-short": lambda folder: write("model.safetensors", (folder / "model.safetensors").read_bytes()[:-9])(
        folder
    ),
    "weights-text": write("model.safetensors", b"not weights at all"),
    "weights-length": write("model.safetensors", b"\xff" * 64),
    "header-list": write_header([1, 2]),
    "header-long": write_header({"a": TENSOR}, 2**40),
    "header-shape": write_header({"a": TENSOR | {"shape": [2**40, 2**40]}}),
    "header-text": write_header({"a": TENSOR | {"shape": "4"}}),
    "header-offsets": write_header({"a": TENSOR | {"data_offsets": [0, 2**62]}}),
    "header-dtype": write_header({"a": TENSOR | {"dtype": "X9"}}),
    "header-none": write_header({}),
    "config-list": write("config.json", b"[]"),
    "config-text": write("config.json", b"{"),
    "config-deep": write("config.json", b"[" * 100_000),
    "config-empty": write("config.json", b""),
    "config-layers": edit_json("config.json", num_hidden_layers=10**9),
    "config-layers-text": edit_json("config.json", num_hidden_layers="4"),
    "config-width": edit_json("config.json", hidden_size=2**50),
    "config-negative": edit_json("config.json", hidden_size=-64),
    "config-half": edit_json("config.json", num_attention_heads=2.5),
    "config-vocabulary": edit_json("config.json", vocab_size=10**12),
    "config-type": edit_json("config.json", model_type=[1]),
    "config-unknown": edit_json("config.json", model_type="nobody", architectures=None),
    "config-dtype": edit_json("config.json", torch_dtype="float99", dtype="float99"),
    "config-code": edit_json("config.json", model_type="evil", auto_map={"AutoConfig": "evil.E"}),
    "config-length": edit_json("config.json", max_position_embeddings="long"),
    "generation-list": write("generation_config.json", b"[1]"),
    "tokenizer-empty": write("tokenizer.json", b""),
    "tokenizer-list": write("tokenizer.json", b"[]"),
    "tokenizer-config": write("tokenizer_config.json", b"[1"),
    "tokenizer-class": edit_json("tokenizer_config.json", tokenizer_class="os.system"),
    "no-tokenizer": lambda folder: [path.unlink() for path in folder.glob("tokenizer*")],
    "index-outside": write("model.safetensors.index.json", b'{"weight_map": {"a": "../x.safetensors"}}'),
    "index-list": write("model.safetensors.index.json", b"[]"),
    "pickle-only": lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
}
TEMPLATES: dict[str, Any] = {
    "missing": None,
    "broken": "{% for",
    "unknown": "{{ nothing.at.all() }}",
    "raises": "{{ raise_exception('no \x1b[31m' + 'x' * 9) }}",
    "attribute": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "import": "{{ self.__init__.__globals__ }}",
    "range": "{% for i in range(10 ** 12) %}x{% endfor %}",
    "number": 7,
    "divides": "{{ 1 / 0 }}",
}


def generate(rng: random.Random) -> Iterator[HostileInput]:
    """Yield the inputs of this kind."""
    folders = FOLDERS | {f"weights-garbled-{i}": edit_weights(rng) for i in range(6)}
    for name, change in folders.items():
        sweep = SMALL | {"solver": {"model": "./m", "prompt": "lab-solve", "max_tokens": 4}}
        dry = ("--dry-run",) if rng.random() < 0.25 else ()
        yield HostileInput(
            f"models-{name}",
            ("sweep", "s.yaml", *dry),
            {"m": change_folder(change), "s.yaml": dump_json(sweep)},
            writes_rows=name.startswith(("config-length", "weights-garbled", "config-dtype")),
        )
    for name, template in TEMPLATES.items():
        sweep = SMALL | {"solver": {"model": "./m", "prompt": "lab-solve", "max_tokens": 4, "chat": True}}
        change = edit_json("tokenizer_config.json", chat_template=template)
        yield HostileInput(
            f"models-template-{name}", ("sweep", "s.yaml"), {"m": change_folder(change), "s.yaml": dump_json(sweep)}
        )
