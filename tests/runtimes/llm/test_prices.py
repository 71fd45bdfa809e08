"""Prices of calls: listed, configured, unknown."""

from __future__ import annotations

import pytest

from runtimes.errors import ConfigurationError
from runtimes.llm.prices import Price, Prices, read_prices


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-4o-mini"), ("gemini", "gemini-2.5-flash"), ("deepseek", "deepseek-chat")],
)
def test_every_provider_s_default_model_has_a_listed_price(provider: str, model: str) -> None:
    one, two = (Prices().cost(provider, model, tokens, 0) for tokens in (1000, 2000))
    assert one is not None
    assert two is not None
    assert 0 < one < 0.1
    assert two == pytest.approx(2 * one)


def test_what_nobody_knows_is_none_and_never_nothing() -> None:
    prices = Prices()
    assert prices.cost("openai", "some-model-of-next-year", 1000, 1000) is None
    assert prices.cost("vllm", "Qwen/Qwen2.5-7B-Instruct", 1000, 1000) is None
    assert prices.cost("vllm", "gpt-4o-mini", 1000, 1000) is None


def test_a_configured_price_wins_over_the_lists_and_may_be_nothing() -> None:
    prices = Prices(read_prices("Qwen/Qwen2.5-7B-Instruct=0/0, gpt-4o-mini=1/2.5"))
    assert prices.cost("vllm", "Qwen/Qwen2.5-7B-Instruct", 1000, 1000) == 0.0
    assert prices.cost("openai", "gpt-4o-mini", 2_000_000, 1_000_000) == 4.5


def test_prices_are_read_with_commas_or_spaces() -> None:
    assert read_prices(" a=1/2,b=0.5/1e1  c=0/0 ") == {
        "a": Price(1, 2),
        "b": Price(0.5, 10),
        "c": Price(0, 0),
    }
    assert read_prices("") == {}


@pytest.mark.parametrize("entry", ["a", "a=1", "=1/2", "a=1/x", "a=-1/2", "a=nan/1", "a=1/inf"])
def test_an_entry_that_is_no_price_is_named(entry: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_prices(f"good=1/2, {entry}")
    assert repr(entry) in refused.value.message
    assert "PROMPT/COMPLETION" in refused.value.remedy
