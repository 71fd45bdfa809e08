"""Which servers may be registered and used, by whom, and what is said about the others."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from runtimes.errors import ConfigurationError
from runtimes.tools.mcp.servers import McpRules, McpServer, check_registration
from runtimes.tools.permissions import Permission

PYTHON = McpRules(commands=(sys.executable,))


def program(*command: str, **fields: Any) -> McpServer:
    return McpServer(name="s", command=command, **fields)


def at(url: str, **fields: Any) -> McpServer:
    return McpServer(name="s", url=url, **fields)


@pytest.mark.parametrize("level", ["user", "trusted"])
def test_a_program_is_registered_by_an_admin_alone(level: Permission) -> None:
    server = program(sys.executable, "-m", "x")
    with pytest.raises(ConfigurationError, match=f"takes the permission admin .this is {level}"):
        check_registration(server, PYTHON, level)
    check_registration(server, PYTHON, "admin")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("/bin/sh", "-c", "x"), "'/bin/sh' .* is not allowed here .allowed: "),
        (("./python",), "relative path"),
        (("no-such-program-anywhere",), "not allowed here"),
    ],
)
def test_even_an_admin_registers_allowed_programs_only(command: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_registration(program(*command), PYTHON, "admin")


def test_a_program_is_allowed_by_its_name_or_by_its_path() -> None:
    assert McpRules(commands=("sh",)).program(program("sh")).endswith("/sh")
    path = McpRules(commands=("sh",)).program(program("sh"))
    assert McpRules(commands=("sh",)).program(program(path)) == path
    assert McpRules(commands=(path,)).program(program("sh")) == path


def test_an_allowed_program_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(ConfigurationError, match="not on this machine"):
        McpRules(commands=("no-such-program",)).program(program("no-such-program"))


@pytest.mark.parametrize("name", ["", "Upper", "two__parts", "-x", "a" * 33, "a.b"])
def test_a_name_that_would_make_no_tool_names_is_refused(name: str) -> None:
    server = McpServer(name=name, url="https://mcp.example/")
    with pytest.raises(ConfigurationError, match="cannot name an MCP server"):
        check_registration(server, McpRules(hosts=("mcp.example",)), "admin")


@pytest.mark.parametrize(
    ("hosts", "url"),
    [
        ((), "https://mcp.example/mcp"),
        (("mcp.example",), "https://other.example/mcp"),
        (("mcp.example",), "https://mcp.example:8443/mcp"),
        (("mcp.example",), "https://mcp.example.evil.example/mcp"),
    ],
)
def test_an_address_is_reached_only_at_an_allowed_host_and_port(hosts: tuple[str, ...], url: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"may not be reached.*not granted.*Add .* to MCP_ALLOWED_HOSTS"
    ):
        McpRules(hosts=hosts).check(at(url))


def test_an_allowed_host_may_be_named_with_its_port_or_by_a_star() -> None:
    McpRules(hosts=("mcp.example:8443",)).check(at("https://mcp.example:8443/mcp"))
    McpRules(hosts=("*.example",)).check(at("http://mcp.example/mcp"))


@pytest.mark.parametrize(
    "url", ["ftp://mcp.example/", "mcp.example", "https://me:pw@mcp.example/", "http://[x/"]
)
def test_an_address_that_cannot_be_used_is_named(url: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        McpRules(hosts=("mcp.example",)).check(at(url))


def test_a_server_has_a_program_or_an_address() -> None:
    for server in (McpServer(name="s"), McpServer(name="s", url="https://e.example", command=("sh",))):
        with pytest.raises(ConfigurationError, match="one of"):
            McpRules().check(server)


def test_a_secret_that_is_not_set_is_named_and_how_to_set_it() -> None:
    with pytest.raises(ConfigurationError, match=r"no secret 'github'.*MCP_SECRETS"):
        PYTHON.check(program(sys.executable, env={"TOKEN": "${github}"}))


def test_secrets_do_not_show_in_what_is_printed_of_the_rules() -> None:
    assert "s3cret" not in repr(McpRules(secrets={"github": "s3cret"}))
