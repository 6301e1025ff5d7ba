"""Price files: the project's form, inspect_ai's, litellm's table, and what is refused."""

from __future__ import annotations

import sys
import types

import pytest

from isocompute.errors import ConfigError, DataError
from isocompute.planner.costs.prices import ModelPrice, load_litellm_prices, parse_prices, read_prices

INSPECT = """
openai/gpt-4o:
  input: 2.5
  output: 10
  input_cache_write: 0
  input_cache_read: 1.25
"""


def test_yaml_and_json_are_read(tmp_path):
    (tmp_path / "prices.yaml").write_text("m: {input: 1, output: 4, cached_read: 0.1, batch_discount: 0.5}\n")
    assert read_prices(str(tmp_path / "prices.yaml")).models == {"m": ModelPrice(1, 4, 0.1, 0.5)}
    (tmp_path / "prices.json").write_text('{"models": {"m": {"input": 1, "output": 4}}}')
    assert read_prices(str(tmp_path / "prices.json")).models == {"m": ModelPrice(1, 4)}


def test_a_file_of_inspect_ai_is_read(tmp_path):
    (tmp_path / "cost.yaml").write_text(INSPECT)
    table = read_prices(str(tmp_path / "cost.yaml"))
    assert table.find_price("openai/gpt-4o") == table.find_price("gpt-4o") == ModelPrice(2.5, 10, 1.25)
    assert table.find_price("gpt-4") is None


def test_a_last_part_that_two_models_share_at_two_prices_is_not_found():
    table = parse_prices({"a/m": {"input": 1, "output": 1}, "b/m": {"input": 2, "output": 2}}, "p")
    assert table.find_price("m") is None
    assert table.find_price("b/m") == ModelPrice(2, 2)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([], "must hold models by name"),
        ({}, "must hold models by name"),
        ({"m": 3}, "model 'm': it must have input and output in dollars per million tokens."),
        ({"m": {"input": 1}}, "model 'm': output is missing."),
        ({"m": {"input": 1, "output": "4"}}, "model 'm': output is '4'; it must be a number of dollars, 0 or more."),
        ({"m": {"input": -1, "output": 4}}, "model 'm': input is -1; it must be a number of dollars, 0 or more."),
        ({"m": {"input": 1, "output": 4, "per": 1}}, "model 'm': the key 'per' is not known; the keys are input, out"),
        ({"m": {"input": 1, "output": 4, "batch_discount": 50}}, "batch_discount is 50; it must be below 1, such as"),
        ({"m": {"input": float("nan"), "output": 4}}, "model 'm': input is nan; it must be a number"),
    ],
)
def test_what_is_no_price_is_refused_in_a_sentence(content, sentence):
    with pytest.raises(DataError) as caught:
        parse_prices(content, "p.yaml")
    assert str(caught.value).startswith("The price file 'p.yaml'")
    assert sentence in str(caught.value)
    assert str(caught.value).endswith(".")


def test_a_file_that_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"^There is no price file '.*none.yaml'\.$"):
        read_prices(str(tmp_path / "none.yaml"))


def test_litellm_s_table_is_used_where_it_is_installed_and_never_fetched(monkeypatch):
    stand_in = types.ModuleType("litellm")
    stand_in.__spec__ = types.SimpleNamespace(name="litellm")
    entry = {"input_cost_per_token": 1e-6, "output_cost_per_token": 4e-6, "cache_read_input_token_cost": 1e-7}
    stand_in.model_cost = {"m": entry, "image": {"input_cost_per_token": None}}
    monkeypatch.setitem(sys.modules, "litellm", stand_in)
    monkeypatch.delenv("LITELLM_LOCAL_MODEL_COST_MAP", raising=False)
    import os

    assert load_litellm_prices().models == {"m": ModelPrice(1, 4, 0.1)}
    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
    monkeypatch.setitem(sys.modules, "litellm", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"^Costs in dollars need prices: --prices FILE"):
        load_litellm_prices()
