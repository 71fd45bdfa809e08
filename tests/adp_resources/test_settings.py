"""Settings from overrides, the environment and `.env`, and what is said about wrong ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adp_resources.settings import Settings, load_settings, misspelt, project_root
from runtimes.errors import ConfigurationError
from tests.llm_server.process import ROOT


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder to stand in, and no setting in the environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def env_file(folder: Path, *lines: str) -> None:
    (folder / ".env").write_text("\n".join(lines), encoding="utf-8")


def test_the_documented_defaults_hold() -> None:
    settings = load_settings()
    expected = {
        "synthesis_batch_size": 10,
        "feedback_enabled": True,
        "max_concurrent": 4,
        "max_concurrent_tasks": 10,
        "task_timeout": 300,
        "task_file": Path("tasks.jsonl"),
        "vllm_url": "http://localhost:8000",
        "start_url": "https://www.google.com",
        "web_screenshots": True,
        "web_trace": "off",
        "web_observation": "full",
        "web_memory_mb": None,
        "web_recycle_episodes": 200,
        "web_allow_private": (),
        "search_url": "",
        "log_level": "INFO",
    }
    assert {name: getattr(settings, name) for name in expected} == expected


def test_names_in_env_that_nearly_are_settings_are_found_and_others_left_alone(project: Path) -> None:
    env_file(project, "LLM_TIMOUT=3", "export SAMPELS=2", "llm_timeout=3", "EDITOR=vi", "GITHUB_TOKEN=x")
    assert misspelt(project) == {"LLM_TIMOUT": "LLM_TIMEOUT", "SAMPELS": "SAMPLES"}


def test_no_name_of_the_example_is_taken_for_a_slip(project: Path) -> None:
    text = (ROOT / ".env.example").read_text()
    env_file(project, *(f"{name}=1" for name in re.findall(r"^#? ?([A-Z_]+)=", text, re.MULTILINE)))
    assert misspelt(project) == {}


def test_the_environment_wins_over_env_and_overrides_win_over_both(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file(project, "MAX_CONCURRENT=5", "SAMPLES=6", "ROUND_SIZE=7")
    monkeypatch.setenv("SAMPLES", "8")
    monkeypatch.setenv("ROUND_SIZE", "9")
    settings = load_settings(round_size=10)
    assert (settings.max_concurrent, settings.samples, settings.round_size) == (5, 8, 10)


def test_an_empty_value_is_no_value(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env_file(project, "MAX_CONCURRENT=", "MAX_ROUND_COST_USD=")
    monkeypatch.setenv("SAMPLES", "")
    settings = load_settings()
    assert (settings.max_concurrent, settings.samples, settings.max_round_cost_usd) == (4, 1, None)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MAX_CONCURRENT", "many"),
        ("MAX_CONCURRENT_TASKS", "0"),
        ("TASK_TIMEOUT", "-1"),
        ("SAMPLES", "1.5"),
        ("FEEDBACK_ENABLED", "perhaps"),
        ("MAX_ROUND_COST_USD", "-2"),
        ("TEACHER_ERROR_RATE", "1.1"),
        ("MEMORY_LIMIT", "-128"),
        ("WEB_TRACE", "always"),
        ("WEB_OBSERVATION", "none"),
        ("WEB_MEMORY_MB", "1"),
        ("WEB_RECYCLE_EPISODES", "0"),
        ("SEARCH_URL", "search.example"),
        ("WEB_ALLOW_PRIVATE", "http://intranet.example/"),
        ("WEB_ALLOW_PRIVATE", "intranet.example:99999"),
        ("WEB_ALLOW_PRIVATE", "8080"),
        ("WEB_ALLOW_PRIVATE", "10.0.0.0/8"),
        ("WEB_ALLOW_PRIVATE", "*"),
        ("WEB_ALLOW_PRIVATE", "a.example,,b.example,"),
        ("SANDBOX_ALLOW_PRIVATE", "http://intranet.example/"),
        ("FORBIDDEN_DOMAINS", "https://bad.example/"),
        ("FORBIDDEN_DOMAINS", "bad.example:8080"),
        ("FORBIDDEN_DOMAINS", "bad.example/path"),
        ("FORBIDDEN_DOMAINS", "*"),
    ],
)
def test_a_wrong_value_is_refused_by_its_variable_with_the_place_to_mend_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as failed:
        load_settings()
    assert variable in failed.value.message
    assert repr(value) in failed.value.message
    assert str(project / ".env") in failed.value.remedy


def test_a_private_host_is_a_name_or_an_address_perhaps_with_a_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hosts = ("intranet.example", "10.0.0.7:8080", "[::1]:80", "*.corp.example")
    monkeypatch.setenv("WEB_ALLOW_PRIVATE", ", ".join(hosts))
    monkeypatch.setenv("SANDBOX_ALLOW_PRIVATE", "   ")
    settings = load_settings()
    assert (settings.web_allow_private, settings.sandbox_allow_private) == (hosts, ())


def test_a_forbidden_domain_is_kept_as_hosts_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORBIDDEN_DOMAINS", "Evil.test, *.bad.example .worse.example münchen.de 8.8.4.4")
    domains = ("evil.test", "bad.example", "worse.example", "xn--mnchen-3ya.de", "8.8.4.4")
    assert load_settings().forbidden_domains == domains


def test_a_wrong_private_host_is_told_with_how_one_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_ALLOW_PRIVATE", "good.example, http://intranet.example/")
    with pytest.raises(ConfigurationError, match=r"'http://intranet.example/' .* Write it as example.org"):
        load_settings()


@pytest.mark.parametrize(
    ("lower", "upper"), [("PASS_RATE_MIN", "PASS_RATE_MAX"), ("MIN_SUCCESS_RATE", "MAX_SUCCESS_RATE")]
)
def test_bounds_are_in_order_also_where_only_one_is_set(project: Path, lower: str, upper: str) -> None:
    env_file(project, f"{lower}=0.5", f"{upper}=0.4")
    with pytest.raises(ConfigurationError, match=rf"{upper}: .* {lower}, which is 0.5 \(got '0.4'\)"):
        load_settings()
    env_file(project, f"{lower}=0.95")
    if upper == "MAX_SUCCESS_RATE":
        assert load_settings().min_success_rate == 0.95
    else:
        with pytest.raises(ConfigurationError, match=rf"{upper}: .* which is 0.95 \(got 0.9\)"):
            load_settings()


def test_every_wrong_value_is_told_at_once(project: Path) -> None:
    env_file(project, "SAMPLES=x", "ROUND_SIZE=y")
    with pytest.raises(ConfigurationError, match=r"(?s)SAMPLES.*ROUND_SIZE|ROUND_SIZE.*SAMPLES"):
        load_settings()


def test_keys_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMINI_API_KEY", "DEEPSEEK_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "sk-hidden")
    assert "sk-hidden" not in repr(load_settings())


def test_relative_paths_start_at_the_projects_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env_file(project, "OUTPUT_DIR=data/out")
    below = project / "deep" / "down"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    settings = load_settings()
    assert project_root() == project
    assert settings.output == project / "data" / "out"
    assert settings.database_url == f"sqlite:///{project}/data/out/adp.sqlite"
    assert settings.path("/elsewhere/x") == Path("/elsewhere/x")


def test_the_database_may_be_a_file_or_an_address(project: Path) -> None:
    assert load_settings(database_path="db/x.sqlite").database_url == f"sqlite:///{project}/db/x.sqlite"
    address = "postgresql+psycopg2://u:p@db/adp"
    assert load_settings(database_path=address).database_url == address


def test_the_providers_come_in_their_order_with_their_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "GEMINI_API_KEY": "g",
        "GEMINI_API_URL": "https://g.example/v1beta",
        "DEEPSEEK_API_URL": "https://d.example",
        "OPENAI_API_BASE": "https://o.example/v1",
        "OPENAI_MODEL": "gpt-x",
        "VLLM_URL": "http://v.example:1",
        "MODEL": "served",
        "LLM_RETRIES": "5",
        "LLM_TIMEOUT": "2.5",
        "LLM_DEADLINE": "7",
        "LLM_MAX_IN_FLIGHT": "9",
        "LLM_FAILOVER": "false",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    choice = load_settings().model_choice()
    assert [provider.name for provider in choice.providers] == ["gemini", "deepseek", "openai"]
    assert [provider.base_url for provider in choice.providers] == [
        "https://g.example/v1beta/openai",
        "https://d.example",
        "https://o.example/v1",
    ]
    assert choice.providers[2].model == "gpt-x"
    assert (choice.vllm_url, choice.vllm_model, choice.retry.tries) == ("http://v.example:1", "served", 5)
    assert (choice.timeout, choice.deadline, choice.max_in_flight, choice.failover) == (2.5, 7.0, 9, False)


def test_the_example_file_lists_every_setting_with_its_default(project: Path) -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    example = dict(line.split("=", 1) for line in text.splitlines() if line and line[0] != "#")
    assert {name.upper() for name in Settings.model_fields} - {"PROJECT_ROOT"} <= example.keys()
    defaults = load_settings()
    (project / ".env").write_text(text, encoding="utf-8")
    read = load_settings()
    differing = {name for name in Settings.model_fields if getattr(read, name) != getattr(defaults, name)}
    assert differing == set()


def test_secrets_for_mcp_servers_are_a_json_object_and_never_shown(project: Path) -> None:
    env_file(project, 'MCP_SECRETS={"github": "s3cret"}')
    assert load_settings().mcp_secrets == {"github": "s3cret"}
    assert "s3cret" not in repr(load_settings())
    for wrong in ('MCP_SECRETS={"github": "s3cret"', 'MCP_SECRETS={"github": ["s3cret"]}'):
        env_file(project, wrong)
        with pytest.raises(ConfigurationError, match="MCP_SECRETS") as told:
            load_settings()
        assert "s3cret" not in str(told.value)
