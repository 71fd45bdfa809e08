"""The Dagster resources: thin shells that build the plain classes of this package from the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from adp_resources.database import Database
from adp_resources.dead_letters import DeadLetters
from adp_resources.fanout import LocalFanOut
from adp_resources.journal import Journal
from adp_resources.logs import log_to_file
from adp_resources.parquet import ParquetIOManager
from adp_resources.replies import asked_once
from adp_resources.settings import Settings, secret_redactor
from adp_resources.settings_resource import SettingsResource
from adp_resources.task_stats import TaskStats
from adp_resources.toolbox import toolbox_of
from adp_resources.usage import UsageTable
from runtimes.cache_store import CacheStore, SqliteStore, WithoutSecrets
from runtimes.errors import ConfigurationError
from runtimes.llm.base import BUILTIN, Account, ChatModel
from runtimes.llm.cache import ResponseCache
from runtimes.llm.ledger import Ledger
from runtimes.llm.metered import Metering
from runtimes.llm.prices import Prices, read_prices
from runtimes.llm.providers import choose_model
from runtimes.llm.retry import RetryPolicy
from runtimes.redis_store import RedisStore
from runtimes.services import Services
from runtimes.template_cache import TemplateCache
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.browser.sites import LocalSite
from runtimes.web.egress.forbidden import hosts_under
from runtimes.web.miniwob.site import MiniwobSite, html_folder
from runtimes.web.page.screenshots import FOLDER, ScreenshotStore
from sandbox import Limits, SandboxPool
from sandbox.backends.protections import protections_named

EPISODE_TRIES, LONGER_THAN_A_CALL = 3, 10
"""For whole episodes that our own failure spoiled: their waits, so many times a call's, outlast a restart of
what failed and a breaker that cut it off."""


def episode_retry(settings: Settings) -> RetryPolicy:
    """How episodes, of rounds and of trials, are tried again."""
    return RetryPolicy(EPISODE_TRIES, LONGER_THAN_A_CALL * settings.llm_retry_initial_seconds)


class DatabaseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The platform's database, opened and migrated when first asked for."""

    settings: SettingsResource
    _database: Database | None = PrivateAttr(default=None)

    def get(self) -> Database:
        if self._database is None:
            self._database = Database(self.settings.get().database_url)
            self._database.upgrade()
        return self._database

    def journal(self) -> Journal:
        settings = self.settings.get()
        return Journal(self.get(), settings.output / "trajectories", judged=settings.release_judged)

    def task_stats(self) -> TaskStats:
        return TaskStats(self.get())

    def dead_letters(self) -> DeadLetters:
        return DeadLetters(self.get())

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if self._database is not None:
            self._database.close()


class ModelResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The model that the settings choose, and what its calls are cached in, counted by and held to."""

    settings: SettingsResource
    database: DatabaseResource

    def create(self) -> ChatModel:
        """The model itself, whose calls nobody counts; the caller closes it."""
        return choose_model(self.settings.get().model_choice())

    def metering(self, model: ChatModel) -> Metering:
        """What is shared by all who call `model` in this process; the caller closes it."""
        settings = self.settings.get()
        store = cache_store(settings) if model.provider != BUILTIN else None  # whose replies cost nothing
        return Metering(
            cache=ResponseCache(store) if store is not None else None,
            ledger=Ledger(UsageTable(self.database.get()), settings.limits()),
            prices=Prices(read_prices(settings.llm_prices)),
        )

    @asynccontextmanager
    async def open(self, account: Account) -> AsyncIterator[ChatModel]:
        """The model for a stage's questions, each paid once for good; closed with all that belongs to it."""
        model = self.create()
        try:
            metering = self.metering(model)
            try:
                redactor = secret_redactor(self.settings.get())
                yield asked_once(model, metering, account, self.database.get(), redactor)
            finally:
                await metering.aclose()
        finally:
            await model.aclose()


class FanOutResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The engine that executes a round's tasks."""

    settings: SettingsResource
    database: DatabaseResource
    model: ModelResource

    def create(self) -> LocalFanOut:
        settings = self.settings.get()
        log_to_file(settings.output / "logs", settings.log_level, secret_redactor(settings))
        return LocalFanOut(
            services=self.services,
            journal=self.database.journal(),
            episodes=settings.max_concurrent_tasks,
            retry=episode_retry(settings),
        )

    def services(self, browsers: type[BrowserPool] = BrowserPool) -> Services:
        """What episodes of this process share, not yet opened."""
        settings = self.settings.get()
        model = self.model.create()
        store = cache_store(settings)
        return Services(
            model=model,
            metering=self.model.metering(model),
            templates=TemplateCache(store) if store is not None else None,
            sandboxes=sandbox_pool(settings),
            browsers=browsers(
                max_contexts=settings.max_concurrent,
                start_url=settings.start_url,
                observation=settings.web_observation,
                tracing=settings.web_trace == "failure",
                sites=installed_sites(),
                screenshots=ScreenshotStore(settings.output / "trajectories" / FOLDER)
                if settings.web_screenshots
                else None,
                allow_private=settings.web_allow_private,
                forbidden=settings.forbidden_domains,
                memory_mb=settings.web_memory_mb,
                recycle_episodes=settings.web_recycle_episodes,
            ),
            limits=Limits(memory_mb=settings.memory_limit),
            search_url=settings.search_url,
            context_tokens=settings.llm_context_tokens,
            traces=settings.output / "traces" if settings.web_trace == "failure" else None,
            redactor=secret_redactor(settings),
            toolbox=toolbox_of(settings, self.database.get()),
        )


def cache_store(settings: Settings) -> CacheStore | None:
    """Where caches keep their entries: in Redis where there is one, else in one file for all processes.

    None where nothing is to be cached.
    """
    if not settings.enable_cache:
        return None
    store: CacheStore
    if settings.redis_url:
        store = RedisStore(settings.redis_url, settings.cache_ttl)
    else:
        store = SqliteStore(settings.output / "cache.sqlite", settings.cache_ttl)
    return WithoutSecrets(store, secret_redactor(settings))


def installed_sites() -> list[LocalSite]:
    """The yardsticks' sites whose pages are installed, beside the shop, which always is."""
    try:
        html_folder()
    except ConfigurationError:
        return []
    return [MiniwobSite()]


def sandbox_pool(settings: Settings) -> SandboxPool:
    """The sandbox as the settings want it. Raises ConfigurationError for a backend or protection it lacks."""
    try:
        return SandboxPool(
            slots=settings.max_concurrent,
            backend=settings.sandbox_backend,
            minimum=protections_named(settings.sandbox_minimum),
            cgroup=settings.sandbox_cgroup or None,
            allow_private=settings.sandbox_allow_private,
            denied=hosts_under(settings.forbidden_domains),
        )
    except ValueError as error:
        raise ConfigurationError(
            f"Wrong settings of the sandbox: {error}", "Set SANDBOX_BACKEND and SANDBOX_MINIMUM right."
        ) from error


def resources(**overrides: Any) -> dict[str, Any]:
    """Every resource, by the name that assets ask for; `overrides` are settings by name."""
    settings = SettingsResource(overrides=overrides)
    database = DatabaseResource(settings=settings)
    model = ModelResource(settings=settings, database=database)
    return {
        "settings": settings,
        "database": database,
        "model": model,
        "fanout": FanOutResource(settings=settings, database=database, model=model),
        "io_manager": ParquetIOManager(settings=settings),
    }
