"""What a profile says of a problem's rows: tokens and seconds by role, where every one of them says its own."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

from isocompute.planner.estimate.pool_from_run import read_pool
from isocompute.planner.estimate.records import describe_problems
from isocompute.runners.engines import Completion
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE


def test_the_seconds_of_a_role_are_the_mean_of_its_rows_where_all_say_theirs(small, scripted):
    well, silent = scripted().says, []

    def says(prompt, seed):
        said = Completion(well(prompt, seed), 3, 0, 4, "stop", started_at=1e9 + seed % 100, seconds=seed % 7 / 4)
        if prompt.endswith("Verification:\n") and not silent:
            silent.append(prompt)
            return replace(said, seconds=None)
        return said

    run = Run(run_sweep(small(), load=scripted(says)).run)
    records = describe_problems(run, read_pool(run))
    frames = {"solver": run.read_frame(SOLUTIONS_TABLE), "verifier": run.read_frame(VERIFICATIONS_TABLE)}
    unknown = 0
    for record in records:
        for role, frame in frames.items():
            seconds = frame.loc[frame["problem_id"] == record.id, "seconds"].tolist()
            expected = None if any(one != one for one in seconds) else round(fmean(seconds), 3)
            assert record.tokens[role].seconds == expected
            assert record.tokens[role].completion == 4
            unknown += expected is None
    assert unknown == 1
