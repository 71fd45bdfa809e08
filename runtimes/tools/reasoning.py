"""Tools that touch neither sandbox nor browser: asking the model itself, and ending the episode."""

from __future__ import annotations

from runtimes.errors import ToolUnavailable
from runtimes.tools.base import COMPLETE_TASK, Tool, Workbench, parameters
from runtimes.tools.shown import shortened


async def reason(bench: Workbench, question: str) -> str:
    """A call of the same model without tools, so that a hard question gets a context of its own."""
    reply = await bench.complete(
        [
            {"role": "system", "content": "Answer the question. Think step by step; end with the answer."},
            {"role": "user", "content": question},
        ]
    )
    content = reply.message.get("content")
    if not isinstance(content, str) or not content.strip():
        raise ToolUnavailable("runtime_error", "The model gave an empty reply.", "Ask otherwise.")
    return shortened(content)


async def complete(bench: Workbench, answer: str) -> str:
    """The agent loop ends the episode before this could run."""
    return answer


LLM_REASONING = Tool(
    name="llm_reasoning",
    description="Think a question through apart from the task: a fresh call of the model, without tools.",
    parameters=parameters(
        question={"type": "string", "minLength": 1, "description": "The question, with all it needs."}
    ),
    action_type="tool_call",
    function=reason,
)

COMPLETE = Tool(
    name=COMPLETE_TASK,
    description="End the task with its final answer.",
    parameters=parameters(
        answer={"type": "string", "description": "The value asked for, or the complete source code."}
    ),
    action_type="tool_call",
    function=complete,
)
