from __future__ import annotations

import json
import os
import random
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import jsonschema
import numba
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocompute.cli import main as cli
from isocompute.runners.config.sweep import Sweep
from isocompute.runners.display import SilentDisplay
from isocompute.runners.engines import Completion, Request
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.scorers import ScoreRequest, ScoreResult
from isocompute.runners.storage import schema
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import RunTable

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("ISOCOMPUTE_SHARED_DATA", ROOT.parent / "shared" / "data"))


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="Run the full-size tests too, as `make soak` does.")


def pytest_collection_modifyitems(config, items):
    """Leave the full-size tests out unless they are asked for."""
    if config.getoption("--soak"):
        return
    left_out = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(autouse=True, scope="session")
def single_thread():
    """Run the kernels in one thread: tests are small, and threads that wait for each other on a busy machine are slow.

    The estimates do not depend on it, see `test_monte_carlo`.
    """
    numba.set_num_threads(1)


@pytest.fixture
def shared_data() -> Path:
    """The authors' own data, which is compared with and not copied into the project."""
    if not (SHARED / "published_grids.json").is_file():
        pytest.skip(f"no comparison data at {SHARED}")
    return SHARED


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs `isocompute …` in this process, as the installed command does; JSON must match its schema in docs."""

    def run(*arguments: object, entry: Callable[[], None] = cli.main, columns: int = 200) -> Ended:
        monkeypatch.setattr(sys, "argv", ["isocompute", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit) as ended:
            entry()
        said = capsys.readouterr()
        if "--json" in arguments and said.out:
            name = "plan" if entry is not cli.main else str(arguments[0])
            schema = json.loads((ROOT / "docs" / "json" / f"{name}.json").read_text(encoding="utf-8"))
            jsonschema.validate(json.loads(said.out), schema)
        return Ended(ended.value.code, said.out, said.err)

    return run


@pytest.fixture
def refused(command):
    """Runs a command that must end in exit code 2 and one sentence, and returns the sentence."""

    def run(*arguments: object) -> str:
        ended = command(*arguments)
        assert ended.code == 2
        assert ended.out == ""
        assert ended.err.startswith("error: ")
        assert ended.err.endswith(".\n")
        assert ended.err.count("\n") == 1
        return ended.err.removeprefix("error: ").removesuffix("\n")

    return run


@pytest.fixture
def rewrite():
    """Writes a run's table anew, as one part, with its data frame changed; the columns may be others then."""

    def change(run: Path, table: RunTable, how: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        log = Run(run)
        frame = how(log.read_frame(table))
        for part in log.list_parts(table):
            log.fs.rm(part)
        kept = pa.schema([field for field in table.schema if field.name in frame])
        with log.fs.open(f"{log.root}/{table.name}/part-00000.parquet", "wb") as file:
            pq.write_table(pa.Table.from_pandas(frame, kept, preserve_index=False), file)

    return change


CLOCKS = ("started_at", "seconds", "scorer_seconds")
"""The columns of a row that say when it was made, and that no two runs share."""


def without_clock(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Rows as two runs of the same sweep have them."""
    return [{name: cell for name, cell in row.items() if name not in CLOCKS} for row in rows]


@pytest.fixture
def unclocked():
    """Reads a table's rows, without when they were made."""
    return lambda run, table: without_clock(run.read_table(table).to_pylist())


def write_as_format_1(run: Path | str) -> Run:
    """Make a run what version 0.1 wrote: columns under their former names, and none that came later."""
    log = Run(run)
    for table in schema.TABLES.values():
        former = {column.name: column.formerly for column in table.columns if column.formerly is not None}
        for path in log.list_parts(table):
            part = log.read_part(table, path)
            part = part.drop_columns([name for name in CLOCKS if name in part.column_names])
            part = part.rename_columns([former.get(name, name) for name in part.column_names])
            for column in table.retired:
                if column.name not in part.column_names:
                    part = part.append_column(column.name, pa.nulls(part.num_rows, column.type))
            with log.fs.open(path, "wb") as file:
                pq.write_table(part, file)
    log.write_manifest({**log.read_manifest(), "format": 1})
    return log


@pytest.fixture
def as_format_1():
    """Turns a run into one of format 1, in its place."""
    return write_as_format_1


@pytest.fixture
def beside_solutions():
    """Turns an import into one of format 1 that holds its step scores where version 0.1 did: beside the solutions.

    With a score given, every solution gets that.
    """

    def move(run: Run, score: float | None = None) -> Run:
        names = schema.SCORES_TABLE.key_names
        held = {
            tuple(row[n] for n in names): row["step_scores"] for row in run.read_table(schema.SCORES_TABLE).to_pylist()
        }
        for part in run.list_parts(schema.SCORES_TABLE):
            run.fs.rm(part)
        write_as_format_1(run.path)
        for path in run.list_parts(schema.SOLUTIONS_TABLE):
            part = pq.read_table(path)
            keys = [tuple(row[n] for n in names) for row in part.select(names).to_pylist()]
            steps = [held[key] if score is None else [score] for key in keys]
            at = part.column_names.index("step_scores")
            part = part.set_column(at, "step_scores", pa.array(steps, pa.list_(pa.float32())))
            pq.write_table(part, path)
        manifest = run.read_manifest()
        manifest.get("imported", {"rows": {}})["rows"].pop("scores", None)
        run.write_manifest(manifest)
        return run

    return move


class ScriptedEngine:
    """A test double that keeps the `Engine` protocol: what it says is a function of prompt and seed.

    Called like `engines.load`, it gives itself. It remembers the models that were loaded and, for each call of
    `run`, the requests in the order in which they came.
    """

    def __init__(self, says: Callable[[str, int], str | Completion]) -> None:
        self.says = says
        self.models: list[str] = []
        self.runs: list[list[Request]] = []

    def __call__(self, name: str, model: str, **options: object) -> ScriptedEngine:
        self.models.append(model)
        return self

    @property
    def asked(self) -> list[Request]:
        return [request for run in self.runs for request in run]

    def run(self, pending: deque[Request]) -> Iterator[tuple[Request, Completion]]:
        self.runs.append([])
        while pending:
            request = pending.popleft()
            self.runs[-1].append(request)
            said = self.says(request.prompt, request.seed)
            if isinstance(said, str):
                said = Completion(said, len(request.prompt), None, len(said), "stop")
            yield request, said

    def close(self) -> None:
        pass


def lab_truth(prompt: str) -> int:
    """The right answer to a problem of the lab."""
    truth = int(re.search(r"Start with (\d+)", prompt)[1])
    for word, number in re.findall(r"(add|minus|times) (\d+)", prompt):
        truth = {"add": truth + int(number), "minus": truth - int(number), "times": truth * int(number)}[word]
    return truth


def lab_text(prompt: str, seed: int) -> str:
    """Solve a problem of the lab by chance, or judge a solution of it by chance, both better than blind."""
    rng, truth = random.Random(seed), lab_truth(prompt)
    if not prompt.endswith("Verification:\n"):
        return rng.choice([f"\\boxed{{{truth}}}", f"\\boxed{{{truth + rng.randint(1, 2)}}}", "lost"])
    yes = rng.random() < (0.8 if f"\\boxed{{{truth}}}" in prompt else 0.3)
    return "no idea" if rng.random() < 0.1 else f"checked\nCorrect? {'Yes' if yes else 'No'}"


@pytest.fixture
def scripted():
    """Makes a `ScriptedEngine`; left alone, it speaks the lab's language."""
    return lambda says=lab_text: ScriptedEngine(says)


def lab_step(request: Request) -> Completion:
    """Go on with a problem of the lab by a step, or by a whole attempt; a token a character, and one for the end.

    What was written must be the same as text and as tokens. A function of the seed, or at temperature 0 of the text.
    """
    sampling, step = request.sampling, request.sampling.step
    assert request.written_ids == (tuple(map(ord, request.written)) if step else None)
    rng = random.Random(request.seed if sampling.temperature else request.written)
    truth = lab_truth(request.prompt)
    text, reason = f"step {rng.randint(0, 3)}", "step"
    if not step or rng.random() < 0.3:
        text, reason = f"\\boxed{{{truth + rng.randint(0, 2)}}}", "stop"
    if rng.random() < 0.1:
        text = ""
    said = text + (step if reason == "step" else "$")
    if len(said) > sampling.max_tokens:
        said = text = said[: sampling.max_tokens]
        reason = "length"
    prompt = len(request.prompt) + len(request.written)
    return Completion(text, prompt, len(request.written), len(said), reason, token_ids=tuple(map(ord, said)))


class SteppingEngine:
    """A test double of an engine that searches use: it takes all that waits, and answers in a shuffled order.

    It remembers what it was asked, and how many requests it held at once at most.
    """

    def __init__(self, says: Callable[[Request], Completion] = lab_step) -> None:
        self.says = says
        self.asked: list[tuple[Request, Completion]] = []
        self.held, self.loaded, self.closed = 0, 0, 0

    def __call__(self, name: str, model: str, **options: object) -> SteppingEngine:
        self.loaded += 1
        return self

    def run(self, pending: deque[Request]) -> Iterator[tuple[Request, Completion]]:
        rng, holds = random.Random(len(self.asked)), list[Request]()
        while pending or holds:
            while pending:
                holds.append(pending.popleft())
            self.held = max(self.held, len(holds))
            request = holds.pop(rng.randrange(len(holds)))
            self.asked.append((request, self.says(request)))
            yield self.asked[-1]

    def close(self) -> None:
        self.closed += 1


def text_scores(request: ScoreRequest) -> ScoreResult:
    """Score steps by their text up to there, in 0.1 … 0.9: ties are frequent; a token a character."""
    texts = ["".join(request.steps[: i + 1]) for i in range(len(request.steps))]
    assert all(step.strip() for step in request.steps)
    digits = [blake2b((request.question + text).encode(), digest_size=4).digest()[0] % 9 for text in texts]
    known = len("".join(request.steps[: request.known]))
    return ScoreResult(tuple((1 + d) / 10 for d in digits[request.known :]), len(texts[-1]), known, 1)


class SteppingScorer(SteppingEngine):
    """A test double that keeps the `Scorer` protocol: its scores are a function of question and text."""

    def __init__(self, says: Callable[[ScoreRequest], ScoreResult] = text_scores) -> None:
        super().__init__(says)  # type: ignore[arg-type]


@pytest.fixture
def stepping():
    """Makes a pair of an engine and a scorer for searches."""
    return lambda says=lab_step, scores=text_scores: (SteppingEngine(says), SteppingScorer(scores))


class Notes(SilentDisplay):
    """A display that keeps what a sweep says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture
def notes():
    """Makes displays that keep what a sweep says, as ``said``."""
    return Notes


SEARCHES = (
    {"strategy": "beam", "n": [3, 8], "width": 4, "rounds": 6, "seeds": 2},
    {"strategy": "dvts", "n": [8], "width": 4, "rounds": 6, "lookahead": 2},
    {"strategy": "rebase", "n": [5], "rounds": 6, "select": "vanilla"},
    {"strategy": "particle", "n": [4], "rounds": 6, "select": "majority"},
    {"strategy": "revise", "n": [6], "width": 3},
)


def search_sweep(folder: Path, **changes: object) -> Sweep:
    scorer = {"kind": "lab", "model": "scripted/prm", "aggregate": "last"}
    searching = {"verifier": None, "verifications": 0, "solutions": 1, "scorer": scorer, "searches": SEARCHES}
    solver = {"model": "scripted/solver", "prompt": "lab-solve", "max_tokens": 60}
    return small_sweep(folder, **{**searching, "solver": solver, **changes})


@pytest.fixture
def made():
    """Sweeps with a pair of scripted models, and gives the run."""
    return lambda config, pair: Run(run_sweep(config, load=pair[0], load_scorer=pair[1]).run)


@pytest.fixture
def content():
    """Reads what a run holds of nodes and searches, in the order of their keys; what failed gives way to its retry.

    When they were made is left out.
    """

    def read(run: Run) -> list[dict[str, object]]:
        found = []
        for table in (schema.NODES_TABLE, schema.SEARCHES_TABLE):
            assert len(run.read_frame(table)) == len(run.read_keys(table))  # no key twice, nothing failed
            found += [row for row in without_clock(run.read_table(table).to_pylist()) if row["status"] == "ok"]
        return sorted(found, key=lambda row: [row.get(name, 0) for name in schema.NODES_TABLE.key_names])

    return read


@pytest.fixture
def searching(tmp_path):
    """Makes the configuration of a small sweep with searches."""
    return lambda **changes: search_sweep(tmp_path / "run", **changes)


def small_sweep(folder: Path, **changes: object) -> Sweep:
    content = {
        "run": str(folder),
        "task": {"name": "lab", "problems": 4},
        "engine": "transformers",
        "solver": {"model": "scripted/solver", "prompt": "lab-solve"},
        "verifier": {"model": "scripted/verifier", "prompt": "lab-verify"},
        "solutions": 6,
        "verifications": 3,
    }
    return Sweep.model_validate(content | changes)


@pytest.fixture
def small(tmp_path):
    """Makes the configuration of a small sweep of the lab's task, with keys changed."""
    return lambda **changes: small_sweep(tmp_path / "run", **changes)


@pytest.fixture
def written_run(tmp_path):
    """A small run that is complete."""
    run_sweep(small_sweep(tmp_path / "run"), load=ScriptedEngine(lab_text))
    return tmp_path / "run"
