"""Price files: dollars per million tokens by model, in the project's own form or in inspect_ai's."""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isocompute.errors import ConfigError, DataError
from isocompute.runners.documents import NotJSONError, parse_json, parse_yaml
from isocompute.runners.parsing.printable import format_one_line
from isocompute.runners.storage.files import read_file

OWN_KEYS = {"input": "input", "output": "output", "cached_read": "cached_read", "batch_discount": "batch_discount"}
INSPECT_KEYS = {"input_cache_read": "cached_read", "input_cache_write": "cached_write"}
"""inspect_ai's further keys. Runs do not log writes to a cache, so they are billed as input."""
PRICE_KEYS = OWN_KEYS | INSPECT_KEYS
MILLION = 1e6
SHOWN_MODELS = 12


@dataclass(frozen=True)
class ModelPrice:
    """The prices of a model, in dollars per million tokens.

    Args:
        input: of prompt tokens that are not read from a cache.
        output: of completion tokens.
        cached_read: of prompt tokens read from a cache; None if they cost as much as others.
        batch_discount: share taken off all prices, 0 … 1, such as 0.5 for a batch API.
    """

    input: float
    output: float
    cached_read: float | None = None
    batch_discount: float = 0.0


@dataclass(frozen=True)
class PriceTable:
    """Prices by model.

    Args:
        source: the file, or the package that they come from.
        models: the prices.
    """

    source: str
    models: Mapping[str, ModelPrice]

    def find_price(self, name: str) -> ModelPrice | None:
        """Return the price of a model; None if there is none.

        A name is also found by its last part, so that ``gpt-4o`` is found as ``openai/gpt-4o``, if only one matches.

        >>> table = PriceTable("a.yaml", {"openai/gpt-4o": ModelPrice(2.5, 10)})
        >>> table.find_price("gpt-4o").output, table.find_price("gpt-4")
        (10, None)
        """
        if name in self.models:
            return self.models[name]
        last = name.rstrip("/").rsplit("/", 1)[-1].lower()
        matching = [price for key, price in self.models.items() if key.rsplit("/", 1)[-1].lower() == last]
        return matching[0] if len(set(matching)) == 1 else None

    def describe_models(self) -> str:
        """Return the names of its models, the first ones if there are many."""
        names = [format_one_line(name, 80) for name in sorted(self.models)]
        more = f" and {len(names) - SHOWN_MODELS:,} more" if len(names) > SHOWN_MODELS else ""
        return ", ".join(f"'{name}'" for name in names[:SHOWN_MODELS]) + more


def read_prices(path: str) -> PriceTable:
    """Read a price file in YAML or JSON.

    Each model's name stands before its ``input`` and ``output`` in dollars per million tokens, and if wanted
    ``cached_read`` (``input_cache_read`` in inspect_ai's files) and ``batch_discount``.

    Raises:
        DataError: there is no such file, or it does not hold prices; the message names the model and the key.
    """
    try:
        text = read_file(path).decode()
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"There is no price file '{path}'.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The price file '{path}' cannot be read: {error}.") from None
    try:
        content = parse_json(text, path)
    except NotJSONError:
        content = parse_yaml(text, path)
    return parse_prices(content, path)


def parse_prices(content: Any, source: str) -> PriceTable:
    """Return the prices in the content of a file.

    Raises:
        DataError: it does not hold prices.

    >>> parse_prices({"m": {"input": 1, "output": 4, "input_cache_read": 0.1}}, "a.yaml").models["m"].cached_read
    0.1
    """
    if isinstance(content, dict) and set(content) == {"models"}:
        content = content["models"]
    if not isinstance(content, dict) or not content:
        raise DataError(
            f"The price file '{source}' must hold models by name, each with input and output in dollars per million "
            "tokens."
        )
    return PriceTable(source, {str(name): _parse_price(name, price, source) for name, price in content.items()})


def _parse_price(name: object, price: Any, source: str) -> ModelPrice:
    where = f"The price file '{source}', model {name!r:.80}"
    if not isinstance(price, dict):
        raise DataError(f"{where}: it must have input and output in dollars per million tokens.")
    if unknown := [key for key in price if key not in PRICE_KEYS]:
        raise DataError(f"{where}: the key {unknown[0]!r:.60} is not known; the keys are {', '.join(PRICE_KEYS)}.")
    numbers = {PRICE_KEYS[key]: _check_price(value, f"{where}: {key}") for key, value in price.items()}
    numbers.pop("cached_write", None)
    if missing := [key for key in ("input", "output") if numbers.get(key) is None]:
        raise DataError(f"{where}: {missing[0]} is missing.")
    discount = numbers.get("batch_discount") or 0.0
    if discount >= 1:
        raise DataError(f"{where}: batch_discount is {discount:g}; it must be below 1, such as 0.5.")
    return ModelPrice(numbers["input"] or 0.0, numbers["output"] or 0.0, numbers.get("cached_read"), discount)


def _check_price(value: object, where: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not (0 <= value < math.inf):
        raise DataError(f"{where} is {value!r:.60}; it must be a number of dollars, 0 or more.")
    return float(value)


def load_litellm_prices() -> PriceTable:
    """Return the price table of litellm, as the installed package ships it.

    Raises:
        ConfigError: the package is not installed.
    """
    if importlib.util.find_spec("litellm") is None:
        raise ConfigError(
            "Costs in dollars need prices: --prices FILE (prices= in Python), a YAML or JSON file with input and "
            "output in dollars per million tokens for each model; litellm's table is used where it is installed."
        )
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # otherwise it is fetched from the network
    return convert_litellm_prices(importlib.import_module("litellm").model_cost)


def convert_litellm_prices(entries: Mapping[str, Mapping[str, Any]]) -> PriceTable:
    """Convert litellm's table, in dollars a token; entries without both prices are left out.

    >>> entries = {"gpt": {"input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5}, "dall-e": {}}
    >>> convert_litellm_prices(entries).models
    {'gpt': ModelPrice(input=2.5, output=10.0, cached_read=None, batch_discount=0.0)}
    """
    models = {}
    for name, entry in entries.items():
        given, sampled = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
        cached = entry.get("cache_read_input_token_cost")
        if isinstance(given, int | float) and isinstance(sampled, int | float):
            read = _scale_price(cached) if isinstance(cached, int | float) else None
            models[name] = ModelPrice(_scale_price(given), _scale_price(sampled), read)
    return PriceTable("litellm", models)


def _scale_price(of_token: float) -> float:
    return round(of_token * MILLION, 9)
