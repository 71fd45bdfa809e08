"""`adp ui`: Dagster's web UI over this checkout's rounds."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from adp_service.platform import Platform, prepare_home


def ui(
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65_535, help="Port to listen on.")] = 3000,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Open Dagster's UI, with its daemon for sensors and schedules, on the rounds that `adp run` made."""
    settings = Platform({}).settings
    prepare_home(settings)
    os.chdir(settings.project_root)
    dagster = Path(sys.executable).with_name("dagster")
    arguments = [str(dagster), "dev", "--host", host, "--port", str(port)]
    if not (settings.project_root / "pyproject.toml").exists():
        arguments += ["-m", "adp_assets.definitions"]
    os.execv(arguments[0], arguments)
