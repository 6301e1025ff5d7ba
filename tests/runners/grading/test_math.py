"""The grader for mathematics, on hard answers and on hostile ones.

golden/math_answers.tsv holds pairs of answers, whether they are equal, and where this grader misses that. What is
equal is judged by mathematics, with these conventions where answers are written by people:

- A unit, a currency, a base or the name of a variable may be left out; another one is wrong. So may a per cent sign,
  but for numbers from 0 to 1.
- Values separated by commas are in no order, as in a set; points, vectors and intervals keep theirs.
- Decimals are exact: 0.333 is not 1/3, and 3.14159 is not π.
- A root of a real number is the real one; log is to the base ten; words have no case.
"""

from __future__ import annotations

import csv
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isocompute.errors import RunError
from isocompute.runners.grading import AnswerClasses, AnswerComparer, load_grader_by_name
from isocompute.runners.grading.canonical import normalise_math_answer
from isocompute.runners.grading.comparison_worker import HARMLESS_CODE_PATTERN, guard_evaluation

with (Path(__file__).parents[2] / "golden" / "math_answers.tsv").open(encoding="utf-8", newline="") as file:
    PAIRS = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
KINDS = sorted({pair["kind"] for pair in PAIRS})
NESTED = 480
A = range(8)


@pytest.fixture(scope="module")
def math():
    with pytest.MonkeyPatch.context() as patch, load_grader_by_name("math") as grader:
        patch.setenv("OPENAI_API_KEY", "sk-secret")
        yield grader


@pytest.fixture(scope="module")
def patient():
    """The same grader with more time, so that what it finds is the same on a machine that is busy."""
    with load_grader_by_name("math") as grader:
        grader.comparer.seconds = 30
        yield grader


def equal(grader, gold: str, answer: str) -> bool:
    return AnswerClasses(grader, normalise_math_answer(gold)).grade(f"\\boxed{{{answer}}}")[1]


def test_the_hard_answers_are_many_and_about_half_of_them_equal():
    assert len(PAIRS) >= 500
    assert len({(pair["gold"], pair["answer"]) for pair in PAIRS}) == len(PAIRS)
    assert 0.4 < sum(pair["equal"] == "yes" for pair in PAIRS) / len(PAIRS) < 0.6
    assert sum(pair["miss"] == "miss" for pair in PAIRS) <= 0.01 * len(PAIRS)


@pytest.mark.parametrize("kind", KINDS)
def test_hard_answers_are_graded_right_but_for_the_known_misses(patient, kind):
    pairs = [pair for pair in PAIRS if pair["kind"] == kind]
    wrong = [pair for pair in pairs if equal(patient, pair["gold"], pair["answer"]) is not (pair["equal"] == "yes")]
    assert wrong == [pair for pair in pairs if pair["miss"]]


def test_a_hard_answer_is_not_refused(patient):
    for pair in PAIRS:
        equal(patient, pair["gold"], pair["answer"])
    assert patient.refused_count == 0


def test_every_answer_equals_itself_and_equality_goes_both_ways(patient):
    for pair in PAIRS:
        gold, answer = normalise_math_answer(pair["gold"]), normalise_math_answer(pair["answer"])
        for one in (gold, answer):
            assert patient.comparer.find_first_equal(one, [one]).equal == 0, one
        there, back = (patient.comparer.find_first_equal(*two).equal for two in ((gold, [answer]), (answer, [gold])))
        assert there == back, pair


HOSTILE = {
    "python's tower": "9**9**9",
    "tower": "9^{9^{9}}",
    "ten": "10^{10^{10}}",
    "endless tower": "2^" * 300 + "2",
    "exponentials": "e^{e^{e^{e^{10}}}}",
    "factorial": "100000000!",
    "factorials": "((((9!)!)!)!)!",
    "three and 300 bangs": "3" + "!" * 300,
    "binomial": r"\binom{1000000000}{500000000}",
    "sum": r"\sum_{k=1}^{10^{9}} \frac{1}{k^3+k}",
    "product": r"\prod_{k=1}^{1000000000} k",
    "integral": r"\int_0^1 e^{x^x} \sin(x^{x}) dx",
    "limit": r"\lim_{x\to 0} \frac{\sin(\sin(\sin(x)))}{x^{x^{x}}}",
    "determinant": r"\begin{vmatrix}" + r"\\".join("&".join(f"x_{{{i}{j}}}" for j in A) for i in A) + r"\end{vmatrix}",
    "inequality": r"x^{37}+x^{11}-\sin(x)+3 > 0",
    "many inequalities": "x>1 or " * 120 + "x>2",
    "ten thousand braces": "{" * 10_000 + "1" + "}" * 10_000,
    "braces": "{" * NESTED + "1" + "}" * NESTED,
    "parentheses": "(" * NESTED + "1" + ")" * NESTED,
    "open": "(" * 900,
    "bars": "|" * 400 + "x" + "|" * 400,
    "fractions": r"\frac{1}{" * 100 + "2" + "}" * 100,
    "roots": r"\sqrt{" * 140 + "2" + "}" * 140,
    "signs": r"\pm " * 240 + "1",
    "sums of signs": r"1 \pm " * 100 + "1",
    "a megabyte of digits": "9" * 1_000_000,
    "digits": "x+" + "9" * 900,
    "decimals": "0." + "1" * 990,
    "exponent": "1e999999999",
    "repeating": r"0.\overline{" + "123456789" * 100 + "}",
    "floor": r"\lfloor 10^{10^{8}} \rfloor",
    "rows": r"\begin{pmatrix}" + "1&" * 300 + r"1\end{pmatrix}",
    "zeros": r"\operatorname{zeros}(100000,100000)",
    "cases": r"\begin{cases}" + r"x & x>1 \\" * 60 + r"0 & x<0\end{cases}",
    "list": ",".join("1" * 499),
    "and": "1 and " * 150 + "1",
    "lone surrogates": "\ud800\udfff x",
    "nul": "1\x00\x00 \x00",
    "direction": "\u202ex+1\u202c",
    "import": r"\operatorname{__import__}(\text{os}).system(\text{touch pwned})",
    "call": "__import__('os').system('touch pwned')",
    "symbol": r"\text{__import__('os').abort()}_{1}",
}  # fmt: skip


@pytest.mark.timeout(60)  # about a second: the process that compares is stopped
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_costs_little_and_the_next_is_graded(math, name):
    assert equal(math, r"2\sqrt{3}", r"\sqrt{12}")  # the process has started
    before = peak()
    assert equal(math, "x^2+1", HOSTILE[name]) is False
    assert peak() - before < 16 * 2**20
    assert equal(math, r"2\sqrt{3}", r"\sqrt{12}")


def peak() -> int:
    """Most bytes that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_an_answer_that_waits_for_a_processor_is_not_refused(math):
    assert equal(math, "2x", "x+x")
    refused = math.refused_count
    (worker,) = [pid for pid in in_session(math.comparer._process.pid) if pid != math.comparer._process.pid]
    os.kill(worker, signal.SIGSTOP)
    later = threading.Timer(2 * math.comparer.seconds, os.kill, (worker, signal.SIGCONT))
    later.start()
    begun = time.perf_counter()
    assert equal(math, "3x", "x+x+x")
    assert time.perf_counter() - begun > math.comparer.seconds
    assert math.refused_count == refused
    later.join()


def test_hostile_answers_stand_for_themselves_and_are_counted(math):
    classes, refused = AnswerClasses(math, "x^2+1"), math.refused_count
    for _ in range(2):
        assert classes.grade(r"\boxed{9^{9^{9}}}") == ("9^{9^{9}}", False)
        assert classes.grade(r"\boxed{10^{10^{10}}}") == ("10^{10^{10}}", False)
    assert math.refused_count == refused + 2
    assert classes.grade(r"\boxed{1+x\cdot x}") == ("x^2+1", True)


def test_an_answer_too_large_to_be_worked_out_is_right_if_it_is_written_as_the_right_one():
    with load_grader_by_name("math") as grader:
        assert AnswerClasses(grader, "10^{10^{10}}").grade(r"so \boxed{10^{10^{10}}}.") == ("10^{10^{10}}", True)
        assert grader.comparer.comparison_count == 0


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS knows no limit of the address space")
def test_a_worker_cannot_take_more_memory_than_it_is_given():
    code = (
        "from isocompute.runners.grading.comparison_worker import limit_resources; "
        "limit_resources(64); bytearray(256 * 2**20)"
    )
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=path)
    assert ended.stderr.strip().endswith("MemoryError")


def test_no_answer_reaches_python():
    evaluate = guard_evaluation(eval)
    assert evaluate("Integer (12 )/Integer (2 )", {"Integer": int}) == 6
    for code in ("Integer (12 )", "Symbol ('x_1' )", "Float ('1.5e-3' )", "Integer (3 )/Integer (2 )"):
        assert HARMLESS_CODE_PATTERN.fullmatch(code)
    for code in ("__import__('os')", "Symbol ('x' ).args", "[1]", "exec ('1')", "Symbol ('x', eval('1'))", "x"):
        with pytest.raises(ValueError, match="not evaluated"):
            evaluate(code)


def test_plain_numbers_are_graded_without_a_process():
    rng = random.Random(0)
    texts = [rf"… so \boxed{{{rng.choice(['', '-'])}{rng.randint(0, 99)}}}" for _ in range(25_600)]
    with load_grader_by_name("math") as grader:
        classes = [AnswerClasses(grader, str(i)) for i in range(100)]
        right = sum(classes[i % 100].grade(text)[1] for i, text in enumerate(texts))
        assert 0 < right < 1000
        assert grader.comparer.comparison_count == 0
        assert grader.comparer._process is None


TEXTS = [
    "1/2",
    r"50\%",
    r"\frac{2}{4}",
    "0.25",
    r"\sqrt{2}",
    r"2^{1/2}",
    r"\text{even}",
    "Even",
    "9^{9^{9}}",
    "x+1",
    "1+x",
    "lost",
]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(TEXTS), cut=st.integers(0, len(TEXTS)), gold=st.sampled_from(["1/2", r"\sqrt{2}", "x+1"]))
def test_classes_are_the_same_in_any_order_and_after_an_interruption(math, order, cut, gold):
    def partition(classes, texts):
        return {text: classes.grade(f"\\boxed{{{text}}}") for text in texts}

    whole = AnswerClasses(math, gold)
    graded = partition(whole, TEXTS)
    before = partition(AnswerClasses(math, gold), order[:cut])
    resumed = AnswerClasses(math, gold, [answer for answer, _ in before.values()])
    again = before | partition(resumed, order[cut:])
    assert {t: right for t, (_, right) in again.items()} == {t: right for t, (_, right) in graded.items()}
    alike = {(a, b): graded[a][0] == graded[b][0] for a in TEXTS for b in TEXTS}
    assert {(a, b): again[a][0] == again[b][0] for a in TEXTS for b in TEXTS} == alike
    assert all((answer == gold) is right for answer, right in again.values())


def test_a_class_goes_by_the_right_answer_or_else_by_its_first_member(math):
    classes = AnswerClasses(math, "1/2")
    said = [r"\boxed{2x}", r"\boxed{\tfrac{2}{4}}", r"\boxed{x+x}", r"\boxed{50\%}", r"\boxed{x \cdot 2}", "?"]
    assert [classes.grade(text)[0] for text in said] == ["2x", "1/2", "2x", "1/2", "2x", None]


def test_each_pair_is_judged_once(math):
    classes, asked = AnswerClasses(math, "x"), math.comparer.comparison_count
    for _ in range(3):
        classes.grade(r"\boxed{y}")
        classes.grade(r"\boxed{z}")
    assert math.comparer.comparison_count == asked + 2


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system does not show environments")
def test_the_process_holds_no_key(math):
    assert equal(math, "2x", "x+x")
    environment = Path(f"/proc/{math.comparer._process.pid}/environ").read_bytes()
    assert b"PYTHONPATH=" in environment
    assert b"sk-secret" not in environment


def test_a_process_that_does_not_start_is_one_sentence(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RunError, match="does not start"):
        AnswerComparer().find_first_equal("x", ["y"])


def test_a_judge_whose_process_was_killed_starts_another_and_a_closed_one_leaves_none(math):
    assert equal(math, "2x", "x+x")
    math.comparer._process.kill()
    math.comparer._process.wait()
    assert equal(math, "2x", "x+x")
    session = math.comparer._process.pid
    assert in_session(session)
    math.close()
    until = time.monotonic() + 10
    while (left := in_session(session)) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == []


def in_session(leader: int) -> list[int]:
    """Return the processes that are alive in a session."""
    ended = subprocess.run(["ps", "-eo", "pid=,sess=,stat="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in ended.stdout.splitlines()]
    return [int(pid) for pid, session, state in rows if int(session) == leader and not state.startswith("Z")]
