"""`adp ui` from its start to its end: what it says of its address, and that nothing of it is left."""

from __future__ import annotations

import socket
import urllib.request

import psutil

from tests.e2e.conftest import MakeProject
from tests.e2e.waiting import until


def test_it_says_when_it_can_be_opened_and_ends_with_all_its_processes(make_project: MakeProject) -> None:
    port, beside = free_ports(2)
    url = f"http://127.0.0.1:{port}"
    project = make_project(REPORTS_URL=f"http://127.0.0.1:{beside}")
    report = project.folder / "output" / "releases" / "v1" / "report"
    report.mkdir(parents=True)
    (report / "index.html").write_text("<p>of the release")
    with project.start_adp("ui", "--port", port) as process:
        try:
            assert process.stdout is not None
            said = []
            for text in process.stdout:
                said.append(text)
                if "is ready" in text:
                    break
            family = psutil.Process(process.pid).children(recursive=True)
            with urllib.request.urlopen(f"{url}/server_info", timeout=60) as response:
                assert b"dagster_webserver" in response.read()
            shown = project.platform.settings.report_url("releases", "v1")
            with urllib.request.urlopen(shown, timeout=60) as response:
                assert response.read() == b"<p>of the release", "the UI's link leads to the report"
            process.terminate()
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert said[0].startswith(f"Starting Dagster's UI at {url}")
    assert said[-1].startswith(f"{url} is ready")
    assert "superseded" not in "".join(said)
    until(lambda: not any(each.is_running() for each in family), "the end of all that it started")


def free_ports(count: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(server.getsockname()[1]) for server in servers]
    for server in servers:
        server.close()
    return ports


def test_a_port_that_is_taken_is_told_at_once(make_project: MakeProject) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = make_project().adp("ui", "--port", port, status=1)
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in said
    assert "--port" in said
