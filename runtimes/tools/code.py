"""Tools that run the agent's code in the episode's sandbox."""

from __future__ import annotations

from runtimes.tools.base import Tool, Workbench, parameters
from runtimes.tools.programs import guarded, observation, session_of


async def run_python(bench: Workbench, code: str) -> str:
    session = await session_of(bench)
    return observation(await guarded(session.run(code=code)))


async def run_shell(bench: Workbench, command: str) -> str:
    session = await session_of(bench)
    return observation(await guarded(session.run(shell=command)))


PYTHON_EXECUTOR = Tool(
    name="python_executor",
    description="Run a Python 3 program in the sandbox (no network) and see its output. "
    "Files in the working directory last from call to call, variables do not: print what you need.",
    parameters=parameters(code={"type": "string", "description": "The whole program."}),
    action_type="code_execution",
    function=run_python,
)

SHELL_EXECUTOR = Tool(
    name="shell_executor",
    description="Run a shell command in the sandbox's working directory and see its output.",
    parameters=parameters(command={"type": "string", "description": "A command for sh -c."}),
    action_type="code_execution",
    function=run_shell,
)
