"""The format `adp`: the Agent Data Protocol, whose standard form is ATIF with a few rules of its own.

A reply's price is `cost`, and programs, shell commands and final answers are calls of `execute_ipython_cell`,
`execute_bash` and `finish`, which the protocol's converters turn into each agent's own tools. Calls must have
ids of their own in the whole document. The schema: neulab/agent-data-protocol, `schema/atif.py`.
"""

from __future__ import annotations

from typing import Any

from adp_assets.curation.examples import Example
from adp_assets.curation.formats.atif import Atif
from adp_assets.curation.formats.base import Written
from adp_assets.curation.formats.lines import json_text

NAMES = {
    "python_executor": "execute_ipython_cell",
    "shell_executor": "execute_bash",
    "complete_task": "finish",
    "finish": "finish",
}
FINISH = {
    "type": "function",
    "function": {
        "name": "finish",
        "description": "End the task with its final answer.",
        "parameters": {
            "type": "object",
            "properties": {"message": {"type": "string"}, "task_completed": {"type": "string"}},
            "required": ["message", "task_completed"],
        },
    },
}


class AgentDataProtocol(Atif):
    """JSON lines of the protocol's standard form: ATIF's documents in its own words."""

    def record(self, example: Example, written: Written) -> dict[str, Any]:
        whole = super().record(example, written)
        agent = whole["agent"]
        if "tool_definitions" in agent:
            agent["tool_definitions"] = [_tool(tool) for tool in agent["tool_definitions"]]
        taken: set[str] = set()
        for step in whole["steps"]:
            _normalise(step, taken)
        return whole


def _normalise(step: dict[str, Any], taken: set[str]) -> None:
    if "cost_usd" in step.get("metrics", {}):
        step["metrics"]["cost"] = step["metrics"].pop("cost_usd")
    renamed: dict[str, str] = {}
    for call in step.get("tool_calls", ()):
        own = call["tool_call_id"]
        if own in taken or not own:
            own = f"{own}_{step['step_id']}_{len(taken)}"
        taken.add(own)
        renamed[call["tool_call_id"]] = call["tool_call_id"] = own
        _rename(call)
    for result in step.get("observation", {}).get("results", ()):
        result["source_call_id"] = renamed[result["source_call_id"]]


def _rename(call: dict[str, Any]) -> None:
    call["function_name"] = NAMES.get(call["function_name"], call["function_name"])
    if call["function_name"] == "finish":
        answer = call["arguments"].get("answer", "")
        message = answer if isinstance(answer, str) else json_text(answer)
        call["arguments"] = {"message": message, "task_completed": "true"}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool.get("function") or {}
    name = NAMES.get(function.get("name", ""))
    if name is None:
        return tool
    return FINISH if name == "finish" else {**tool, "function": {**function, "name": name}}


ADP = AgentDataProtocol()
