"""Tools that were registered come back as they were, and decide what tasks may use."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa

from adp_resources.database import Database
from adp_resources.settings import load_settings
from adp_resources.tables import tools as table
from adp_resources.tool_table import ToolTable, rulings_in, servers_in
from adp_resources.toolbox import toolbox_of
from runtimes.errors import ConfigurationError
from runtimes.tools.mcp.servers import McpServer, McpTool
from runtimes.tools.skills import read_skill
from tests.llm_server.process import ROOT

SCHEMA = {"type": "object", "properties": {"城市": {"type": "string"}}}
TIME = McpServer(
    name="time",
    command=("python3", "-m", "mcp_server_time", "a b"),
    env={"TOKEN": "${github}"},
    tools=(McpTool("now", "The time.", SCHEMA, read_only=True),),
    permission="trusted",
    timeout=5.0,
    shared=True,
)


def test_a_server_comes_back_as_it_was_registered(database: Database) -> None:
    stored = ToolTable(database)
    stored.register_server(TIME)
    assert servers_in(stored.rows()) == [TIME]
    (row,) = stored.rows()
    assert (row.type, row.endpoint, row.is_active) == ("MCP", "python3 -m mcp_server_time 'a b'", True)
    assert row.permission_level == "trusted"
    assert uuid.UUID(row.id)


def test_registering_again_replaces_it_and_keeps_its_id(database: Database) -> None:
    stored = ToolTable(database)
    stored.register_server(TIME)
    before = stored.rows()[0].id
    stored.register_server(McpServer(name="time", url="https://mcp.example/", tools=TIME.tools))
    (row,) = stored.rows()
    assert (row.id, row.endpoint) == (before, "https://mcp.example/")


def test_what_is_removed_is_gone(database: Database) -> None:
    stored = ToolTable(database)
    stored.register_server(TIME)
    assert stored.remove("time")
    assert not stored.remove("time")
    assert stored.rows() == []


def test_a_row_that_something_else_wrote_wrongly_says_how_to_mend_it(database: Database) -> None:
    stored = ToolTable(database)
    stored.register_server(TIME)
    with database.begin() as connection:
        connection.execute(sa.update(table).values(config={"timeout": "soon"}))
    with pytest.raises(ConfigurationError, match=r"row of the MCP server 'time'.*adp tools remove time"):
        servers_in(stored.rows())


def test_the_toolbox_has_what_was_registered_and_obeys_what_was_decided(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored = ToolTable(database)
    stored.register_server(TIME)
    stored.register_skill(read_skill(ROOT / "examples/skills/text-statistics"), "user")
    stored.rule("shell_executor", "NATIVE", {}, is_active=False, permission="user")
    stored.rule("python_executor", "NATIVE", {}, is_active=True, permission="admin")
    assert rulings_in(stored.rows())["shell_executor"].is_active is False

    plain = toolbox_of(load_settings(project_root=tmp_path), database)
    assert "text-statistics" in plain.names()
    assert not {"time", "time__now", "shell_executor", "python_executor"} & set(plain.names())
    _, missing = plain.toolset(["web_search", "shell_executor"], [])
    assert missing == [
        "web_search (the setting SEARCH_URL names no endpoint)",
        "shell_executor (switched off in this deployment)",
    ]

    search = "http://search.example"
    settings = load_settings(project_root=tmp_path, tool_permission="admin", search_url=search)
    assert {"time", "time__now", "python_executor", "web_search"} <= set(
        toolbox_of(settings, database).names()
    )


def test_a_skill_whose_folder_is_gone_is_left_out_and_logged(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stored = ToolTable(database)
    stored.register_skill(read_skill(ROOT / "examples/skills/text-statistics"), "user")
    with database.begin() as connection:
        connection.execute(sa.update(table).values(endpoint=str(tmp_path / "gone")))
    assert "text-statistics" not in toolbox_of(load_settings(project_root=tmp_path), database).names()
    assert "gone/SKILL.md cannot be read" in caplog.text
