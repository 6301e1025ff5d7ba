"""Price files: dollars per million tokens by model, in the project's own form, in inspect_ai's or in litellm's."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocompute.errors import ConfigError, DataError
from isocompute.runners.cost.price import LARGEST_PRICE, SMALLEST_PRICE
from isocompute.runners.documents import NotJSONError, parse_json_document, parse_yaml
from isocompute.runners.parsing.printable import format_error_value, format_one_line, quote_value
from isocompute.runners.storage.files import read_file

OWN_KEYS = {"input": "input", "output": "output", "cached_read": "cached_read", "batch_discount": "batch_discount"}
INSPECT_KEYS = {"input_cache_read": "cached_read", "input_cache_write": "cached_write"}
"""inspect_ai's further keys. Runs do not log writes to a cache, so they are billed as input. Its documentation asks for
0 where a price is not used, so cached reads at 0 are billed as input."""
PRICE_KEYS = OWN_KEYS | INSPECT_KEYS
MILLION = 1e6
SHOWN_MODELS = 12
LITELLM_FILE = "model_prices_and_context_window_backup.json"
"""litellm's table, as the package ships it."""
LITELLM_INPUT, LITELLM_OUTPUT = "input_cost_per_token", "output_cost_per_token"
LITELLM_EXAMPLE = "sample_spec"
"""The entry of litellm's table that is an example."""


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
        """Return the price of a model; None if there is none, or if several prices fit its name, see `find_matches`.

        >>> table = PriceTable("a.yaml", {"openai/gpt-4o": ModelPrice(2.5, 10)})
        >>> table.find_price("gpt-4o").output, table.find_price("gpt-4")
        (10, None)
        """
        found = {self.models[key] for key in self.find_matches(name)}
        return found.pop() if len(found) == 1 else None

    def find_matches(self, name: str) -> list[str]:
        """Return the models in the table that a name may mean, from the closest way of matching that finds any.

        These are the name itself; the end of it (``gpt-4o`` for ``openai/gpt-4o``); what ends with it
        (``openai/gpt-4o`` for ``gpt-4o``); and what has the same last part. The last two do not look at capitals.

        >>> table = PriceTable("a.yaml", dict.fromkeys(["m", "a/m", "b/c/m"], ModelPrice(1, 1)))
        >>> table.find_matches("x/m"), table.find_matches("c/M"), table.find_matches("d/M")
        (['m'], ['b/c/m'], ['m', 'a/m', 'b/c/m'])
        """
        parts = name.rstrip("/").split("/")
        for end in (parts[at:] for at in range(len(parts))):
            if (key := "/".join(end)) in self.models:
                return [key]
        lower = [part.lower() for part in parts]
        split = {key: key.lower().split("/") for key in self.models}
        longer = [key for key, own in split.items() if own[-len(lower) :] == lower]
        return longer or [key for key, own in split.items() if own[-1] == lower[-1]]

    def describe_models(self) -> str:
        """Return the names of its models, the first ones if there are many."""
        return _list_names(self.models)

    def explain_missing(self, name: str, what: str) -> str:
        """Say why `find_price` finds no price of a model, none or several; ``what`` says which model it is."""
        if matches := self.find_matches(name):
            return f"have several that '{name}', {what}, may mean, at different prices: {_list_names(matches)}"
        return f"have no '{name}', {what}; they have {self.describe_models()}"


def _list_names(models: Iterable[str]) -> str:
    """Return names of models as text, the first ones if there are many."""
    names = [format_one_line(name, 80) for name in sorted(models)]
    more = f" and {len(names) - SHOWN_MODELS:,} more" if len(names) > SHOWN_MODELS else ""
    return ", ".join(f"'{name}'" for name in names[:SHOWN_MODELS]) + more


def read_prices(path: str) -> PriceTable:
    """Read a price file in YAML or JSON.

    Each model's name stands before its ``input`` and ``output`` in dollars per million tokens, and if wanted
    ``cached_read`` (``input_cache_read`` in inspect_ai's files) and ``batch_discount``. litellm's table is read too.

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
        content = parse_json_document(text, path)
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
    if any(isinstance(price, dict) and LITELLM_INPUT in price for price in content.values()):
        return convert_litellm_prices(content, source)
    return PriceTable(source, {str(name): _parse_price(name, price, source) for name, price in content.items()})


def _parse_price(name: object, price: Any, source: str) -> ModelPrice:
    where = f"The price file '{source}', model {format_error_value(name)}"
    if not isinstance(price, dict):
        raise DataError(f"{where}: it must have input and output in dollars per million tokens.")
    if unknown := [key for key in price if key not in PRICE_KEYS]:
        raise DataError(
            f"{where}: the key {format_error_value(unknown[0])} is not known; the keys are {', '.join(PRICE_KEYS)}."
        )
    numbers = {PRICE_KEYS[key]: _check_price(value, f"{where}: {key}") for key, value in price.items()}
    numbers.pop("cached_write", None)
    if "input_cache_read" in price and not numbers["cached_read"]:
        del numbers["cached_read"]
    if missing := [key for key in ("input", "output") if numbers.get(key) is None]:
        raise DataError(f"{where}: {missing[0]} is missing.")
    discount = numbers.get("batch_discount") or 0.0
    if discount >= 1:
        raise DataError(f"{where}: batch_discount is {discount:g}; it must be below 1, such as 0.5.")
    return ModelPrice(numbers["input"] or 0.0, numbers["output"] or 0.0, numbers.get("cached_read"), discount)


def _check_price(value: object, where: str) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and (value == 0 or SMALLEST_PRICE <= value <= LARGEST_PRICE)):  # type: ignore[operator]
        raise DataError(
            f"{where} is {quote_value(value):.60}; it must be 0, or dollars from {SMALLEST_PRICE:g} to "
            f"{LARGEST_PRICE:,.0f}."
        )
    return float(value) + 0.0  # type: ignore[arg-type]  # -0.0 becomes 0.0


def load_litellm_prices() -> PriceTable:
    """Return the price table of litellm, as the installed package ships it; the package itself is not imported.

    Raises:
        ConfigError: the package is not installed.
    """
    package = importlib.util.find_spec("litellm")
    folders = [] if package is None else list(package.submodule_search_locations or [])
    file = next((path for folder in folders if (path := Path(folder) / LITELLM_FILE).is_file()), None)
    if file is None:
        raise ConfigError(
            "Costs in dollars need prices: --prices FILE (prices= in Python), a YAML or JSON file with input and "
            "output in dollars per million tokens for each model; litellm's table is used where it is installed."
        )
    return convert_litellm_prices(parse_json_document(file.read_text(encoding="utf-8"), str(file)), "litellm")


def convert_litellm_prices(entries: Mapping[str, Any], source: str) -> PriceTable:
    """Convert litellm's table, which is in dollars a token.

    Left out are its example, and entries whose bill does not follow from prompt, cached and completion tokens: without
    both prices or with both zero, with a price of a request, or with another one of reasoning tokens. Its batch prices
    and its prices of very long prompts are not used.

    >>> entries = {"gpt": {"input_cost_per_token": 2.5e-6, "output_cost_per_token": 1e-5}, "dall-e": {}}
    >>> convert_litellm_prices(entries, "litellm").models
    {'gpt': ModelPrice(input=2.5, output=10.0, cached_read=None, batch_discount=0.0)}
    """
    models = {}
    for name, entry in entries.items():
        if not isinstance(entry, dict) or name == LITELLM_EXAMPLE or entry.get("input_cost_per_request"):
            continue
        given, sampled = _read_token_price(entry, LITELLM_INPUT), _read_token_price(entry, LITELLM_OUTPUT)
        reasoning = _read_token_price(entry, "output_cost_per_reasoning_token")
        if given is None or sampled is None or not (given or sampled) or reasoning not in (None, sampled):
            continue
        models[str(name)] = ModelPrice(given, sampled, _read_token_price(entry, "cache_read_input_token_cost"))
    return PriceTable(source, models)


def _read_token_price(entry: Mapping[str, Any], key: str) -> float | None:
    """Return a price of litellm in dollars per million tokens; None if it is absent, or no number of 0 or more."""
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        return None
    return round(value * MILLION, 9)
