"""Which model answers, by what is set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from adp_resources.settings import Settings
from runtimes.errors import ConfigurationError
from runtimes.llm.catalog import DEFAULT_VLLM_URL, ROWS, TABLE, with_version
from runtimes.llm.client import OpenAIChat
from runtimes.llm.failover import Failover
from runtimes.llm.providers import (
    ModelChoice,
    Provider,
    choose_model,
    served_models,
)
from tests.llm_server.process import RunningServer, llm_server

GEMINI = Provider("gemini", "g-key", "https://gemini.example/v1beta/openai", "gemini-1")
DEEPSEEK = Provider("deepseek", "d-key", "https://deepseek.example/v1", "deepseek-1")
OPENAI = Provider("openai", "o-key", "https://openai.example/v1", "gpt-1")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with llm_server("steps") as server:
        yield server


def chosen(*providers: Provider, **fields: str) -> OpenAIChat:
    model = choose_model(ModelChoice(providers=providers, **fields))  # type: ignore[arg-type]
    assert isinstance(model, Failover)
    return model.clients[0]


def all_chosen(*providers: Provider, **fields: Any) -> list[tuple[str, str]]:
    """Providers and models, in the order they are asked."""
    model = choose_model(ModelChoice(providers=providers, **fields))
    assert isinstance(model, Failover)
    return [(client.provider, client.model) for client in model.clients]


def without_key(provider: Provider) -> Provider:
    return replace(provider, api_key="")


def test_the_first_provider_with_a_key_is_chosen() -> None:
    assert chosen(GEMINI, DEEPSEEK, OPENAI).provider == "gemini"
    assert chosen(without_key(GEMINI), DEEPSEEK, OPENAI).provider == "deepseek"
    model = chosen(without_key(GEMINI), without_key(DEEPSEEK), OPENAI)
    assert (model.provider, model.model, model.base_url) == ("openai", "gpt-1", "https://openai.example/v1")


def test_a_chosen_model_overrides_the_providers_own() -> None:
    model = chosen(GEMINI, OPENAI, model="gemini-2")
    assert (model.provider, model.model) == ("gemini", "gemini-2")


def test_the_others_stand_by_in_their_order_unless_failover_is_off() -> None:
    three = [("gemini", "gemini-1"), ("deepseek", "deepseek-1"), ("openai", "gpt-1")]
    assert all_chosen(GEMINI, DEEPSEEK, OPENAI) == three
    assert all_chosen(GEMINI, without_key(DEEPSEEK), OPENAI) == [three[0], three[2]]
    assert all_chosen(GEMINI, DEEPSEEK, OPENAI, failover=False) == three[:1]


@pytest.mark.parametrize("url", ["o.example/v1", "localhost:8000/v1", "htps://o.example", "https:///v1", ""])
def test_an_address_that_is_none_is_told_by_its_variable(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"OPENAI_API_BASE is no address.*Write it as https://"):
        chosen(replace(OPENAI, base_url=url))


@pytest.mark.parametrize("key", ["sk abc", "sk-a\n", "“sk-abc”", "\ufeffsk"])
def test_a_key_that_can_be_none_is_told_by_its_variable_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as failed:
        chosen(replace(OPENAI, api_key=key))
    assert "sk" not in str(failed.value)


def test_for_a_chosen_model_nobody_stands_by() -> None:
    assert all_chosen(GEMINI, OPENAI, model="gemini-2") == [("gemini", "gemini-2")]


def test_a_vllm_server_that_is_set_stands_by_last_of_all(server: RunningServer) -> None:
    assert all_chosen(OPENAI, vllm_url=server.url) == [("openai", "gpt-1"), ("vllm", "test-model")]


def test_a_vllm_server_that_does_not_answer_does_not_keep_others_from_it() -> None:
    with llm_server("down") as dead:
        assert all_chosen(OPENAI, vllm_url=dead.url) == [("openai", "gpt-1")]


def test_a_key_wins_over_a_running_vllm_server(server: RunningServer) -> None:
    assert chosen(OPENAI, vllm_url=server.url).provider == "openai"


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
def test_without_a_key_vllm_answers_with_or_without_a_version_in_its_address(
    server: RunningServer, suffix: str
) -> None:
    model = chosen(without_key(OPENAI), vllm_url=server.url.removesuffix("/v1") + suffix)
    assert (model.provider, model.model, model.base_url) == ("vllm", "test-model", server.url)


def test_the_model_that_vllm_serves_can_be_named(server: RunningServer) -> None:
    assert chosen(vllm_url=server.url, vllm_model="named").model == "named"
    assert chosen(vllm_url=server.url, vllm_model="named", model="chosen").model == "chosen"


@pytest.mark.parametrize("script", ["down", "hang"])
def test_a_vllm_address_that_was_set_and_does_not_answer_is_an_error_with_ways_out(script: str) -> None:
    with llm_server(script) as dead, pytest.raises(ConfigurationError) as failed:
        choose_model(ModelChoice(vllm_url=dead.url))
    assert f"VLLM_URL={dead.url}" in failed.value.message
    assert "--model builtin" in failed.value.remedy


def test_an_address_where_something_else_answers_is_an_error(server: RunningServer) -> None:
    elsewhere = server.url.removesuffix("/v1") + "/stats"
    with pytest.raises(ConfigurationError, match="stats"):
        choose_model(ModelChoice(vllm_url=elsewhere))


def test_a_vllm_server_that_wants_a_key_lists_no_model_and_needs_one_named() -> None:
    with llm_server("refuse") as server:
        assert served_models(server.url) == []
        with pytest.raises(ConfigurationError, match="lists no model"):
            choose_model(ModelChoice(vllm_url=server.url))


def test_builtin_asks_for_the_teacher_whatever_is_set(server: RunningServer) -> None:
    choice = ModelChoice(providers=(OPENAI,), vllm_url=server.url, model="builtin")
    assert choose_model(choice).provider == "builtin"


def test_with_nothing_set_and_nothing_running_the_built_in_teacher_acts() -> None:
    if _answers(DEFAULT_VLLM_URL):
        pytest.skip(f"something answers at {DEFAULT_VLLM_URL} on this machine")
    assert choose_model(ModelChoice(providers=(without_key(GEMINI),))).provider == "builtin"


@pytest.mark.parametrize("named_by", ["model", "vllm_model"])
def test_a_model_named_for_a_server_that_is_not_there_is_not_replaced_by_the_teacher(named_by: str) -> None:
    if _answers(DEFAULT_VLLM_URL):
        pytest.skip(f"something answers at {DEFAULT_VLLM_URL} on this machine")
    with pytest.raises(ConfigurationError, match="VLLM_URL"):
        choose_model(ModelChoice(**{named_by: "some-model"}))  # type: ignore[arg-type]


def _answers(url: str) -> bool:
    try:
        served_models(with_version(url))
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://g.example/v1beta", "https://g.example/v1beta/openai"),
        ("https://g.example/v1beta/", "https://g.example/v1beta/openai"),
        ("https://g.example/v1beta/openai", "https://g.example/v1beta/openai"),
        ("https://g.example/v1beta/openai/", "https://g.example/v1beta/openai"),
        ("https://proxy.example/gemini", "https://proxy.example/gemini"),
    ],
)
def test_geminis_native_address_gets_its_compatible_part(given: str, used: str) -> None:
    assert ROWS["gemini"].address(given) == used


@pytest.mark.parametrize(
    ("provider", "given", "used"),
    [
        ("openai", "https://o.example", "https://o.example/v1"),
        ("openai", "https://o.example/v1/", "https://o.example/v1"),
        ("openai", "https://o.example/v1/chat/completions", "https://o.example/v1"),
        ("openai", "https://proxy.example/openai", "https://proxy.example/openai"),
        ("deepseek", "https://d.example", "https://d.example"),
        ("deepseek", "https://d.example/v1/", "https://d.example/v1"),
        ("vllm", "http://v.example:8000 ", "http://v.example:8000/v1"),
        ("vllm", "http://v.example/v1/chat/completions", "http://v.example/v1"),
    ],
)
def test_addresses_that_users_have_set_for_other_tools_work(provider: str, given: str, used: str) -> None:
    assert ROWS[provider].address(given) == used


def test_the_variables_of_every_provider_are_settings() -> None:
    known = {name.upper() for name in Settings.model_fields}
    for row in TABLE:
        assert {row.url_variable, row.model_variable, row.key_variable} - {""} <= known
