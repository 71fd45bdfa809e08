"""The server of reports, and what it serves."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from adp_service.reports import is_of_a_report, serving_reports
from runtimes.errors import ConfigurationError


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_reports_are_served_and_nothing_else(tmp_path: Path) -> None:
    report = tmp_path / "releases" / "v1" / "report"
    report.mkdir(parents=True)
    (report / "index.html").write_text("<p>the report")
    (tmp_path / "adp.sqlite").write_text("the database")
    (report.parent / "manifest.json").write_text("{}")
    url = f"http://127.0.0.1:{free_port()}"
    with serving_reports(tmp_path, url):
        with urllib.request.urlopen(f"{url}/releases/v1/report/index.html") as answer:
            assert answer.read() == b"<p>the report"
        for path in (
            "adp.sqlite",
            "releases/v1/manifest.json",
            "releases/v1/report/%2e%2e/manifest.json",
            "",
        ):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{url}/{path}")


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/adp.sqlite", "/releases/v1", "/releases/v1/report", "/releases/v1/report/"),
        *(
            "/releases/../report/x",
            "/releases/v1/report/../x",
            "/releases/v1/report/.git",
            "/logs/a/report/x",
        ),
        "/releases/v1/report/a\\..\\b",
    ],
)
def test_a_path_that_is_no_reports_is_refused(path: str) -> None:
    assert not is_of_a_report(path)
    assert is_of_a_report("/datasets/round-0001/report/data/chunk-1.js")


def test_an_address_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(ConfigurationError, match="already in use") as failed,
            serving_reports(tmp_path, url),
        ):
            pass
    assert "REPORTS_URL" in failed.value.remedy
