"""`isocompute upgrade`: what it prints, what it leaves, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocompute.planner.profile import read_profile
from isocompute.runners.storage.run import Run

PUBLISHED = Path(__file__).resolve().parents[2] / "data" / "published"

FORMAT_1 = {
    "format": 1, "name": "old", "description": "d", "problems": 2, "per_problem": True, "lambda": 2.0,
    "self_consistency": {"solutions": [1, 2, 4], "accuracy": [[0.5, 0.5, 0.6], [0.1, 0.2, 0.3]]},
    "best_of_n": {"solutions": [1], "accuracy": [[0.5], [0.1]]},
    "genrm": {"solutions": [1, 2], "verifications": [1], "accuracy": [[[0.5], [0.8]], [[0.1], [0.5]]]},
    "genrm_vote": None,
    "fused": {"solutions": [1, 2], "verifications": [1], "accuracy": [[[0.5], [0.7]], [[0.1], [0.6]]]},
    "trust": 0.5, "drawn_error": 0.01, "warnings": ["beware"], "mine": {"kept": [1, 2]},
    "searches": {"beam+weighted": {"numbers": {"N": [4]}, "seeds": [1], "cost": {"completion": [3.0]},
                                   "accuracy": [[1.0], [0.0]]}},
}  # fmt: skip


@pytest.fixture
def old_profile(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(FORMAT_1))
    return path


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_it_says_what_it_wrote_and_what_stayed_unknown(command, written_run, as_format_1, tmp_path):
    as_format_1(written_run)
    ended = command("upgrade", written_run, "-o", tmp_path / "new")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        f"Wrote {tmp_path}/new, which is {written_run} in format 2: 4 problems, 24 solutions, 72 verifications.",
        "Unknown, because the old format does not record it: problems.cluster, solutions.started_at, "
        "solutions.seconds, "
        "verifications.started_at, verifications.seconds, parameters.solver, parameters.verifier.",
    ]
    assert command("check", tmp_path / "new").code == 0
    fitted = [command("fit", run, "-o", tmp_path / "p.json", "--json").out for run in (written_run, tmp_path / "new")]
    assert fitted[0] == fitted[1]


def test_it_speaks_json(command, written_run, as_format_1, old_profile, tmp_path):
    as_format_1(written_run)
    found = json.loads(command("upgrade", written_run, "-o", tmp_path / "new", "--json").out)
    assert found.pop("unknown")[-1] == "parameters.verifier"
    assert found == {
        "schema_version": 1, "source": str(written_run), "output": f"{tmp_path}/new", "before": 1, "moved": 0,
        "parameters": {}, "rows": {"problems": 4, "solutions": 24, "verifications": 72},
    }  # fmt: skip
    found = json.loads(command("upgrade", old_profile, "-o", tmp_path / "new.json", "--json").out)
    assert found == {
        "schema_version": 1, "source": str(old_profile), "output": f"{tmp_path}/new.json", "before": 1,
        "strategies": ["sc", "genrm", "fused", "beam+weighted"],
        "unknown": ["models", "per_problem.id", "per_problem.tokens"],
    }  # fmt: skip


def test_what_is_newest_already_is_left_where_it_is(command, written_run, tmp_path):
    before = left(tmp_path)
    for source in (written_run, "lab"):
        ended = command("upgrade", source, "-o", tmp_path / "new")
        assert (ended.code, ended.err) == (0, "")
        assert ended.out == f"{source} already has the newest format; nothing was written.\n"
        assert json.loads(command("upgrade", source, "-o", tmp_path / "new", "--json").out) == {
            "schema_version": 1, "source": str(source), "output": None,
        }  # fmt: skip
    assert left(tmp_path) == before


def test_an_upgraded_profile_plans_as_the_old_one_and_loses_nothing(command, old_profile, tmp_path):
    before = old_profile.read_bytes()
    ended = command("upgrade", old_profile, "-o", tmp_path / "new")  # a profile ends in .json, as in fit
    assert ended.out.splitlines() == [
        f"Wrote {tmp_path}/new.json, which is {old_profile} in format 2: sc, genrm, fused, beam+weighted.",
        "Unknown, because the old format does not record it: models, per_problem.id, per_problem.tokens.",
    ]
    assert old_profile.read_bytes() == before
    new = json.loads((tmp_path / "new.json").read_text())
    assert (new["format"], new["mine"], new["best_of_n"]) == (2, FORMAT_1["mine"], FORMAT_1["best_of_n"])
    assert (new["strategies"]["fused"]["parameters"], new["strategies"]["fused"]["error"]) == ({"trust": 0.5}, 0.01)
    plans = [command("plan", "-b", "4x", "-p", path, "--json").out for path in (old_profile, tmp_path / "new.json")]
    assert plans[0] == plans[1]
    assert json.loads(plans[0])["warnings"][0] == "beware"


def test_a_format_1_error_and_trust_that_no_part_takes_are_kept(command, tmp_path):
    content = {key: part for key, part in FORMAT_1.items() if key not in ("fused", "searches")}
    (tmp_path / "old.json").write_text(json.dumps(content))
    assert command("upgrade", tmp_path / "old.json", "-o", tmp_path / "new.json").code == 0
    new = json.loads((tmp_path / "new.json").read_text())
    assert (new["trust"], new["drawn_error"]) == (0.5, 0.01)
    assert (
        read_profile(str(tmp_path / "new.json")).odds_exponent,
        read_profile(str(tmp_path / "new.json")).largest_drawing_error,
    ) == (None, None)


def test_what_is_neither_a_run_nor_a_profile_is_refused_and_nothing_is_written(
    refused, old_profile, written_run, as_format_1, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    as_format_1(written_run)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text("{")
    before = left(tmp_path)
    assert refused("upgrade", "nothing", "-o", "new") == "There is neither a run nor a profile at 'nothing'."
    assert refused("upgrade", "empty", "-o", "new").startswith("There is no run at 'empty': the folder has no manifest")
    assert refused("upgrade", "broken.json", "-o", "new") == "broken.json is not a profile: it is not JSON."
    assert "is not a profile: make one with" in refused("upgrade", PUBLISHED / "llama-3.1-8b-math.json", "-o", "new")
    assert refused("upgrade", old_profile, "-o", "old") == (
        "'old.json' already exists; write the upgrade to a new file."
    )
    assert "is in memory" in refused("upgrade", old_profile, "-o", "memory://b/new.json")
    assert "belongs to a run" in refused("upgrade", old_profile, "-o", "run/solutions/new.json")
    assert "exists already; an upgrade needs a new folder" in refused("upgrade", written_run, "-o", "run")
    manifest = Run(written_run).read_manifest()
    Run(written_run).write_manifest({**manifest, "format": 4})
    assert "has the format 4, but this version of isocompute reads formats 1 to 3" in refused(
        "upgrade", "run", "-o", "new"
    )
    assert left(tmp_path) == before
