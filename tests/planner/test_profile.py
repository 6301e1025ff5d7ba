from __future__ import annotations

import json

import numpy as np
import pytest

from isocompute.errors import DataError
from isocompute.planner.budget import Budget
from isocompute.planner.plan import make_plan
from isocompute.planner.profile import (
    Curve,
    ProblemRecord,
    Profile,
    Surface,
    find_bundled_profiles,
    read_profile,
    round_accuracies,
)


@pytest.fixture
def profile():
    rng = np.random.default_rng(0)
    return Profile(
        name="mine",
        description='ein Modell, “quoted”, [[x]], [y], [[z], "',
        problems=3,
        per_problem=[ProblemRecord(id=name, level=1) for name in "abc"],
        lam=0.7,
        lambda_source="measured",
        strategies={
            "sc": Curve(solutions=[1, 2, 3], accuracy=round_accuracies(rng.random((3, 3)))),
            "genrm": Surface(
                solutions=[1, 2, 3], verifications=[1, 2], accuracy=round_accuracies(rng.random((3, 3, 2)))
            ),
        },
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
        read_profile(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence.removeprefix(path)


def test_a_profile_reads_back_as_it_was_written(profile, tmp_path):
    path = tmp_path / "new" / "profile.json"
    profile.write(str(path))
    assert read_profile(str(path)).model_dump() == profile.model_dump()
    assert list(path.parent.iterdir()) == [path]


def test_the_same_profile_is_the_same_bytes_however_often_it_is_written(profile, tmp_path):
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    profile.write(str(first))
    read_profile(str(first)).write(str(second))
    assert first.read_bytes() == second.read_bytes()


def test_a_problem_is_a_line(profile, tmp_path):
    before, after = tmp_path / "1.json", tmp_path / "2.json"
    profile.write(str(before))
    accuracy = profile.self_consistency.accuracy
    curve = Curve(solutions=[1, 2, 3], accuracy=[accuracy[0], [0.0, 0.0, 0.0], accuracy[2]])
    profile.model_copy(update={"strategies": {**profile.strategies, "sc": curve}}).write(str(after))
    lines = zip(before.read_text().splitlines(), after.read_text().splitlines(), strict=True)
    assert sum(one != other for one, other in lines) == 1


def test_every_bundled_profile_reads_under_its_name():
    assert "llama-3.1-8b-math" in find_bundled_profiles()
    for name in find_bundled_profiles():
        assert read_profile(name).name == name


def test_a_surface_has_its_powers_of_two(profile):
    grid, S, V = profile.genrm.select_doublings()
    assert (S, V, grid.shape) == ([1, 2], [1, 2], (3, 2, 2))


def test_a_profile_whose_verifications_have_no_price_is_given_one(profile):
    unpriced = profile.model_copy(update={"lam": None})
    assert unpriced.has_unknown_lambda
    assert not profile.has_unknown_lambda
    assert (unpriced.use_lambda(2.0, "given").lam, unpriced.use_lambda(2.0, "given").lambda_source) == (2.0, "given")
    with pytest.raises(DataError, match="λ is 0; the cost of a verification in solutions must be above zero"):
        profile.use_lambda(0.0, "given")


def test_accuracies_are_rounded_into_the_unit_interval():
    assert round_accuracies(np.array([[1 + 1e-12, -1e-12, 0.1234567]])) == [[1.0, 0.0, 0.12346]]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (lambda c: c.pop("problems"), "problems: Field required."),
        (lambda c: c.update(problems=4), "the file: 'per_problem' has 3 problems; it must have 4."),
        (lambda c: c.update({"lambda": float("inf")}), "lambda: Input should be less than or equal to 1000000."),
        (
            lambda c: c["strategies"]["sc"].update(solutions=[1, 3, 2]),
            "strategies.sc: 'solutions' and 'verifications' must increase.",
        ),
        (
            lambda c: c["strategies"]["sc"].update(solutions=[2, 3, 4]),
            "the file: sc must begin at S=1, the accuracy of one solution.",
        ),
        (
            lambda c: c["strategies"]["sc"]["accuracy"][1].pop(),
            "strategies.sc: the rows of 'accuracy' differ in length.",
        ),
        (
            lambda c: c["strategies"]["sc"].update(solutions=[1, 2]),
            "strategies.sc: 'accuracy' has the shape (3, 3); it must be (problems, 2).",
        ),
        (
            lambda c: c["strategies"]["genrm"]["accuracy"][2][1].__setitem__(0, 1.7),
            "strategies.genrm: 'accuracy' must lie between 0 and 1.",
        ),
        (
            lambda c: c["strategies"]["genrm"]["accuracy"][2][1].__setitem__(0, float("nan")),
            "strategies.genrm: 'accuracy' must lie between 0 and 1.",
        ),
    ],
)
def test_a_bad_profile_is_refused_with_its_place(changed, how, sentence):
    assert refused(changed(how)) == f" is not a profile: {sentence}"


def test_another_format_is_refused(changed):
    path = changed(lambda c: c.update(format=3))
    assert refused(path) == " is a profile of format 3; this version reads 1 and 2."


def test_keys_that_are_unknown_are_kept(changed, tmp_path):
    path = changed(lambda c: c.update(colour="red", policies={"mine": {"a": 1}}))
    found = read_profile(path)
    assert (found.model_extra, found.policies) == ({"colour": "red"}, {"mine": {"a": 1}})
    found.write(str(tmp_path / "again.json"))
    assert read_profile(str(tmp_path / "again.json")).model_dump() == found.model_dump()


def test_an_unknown_strategy_is_kept_and_left_out_of_plans_with_a_note(changed, tmp_path, command):
    search = {"numbers": {"N": [4]}, "seeds": [1], "cost": {"completion": [2.0]}, "accuracy": [[1.0]] * 3}
    added = {"mine+weighted": search, "odd": {"shape": [1, 2]}, "other": {"solutions": [1], "accuracy": [[1.0]] * 3}}
    path = changed(lambda c: c["strategies"].update(added))
    found = read_profile(path)
    assert list(found.strategies) == ["sc", "genrm", *added]
    decided = make_plan(found, Budget(4))
    assert {o.strategy for o in (decided.recommendation, *decided.alternatives)} == {"sc", "genrm"}
    said = "The profile has strategies that are unknown here and left out: mine+weighted, odd, other."
    assert said in decided.warnings
    found.write(str(tmp_path / "again.json"))
    assert json.loads((tmp_path / "again.json").read_text())["strategies"]["odd"] == added["odd"]
    assert command("plan", "-b", "4x", "-p", path).code == 0
    assert command("figures", path, "-o", tmp_path / "drawn").code == 0
    assert command("difficulty", path, "--bins", "oracle").code == 0


FORMAT_1 = {
    "format": 1, "name": "old", "description": "d", "problems": 2, "per_problem": True, "lambda": 2.0,
    "self_consistency": {"solutions": [1, 2], "accuracy": [[0.5, 0.5], [0.1, 0.2]]},
    "best_of_n": {"solutions": [1], "accuracy": [[0.5], [0.1]]},
    "genrm": {"solutions": [1], "verifications": [1], "accuracy": [[[0.5]], [[0.1]]]},
    "genrm_vote": None,
    "fused": {"solutions": [1], "verifications": [1], "accuracy": [[[0.6]], [[0.1]]]},
    "trust": 0.5, "drawn_error": 0.01,
    "searches": {"beam+weighted": {"numbers": {"N": [4]}, "seeds": [1], "cost": {}, "accuracy": [[1.0], [0.0]]}},
}  # fmt: skip


def test_a_profile_of_format_1_is_read_as_format_2(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(FORMAT_1))
    found = read_profile(str(path))
    assert (found.format, found.lam, found.odds_exponent, found.largest_drawing_error) == (2, 2.0, 0.5, 0.01)
    assert list(found.strategies) == ["sc", "genrm", "fused", "beam+weighted"]
    assert len(found.per_problem) == 2
    assert found.get_error("fused") == 0.01
    assert found.get_error("genrm") == 0


def test_a_key_that_stands_twice_is_refused(changed):
    path = changed(lambda c: c)
    with open(path, "r+") as file:
        text = file.read().replace('"name": "mine"', '"name": "mine", "name": "yours"')
        file.seek(0)
        file.write(text)
    assert refused(path) == ": the key 'name' appears twice; remove one of the two."


def test_an_allocation_that_stands_twice_is_refused(changed):
    def add(numbers):
        part = {"numbers": numbers, "seeds": [1, 1], "cost": {}, "accuracy": [[0.5, 0.6]] * 3}
        return changed(lambda content: content["strategies"].update({"beam+weighted": part}))

    assert refused(add({"N": [4, 4], "M": [2, 2]})) == (
        " is not a profile: strategies.beam+weighted: the allocation N=4, M=2 appears twice."
    )
    assert read_profile(add({"N": [4, 4], "M": [2, 4]})).searches["beam+weighted"].seeds == [1, 1]


def test_the_columns_of_searches_have_an_entry_for_each_allocation(changed):
    def add(**roles):
        part = {"numbers": {"N": [4, 8]}, "seeds": [1, 1], "cost": {}, "accuracy": [[0.5, 0.6]] * 3, "tokens": roles}
        return changed(lambda content: content["strategies"].update({"beam+weighted": part}))

    short, whole = {"prompt": [1.0]}, {"prompt": [1.0, 2.0]}
    for roles in ({"solver": short, "scorer": whole}, {"solver": whole, "scorer": short}):
        assert refused(add(**roles)) == (
            " is not a profile: strategies.beam+weighted: 'prompt' has 1 entries; there are 2 allocations."
        )
    assert read_profile(add(solver=whole, scorer=whole)).searches["beam+weighted"].tokens["solver"] == whole


@pytest.mark.parametrize("value", [True, "0.5", None])
def test_an_accuracy_is_a_number(changed, value):
    said = refused(changed(lambda content: content["strategies"]["sc"]["accuracy"][1].__setitem__(0, value)))
    assert said.startswith(" is not a profile: strategies.sc.accuracy.1.0: Input should be a valid number")


def test_no_more_tokens_are_cached_than_there_are(changed):
    def give(**tokens):
        def change(content):
            content["per_problem"][0]["tokens"] = {"solver": tokens}

        return changed(change)

    assert refused(give(prompt=100.0, cached=1e6)) == (
        " is not a profile: per_problem.0.tokens.solver: 'cached' is 1e+06, but only 100 prompt tokens can be cached."
    )
    assert read_profile(give(prompt=100.0, cached=100.0)).per_problem[0].tokens["solver"].cached == 100
    assert read_profile(give(cached=100.0)).per_problem[0].tokens["solver"].prompt is None


def test_a_problem_that_stands_twice_is_refused(changed):
    def repeat(content):
        content["per_problem"][2] = content["per_problem"][0]

    assert refused(changed(repeat)) == (
        " is not a profile: the file: 'per_problem' has the problem 'a' twice; keep one of the two."
    )


def test_no_more_parameters_are_active_than_there_are(changed):
    def give(**sizes):
        return changed(lambda content: content.update(models={"solver": {"name": "m", **sizes}}))

    assert refused(give(parameters=1e9, active_parameters=2e9)) == (
        " is not a profile: models.solver: 'active_parameters' is 2e+09, but the model has 1e+09 parameters."
    )
    assert read_profile(give(parameters=1e9, active_parameters=1e9)).models["solver"].parameters == 1e9
    assert read_profile(give(active_parameters=1e9)).models["solver"].parameters is None


@pytest.mark.parametrize("part", [1, "x", None, [], True])
def test_a_strategy_of_another_type_is_refused(changed, part):
    assert "strategies.sc" in refused(changed(lambda content: content["strategies"].update(sc=part)))


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\ud800"])
def test_what_is_not_json_is_refused(tmp_path, text):
    path = tmp_path / "p.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert refused(str(path)) == " is not a profile: it is not JSON."


def test_another_json_file_is_refused_with_what_makes_a_profile(tmp_path):
    path = tmp_path / "p.json"
    path.write_text("{}")
    assert refused(str(path)) == " is not a profile: make one with `isocompute fit RUN -o p.json`."


def describe_groups(**columns):
    records = [
        ProblemRecord(**dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)
    ]
    curve = Curve(solutions=[1], accuracy=[[0.5]] * len(records))
    found = Profile(name="g", description="", problems=len(records), per_problem=records, strategies={"sc": curve})
    return found.clusters, found.strata, found.independent_problems


def test_clusters_and_levels_are_known_from_the_records():
    assert describe_groups(id=list("abc")) == (None, None, 3)
    assert describe_groups(cluster=[None, "x", None, "x"], level=[1, 1, 1, 1]) == ([0, 1, 2, 1], None, 3)
    assert describe_groups(cluster=["x", "y", "z"], level=[2, 1, 2]) == (None, [2, 1, 2], 3)
    assert describe_groups(level=[2, None, 1]) == (None, None, 3)
