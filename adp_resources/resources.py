"""The Dagster resources: thin shells that build the plain classes of this package from the settings."""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from adp_resources.database import Database
from adp_resources.fanout import LocalFanOut
from adp_resources.journal import Journal
from adp_resources.logs import log_to_file
from adp_resources.parquet import ParquetIOManager
from adp_resources.settings import Settings, secret_redactor
from adp_resources.settings_resource import SettingsResource
from runtimes.errors import ConfigurationError
from runtimes.llm.base import ChatModel
from runtimes.llm.providers import choose_model
from runtimes.llm.retry import RetryPolicy
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.browser.sites import LocalSite
from runtimes.web.miniwob.site import MiniwobSite, html_folder
from runtimes.web.page.screenshots import FOLDER, ScreenshotStore
from sandbox import Limits, SandboxPool
from sandbox.backends.protections import protections_named

INFRASTRUCTURE_RETRY = RetryPolicy(tries=3, initial_seconds=1.0)
"""For whole episodes that our own failure spoiled."""


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
        return Journal(self.get(), self.settings.get().output / "trajectories")

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        if self._database is not None:
            self._database.close()


class ModelResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The model that the settings choose; each caller gets a client of its own and closes it."""

    settings: SettingsResource

    def create(self) -> ChatModel:
        return choose_model(self.settings.get().model_choice())


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
            retry=INFRASTRUCTURE_RETRY,
        )

    def services(self, browsers: type[BrowserPool] = BrowserPool) -> Services:
        """What episodes of this process share, not yet opened."""
        settings = self.settings.get()
        return Services(
            model=self.model.create(),
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
                memory_mb=settings.web_memory_mb,
                recycle_episodes=settings.web_recycle_episodes,
            ),
            limits=Limits(memory_mb=settings.memory_limit),
            search_url=settings.search_url,
            traces=settings.output / "traces" if settings.web_trace == "failure" else None,
            redactor=secret_redactor(settings),
        )


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
        )
    except ValueError as error:
        raise ConfigurationError(
            f"Wrong settings of the sandbox: {error}", "Set SANDBOX_BACKEND and SANDBOX_MINIMUM right."
        ) from error


def resources(**overrides: Any) -> dict[str, Any]:
    """Every resource, by the name that assets ask for; `overrides` are settings by name."""
    settings = SettingsResource(overrides=overrides)
    database = DatabaseResource(settings=settings)
    model = ModelResource(settings=settings)
    return {
        "settings": settings,
        "database": database,
        "model": model,
        "fanout": FanOutResource(settings=settings, database=database, model=model),
        "io_manager": ParquetIOManager(settings=settings),
    }
