"""The settings as a Dagster resource, which every other resource builds on."""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import Field

from adp_resources.settings import Settings, load_settings


class SettingsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The settings of the environment and `.env`; `overrides` replace single ones by their names."""

    overrides: dict[str, Any] = Field(default_factory=dict)

    def get(self) -> Settings:
        return load_settings(**self.overrides)
