"""Files that are damaged, or made to do harm: one sentence with the place, and nothing is left behind."""

from __future__ import annotations

import io
import json
import pickle
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isocompute.errors import ConfigError, DataError, RunError
from isocompute.runners.imports import ImportOptions, import_logged_run, source

SOLUTION = {"question": "?", "prompt": "?", "samples": ["#### 5"], "gt_answer": "#### 5"}
BEST = {
    "problem": "?",
    "answer": "5",
    "completions": ["\\boxed{5}"],
    "scores": [[1.0]],
    "pred": "",
    "completion_tokens": [3],
}
RESPONSE = {"doc_id": 0, "target": "#### 5", "resps": [["5"]], "filtered_resps": ["5"], "filter": "none"}


@pytest.fixture
def refused(tmp_path):
    """Imports a file that must be refused, returns the sentence without the path, and sees that nothing is left."""

    def run(name: str, content: object, file: str, grader: str | None = None, /, **columns: str) -> str:
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        target = tmp_path / "runs" / "mine"
        with pytest.raises(DataError) as found:
            import_logged_run(name, str(path), str(target), ImportOptions(grader=grader, columns=columns))
        assert list(target.parent.iterdir()) == []
        said = str(found.value)
        assert said.endswith(".")
        assert "\n" not in said
        return said.replace(str(path), "FILE")

    return run


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "FILE is not JSON: it breaks off or is damaged in line 1."),
        (json.dumps(SOLUTION) + "\n{", "FILE, line 2 is not JSON."),
        ("[1]", "FILE, entry 1 does not hold a block of keys."),
        ("[" * 100_000, "FILE is not JSON: it is nested too deep."),
        (b'{"samples": "\xff"}', "FILE is not JSON: it is not UTF-8 text."),
        ("9" * 5000, "FILE is not JSON."),
        ("", "'FILE' is empty."),
        ({}, "FILE, line 1: 'samples' is missing or null; there are no keys."),
        (SOLUTION | {"samples": "x"}, "FILE, line 1: 'samples' must be a list of texts; it is 'x'."),
        (SOLUTION | {"samples": ["#### 5", 5]}, "FILE, line 1: 'samples' must be a list of texts; number 1 is 5."),
        (SOLUTION | {"samples": []}, "'FILE' holds no solutions."),
        (SOLUTION | {"gt_answer": ["5"]}, "FILE, line 1: 'gt_answer' must be text; it is ['5']."),
        (
            SOLUTION | {"is_corrects": [True, False]},
            "FILE, line 1: 'is_corrects' must hold yes or no for each of the 1 samples.",
        ),
        (
            SOLUTION | {"is_corrects": ["perhaps"]},
            "FILE, line 1, sample 0: 'is_corrects' must be yes, no, or a number from 0 to 1; it is 'perhaps'.",
        ),
        (
            SOLUTION | {"gt_answer": None},
            "FILE, line 1, sample 0: the log has no right answer, nor does it say whether the solution is right.",
        ),
        (
            SOLUTION | {"gt_answer": "#### none"},
            "FILE, line 1: the grader 'numeric' cannot read the right answer 'none'; name another with --grader "
            "(grader= in Python).",
        ),
    ],
)
def test_a_file_of_the_monkeys(refused, content, sentence):
    assert refused("large-language-monkeys", content, "x.jsonl") == sentence


def test_a_problem_that_stands_twice(refused):
    twice = "\n".join([json.dumps(SOLUTION | {"orig_dset_idx": 1})] * 2)
    assert refused("large-language-monkeys", twice, "x.jsonl") == "FILE, line 2: the problem '1' appears twice."


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a: [", "FILE, line 2: not YAML: did not find expected node content."),
        ("- a", "FILE does not hold a block of keys."),
        ("", "'FILE' is empty."),
        (b"a: \xff\xfe", "FILE is not UTF-8 text."),
        (b"\xff\xfea\0", "'FILE' is text in UTF-16; save it as UTF-8."),
        ("a: &x [1]\nb: *x", "FILE, line 2: aliases are not supported; found '*x'."),
        ("a: " + "[" * 100_000, "FILE, line 1: blocks are nested more than 60 deep."),
        ("a: 1\na: 2", "FILE, line 3: in the block that ends here, a key is a block or appears twice."),
        ("? [a]\n: 1", "FILE, line 3: in the block that ends here, a key is a block or appears twice."),
        ("a: 2025-99-99", "FILE: not YAML: month must be in 1..12."),
    ],
)
def test_a_file_of_yaml(refused, content, sentence):
    assert refused("large-language-monkeys", content, "x.yaml") == sentence


@pytest.mark.parametrize(
    "content", ["!!python/object/apply:os.system ['true']", "a: !!python/name:os.system ''", "<<: {a: 1}", "a: \x00"]
)
def test_yaml_that_would_run_code_or_merge_is_not_read(refused, content):
    assert "FILE" in refused("large-language-monkeys", content, "x.yaml")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scores": 1}, "FILE, line 1: 'scores' must be a list with one for each of the 1 completions; it is 1. The "
                        "output of beam search or DVTS is not Best-of-N."),
        ({"completion_tokens": -1}, "FILE, line 1: 'completion_tokens' must be a list with one for each of the 1 "
                                    "completions; it is -1. The output of beam search or DVTS is not Best-of-N."),
        ({"completion_tokens": [0]}, "FILE, line 1: 'completion_tokens' are all 0, as beam search writes them; this "
                                     "is not Best-of-N."),
        ({"completion_tokens": [2**40]}, "FILE, line 1, completion 0: 'completion_tokens' must be a whole number "
                                         "from 0 to 2,147,483,647; it is 1099511627776."),
        ({"completion_tokens": [1.5]}, "FILE, line 1, completion 0: 'completion_tokens' must be a whole number "
                                       "from 0 to 2,147,483,647; it is 1.5."),
        ({"scores": [[1e31]]}, "FILE, line 1, completion 0: 'scores' must be numbers, one per step; they are [1e+31]."),
        ({"scores": [7]}, "FILE, line 1, completion 0: 'scores' must be numbers, one per step; they are 7."),
        ({"scores": [[True]]}, "FILE, line 1, completion 0: 'scores' must be numbers, one per step; they are [True]."),
        ({"scores": [["1"]]}, "FILE, line 1, completion 0: 'scores' must be numbers, one per step; they are ['1']."),
    ],
)  # fmt: skip
def test_a_line_of_best_of_n(refused, changes, sentence):
    assert refused("search-and-learn", BEST | changes, "best_of_n_completions.jsonl") == sentence


def test_completions_of_which_nothing_says_how_they_were_made_are_no_pool(refused):
    said = refused("search-and-learn", BEST, "completions/train.jsonl")
    assert said.startswith(
        "'FILE': neither the name of the file nor that of its folder says how the completions were made"
    )


def test_likelihoods_are_no_solutions(golden, tmp_path):
    [path] = (golden / "lm-eval").glob("samples_arc_easy_*")
    with pytest.raises(DataError, match=r"line 1: 'resps' must hold the texts of one .* likelihoods sample nothing\.$"):
        import_logged_run("lm-eval", str(path), str(tmp_path / "run"))
    with pytest.raises(DataError, match=r"holds several tasks or dates; name one: samples_arc_easy"):
        import_logged_run("lm-eval", str(path.parent), str(tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"doc_id": None}, "FILE, line 1: 'doc_id', which names the problem, is missing."),
        ({"resps": [[]]}, "FILE, line 1: 'resps' must hold the texts of one request; it is [[]]. Tasks that compare "
                          "likelihoods sample nothing."),
        ({"arguments": "x"}, "FILE, line 1: 'arguments' must be a block of keys; it is 'x'."),
        ({"target": "It is in Paris.", "resps": [["a", "b"]]},
         "FILE, line 1, response 0: it is unclear how to compare answers with 'It is in Paris.'; name a grader: "
         "--grader boxed-number, math, letter, numeric or exact (grader= in Python)."),
    ],
)  # fmt: skip
def test_a_line_of_lm_eval(refused, changes, sentence):
    assert refused("lm-eval", RESPONSE | changes, "samples_x_2025-01-31T10-20-30.1.jsonl") == sentence


def archive(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return held.getvalue()


HEADER = {"header.json": b'{"eval": {"task": "t", "model": "m"}}'}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK", "FILE is not a zip archive: File is not a zip file."),
        (archive(), "FILE has no header.json; it is not a log of inspect_ai."),
        (archive(**{"header.json": b"["}), "FILE, header.json is not JSON."),
        (archive(**HEADER), "'FILE' holds no solutions."),
        (archive(**HEADER, **{"samples/1.json": b"{}"}),
         "FILE, samples/1.json: 'id', which names the problem, is missing."),
        (archive(**HEADER, **{"samples/1.json": b'{"id": 1, "epoch": "x"}'}),
         "FILE, samples/1.json: 'epoch' must be a whole number from 0 to 2,147,483,647; it is 'x'."),
        (archive(**HEADER, **{"samples/1.json": b'{"id": 1, "epoch": 1}'}),
         "FILE, samples/1.json: 'target' is missing or null; there are id, epoch."),
    ],
)  # fmt: skip
def test_a_log_of_inspect_ai(refused, content, sentence):
    assert refused("inspect-ai", content, "x.eval") == sentence


def test_a_member_of_an_archive_that_swells_is_not_unpacked(refused, monkeypatch):
    monkeypatch.setattr(source, "MAX_DOCUMENT_BYTES", 1000)
    bomb = archive(**HEADER, **{"samples/1.json": b" " * 10**6})
    assert refused("inspect-ai", bomb, "x.eval") == (
        "FILE, samples/1.json is larger than 1,000 bytes, the most that is read at once."
    )


def test_a_member_of_an_archive_that_is_damaged(refused):
    content = bytearray(archive(**HEADER, **{"samples/1.json": bytes(range(256)) * 9}))
    place = content.index(b"samples/1.json") + 20
    content[place : place + 200] = bytes(200)
    assert refused("inspect-ai", bytes(content), "x.eval").startswith("FILE, samples/1.json cannot be read: ")


def test_a_line_that_is_too_long(refused, monkeypatch):
    monkeypatch.setattr(source, "MAX_DOCUMENT_BYTES", 10)
    assert refused("large-language-monkeys", "x" * 20, "x.jsonl") == (
        "FILE, line 1 is longer than 10 bytes, the most that is read at once."
    )


def arrays(**changes: object) -> bytes:
    held = io.BytesIO()
    good = {"answers": np.array([[1, 2]]), "gold": np.array([1]), "scores": np.array([[[0.5]]])}
    np.savez(held, **{name: array for name, array in (good | changes).items() if array is not None})
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\3\4", "FILE is not a file of plain arrays: "),
        (b"\x80\x04K\x01.", "'FILE' is a pickle, which may run code when it is read; save its content as "),
        (arrays(gold=None), "FILE must hold answers (problems, solutions) and gold (problems,); it holds {"),
        (
            arrays(gold=np.array([1, 2])),
            "FILE must hold answers (problems, solutions) and gold (problems,); it holds {",
        ),
        (arrays(answers=np.array([[1.5, 2]])), "FILE: answers must be codes, whole numbers from -1; they are float64."),
        (arrays(answers=np.array([[-2, 2]])), "FILE: answers must be codes, whole numbers from -1; they are int64."),
        (arrays(scores=np.array([[[1.5]]])), "FILE: scores must be numbers from 0 to 1, or NaN if unparsed."),
        (arrays(scores=np.zeros((1, 3, 1))), "FILE: scores must have the shape (1, at most 2, verifications); it is "),
        (arrays(answers=np.array([[{}, None]], dtype=object)), "FILE is not a file of plain arrays: Object arrays"),
    ],
)
def test_a_file_of_arrays(refused, content, sentence):
    assert refused("sc-genrm-scaling", content, "x.npz").startswith(sentence)


def test_a_pickle_is_not_opened(refused):
    said = refused("sc-genrm-scaling", pickle.dumps({"all_gt_solutions": [1]}), "raw_data.pickle")
    assert said.startswith("'FILE' is a pickle, which may run code when it is read: save its arrays as .npz")


def test_a_tree_with_a_verification_of_nothing(golden, tmp_path):
    solutions, verifications = tmp_path / "s", tmp_path / "v"
    for folder in (solutions, verifications / "problem_0"):
        folder.mkdir(parents=True)
    verified = verifications / "problem_0" / "solution_1.yaml"
    (solutions / "0.yaml").write_text("{gt_answer: '5', question: x, samples: ['\\boxed{5}']}")
    verified.write_text("verifications: []")
    with pytest.raises(DataError, match=r"solution_1.yaml verifies solution 1, but .*0.yaml has 1 samples\.$"):
        import_logged_run("sc-genrm-scaling", str(tmp_path), str(tmp_path / "run"))
    verified.rename(verified.with_name("solution_0.yaml"))
    (verifications / "problem_0" / "solution_0.yaml").write_text("verifications: [{p(yes): 2, verification: x}]")
    with pytest.raises(DataError, match=r"solution_0.yaml, verification 0: 'p\(yes\)' must be .* it is 2\.$"):
        import_logged_run("sc-genrm-scaling", str(tmp_path), str(tmp_path / "run"))
    (verifications / "problem_1").mkdir()
    with pytest.raises(DataError, match=r"problem_1' verifies a problem that has no 1.yaml in "):
        import_logged_run("sc-genrm-scaling", str(tmp_path), str(tmp_path / "run"))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "3.yaml").touch()
    with pytest.raises(DataError, match=r"must hold one folder of solutions \(0.yaml, 1.yaml …\); it holds: .*other; "):
        import_logged_run("sc-genrm-scaling", str(tmp_path), str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


TABLE = "problem_id,gold,solution_id,answer,verdict\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "'FILE' is empty."),
        (TABLE + "a,x", "FILE, row 1 has another number of fields than the first line."),
        (TABLE + "a,x,1,x,1,1", "FILE, row 1 has another number of fields than the first line."),
        ("gold,gold\n", "FILE: the column 'gold' appears twice; keep one, or rename the others."),
        (TABLE + '"a', "FILE, after row 0: not CSV: unexpected end of data."),
        (b"problem_id\n\xff", "FILE is not UTF-8 text."),
        (TABLE + ",x,1,x,1", "FILE, row 1: 'problem_id', which names the problem, is missing."),
        (TABLE + "a,x,1,x,2", "FILE, row 1: 'verdict' must be yes, no, or a number from 0 to 1; it is '2'."),
        (TABLE + "a,x,,x,1", "FILE, row 1: a verification needs the 'solution_id' of its solution."),
        (TABLE + "a,x,1,x,\na,x,1,x,", "FILE, row 2: the solution '1' of 'a' appears twice."),
        (TABLE + "a,x,1,x,1\na,x,1,y,1", "FILE, row 2: the solution '1' of 'a' differs from the one before."),
        (TABLE + "a,x,1,x,1\na,z,1,x,1", "FILE, row 2: the problem 'a' has another question or answer than before."),
        ("problem_id\na", "FILE, row 1: the log has no right answer, nor does it say whether the "
            "solution is right."),
    ],
)  # fmt: skip
def test_a_table(refused, content, sentence):
    assert refused("table", content, "x.csv") == sentence


def test_a_table_with_columns_that_are_not_there(refused, tmp_path):
    said = refused("table", "id\na", "x.csv", name="problem_id")
    assert said == "FILE, row 1: there is no column 'name'; it has id."
    with pytest.raises(
        ConfigError,
        match=r"--columns \(columns= in Python\): 'verdikt' is not a known column; there are problem_id, question",
    ):
        import_logged_run(
            "table", str(tmp_path / "x.csv"), str(tmp_path / "run"), ImportOptions(columns={"id": "verdikt"})
        )


def test_a_key_that_stands_twice(refused):
    line = json.dumps(SOLUTION)
    assert refused("large-language-monkeys", f'{line}\n{line[:-1]}, "samples": []}}', "x.jsonl") == (
        "FILE, line 2: the key 'samples' appears twice; remove one of the two."
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("header.json", '{"status": "success", "eval": {"model": "a", "model": "b"}}')
    assert refused("inspect-ai", archive.getvalue(), "x.eval") == (
        "FILE, header.json: the key 'model' appears twice in 'eval'; remove one of the two."
    )


def parquet(**columns):
    """Writes a table whose columns are given as pairs, so that a name may stand twice."""
    content = io.BytesIO()
    pairs = [(name.rstrip("_"), values) for name, values in columns.items()]
    pq.write_table(pa.table([pa.array(values) for _, values in pairs], names=[name for name, _ in pairs]), content)
    return content.getvalue()


def test_a_column_of_parquet_that_stands_twice(refused):
    twice = parquet(problem_id=["a"], correct=[True], correct_=[False])
    assert refused("table", twice, "x.parquet") == (
        "FILE: the column 'correct' appears twice; keep one, or rename the others."
    )
    inner = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    said = refused("table", parquet(problem_id=["a"], correct=inner), "x.parquet")
    assert said.startswith("FILE, after row 0: a row cannot be read: ")


def test_a_column_that_takes_the_name_of_another(refused, tmp_path):
    content = "problem_id,gold,answer,guess\na,1,2,1\n"
    assert refused("table", content, "x.csv", guess="answer") == (
        "FILE, row 1: 'guess' is to be renamed 'answer', but a column of that name exists; rename that one too with "
        "--columns (columns= in Python), or remove it from the file."
    )
    path = tmp_path / "x.csv"
    path.write_text("problem_id,answer,gold\na,1,2\n")  # two columns that change their names are told apart
    run = import_logged_run(
        "table", str(path), str(tmp_path / "swapped"), ImportOptions(columns={"answer": "gold", "gold": "answer"})
    )
    assert run.imported.rows["solutions"] == 1


def test_parquet_that_is_none(refused):
    assert refused("table", b"PAR1", "x.parquet").startswith("FILE cannot be read as Parquet: ")


def test_texts_are_asked_for_by_a_grader(refused):
    assert refused("table", "problem_id,gold,correct\na,1,1\n", "x.csv", "exact") == (
        "FILE, row 1: the grader 'exact' has no text or answer to read; "
        "--grader as-logged (grader= in Python) needs none."
    )
    assert refused("large-language-monkeys", SOLUTION, "x.jsonl", "as-logged") == (
        "FILE, line 1, sample 0: the log does not say whether the solution is right; name a grader for its text: "
        "--grader boxed-number, math, letter, numeric or exact (grader= in Python)."
    )


def test_what_is_asked_for_in_vain(tmp_path):
    (tmp_path / "x.txt").touch()
    target = str(tmp_path / "run")
    for arguments, error, said in (
        (
            ("lm_harness", "x", target),
            ConfigError,
            "The format 'lm_harness' is unknown; there are: sc-genrm-scaling, ",
        ),
        (("lm-eval", str(tmp_path / "none"), target), DataError, "There is no file or folder '.*none' to import"),
        (("lm-eval", str(tmp_path / "x.txt"), target), DataError, "is not a .jsonl file, which this format needs"),
        (("lm-eval", str(tmp_path), target), DataError, "has no .jsonl file, which this format needs"),
        (("lm-eval", str(tmp_path / "x.txt"), str(tmp_path)), RunError, "'.*' exists already"),
        (
            ("lm-eval", str(tmp_path / "x.txt"), target, ImportOptions(grader="maths")),
            ConfigError,
            "The grader 'maths' is unknown",
        ),
        (
            ("lm-eval", str(tmp_path / "x.txt"), target, ImportOptions(columns={"a": "gold"})),
            ConfigError,
            r"--columns \(columns= in Python\) is only for the format",
        ),
    ):
        with pytest.raises(error, match=said):
            import_logged_run(*arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.txt"]
