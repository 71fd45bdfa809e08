"""The one place that reads the environment and `.env`. Everything else is given plain values."""

from __future__ import annotations

import json
import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from runtimes.errors import ConfigurationError
from runtimes.llm.catalog import ROWS, TABLE
from runtimes.llm.ledger import Limits
from runtimes.llm.providers import ModelChoice, Provider
from runtimes.llm.retry import RetryPolicy
from runtimes.secrets import Redactor, secret_values
from runtimes.tools.permissions import Permission
from runtimes.web.egress.forbidden import forbidden_domain
from sandbox.addresses import EgressPolicy


def _megabytes(value: object) -> object:
    """`128`, `512m` and `2g` all mean megabytes here, since users have all three in their files."""
    match = re.fullmatch(r"(\d+)\s*([mg]?)i?b?", str(value).strip().lower())
    return int(match[1]) * (1024 if match[2] == "g" else 1) if match else value


def _words(value: object) -> object:
    """`a, b` and `a b` are both a list."""
    if isinstance(value, str):
        return tuple(re.split(r"[\s,]+", value.strip())) if value.strip() else ()
    return value or ()


def _private_hosts(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse what names no host here, where it can be mended, and not in each episode that asks for it."""
    EgressPolicy(allow_private=entries)
    return entries


def _hosts(entries: tuple[str, ...]) -> tuple[str, ...]:
    EgressPolicy(entries)
    return entries


def _domains(entries: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(forbidden_domain, entries))


def _secrets(value: object) -> object:
    """A JSON object; what is none is not shown, as it holds secrets."""
    if not isinstance(value, str) or not value.strip():
        return value or {}
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('It must be a JSON object of texts, such as {"github": "..."}') from None


Megabytes = Annotated[int, BeforeValidator(_megabytes)]
Secrets = Annotated[dict[str, str], NoDecode, BeforeValidator(_secrets)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
Hosts = Annotated[Words, AfterValidator(_hosts)]
Domains = Annotated[Words, AfterValidator(_domains)]
PrivateHosts = Annotated[Words, AfterValidator(_private_hosts)]


ALIKE = 0.85
"""How near a name must come to a setting's to be taken for a slip, from 0 to 1, as difflib counts."""

_LEAST_OF = {"pass_rate_max": "pass_rate_min", "max_success_rate": "min_success_rate"}
"""The upper bounds, and the lower bound of each."""


class Settings(BaseSettings):
    """Every setting, by its environment variable's name in lower case. `.env.example` explains each."""

    model_config = SettingsConfigDict(
        extra="ignore", env_ignore_empty=True, frozen=True, protected_namespaces=()
    )

    project_root: Path = Path()
    dagster_home: Path = Path(".dagster")
    output_dir: Path = Path("output")
    inbox_dir: Path = Path("inbox")
    database_path: str = ""
    task_file: Path = Path("tasks.jsonl")

    round_size: int = Field(1000, ge=1)
    samples: int = Field(1, ge=1)
    max_rounds: int = Field(3, ge=1)
    max_round_cost_usd: float | None = Field(None, ge=0)
    feedback_enabled: bool = True
    release_judged: bool = False
    synthesis_batch_size: int = Field(10, ge=1)
    mutations_per_essence: int = Field(1, ge=0)
    trial_samples: int = Field(2, ge=0)
    forbidden_domains: Domains = ()
    review_required: bool = False
    pass_rate_min: float = Field(0.3, ge=0, le=1)
    pass_rate_max: float = Field(0.9, ge=0, le=1, validate_default=True)
    root_share: float = Field(0.2, gt=0, le=1)
    min_novelty: float = Field(0.05, ge=0, le=1)
    max_diversity_drop: float = Field(0.1, ge=0, le=1)
    min_success_rate: float = Field(0.01, ge=0, le=1)
    max_success_rate: float = Field(1.0, ge=0, le=1, validate_default=True)
    max_success_drift: float = Field(0.3, ge=0, le=1)
    evaluation_dir: str = ""
    reports_url: str = Field("http://127.0.0.1:3001", pattern=r"^https?://\S+$")
    hf_token: str = Field("", repr=False)
    hf_endpoint: str = Field("https://huggingface.co", pattern=r"^https?://\S+$")

    max_concurrent: int = Field(4, ge=1)
    max_concurrent_tasks: int = Field(10, ge=1)
    memory_limit: Megabytes = Field(128, ge=16)
    sandbox_backend: str = "auto"
    sandbox_minimum: Words = ()
    sandbox_cgroup: str = ""
    sandbox_allow_private: PrivateHosts = ()
    task_timeout: int = Field(300, ge=1)
    start_url: str = "https://www.google.com"
    web_screenshots: bool = True
    web_trace: Literal["off", "failure"] = "off"
    web_observation: Literal["full", "diff"] = "full"
    web_memory_mb: Megabytes | None = Field(None, ge=256)
    web_recycle_episodes: int = Field(200, ge=1)
    web_allow_private: PrivateHosts = ()
    search_url: str = Field("", pattern=r"^(https?://\S+)?$")

    tool_permission: Permission = "user"
    skills_dir: Path = Path("skills")
    mcp_allowed_commands: Words = ()
    mcp_allowed_hosts: Hosts = ()
    mcp_secrets: Secrets = Field({}, repr=False)

    gemini_api_key: str = Field("", repr=False)
    gemini_api_url: str = ROWS["gemini"].url
    gemini_model: str = ROWS["gemini"].model
    deepseek_api_key: str = Field("", repr=False)
    deepseek_api_url: str = ROWS["deepseek"].url
    deepseek_model: str = ROWS["deepseek"].model
    openai_api_key: str = Field("", repr=False)
    openai_api_base: str = ROWS["openai"].url
    openai_model: str = ROWS["openai"].model
    vllm_url: str = ROWS["vllm"].url
    model: str = ROWS["vllm"].model
    chosen_model: str = ""
    teacher_error_rate: float = Field(0.15, ge=0, le=1)
    llm_prices: str = ""
    round_token_limit: int | None = Field(None, ge=0)
    user_token_limit: int | None = Field(None, ge=0)
    task_token_limit: int | None = Field(None, ge=0)
    enable_cache: bool = True
    cache_ttl: float = Field(3600, gt=0)
    redis_url: str = Field("", repr=False, pattern=r"^(rediss?://\S+)?$")
    llm_retries: int = Field(3, ge=1)
    llm_retry_initial_seconds: float = Field(1.0, ge=0)
    llm_timeout: float = Field(120.0, gt=0)
    llm_deadline: float = Field(600.0, gt=0)
    llm_max_in_flight: int = Field(256, ge=1)
    llm_failover: bool = True
    llm_context_tokens: int | None = Field(None, ge=1024)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    def path(self, path: Path | str) -> Path:
        """A configured path, absolute; relative ones start at the project's folder."""
        return (self.project_root / path).absolute()

    @field_validator(*_LEAST_OF)
    @classmethod
    def _above_the_least(cls, value: float, info: ValidationInfo) -> float:
        name = _LEAST_OF[str(info.field_name)]
        least = info.data.get(name, 0.0)
        if value < least:
            raise ValueError(f"Input should be no less than {name.upper()}, which is {least:g}")
        return value

    @property
    def output(self) -> Path:
        return self.path(self.output_dir)

    def report_url(self, kind: str, name: str) -> str:
        """Where a browser finds the report of a dataset of this kind, `datasets` or `releases`."""
        return f"{self.reports_url.rstrip('/')}/{kind}/{quote(name)}/report/index.html"

    @property
    def database_url(self) -> str:
        """SQLAlchemy's address of the platform's tables; DATABASE_PATH may be a file or an address."""
        if "://" in self.database_path:
            return self.database_path
        return f"sqlite:///{self.path(self.database_path or self.output_dir / 'adp.sqlite')}"

    @property
    def synthesis_in_flight(self) -> int:
        """Questions to the model at once in distillation and mutation: a batch, or as many as episodes."""
        return max(self.synthesis_batch_size, self.max_concurrent_tasks)

    def limits(self) -> Limits:
        """The most tokens and money that model calls may take."""
        return Limits(
            round_tokens=self.round_token_limit,
            round_usd=self.max_round_cost_usd,
            user_tokens=self.user_token_limit,
            episode_tokens=self.task_token_limit,
        )

    def model_choice(self) -> ModelChoice:
        """The environment's word on models, in the order of the catalog."""

        def said(variable: str) -> str:
            return str(getattr(self, variable.lower())).strip()

        return ModelChoice(
            providers=tuple(
                Provider(
                    row.name,
                    said(row.key_variable),
                    row.address(said(row.url_variable)),
                    said(row.model_variable),
                )
                for row in TABLE
                if row.key_variable
            ),
            vllm_url=self.vllm_url,
            vllm_model=self.model,
            model=self.chosen_model,
            teacher_error_rate=self.teacher_error_rate,
            failover=self.llm_failover,
            retry=RetryPolicy(self.llm_retries, self.llm_retry_initial_seconds),
            timeout=self.llm_timeout,
            deadline=self.llm_deadline,
            max_in_flight=self.llm_max_in_flight,
        )


def secret_redactor(settings: Settings | None = None) -> Redactor:
    """What takes the secrets of the environment, of `.env` and of these settings out of what is written."""
    root = settings.project_root if settings is not None else project_root()
    written = {name: value or "" for name, value in dotenv_values(root / ".env", interpolate=False).items()}
    given = {
        name.upper(): json.dumps(value) if isinstance(value, dict) else str(value)
        for name, value in (settings or ())
    }
    return Redactor(
        secret for source in (given, written, os.environ) for secret in set(secret_values(source))
    )


def project_root(start: Path | None = None) -> Path:
    """The nearest folder upwards that holds `.env` or this project's `dagster.yaml`; else where we stand."""
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / ".env").is_file() or (folder / "dagster.yaml").is_file():
            return folder
    return here


def misspelt(root: Path) -> dict[str, str]:
    """The names in `.env` that are no setting's, but nearly: each with the setting that may be meant."""
    known = [name.upper() for name in Settings.model_fields]
    names = [name for name in dotenv_values(root / ".env", interpolate=False) if name.upper() not in known]
    near = {name: get_close_matches(name.upper(), known, n=1, cutoff=ALIKE) for name in names}
    return {name: found[0] for name, found in near.items() if found}


def load_settings(**overrides: Any) -> Settings:
    """The settings from overrides, then the environment, then `.env`.

    Raises ConfigurationError naming the variable, its value's fault and where it may be set.
    """
    root = Path(overrides.pop("project_root", None) or project_root())
    try:
        return Settings(_env_file=root / ".env", project_root=root, **overrides)  # type: ignore[call-arg]
    except ValidationError as error:
        faults = "; ".join(map(_in_words, error.errors()))
        raise ConfigurationError(
            f"Wrong settings: {faults}.", f"Set them right in {root / '.env'} or the environment."
        ) from error


def _in_words(fault: ErrorDetails) -> str:
    """One fault of the settings; a value that may be a secret is not told."""
    name = str(fault["loc"][0])
    place = ".".join(map(str, fault["loc"])).upper()
    known = Settings.model_fields.get(name)
    got = f" (got {fault['input']!r})" if known is None or known.repr else ""
    return f"{place}: {fault['msg'].removeprefix('Value error, ').rstrip('.')}{got}"
