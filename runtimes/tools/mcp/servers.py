"""What is registered of an MCP server, and what the deployment lets servers be. Opens nothing."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from runtimes.errors import ConfigurationError
from runtimes.tools.permissions import Permission, allows
from sandbox.addresses import EgressPolicy

SERVER_NAME = re.compile(r"[a-z][a-z0-9]*([_-][a-z0-9]+)*")
MAX_NAME_CHARACTERS = 32
MAX_MESSAGE_BYTES = 16 << 20
"""Of one answer: it is held in memory as a whole before it is cut to what an agent is shown."""

_SECRET = re.compile(r"\$\{(\w+)\}")


class McpTool(Struct, frozen=True):
    """One tool as its server listed it when it was registered. `parameters` is its JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]
    read_only: bool = False


class McpServer(Struct, frozen=True, kw_only=True):
    """A server that was registered: a program to start here (`command`) or an address (`url`), never both.

    `env` of a program and `headers` of an address may hold `${NAME}`, a secret of the deployment's.
    `timeout` is the seconds one call may take. A `shared` server serves all episodes by one session; of any
    other, each episode that uses it has its own.
    """

    name: str
    command: tuple[str, ...] = ()
    url: str = ""
    env: dict[str, str] = {}
    headers: dict[str, str] = {}
    tools: tuple[McpTool, ...] = ()
    permission: Permission = "user"
    timeout: float = 60.0
    shared: bool = False

    @property
    def endpoint(self) -> str:
        return self.url or " ".join(self.command)


@dataclass(frozen=True)
class McpRules:
    """What the deployment allows: programs by name or path, hosts as `HOST` or `HOST:PORT`; and its secrets.

    A host that is named may lie at a private address, one that only a `*` covers may not.
    """

    commands: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def policy(self) -> EgressPolicy:
        """Raises ValueError for a host that cannot be read."""
        return EgressPolicy(self.hosts, allow_private=tuple(h for h in self.hosts if h[:1] != "*"))

    def check(self, server: McpServer) -> None:
        """Raise ConfigurationError for a server that may not be used here, saying which setting keeps it."""
        if bool(server.command) == bool(server.url):
            raise ConfigurationError(f"The MCP server {server.name!r} needs a command or an address, one of.")
        if server.command:
            self.program(server)
            self.filled(server.env)
            return
        host, port = address_of(server)
        if fault := self.policy.check_name(host, port):
            raise ConfigurationError(
                f"The MCP server {server.name!r} may not be reached: {fault}.",
                f"Add {host}:{port} to MCP_ALLOWED_HOSTS.",
            )
        self.filled(server.headers)

    def program(self, server: McpServer) -> str:
        """The path of a server's program. Raises ConfigurationError unless it is allowed and there."""
        word = server.command[0]
        if os.path.dirname(word) and not os.path.isabs(word):
            raise ConfigurationError(f"The program {word!r} is a relative path.", "Give it from the root on.")
        found = shutil.which(word)
        if word not in self.commands and found not in map(shutil.which, self.commands):
            allowed = ", ".join(self.commands) or "none"
            raise ConfigurationError(
                f"The program {word!r} of the MCP server {server.name!r} is not allowed here"
                f" (allowed: {allowed}).",
                f"Whoever runs this deployment may add {word} to MCP_ALLOWED_COMMANDS.",
            )
        if found is None:
            raise ConfigurationError(
                f"The program {word!r} of the MCP server {server.name!r} is not on this machine.",
                "Install it, or register the server with another command.",
            )
        return found

    def filled(self, values: Mapping[str, str]) -> dict[str, str]:
        """The values with secrets in place of `${NAME}`. Raises ConfigurationError for one not set."""

        def secret(match: re.Match[str]) -> str:
            try:
                return self.secrets[match[1]]
            except KeyError:
                raise ConfigurationError(
                    f"There is no secret {match[1]!r}.",
                    f'Set MCP_SECRETS={{"{match[1]}": "..."}}, with the others in the same JSON object.',
                ) from None

        return {name: _SECRET.sub(secret, value) for name, value in values.items()}


def check_registration(server: McpServer, rules: McpRules, level: Permission) -> None:
    """Raise ConfigurationError unless somebody of `level` may register this server here."""
    if not SERVER_NAME.fullmatch(server.name) or len(server.name) > MAX_NAME_CHARACTERS:
        raise ConfigurationError(
            f"{server.name!r} cannot name an MCP server.",
            f"Use at most {MAX_NAME_CHARACTERS} small letters, digits and single '-' or '_', a letter first.",
        )
    if server.command and not allows(level, "admin"):
        raise ConfigurationError(
            f"{server.name!r} would start a program on this machine, which takes the permission admin"
            f" (this is {level}).",
            "Register it with `--as admin`, or a server at an address.",
        )
    rules.check(server)


def address_of(server: McpServer) -> tuple[str, int]:
    """Host and port of its address. Raises ConfigurationError for one that is not http or https."""
    try:
        parts = urlsplit(server.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if parts.scheme in ("http", "https") and parts.hostname and parts.username is None:
            return (f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname), port
    except ValueError:
        pass
    raise ConfigurationError(
        f"The address {server.url!r} of the MCP server {server.name!r} cannot be used.",
        "Write it as https://HOST/PATH; a password goes into a header, as ${NAME}.",
    )
