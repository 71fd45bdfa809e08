"""Tools that run the agent's code in the episode's sandbox."""

from __future__ import annotations

from runtimes.tools.base import Tool, Workbench, parameters
from runtimes.tools.programs import guarded, observation, session_of


async def run_python(bench: Workbench, code: str) -> str:
    session = await session_of(bench)
    return observation(await guarded(session.step(code)))


async def run_shell(bench: Workbench, command: str) -> str:
    session = await session_of(bench)
    return observation(await guarded(session.run(shell=command)))


PYTHON_EXECUTOR = Tool(
    name="python_executor",
    description="Run Python 3 code in the sandbox (no network) and see what it prints and the value of its "
    "last expression. Variables, imports and files in the working directory last from call to call; a call "
    "that crosses a limit, such as that of time, ends the variables.",
    parameters=parameters(code={"type": "string", "description": "The code, of one line or many."}),
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
