"""`adp tools` in a project of its own: what is listed, registered, tried and removed, and what is refused."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from adp_service.cli import main
from tests.adp_service.command import OWN_VARIABLES, Ended, project
from tests.llm_server.process import ROOT
from tests.runtimes.tools.mcp.servers import PROGRAM

PYTHON = sys.executable


Adp = Callable[..., Ended]


@pytest.fixture
def adp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Adp:
    """The command in a project of the test's own, in this process: a start of its own takes seconds."""
    for name in OWN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(
        project(tmp_path / "p", MCP_ALLOWED_COMMANDS=PYTHON, SKILLS_DIR=ROOT / "examples/skills")
    )

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["adp", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return run


def test_a_server_is_registered_listed_tried_and_removed(adp: Adp) -> None:
    registered = adp("tools", "register", "unruly", "--as", "admin", "--", PYTHON, PROGRAM)
    assert registered.code == 0, registered.said
    assert "Registered unruly (MCP, a session an episode), which has 9 tools" in registered.output

    rows = {row["name"]: row for row in json.loads(adp("tools", "list", "--json").output)}
    assert rows["unruly"]["type"] == "MCP"
    assert rows["unruly"]["endpoint"] == f"{PYTHON} {PROGRAM}"
    assert {"python_executor", "text-statistics", "web_search"} <= rows.keys()
    assert (rows["web_search"]["state"], rows["python_executor"]["state"]) == ("off", "on")

    assert "lists its 9 tools as before" in adp("tools", "test", "unruly").output
    tried = adp("tools", "test", "unruly__big", '{"characters": 5}')
    assert tried.output.startswith("axxxz\n")
    refused = adp("tools", "test", "unruly__refuse", '{"reason": "no such city"}')
    assert (refused.code, "no such city" in refused.said) == (1, True)

    assert "Switched unruly__big off" in adp("tools", "remove", "unruly__big").output
    assert "is on, for tasks" in adp("tools", "register", "unruly__big").output

    assert adp("tools", "remove", "unruly").output == "Removed unruly (MCP).\n"
    gone = adp("tools", "show", "unruly")
    assert (gone.code, "There is no tool 'unruly'." in gone.said) == (1, True)


def test_who_may_not_register_what_is_told_why_and_nothing_is_stored(adp: Adp) -> None:
    for arguments, said in (
        ((PYTHON, PROGRAM), "takes the permission admin"),
        (("/bin/sh", "-c", "x"), "takes the permission admin"),
    ):
        refused = adp("tools", "register", "x", "--", *arguments)
        assert (refused.code, said in refused.said) == (1, True), refused.said
    for options, said in (
        (("x", "--as", "admin", "--", "/bin/sh", "-c", "x"), "MCP_ALLOWED_COMMANDS"),
        (("x", "--url", "http://169.254.169.254/"), "MCP_ALLOWED_HOSTS"),
        (("browser", "--url", "http://mcp.example/"), "name of a tool already (NATIVE)"),
        (("x", "--url", "http://mcp.example/", "--header", "x"), "not NAME=VALUE"),
        (("x",), "There is no tool 'x'."),
    ):
        refused = adp("tools", "register", *options)
        assert (refused.code, said in refused.said) == (1, True), refused.said
    assert "x" not in {row["name"] for row in json.loads(adp("tools", "list", "--json").output)}


def test_a_row_that_cannot_be_read_is_named_and_can_be_removed(adp: Adp) -> None:
    adp("tools", "register", "unruly", "--as", "admin", "--", PYTHON, PROGRAM)
    with closing(sqlite3.connect("output/adp.sqlite")) as database, database:
        database.execute("UPDATE tools SET config = '{}'")
    listed = adp("tools", "list")
    assert (listed.code, "adp tools remove unruly" in listed.said) == (1, True), listed.said
    assert adp("tools", "remove", "unruly").code == 0
    assert adp("tools", "list").code == 0


def test_a_native_tool_is_switched_off_and_on_again_for_others(adp: Adp) -> None:
    assert "Switched shell_executor off" in adp("tools", "remove", "shell_executor").output
    assert "off" in adp("tools", "show", "shell_executor").output
    on = adp("tools", "register", "shell_executor", "--permission", "trusted")
    assert "on, for tasks of the permission trusted" in on.output
    assert "withheld" in adp("tools", "show", "shell_executor").output


def test_a_skill_is_registered_from_anywhere_and_tried(adp: Adp, tmp_path: Path) -> None:
    place = tmp_path / "shout"
    place.mkdir()
    front = "name: shout\ndescription: Shouts.\nentry_point: run.py\narguments: {text: What.}"
    (place / "SKILL.md").write_text(f"---\n{front}\n---\n")
    (place / "run.py").write_text("import json, sys\nprint(json.load(sys.stdin)['text'].upper())")
    assert adp("tools", "register", "shout", "--skill", place).code == 0
    assert adp("tools", "test", "shout", '{"text": "hey"}').output.startswith("HEY\n")
    wrong = adp("tools", "test", "shout", "{}")
    assert "Wrong arguments for shout: 'text' is a required property." in wrong.said
