"""What every command opens: settings, the database, the Dagster instance and the definitions."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from adp_assets.definitions import build_defs
from adp_assets.intake.pool import TaskPool
from adp_assets.intake.review import Reviews
from adp_assets.rounds import Rounds
from adp_resources.database import Database
from adp_resources.dead_letters import DeadLetters
from adp_resources.journal import Journal
from adp_resources.resources import resources
from adp_resources.settings import Settings, load_settings
from adp_resources.task_stats import TaskStats
from adp_resources.usage import UsageTable
from runtimes.errors import ConfigurationError


@dataclass(frozen=True)
class Platform:
    """One checkout's platform. `overrides` are settings by name that beat the environment."""

    overrides: dict[str, Any]

    @cached_property
    def settings(self) -> Settings:
        return load_settings(**self.overrides)

    @cached_property
    def database(self) -> Database:
        database = Database(self.settings.database_url)
        database.upgrade()
        return database

    @cached_property
    def journal(self) -> Journal:
        judged = self.settings.release_judged
        return Journal(self.database, self.settings.output / "trajectories", judged=judged)

    @cached_property
    def rounds(self) -> Rounds:
        return Rounds(self.database)

    @cached_property
    def usage(self) -> UsageTable:
        return UsageTable(self.database)

    @cached_property
    def task_stats(self) -> TaskStats:
        return TaskStats(self.database)

    @cached_property
    def dead_letters(self) -> DeadLetters:
        return DeadLetters(self.database)

    @cached_property
    def pool(self) -> TaskPool:
        return TaskPool(self.database)

    @cached_property
    def reviews(self) -> Reviews:
        return Reviews(self.database)

    @cached_property
    def defs(self) -> dg.Definitions:
        return build_defs(resources(**self.overrides))

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """The Dagster instance that the UI opens, too."""
        home = prepare_home(self.settings)
        try:
            return dg.DagsterInstance.from_config(str(home))
        except Exception as error:
            raise ConfigurationError(
                f"Dagster's home {home} cannot be opened: {error}.",
                "Check DAGSTER_HOME in .env and the dagster.yaml in it.",
            ) from error


def prepare_home(settings: Settings) -> Path:
    """Make Dagster's home, linked to the checkout's dagster.yaml, and name it to Dagster by its variable."""
    home = settings.path(settings.dagster_home)
    config = settings.project_root / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "dagster.yaml").exists() and config.exists():
            (home / "dagster.yaml").symlink_to(os.path.relpath(config, home))
    except OSError as error:
        raise ConfigurationError(
            f"Dagster's home {home} cannot be made: {error.strerror}.",
            "Make the folder writable or set DAGSTER_HOME in .env.",
        ) from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home
