"""Servers that others wrote: mcp-server-time of PyPI, and the reference server of everything of npm."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from runtimes.builtin import ReasoningRuntime
from runtimes.services import Services
from runtimes.tools.base import Workbench
from runtimes.tools.call import call_tool
from runtimes.tools.mcp.servers import McpRules, McpServer
from runtimes.tools.mcp.tools import listed, tools_of
from runtimes.tools.toolbox import Toolbox
from tests.llm_server.process import ROOT
from tests.runtimes.scripted import ScriptedModel, call, episode, finishes, reasoning_task, says, services

EVERYTHING = ROOT / ".venv/mcp-servers/node_modules/@modelcontextprotocol/server-everything/dist/index.js"
RULES = McpRules(commands=(sys.executable, "node"))

needs_time = pytest.mark.skipif(
    find_spec("mcp_server_time") is None,
    reason="NOT TESTED against mcp-server-time, which is not installed: `make setup` does that",
)


@pytest.fixture
def everything() -> tuple[str, ...]:
    """The command of server-everything, which needs node 20."""
    node = shutil.which("node")
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout if node else "v0"
    if int(version.lstrip("v").partition(".")[0]) < 20 or not EVERYTHING.is_file():
        pytest.skip("NOT TESTED against server-everything: install node 20 and npm, then `make setup`")
    return ("node", str(EVERYTHING), "stdio")


async def registered(*command: str) -> McpServer:
    server = McpServer(name="real", command=command)
    tools = await listed(server, RULES)
    return McpServer(name="real", command=command, tools=tools)


@asynccontextmanager
async def opened(server: McpServer) -> AsyncIterator[Callable[..., Awaitable[str]]]:
    """Calls to a server in an episode of its own."""
    box = Toolbox(servers=[server], mcp_rules=RULES)
    tools = {tool.name: tool for tool in tools_of(server)}
    async with Workbench(reasoning_task(), Services(None, None, None, toolbox=box)) as bench:  # type: ignore[arg-type]

        async def called(name: str, **arguments: object) -> str:
            return await call_tool(tools[f"real__{name}"], bench, arguments)

        yield called


@needs_time
async def test_the_time_server_is_used_in_an_episode_by_a_model_that_sees_its_schemas() -> None:
    server = await registered(sys.executable, "-m", "mcp_server_time")
    assert all(tool.read_only for tool in server.tools)
    model = ScriptedModel(
        says(
            None,
            call(
                "real__convert_time",
                {"source_timezone": "Etc/UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"},
            ),
        ),
        says(None, call("real__get_current_time", {"timezone": "Mars/Base"})),
        says(None, call("real__get_current_time", {"zone": "x"})),
        finishes("21:00"),
    )
    async with services(model) as shared:
        shared.toolbox = Toolbox(servers=[server], mcp_rules=RULES)
        trajectory = await ReasoningRuntime(shared).execute(reasoning_task(expected_tools=["real"]))
    assert model.tools[0] == ["real__get_current_time", "real__convert_time", "complete_task"]
    converted, unknown, malformed, _ = trajectory.steps
    assert "T21:00:00+09:00" in json.loads(converted.observation)["target"]["datetime"]
    assert (unknown.success, unknown.error_type) == (False, "runtime_error")
    assert "Mars/Base" in unknown.observation
    assert "timezone" in malformed.observation
    assert trajectory.final_result == "21:00"


async def test_the_server_of_everything_gives_text_pictures_resources_and_structured_content(
    everything: tuple[str, ...],
) -> None:
    server = await registered(*everything)
    assert {"echo", "get-tiny-image", "get-structured-content"} <= {tool.name for tool in server.tools}
    async with opened(server) as called:
        assert await called("echo", message="hello") == "Echo: hello"
        assert "[image, image/png, 4033 bytes" in await called("get-tiny-image")
        assert "[link to the resource" in await called("get-resource-links", count=2)
        assert "temperature" in json.loads(await called("get-structured-content", location="Chicago"))


async def test_the_server_of_everything_gets_no_environment_of_ours(
    everything: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-planted")
    server = await registered(*everything)
    async with opened(server) as called:
        environment = json.loads(await called("get-env"))
    assert "sk-planted" not in environment.values()
    assert environment["HOME"] == environment["TMPDIR"] != str(Path.home())


async def test_a_task_that_names_a_server_nobody_registered_is_told() -> None:
    trajectory, model = await episode(finishes(), task=reasoning_task(expected_tools=["nobody__knows"]))
    assert trajectory.metadata["missing_tools"] == ["nobody__knows"]
    assert "Not available here: nobody__knows." in model.requests[0][1]["content"]
