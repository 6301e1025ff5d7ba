"""Price files: the project's form, inspect_ai's, litellm's table, and what is refused."""

from __future__ import annotations

import importlib.util
import json
import sys

import pytest

from isocompute.errors import ConfigError, DataError
from isocompute.planner.costs.prices import ModelPrice, load_litellm_prices, parse_prices, read_prices

INSPECT = """
openai/gpt-4o:
  input: 2.5
  output: 10
  input_cache_write: 0
  input_cache_read: 1.25
anthropic/claude:
  input: 3.00
  output: 15.00
  input_cache_write: 3.75
  input_cache_read: 0.30
openai/uncached:
  input: 1
  output: 2
  input_cache_write: 0
  input_cache_read: 0
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
    assert table.find_price("anthropic/claude") == ModelPrice(3, 15, 0.3)
    assert table.find_price("openai/uncached") == ModelPrice(1, 2)  # 0 stands for a price that is not used


def test_a_cached_read_for_nothing_is_free_in_the_project_s_own_form():
    assert parse_prices({"m": {"input": 1, "output": 4, "cached_read": 0}}, "p").models["m"].cached_read == 0


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
        (
            {"m": {"input": 1, "output": "4"}},
            "model 'm': output is '4'; it must be 0, or dollars from 1e-09 to 1,000,000.",
        ),
        (
            {"m": {"input": -1, "output": 4}},
            "model 'm': input is -1; it must be 0, or dollars from 1e-09 to 1,000,000.",
        ),
        ({"m": {"input": 1, "output": 4, "per": 1}}, "model 'm': the key 'per' is not known; the keys are input, out"),
        ({"m": {"input": 1, "output": 4, "batch_discount": 50}}, "batch_discount is 50; it must be below 1, such as"),
        ({"m": {"input": 1e308, "output": 4}}, "model 'm': input is 1e+308; it must be 0, or dollars"),
        ({"m": {"input": 5e-324, "output": 4}}, "model 'm': input is 5e-324; it must be 0, or dollars"),
        ({"m": {"input": 10**5000, "output": 4}}, "input is a number of thousands of digits; it must be 0, or"),
        ({"m": {"input": float("nan"), "output": 4}}, "model 'm': input is nan; it must be 0, or dollars"),
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


LITELLM = {
    "sample_spec": {"mode": "one of: chat, embedding", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0},
    "gpt": {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_tokens": 16384,
        "input_cost_per_token": 2.5e-06,
        "output_cost_per_token": 1e-05,
        "cache_read_input_token_cost": 1.25e-06,
        "cache_creation_input_token_cost": 3e-06,
        "input_cost_per_token_batches": 1.25e-06,
        "output_cost_per_token_batches": 5e-06,
        "input_cost_per_token_above_200k_tokens": 5e-06,
    },
    "host/Org/Small-7B": {"mode": "chat", "input_cost_per_token": 4e-08, "output_cost_per_token": 1e-07},
    "other/org/small-7b": {"mode": "chat", "input_cost_per_token": 7e-08, "output_cost_per_token": 7e-08},
    "same/thinks": {
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 4e-06,
        "output_cost_per_reasoning_token": 4e-06,
    },
    "thinks": {
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 4e-06,
        "output_cost_per_reasoning_token": 8e-06,
    },
    "by-request": {"input_cost_per_token": 1e-06, "output_cost_per_token": 4e-06, "input_cost_per_request": 0.005},
    "free": {"input_cost_per_token": 0.0, "output_cost_per_token": 0},
    "painter": {"mode": "image_generation", "input_cost_per_token": None, "output_cost_per_image": 0.04},
    "bad": {"input_cost_per_token": "1e-6", "output_cost_per_token": True},
    "fallback_generalizations": {"rules": []},
}


def test_litellm_s_table_is_read_in_dollars_per_million(tmp_path):
    (tmp_path / "table.json").write_text(json.dumps(LITELLM))
    table = read_prices(str(tmp_path / "table.json"))
    assert table.models == {
        "gpt": ModelPrice(2.5, 10, 1.25),  # neither the batch price nor that of long prompts
        "host/Org/Small-7B": ModelPrice(0.04, 0.1),
        "other/org/small-7b": ModelPrice(0.07, 0.07),
        "same/thinks": ModelPrice(1, 4),
    }
    assert table.find_price("openai/gpt") == ModelPrice(2.5, 10, 1.25)
    assert table.find_price("Org/Small-7B") is None
    assert table.explain_missing("Org/Small-7B", "the solver's model") == (
        "have several that 'Org/Small-7B', the solver's model, may mean, at different prices: 'host/Org/Small-7B', "
        "'other/org/small-7b'"
    )
    assert table.find_price("host/Org/Small-7B") == ModelPrice(0.04, 0.1)


def test_the_closest_way_of_matching_a_name_decides():
    table = parse_prices(
        {"m": {"input": 1, "output": 1}, "a/m": {"input": 2, "output": 2}, "b/A/m": {"input": 3, "output": 3}}, "p"
    )
    assert [table.find_price(name).input for name in ("m", "a/m", "x/m", "x/a/m", "B/A/M")] == [1, 2, 1, 2, 3]
    assert table.find_price("A/M") is None  # a/m and b/A/m
    assert table.find_price("n") is None


def test_litellm_s_table_is_used_where_it_is_installed_and_nothing_is_imported_or_fetched(monkeypatch, tmp_path):
    (tmp_path / "litellm").mkdir()
    (tmp_path / "litellm" / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    find_spec = importlib.util.find_spec
    with pytest.raises(ConfigError, match=r"^Costs in dollars need prices: --prices FILE"):
        load_litellm_prices()
    (tmp_path / "litellm" / "model_prices_and_context_window_backup.json").write_text(json.dumps(LITELLM))
    table = load_litellm_prices()
    assert (table.source, table.models["gpt"]) == ("litellm", ModelPrice(2.5, 10, 1.25))
    assert "litellm" not in sys.modules
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "litellm" else find_spec(name))
    with pytest.raises(ConfigError, match=r"^Costs in dollars need prices: --prices FILE"):
        load_litellm_prices()
