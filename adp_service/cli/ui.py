"""`adp ui`: Dagster's web UI over this checkout's rounds."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from adp_resources.settings import Settings
from adp_service.cli.output import console, note
from adp_service.platform import Platform, prepare_home
from adp_service.reports import serving_reports
from runtimes.errors import ConfigurationError

LOOK_SECONDS = 0.2

# `dagster dev` says of itself that `dg dev` is newer, which only developers of this project have installed.
NO_WORD_OF_DG = "ignore:Function `dev_command` is superseded:FutureWarning"


def ui(
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65_535, help="Port to listen on.")] = 3000,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Open Dagster's UI, with its daemon for sensors and schedules, on the rounds that `adp run` made."""
    settings = Platform({}).settings
    prepare_home(settings)
    _check_free(host, port)
    dagster = Path(sys.executable).with_name("dagster")
    arguments = [
        sys.executable,
        "-W",
        NO_WORD_OF_DG,
        str(dagster),
        "dev",
        "--host",
        host,
        "--port",
        str(port),
    ]
    if not (settings.project_root / "pyproject.toml").exists():
        arguments += ["-m", "adp_assets.definitions"]
    url = f"http://{host}:{port}"
    console.print(f"Starting Dagster's UI at {url} ...")
    # In a session of its own, so that it hears of a Ctrl-C once, from here, whoever else was sent one.
    with (
        _reports(settings),
        subprocess.Popen(arguments, cwd=settings.project_root, start_new_session=True) as server,
    ):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: server.terminate())
        if _answers(url, server):
            console.print(f"{url} is ready. Ctrl-C ends it.")
    raise typer.Exit(server.returncode)


@contextmanager
def _reports(settings: Settings) -> Iterator[None]:
    """Serve the reports that the UI links to; where that cannot be, the UI starts all the same."""
    with ExitStack() as stack:
        try:
            stack.enter_context(serving_reports(settings.output, settings.reports_url))
        except ConfigurationError as error:
            note(f"{error.message} {error.remedy}")
        yield


def _check_free(host: str, port: int) -> None:
    """Raise ConfigurationError where nobody can listen, before Dagster has taken its time to find out."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise ConfigurationError(
            f"The UI cannot listen at {host}:{port}: {error.strerror or error}.",
            "Name another port: adp ui --port 3001.",
        ) from error


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    """Wait until it answers; False where the server ends instead."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while server.poll() is None:
        with suppress(OSError), direct.open(f"{url}/server_info", timeout=5):
            return True
        time.sleep(LOOK_SECONDS)
    return False
