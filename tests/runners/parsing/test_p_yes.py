"""p(yes): from the tokens at the verdict's own place."""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocompute.runners.parsing.p_yes import compute_yes_probability
from isocompute.runners.parsing.verdicts import find_verdict, parse_verdict

QUESTION = "Is the answer correct (Yes/No)?"
GOLDEN = Path(__file__).resolve().parents[2] / "golden"
ENDINGS = map(json.loads, (GOLDEN / "verifications.jsonl").read_text(encoding="utf-8").splitlines())
CUED = [row["text"] for row in ENDINGS if row["verdict"] is not None and QUESTION in row["text"]]


@dataclass(frozen=True)
class Piece:
    """A token as engines give them."""

    text: str
    logprobs: dict[str, float] = field(default_factory=dict)


def listed(text: str, **probabilities: float) -> Piece:
    return Piece(text, {token.replace("_", " "): math.log(p) if p else -math.inf for token, p in probabilities.items()})


def pieces(text: str) -> list[Piece]:
    """Cut a text into words with the blank before them."""
    return [Piece(word, {word: -0.01}) for word in re.findall(r"\s*[A-Za-z]+|\s*[^A-Za-z\s]|\s+", text)]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (listed(" Yes", _Yes=0.6, _No=0.4), 0.6),
        (listed(" No", _Yes=0.2, _No=0.6, _The=0.2), 0.25),
        (listed(" Yes", _Yes=0.3, Yes=0.1, _yes=0.05, _YES=0.05, _No=0.1, NO=0.06, _no=0.04), 0.5 / 0.7),
        (listed(" No", **{" No": 0.5, " No.": 0.1, "**Yes": 0.2, "\nYes": 0.1, " (Yes)": 0.1}), 0.4),
        (listed(" Yes", **{" Yes": 0.5, "▁Yes": 0.1, "ĠYes": 0.1, "ĊNo": 0.1, "▁No": 0.1, "Ġ": 0.1}), 0.7 / 0.9),
        (listed(" Yes", _Yes=0.5, _Y=0.1, _N=0.2, _Ye=0.05, _Yesterday=0.05, _None=0.05, _Now=0.05), 0.65 / 0.85),
        (listed(" Yes", _Yes=0.3, _Correct=0.2, _No=0.3, _Incorrect=0.1, _Not=0.1), 0.5),
        (listed(" No", _No=1.0, _Yes=0.0), 0.0),
        (listed(" Yes", _Yes=1.0, _No=0.0), 1.0),
        (listed(" No", _No=1.0), 0.0),
        (listed(" Yes", _Yes=0.7), 0.7),  # all that is left may be a no
        (listed(" Yes", _Yes=0.8, _The=0.1, _It=0.05), 0.8 / 0.85),  # no more than the least likely
        (listed(" Yes", _Yes=0.9, _The=0.06, _It=0.03), 0.9 / 0.91),  # no more than what is left
        (listed(" Yes", _The=0.5, _It=0.3, _Yes=0.01), 0.01 / 0.2),  # listed as it was sampled
    ],
    ids=str,
)
def test_p_yes_is_the_share_of_yes_among_the_words_that_give_a_verdict(place, expected):
    text = f"Fine. {QUESTION}{place.text}."
    assert compute_yes_probability([*pieces(f"Fine. {QUESTION}"), place, Piece(".")], text) == pytest.approx(
        expected, rel=1e-12
    )


@pytest.mark.parametrize("ending", ["", ".", "**\n", "<|im_end|>", "</s>", " That is all. The rest is silence.\n\n"])
@pytest.mark.parametrize(
    "cue", ["Verdict:", f"**{QUESTION}**\n\n", f"{QUESTION} The answer is", "Correct? **", "✅ Verdict: ✅"]
)
def test_p_yes_is_read_wherever_the_verdict_stands(cue, ending):
    place = listed(" No", _No=0.9, _Yes=0.1)
    thought = listed(" Yes", _Yes=0.8, _No=0.2)
    tokens = [*pieces("Verdict:"), thought, *pieces(f"? No.</think>\n{cue}"), place, *pieces(ending)]
    visible = f"{cue} No{'' if '<' in ending else ending}"
    assert compute_yes_probability(tokens, visible) == pytest.approx(0.1)


@given(st.data())
def test_p_yes_does_not_depend_on_how_the_text_was_cut_or_decoded(data):
    text = data.draw(st.sampled_from([text for text in CUED if find_verdict(text).word.lower() in ("yes", "no")]))
    verdict = find_verdict(text)
    cuts = sorted(
        data.draw(st.sets(st.integers(1, max(1, len(text) - 1)))) | {verdict.word_start, verdict.word_end} - {len(text)}
    )
    parts = [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]
    yes, no = ("Yes", "No") if data.draw(st.booleans()) else ("**YES**", " no")
    place = {verdict.word: math.log(0.5), (no if verdict.value else yes): math.log(0.25)}
    at = list(itertools.accumulate(map(len, parts), initial=0)).index(verdict.word_start)
    decode = data.draw(
        st.sampled_from([str, lambda t: t.replace(" ", ""), lambda t: t.replace(" ", "Ġ").replace("\n", "Ċ")])
    )
    inside = len(parts[at]) < len(verdict.word)  # then the word itself was cut
    place = {decode(parts[at]) if token == verdict.word and inside else token: p for token, p in place.items()}
    tokens = [Piece(decode(part), place if i == at else {decode(part): 0.0}) for i, part in enumerate(parts)]
    assert compute_yes_probability(tokens, text) == pytest.approx(2 / 3 if verdict.value else 1 / 3)


def test_p_yes_is_found_beside_characters_that_were_cut_in_two():
    place = listed(" No", _No=0.75, _Yes=0.25)
    for spelled in (
        ["\ufffd", "\ufffd"],
        ["", "✅"],
        ["bytes:\\xe2\\x9c", "bytes:\\x85"],
        ["<0xE2>", "<0x9C>", "<0x85>"],
        ["âľ", "ħ"],
    ):
        tokens = [*map(Piece, spelled), *pieces(QUESTION), *map(Piece, spelled), place]
        assert compute_yes_probability(tokens, f"✅{QUESTION}✅ No") == pytest.approx(0.25)


def test_a_verdict_inside_a_longer_token_is_compared_with_its_like():
    place = Piece("?Yes", {"?Yes": math.log(0.3), "?No": math.log(0.1), "?\n": math.log(0.6)})
    assert compute_yes_probability([Piece("Correct"), place], "Correct?Yes") == pytest.approx(0.75)
    place = Piece(
        "Correct? No", {"Correct? No": math.log(0.3), "Correct? Yes": math.log(0.1), "Correct": math.log(0.6)}
    )
    assert compute_yes_probability([place], "Correct? No") == pytest.approx(0.25)


def test_a_word_like_the_verdict_after_or_before_it_is_not_its_place():
    verdict = listed("No", No=0.6, Yes=0.2)
    after = [Piece("\n\n"), listed("Note", Note=0.9, Yes=0.05), Piece(": that.")]
    assert compute_yes_probability([verdict, *after], "No\n\nNote: that.") == pytest.approx(0.25)
    thought = [Piece("No"), Piece(" doubt"), Piece("</think>")]
    assert compute_yes_probability([*thought, verdict, *after], "No\n\nNote: that.") == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ([], f"{QUESTION} Yes"),
        ([*pieces(QUESTION), Piece(" Yes")], f"{QUESTION} Yes"),
        ([*pieces(QUESTION), Piece(" Yes", {" Yes": -math.inf})], f"{QUESTION} Yes"),
        ([*pieces(QUESTION), Piece(" Yes", {" Yes": math.nan})], f"{QUESTION} Yes"),
        (pieces("something else"), f"{QUESTION} Yes"),
        ([*pieces("Are there errors?"), listed(" Yes", _Yes=0.9, _No=0.1)], "Are there errors? Yes"),
    ],
)
def test_what_was_not_measured_has_no_p_yes(tokens, text):
    assert compute_yes_probability(tokens, text) is None


def test_the_smallest_probabilities_are_told_apart():
    place = Piece(" No", {" No": -800.0, " Yes": -900.0})
    assert compute_yes_probability([*pieces(QUESTION), place], f"{QUESTION} No") == pytest.approx(math.exp(-100))


VOCABULARY = [" Yes", "Yes", "\nyes", " No", "NO", " no", "Y", "es", " N", "o", " Maybe", " So"]


class ScriptedModel:
    """A test double of a model: after the question any token, after a half of a word the other half."""

    def __init__(self, weights: list[float]) -> None:
        total = sum(weights)
        self.first = {token: weight / total for token, weight in zip(VOCABULARY, weights, strict=True)}

    def next(self, said: str) -> dict[str, float]:
        return {"": self.first, "Y": {"es": 1.0}, " N": {"o": 1.0}}.get(said, {".": 1.0})

    def texts(self) -> dict[tuple[str, ...], float]:
        """Every completion of two tokens with its probability."""
        return {
            (first, second): p * q
            for first, p in self.next("").items()
            for second, q in self.next(first).items()
        }  # fmt: skip


@given(st.lists(st.floats(0.001, 1.0), min_size=len(VOCABULARY), max_size=len(VOCABULARY)))
def test_p_yes_is_what_enumerating_all_completions_gives(weights):
    model = ScriptedModel(weights)
    mass = {1.0: 0.0, 0.0: 0.0, None: 0.0}
    for said, probability in model.texts().items():
        mass[parse_verdict(QUESTION + "".join(said))] += probability
    expected = mass[1.0] / (mass[1.0] + mass[0.0])
    logprobs = {first: {t: math.log(p) for t, p in model.next(first).items()} for first in ["", *VOCABULARY]}
    # "es" and "o" begin no word, but a place's list cannot tell that a model would not go on with them
    for said in model.texts():
        if parse_verdict(QUESTION + "".join(said)) is not None:
            tokens = [*pieces(QUESTION), Piece(said[0], logprobs[""]), Piece(said[1], logprobs[said[0]])]
            assert compute_yes_probability(tokens, QUESTION + "".join(said)) == pytest.approx(expected)


@given(st.lists(st.floats(1e-6, 1.0), min_size=5, max_size=5), st.integers(0, 5), st.sampled_from([" Yes", " No"]))
def test_a_side_that_is_not_listed_is_given_the_most_that_it_can_have(weights, top, sampled):
    full = dict(zip([" Yes", " No", " So", " The", " It"], (w / sum(weights) for w in weights), strict=True))
    kept = {*sorted(full, key=full.get, reverse=True)[:top], sampled}
    place = Piece(sampled, {token: math.log(full[token]) for token in kept})
    measured = compute_yes_probability([*pieces(QUESTION), place], QUESTION + sampled)
    truth = full[" Yes"] / (full[" Yes"] + full[" No"])
    if {" Yes", " No"} <= kept:
        assert measured == pytest.approx(truth)
    elif sampled == " Yes":
        assert measured <= truth + 1e-9
    else:
        assert measured >= truth - 1e-9
    assert 0 <= measured <= 1


def test_a_word_in_odd_letters_is_the_word_it_folds_to():
    assert compute_yes_probability(
        [*pieces(QUESTION), listed(" Yeſ", _Yes=0.5, _No=0.5)], f"{QUESTION} Yeſ"
    ) == pytest.approx(0.5)
