"""A model that writes nothing fails; one that now and then writes an empty text does not."""

from __future__ import annotations

import pytest

from isocompute.errors import EngineError
from isocompute.runners.engines import Completion, Request, Sampling
from isocompute.runners.sampling.silence import SILENT_BATCH_SIZE, find_tables_with_text, reject_silent_batches
from isocompute.runners.sampling.sweep import run_sweep
from isocompute.runners.storage.run import Run
from isocompute.runners.storage.schema import SOLUTIONS_TABLE, VERIFICATIONS_TABLE

LOST = Completion(None, None, None, None, None, "out of memory")


def outcomes(*said, table=SOLUTIONS_TABLE, problems=4):
    """Completions in order, each of a text or as it stands."""
    for i, text in enumerate(said):
        completion = Completion(text, 7, 3, 1, "stop") if isinstance(text, str) else text
        yield Request((table, f"p{i % problems}", i), "?", i, Sampling()), completion


def passed(stream, spoken=()):
    """What comes of a stream: the row's number, its text, and whether it is ok."""
    spoken = set(spoken)
    found = [(r.key[2], c.text, c.status == "ok") for r, c in reject_silent_batches(stream, spoken)]
    return found, spoken


def test_texts_pass_at_once_and_clear_the_blank_ones_before_them():
    found, spoken = passed(outcomes("", " \n", "2", "", "3"))
    assert found == [(0, "", True), (1, " \n", True), (2, "2", True), (3, "", True), (4, "3", True)]
    assert spoken == {"solutions"}
    stream = reject_silent_batches(outcomes("2", "", "3"), set())
    assert next(stream)[1].text == "2"


def test_a_stream_of_blank_texts_alone_fails_and_keeps_its_tokens():
    ((_, one),) = reject_silent_batches(outcomes(""), set())
    assert one == Completion(None, 7, 3, 1, "stop", "the model wrote nothing: the only text is empty")
    several = [completion for _, completion in reject_silent_batches(outcomes("", " ", "\n"), set())]
    assert {c.status for c in several} == {"the model wrote nothing: 3 texts in a row are empty"}
    assert [(c.text, c.prompt_tokens, c.completion_tokens) for c in several] == [(None, 7, 1)] * 3


def test_where_the_run_holds_a_text_a_few_blank_ones_are_ok():
    found, spoken = passed(outcomes("", ""), ["solutions"])
    assert found == [(0, "", True), (1, "", True)]
    assert spoken == {"solutions"}
    assert [ok for *_, ok in passed(outcomes("", ""), ["verifications"])[0]] == [False, False]


@pytest.mark.parametrize("spoken", [(), ("solutions",)])
def test_a_whole_batch_fails_as_soon_as_it_is_full_and_so_does_what_follows(spoken):
    stream = reject_silent_batches(outcomes(*[""] * (SILENT_BATCH_SIZE + 5), "2", "", "3"), set(spoken))
    done = [completion for _, completion in stream]
    status = f"the model wrote nothing: {SILENT_BATCH_SIZE} texts in a row are empty"
    assert [c.status for c in done] == [status] * (SILENT_BATCH_SIZE + 5) + ["ok"] * 3
    assert [c.text for c in done[-3:]] == ["2", "", "3"]


def test_a_problem_to_which_a_model_has_nothing_to_say_is_no_failure():
    """Its solutions come next to each other, and they are as honest as those of other problems."""
    blank = [""] * (2 * SILENT_BATCH_SIZE)
    assert all(ok for *_, ok in passed(outcomes("2", *blank, problems=3))[0])
    assert all(ok for *_, ok in passed(outcomes(*blank, "2", problems=3))[0])
    assert not any(ok for *_, ok in passed(outcomes(*blank, problems=3))[0])
    assert not any(ok for *_, ok in passed(outcomes(*blank, problems=4), ["solutions"])[0])


def test_one_less_than_a_batch_is_held_until_a_text_comes():
    taken = []

    def counted():
        for outcome in outcomes(*[""] * (SILENT_BATCH_SIZE - 1), "2"):
            taken.append(outcome)
            yield outcome

    stream = reject_silent_batches(counted(), set())
    assert next(stream)[1].text == ""
    assert len(taken) == SILENT_BATCH_SIZE
    assert all(completion.status == "ok" for _, completion in stream)


def test_a_failure_is_passed_on_at_once_and_does_not_end_a_row():
    half = [""] * (SILENT_BATCH_SIZE // 2)
    found, _ = passed(outcomes(*half, LOST, *half, "2"))
    assert found[0] == (len(half), None, False)
    assert [ok for *_, ok in found] == [False] * (SILENT_BATCH_SIZE + 1) + [True]
    assert passed(outcomes("", LOST, "2"))[0] == [(1, None, False), (0, "", True), (2, "2", True)]


def test_each_table_is_looked_at_by_itself():
    def both():
        yield from outcomes("2", "3")
        yield from outcomes("", "", table=VERIFICATIONS_TABLE)
        yield from outcomes("", "4")

    found, spoken = passed(both())
    assert [ok for *_, ok in found] == [True, True, True, True, False, False]
    assert spoken == {"solutions"}


def test_whoever_stops_reading_stops_the_engine():
    closed = []

    def engine():
        try:
            yield from outcomes("2", "", "3")
        finally:
            closed.append(True)

    stream = reject_silent_batches(engine(), set())
    next(stream)
    stream.close()
    assert closed == [True]
    assert list(reject_silent_batches(iter(list(outcomes("2"))), set()))  # what cannot be closed is not


def test_an_error_of_the_engine_comes_through():
    def engine():
        yield from outcomes("2", "")
        raise EngineError("the engine is gone")

    stream = reject_silent_batches(engine(), set())
    next(stream)
    with pytest.raises(EngineError, match="gone"):
        next(stream)


def statuses(run, table):
    return run.read_frame(table, ["status"])["status"].tolist()


@pytest.mark.parametrize("verifier", ["scripted/verifier", "scripted/solver"])
def test_a_sweep_of_a_model_that_writes_nothing_has_no_row_that_is_ok(small, scripted, verifier):
    summary = run_sweep(small(verifier={"model": verifier, "prompt": "lab-verify"}), load=scripted(lambda *_: ""))
    run = Run(summary.run)
    assert statuses(run, SOLUTIONS_TABLE) == ["the model wrote nothing: 24 texts in a row are empty"] * 24
    assert run.read_frame(SOLUTIONS_TABLE, ["answer", "correct"]).isna().all(axis=None)
    assert not statuses(run, VERIFICATIONS_TABLE)
    assert (summary.solutions, sum(summary.failed.values())) == (0, 24)
    assert find_tables_with_text(run) == set()
    assert run_sweep(small(verifier={"model": verifier, "prompt": "lab-verify"}), load=scripted()).solutions == 24


@pytest.mark.parametrize("verifier", ["scripted/verifier", "scripted/solver"])
def test_a_sweep_of_a_model_that_writes_nothing_at_times_is_well(small, scripted, verifier):
    well = scripted().says
    engine = scripted(lambda prompt, seed: "" if seed % 3 == 0 else well(prompt, seed))
    summary = run_sweep(small(verifier={"model": verifier, "prompt": "lab-verify"}), load=engine)
    run = Run(summary.run)
    assert (summary.solutions, summary.verifications, summary.failed) == (24, 72, {})
    assert (run.read_frame(SOLUTIONS_TABLE, ["text"])["text"] == "").sum() > 2
    assert find_tables_with_text(run) == {"solutions", "verifications"}


def test_a_single_blank_row_that_completes_a_run_is_ok(small, scripted):
    well, config = scripted().says, small(verifications=0)
    count = iter(range(23))
    run_sweep(config, load=scripted(lambda *asked: LOST if next(count, None) is None else well(*asked)))
    engine = scripted(lambda *_: "")
    summary = run_sweep(config, load=engine)
    assert len(engine.asked) == 1
    assert (summary.sampled, summary.solutions, summary.failed) == (1, 24, {})


def test_tables_with_text_are_those_with_a_text_that_is_ok(small, scripted):
    config = small(verifications=0)
    first = iter([True])
    run_sweep(config, load=scripted(lambda *_: LOST))
    assert find_tables_with_text(Run(config.run)) == set()
    run_sweep(config, load=scripted(lambda *_: "\\boxed{2}" if next(first, False) else LOST))
    assert find_tables_with_text(Run(config.run)) == {"solutions"}
