"""Model folders whose files are cut short, garbled, of wrong types or sizes, or missing."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.hostile.cases import HostileInput, Maker, link_to, make_fifo, make_folder
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


def replace_file(name: str, make: Maker) -> Callable[[Path], object]:
    """Return a function that puts something else in the place of a file."""

    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        make(folder / name)

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
    "header-metadata": write_header({"__metadata__": {"a": 1}, "a": TENSOR}),
    "header-twice": lambda folder: write(
        "model.safetensors",
        (60).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":1}',
    )(folder),
    "header-many": write_header({f"t{i}": TENSOR | {"shape": [0], "data_offsets": [0, 0]} for i in range(200_000)}),
    "header-deep": write("model.safetensors", (100_000).to_bytes(8, "little") + b"[" * 100_000),
    "header-negative": write_header({"a": TENSOR | {"shape": [-4]}}),
    "header-overlap": write_header({"a": TENSOR, "b": TENSOR}),
    "header-name": write_header({"\x1b]0;pwn\x07": TENSOR, "[/red]": TENSOR | {"data_offsets": [16, 32]}}),
    "weights-folder": replace_file("model.safetensors", make_folder),
    "weights-pipe": replace_file("model.safetensors", make_fifo),
    "weights-device": replace_file("model.safetensors", link_to("/dev/zero")),
    "config-folder": replace_file("config.json", make_folder),
    "config-pipe": replace_file("config.json", make_fifo),
    "config-device": replace_file("config.json", link_to("/dev/zero")),
    "config-loop": replace_file("config.json", link_to("config.json")),
    "config-twice": write("config.json", b'{"model_type": "llama", "model_type": "gpt2"}'),
    "config-digits": write("config.json", b'{"model_type": "llama", "hidden_size": ' + b"9" * 5000 + b"}"),
    "config-utf16": write("config.json", '{"model_type": "llama"}'.encode("utf-16")),
    "config-large": write("config.json", b'{"model_type": "llama", "x": "' + b"y" * 70_000_000 + b'"}'),
    "config-lists": write("config.json", b'{"x": [' + b"[]," * 20_000_000 + b"[]]}"),
    "config-escape": edit_json("config.json", model_type="\x1b]0;pwn\x07[/red]"),
    "config-long": edit_json("config.json", model_type="m" * 1_000_000),
    "config-nan": edit_json("config.json", rms_norm_eps=float("nan")),
    "config-rope": edit_json("config.json", rope_scaling={"type": "yarn", "factor": 1e308}, rope_theta=-1),
    "config-heads": edit_json("config.json", num_attention_heads=7, num_key_value_heads=-2),
    "config-quantized": edit_json("config.json", quantization_config={"quant_method": "evil"}),
    "config-tokens": edit_json("config.json", eos_token_id="x", bos_token_id=[[1]], pad_token_id=-9),
    "config-labels": edit_json("config.json", num_labels=10**9, id2label={"x": []}),
    "config-experts": edit_json("config.json", num_experts=10**9, num_experts_per_tok=10**9),
    "config-path": edit_json("config.json", _name_or_path="../../../etc", base_model_name_or_path="/dev/zero"),
    "generation-tokens": edit_json("generation_config.json", eos_token_id="x", max_length=-1, num_beams=10**9),
    "generation-text": write("generation_config.json", b"{"),
    "tokenizer-deep": write("tokenizer.json", b"[" * 100_000),
    "tokenizer-vocabulary": edit_json(
        "tokenizer.json", model={"type": "BPE", "vocab": {"a": 10**12}, "merges": [["a", "b"]]}
    ),
    "tokenizer-pattern": edit_json(
        "tokenizer.json", pre_tokenizer={"type": "Split", "pattern": {"Regex": "(a+)+$|(((("}, "behavior": "Isolated"}
    ),
    "tokenizer-replace": edit_json(
        "tokenizer.json", normalizer={"type": "Replace", "pattern": {"Regex": "."}, "content": "1" * 5_000_000}
    ),
    "tokenizer-replace-often": edit_json(
        "tokenizer.json",
        normalizer={
            "type": "Sequence",
            "normalizers": [{"type": "Replace", "pattern": {"Regex": "."}, "content": "1" * 11}] * 9,
        },
    ),
    "tokenizer-replace-between": edit_json(
        "tokenizer.json",
        normalizer={
            "type": "Sequence",
            "normalizers": [{"type": "Replace", "pattern": {"Regex": "(?=.)"}, "content": "1"}] * 40,
        },
    ),
    "tokenizer-prepend": edit_json("tokenizer.json", normalizer={"type": "Prepend", "prepend": "1" * 5_000_000}),
    "tokenizer-decoder": edit_json(
        "tokenizer.json", decoder={"type": "Replace", "pattern": {"String": "1"}, "content": "y" * 5_000_000}
    ),
    "tokenizer-bytes": edit_json(
        "tokenizer.json",
        pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "ByteLevel", "add_prefix_space": True}] * 40},
    ),
    "tokenizer-template": edit_json(
        "tokenizer.json",
        post_processor={
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}] * 100_000,
            "pair": [],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [1], "tokens": ["<bos>"]}},
        },
    ),
    "tokenizer-added": edit_json("tokenizer.json", added_tokens=[{"id": -1, "content": "\x1b[31m"}]),
    "tokenizer-length": edit_json("tokenizer_config.json", model_max_length=-5),
    "tokenizer-special": edit_json("tokenizer_config.json", eos_token={"a": 1}, bos_token=["x"]),
    "tokenizer-pipe": replace_file("tokenizer.json", make_fifo),
    "special-tokens": write("special_tokens_map.json", b"[1]"),
    "added-tokens": write("added_tokens.json", b'{"x": "y"}'),
    "index-deep": write("model.safetensors.index.json", b'{"weight_map": ' + b"[" * 100_000),
    "index-missing": write("model.safetensors.index.json", b'{"weight_map": {"a": "nowhere.safetensors"}}'),
    "index-self": write("model.safetensors.index.json", b'{"weight_map": {"a": "model.safetensors.index.json"}}'),
    "index-escape": write("model.safetensors.index.json", b'{"weight_map": {"a": "\\u001b[31m.safetensors"}}'),
    "index-many": write(
        "model.safetensors.index.json",
        json.dumps({"weight_map": {f"t{i}": f"{i}.safetensors" for i in range(50_000)}}).encode(),
    ),
    "shards-odd": lambda folder: [(folder / f"model-{i:05}-of-99999.safetensors").write_bytes(b"x") for i in range(50)],
    "code-file": write("modeling_evil.py", b"import os; os.system('touch pwned')"),
    "adapter": write("adapter_config.json", b'{"base_model_name_or_path": "/dev/zero"}'),
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
    "leaves-out": "<user>",
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}",
    "loops-silently": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "multiplies": "{{ 'x' * 10 ** 10 }}",
    "power": "{{ 10 ** 10 ** 9 }}",
    "doubles": "{% set n = namespace(x='a') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}",
    "pads": "{{ 'a' | center(10 ** 9) }}",
    "formats": "{{ '%1000000000d' % 1 }}{{ '{:>1000000000}'.format(1) }}",
    "recurses": "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "deep": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "blocks": "{% if 1 %}" * 3000 + "x" + "{% endif %}" * 3000,
    "long": "x" * 3_000_000,
    "longer": "{{ 'y' * 100000000 }}",
    "lists": "{{ [[0] * 10000] * 10000 }}",
    "lipsum": "{{ lipsum(n=10 ** 9) }}",
    "cycler": "{% set c = cycler(*range(99999)) %}{% for a in range(99999) %}{% set x = c.next() %}{% endfor %}",
    "sorts": "{{ range(99999) | list | sort | join | length }}{{ (range(99999) | list * 999) | sort }}",
    "waits": "{% for i in range(99999) %}{{ strftime_now('%c' * 99999) }}{% endfor %}",
    "files": "{% include '/etc/passwd' %}{% import 'os' as os %}",
    "raises-markup": "{{ raise_exception('[/red] ' + '\x1b]0;pwn\x07' + 'long ' * 9999) }}",
    "surrogate": "{{ '\\ud800' }}",
    "nul": "{{ 'a\\x00b' }}",
    "empty": "",
    "blank": "   ",
    "only-once": "{{ messages[0].content }}{% if messages[0].content != '1+1?' %}{% for a in range(99999) %}"
    "{% for b in range(99999) %}{% endfor %}{% endfor %}{% endif %}",
    "list": [{"name": "default", "template": "{{ 'x' * 10 ** 10 }}"}],
    "list-odd": [{"name": 1}],
    "block": {"default": "x"},
}


def generate(rng: random.Random) -> Iterator[HostileInput]:
    """Yield the inputs of this kind."""
    folders = FOLDERS | {f"weights-garbled-{i}": edit_weights(rng) for i in range(6)}
    for number, (name, change) in enumerate(folders.items()):
        sweep = SMALL | {"solver": {"model": "./m", "prompt": "lab-solve", "max_tokens": 4}}
        dry = ("--dry-run",) if rng.random() < 0.25 else ()
        yield HostileInput(
            f"models-{name}",
            ("sweep", "s.yaml", *dry),
            {"m": change_folder(change), "s.yaml": dump_json(sweep)},
            writes_rows=True,
            slow=number % 5 != 0,  # each loads torch
        )
    for name, template in TEMPLATES.items():
        sweep = SMALL | {"solver": {"model": "./m", "prompt": "lab-solve", "max_tokens": 4, "chat": True}}
        change = edit_json("tokenizer_config.json", chat_template=template)
        yield HostileInput(
            f"models-template-{name}",
            ("sweep", "s.yaml"),
            {"m": change_folder(change), "s.yaml": dump_json(sweep)},
            writes_rows=True,
            slow=True,
        )
    yield from generate_template_files()


def generate_template_files() -> Iterator[HostileInput]:
    """Yield templates in files of their own, and options of engines and scorers that no model takes."""
    chat = SMALL | {"solver": {"model": "./m", "prompt": "lab-solve", "max_tokens": 4, "chat": True}}
    files: dict[str, Callable[[Path], object]] = {
        "loops": write("chat_template.jinja", str(TEMPLATES["loops"]).encode()),
        "bytes": write("chat_template.jinja", b"\xff\xfe{{ 1 }}"),
        "folder": replace_file("chat_template.jinja", make_folder),
        "pipe": replace_file("chat_template.jinja", make_fifo),
        "device": replace_file("chat_template.jinja", link_to("/dev/zero")),
        "large": write("chat_template.jinja", b"x" * 50_000_000),
        "json": write("chat_template.json", b'{"chat_template": 7}'),
    }
    for name, change in files.items():
        yield HostileInput(
            f"models-template-file-{name}",
            ("sweep", "s.yaml"),
            {"m": change_folder(change), "s.yaml": dump_json(chat)},
            writes_rows=True,
        )
    options: dict[str, dict[str, Any]] = {
        "model": {"model": "x"}, "name": {"name": "x"}, "self": {"self": 1}, "code": {"trust_remote_code": True},
        "device": {"device": "\x1b[31m"}, "device-many": {"device": "cuda:99999"}, "dtype": {"dtype": "[/red]"},
        "unknown": {"evil": {"a": [1]}}, "blank": {"": 1}, "long": {"o" * 100_000: 1}, "batch": {"batch_size": 10**9},
        "list": {"batch_size": [1]}, "null": {"batch_size": None}, "revision": {"revision": "../.."},
        "many": {f"o{i}": i for i in range(10_000)},
    }  # fmt: skip
    for name, given in options.items():
        sweep = SMALL | {"solver": {"model": str(SOLVER), "prompt": "lab-solve", "max_tokens": 4, "options": given}}
        yield HostileInput(
            f"models-option-{name}", ("sweep", "s.yaml"), {"s.yaml": dump_json(sweep)}, writes_rows=True, slow=True
        )
        scorer = {"kind": "lab", "model": str(DATA / "lab" / "prm"), "engine": "transformers", "options": given}
        sweep = SMALL | {"solver": {"model": str(SOLVER), "prompt": "lab-solve", "max_tokens": 4}, "scorer": scorer}
        yield HostileInput(
            f"models-scorer-option-{name}",
            ("sweep", "s.yaml"),
            {"s.yaml": dump_json(sweep | {"scored": 1})},
            writes_rows=True,
        )
    for kind in ("qwen-prm", "skywork", "rlhflow", "math-shepherd", "outcome", "lab", "evil", "\x1b[31m", ""):
        scorer = {"kind": kind, "model": str(SOLVER), "engine": "transformers"}
        sweep = SMALL | {"solver": {"model": str(SOLVER), "prompt": "lab-solve", "max_tokens": 4}, "scorer": scorer}
        name = kind.encode("unicode_escape").decode() or "empty"
        yield HostileInput(
            f"models-scorer-kind-{name}",
            ("sweep", "s.yaml"),
            {"s.yaml": dump_json(sweep | {"scored": 1})},
            writes_rows=True,
        )
