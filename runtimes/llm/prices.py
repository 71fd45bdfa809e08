"""What tokens cost: the public price lists, as installed, and what was configured beside them.

A price that nobody knows is None and never 0. Nothing is fetched.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec import Struct

from runtimes.errors import ConfigurationError
from runtimes.llm.base import BUILTIN

MILLION = 1_000_000
_ENTRY = re.compile(r"(?P<model>[^=\s]+)=(?P<prompt>[^/\s]+)/(?P<completion>\S+)")


class Price(Struct, frozen=True):
    """US dollars a million tokens."""

    prompt: float
    completion: float


class Prices:
    """Prices by model; `configured` ones win over the lists, and are all there is of a local server's."""

    def __init__(self, configured: Mapping[str, Price] | None = None) -> None:
        self._configured = dict(configured or {})

    def cost(self, provider: str, model: str, prompt_tokens: int, completion_tokens: int) -> float | None:
        """US dollars of one call, by today's price; None when nobody knows it."""
        if provider == BUILTIN:
            return 0.0
        if price := self._configured.get(model):
            return (prompt_tokens * price.prompt + completion_tokens * price.completion) / MILLION
        return _listed(provider, model, prompt_tokens, completion_tokens)


def read_prices(text: str) -> dict[str, Price]:
    """`model=prompt/completion` with commas or spaces between them, in US dollars a million tokens.

    Raises ConfigurationError naming the entry that is none.
    """
    prices: dict[str, Price] = {}
    for entry in re.split(r"[\s,]+", text.strip()):
        if not entry:
            continue
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise _no_price(entry)
        prices[match["model"]] = Price(_dollars(match["prompt"], entry), _dollars(match["completion"], entry))
    return prices


def _dollars(text: str, entry: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise _no_price(entry) from None
    if not (value >= 0 and math.isfinite(value)):
        raise _no_price(entry)
    return value


def _no_price(entry: str) -> ConfigurationError:
    return ConfigurationError(
        f"LLM_PRICES: {entry!r} is no price.",
        "Write model=PROMPT/COMPLETION in US dollars a million tokens, such as my-model=0.10/0.40.",
    )


def _listed(provider: str, model: str, prompt_tokens: int, completion_tokens: int) -> float | None:
    lists = _price_lists()
    usage = lists.Usage(input_tokens=prompt_tokens, output_tokens=completion_tokens)
    try:
        return float(lists.calc_price(usage, model, provider_id=provider).total_price)
    except LookupError:  # no such provider, or it lists no such model
        return None


@cache
def _price_lists() -> Any:
    """The price lists, which take 0.4 s to load."""
    import genai_prices

    return genai_prices
