"""`adp ui` from its start to its end: what it says of its address, and that nothing of it is left."""

from __future__ import annotations

import socket
import urllib.request

import psutil

from tests.e2e.conftest import MakeProject
from tests.e2e.waiting import until


def test_it_says_when_it_can_be_opened_and_ends_with_all_its_processes(make_project: MakeProject) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with make_project().start_adp("ui", "--port", port) as process:
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
            process.terminate()
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert said[0].startswith(f"Starting Dagster's UI at {url}")
    assert said[-1].startswith(f"{url} is ready")
    assert "superseded" not in "".join(said)
    until(lambda: not any(each.is_running() for each in family), "the end of all that it started")


def test_a_port_that_is_taken_is_told_at_once(make_project: MakeProject) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = make_project().adp("ui", "--port", port, status=1)
    assert f"cannot listen at 127.0.0.1:{port}: Address already in use" in said
    assert "--port" in said
