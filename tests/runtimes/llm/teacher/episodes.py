"""What the teacher's tests share: messages as the agent loop writes them, plain Python as executor."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from runtimes.contracts import Message
from runtimes.llm.base import Sampling
from runtimes.llm.teacher.policy import reply

CODE_TOOLS = ("python_executor", "complete_task")
PAGE_TOOLS = ("goto", "click", "fill", "fill_and_submit", "select", "scroll", "complete_task")


_HARNESS = """
import json, sys
source, calls = json.load(sys.stdin)
names, values = {}, []
exec(source, names)
for call in calls:
    try:
        values.append(eval(call, names))
    except Exception as error:
        values.append(repr(error))
print(json.dumps(values))
"""


def schemas(names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": name, "parameters": {}}} for name in names]


def opening(description: str, page: str = "") -> list[Message]:
    """The messages an episode starts with."""
    user = description + (f"\n\nCurrent page:\n{page}" if page else "")
    return [{"role": "system", "content": "Solve the task."}, {"role": "user", "content": user}]


def next_message(
    messages: list[Message], tools: Sequence[str], *, seed: int = 0, error_rate: float = 0.0
) -> Message:
    return reply(messages, schemas(tools), Sampling(seed=seed), None, error_rate)


def call_of(message: Message) -> tuple[str, dict[str, Any]]:
    """The name and the arguments of the one call in a message."""
    (call,) = message["tool_calls"]
    return call["function"]["name"], json.loads(call["function"]["arguments"])


def play(
    messages: list[Message],
    tools: Sequence[str],
    execute: Callable[[str, dict[str, Any]], str],
    *,
    seed: int = 0,
    error_rate: float = 0.0,
) -> list[Message]:
    """Let the teacher act until it ends the episode; all messages, the ending call last."""
    messages = list(messages)
    while True:
        message = next_message(messages, tools, seed=seed, error_rate=error_rate)
        messages.append(message)
        if not message.get("tool_calls") or call_of(message)[0] == "complete_task":
            return messages
        content = execute(*call_of(message))
        messages.append({"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": content})


def run_python(tool: str, arguments: dict[str, Any]) -> str:
    """python_executor by a plain subprocess, observed as the sandbox's tool tells it."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", arguments["code"]], capture_output=True, text=True, timeout=20
    )
    text = f"status: {'ok' if done.returncode == 0 else 'runtime_error'}"
    text += f"\nstdout:\n{done.stdout}" if done.stdout else ""
    text += f"\nstderr:\n{done.stderr}" if done.stderr else ""
    return text if done.returncode == 0 else f"error (runtime_error): {text}"


def evaluate(source: str, calls: Sequence[str]) -> list[Any]:
    """The values of the calls after `source`, the error in words for one that raises."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _HARNESS],
        input=json.dumps([source, list(calls)]),
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    values: list[Any] = json.loads(done.stdout)
    return values
