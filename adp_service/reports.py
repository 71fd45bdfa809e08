"""A small server of the reports of rounds and releases, for the links of Dagster's UI."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runtimes.errors import ConfigurationError

KINDS = ("datasets", "releases")


class _Reports(SimpleHTTPRequestHandler):
    def send_head(self):  # type: ignore[no-untyped-def]
        if not is_of_a_report(unquote(urlsplit(self.path).path)):
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        return super().send_head()

    def end_headers(self) -> None:
        # A round that is made again has other files under the same names.
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads who looked at which report."""


def is_of_a_report(path: str) -> bool:
    """Whether an address's path leads to a file of a report, `/<kind>/<name>/report/...`."""
    _, *names = path.split("/")
    plain = all(name and not name.startswith(".") and "\\" not in name for name in names)
    return plain and len(names) > 3 and names[0] in KINDS and names[2] == "report"


@contextmanager
def serving_reports(output: Path, url: str) -> Iterator[None]:
    """Serve the reports below an output folder at the address of `url`, as long as the context lasts.

    Raises ConfigurationError where nobody can listen there.
    """
    parts = urlsplit(url)
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    handler = functools.partial(_Reports, directory=str(output))
    try:
        server = ThreadingHTTPServer(address, handler)
    except OSError as error:
        raise ConfigurationError(
            f"Reports cannot be shown at {url}: {error.strerror or error}.",
            "Set REPORTS_URL to an address of this machine with a free port.",
        ) from error
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
