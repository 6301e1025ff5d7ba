from __future__ import annotations

import json

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.planner.profile import Curve, Profile, Surface, bundled, read, rounded


@pytest.fixture
def profile():
    rng = np.random.default_rng(0)
    return Profile(
        name="mine",
        description='ein Modell, “quoted”, [[x]], [y], [[z], "',
        problems=3,
        per_problem=True,
        lam=0.7,
        lambda_source="measured",
        self_consistency=Curve(solutions=[1, 2, 3], accuracy=rounded(rng.random((3, 3)))),
        genrm=Surface(solutions=[1, 2, 3], verifications=[1, 2], accuracy=rounded(rng.random((3, 3, 2)))),
        warnings=["a", "b"],
    )


@pytest.fixture
def changed(profile, tmp_path):
    """Writes the profile with its JSON changed."""
    path = tmp_path / "profile.json"

    def change(how):
        profile.write(str(path))
        content = json.loads(path.read_text())
        how(content)
        path.write_text(json.dumps(content))
        return str(path)

    return change


def refused(path):
    with pytest.raises(DataError) as caught:
        read(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence.removeprefix(path)


def test_a_profile_reads_back_as_it_was_written(profile, tmp_path):
    path = tmp_path / "new" / "profile.json"
    profile.write(str(path))
    assert read(str(path)).model_dump() == profile.model_dump()
    assert list(path.parent.iterdir()) == [path]


def test_the_same_profile_is_the_same_bytes_however_often_it_is_written(profile, tmp_path):
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    profile.write(str(first))
    read(str(first)).write(str(second))
    assert first.read_bytes() == second.read_bytes()


def test_a_problem_is_a_line(profile, tmp_path):
    before, after = tmp_path / "1.json", tmp_path / "2.json"
    profile.write(str(before))
    accuracy = profile.self_consistency.accuracy
    curve = Curve(solutions=[1, 2, 3], accuracy=[accuracy[0], [0.0, 0.0, 0.0], accuracy[2]])
    profile.model_copy(update={"self_consistency": curve}).write(str(after))
    lines = zip(before.read_text().splitlines(), after.read_text().splitlines(), strict=True)
    assert sum(one != other for one, other in lines) == 1


def test_every_bundled_profile_reads_under_its_name():
    assert "llama-3.1-8b-math" in bundled()
    for name in bundled():
        assert read(name).name == name


def test_a_surface_has_its_powers_of_two(profile):
    grid, S, V = profile.genrm.doublings()
    assert (S, V, grid.shape) == ([1, 2], [1, 2], (3, 2, 2))


def test_a_profile_whose_verifications_have_no_price_is_given_one(profile):
    unpriced = profile.model_copy(update={"lam": None})
    assert unpriced.unpriced
    assert not profile.unpriced
    assert (unpriced.at(2.0, "given").lam, unpriced.at(2.0, "given").lambda_source) == (2.0, "given")
    with pytest.raises(DataError, match="λ is 0; the cost of a verification in solutions must be above zero"):
        profile.at(0.0, "given")


def test_accuracies_are_rounded_into_the_unit_interval():
    assert rounded(np.array([[1 + 1e-12, -1e-12, 0.1234567]])) == [[1.0, 0.0, 0.12346]]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (lambda c: c.update(colour="red"), "colour: Extra inputs are not permitted."),
        (lambda c: c.update(format=2), "format: Input should be less than or equal to 1."),
        (lambda c: c.pop("problems"), "problems: Field required."),
        (lambda c: c.update(problems=4), "the file: self_consistency has 3 rows of accuracies; it must have 4."),
        (lambda c: c.update({"lambda": float("inf")}), "lambda: Input should be a finite number."),
        (
            lambda c: c["self_consistency"].update(solutions=[1, 3, 2]),
            "self_consistency: 'solutions' and 'verifications' must increase.",
        ),
        (
            lambda c: c["self_consistency"].update(solutions=[2, 3, 4]),
            "the file: self_consistency must begin at S=1, the accuracy of one solution.",
        ),
        (
            lambda c: c["self_consistency"]["accuracy"][1].pop(),
            "self_consistency: the rows of 'accuracy' are not equally long.",
        ),
        (
            lambda c: c["self_consistency"].update(solutions=[1, 2]),
            "self_consistency: 'accuracy' has the shape (3, 3); it must be (problems, 2).",
        ),
        (
            lambda c: c["genrm"]["accuracy"][2][1].__setitem__(0, 1.7),
            "genrm: 'accuracy' must lie between 0 and 1.",
        ),
        (
            lambda c: c["genrm"]["accuracy"][2][1].__setitem__(0, float("nan")),
            "genrm: 'accuracy' must lie between 0 and 1.",
        ),
    ],
)
def test_a_bad_profile_is_refused_with_its_place(changed, how, sentence):
    assert refused(changed(how)) == f" is not a profile: {sentence}"


def test_a_key_that_stands_twice_is_refused(changed):
    path = changed(lambda c: c)
    with open(path, "r+") as file:
        text = file.read().replace('"name": "mine"', '"name": "mine", "name": "yours"')
        file.seek(0)
        file.write(text)
    assert refused(path) == ": the key 'name' stands twice; leave one of the two out."


def test_an_allocation_that_stands_twice_is_refused(changed):
    def add(numbers):
        part = {"numbers": numbers, "seeds": [1, 1], "cost": {}, "accuracy": [[0.5, 0.6]] * 3}
        return changed(lambda content: content["searches"].update({"beam+weighted": part}))

    assert refused(add({"N": [4, 4], "M": [2, 2]})) == (
        " is not a profile: searches.beam+weighted: the allocation N=4, M=2 stands twice."
    )
    assert read(add({"N": [4, 4], "M": [2, 4]})).searches["beam+weighted"].seeds == [1, 1]


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\ud800"])
def test_what_is_not_json_is_refused(tmp_path, text):
    path = tmp_path / "p.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert refused(str(path)) == " is not a profile: it is not JSON."


def test_another_json_file_is_refused_with_what_makes_a_profile(tmp_path):
    path = tmp_path / "p.json"
    path.write_text("{}")
    assert refused(str(path)) == " is not a profile: make one with `isocompute fit RUN -o p.json`."
