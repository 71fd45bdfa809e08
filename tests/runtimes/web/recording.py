"""Recording an episode by the names of elements, and doing it again in another browser."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from runtimes.builtin import WebRuntime
from runtimes.contracts import (
    Message,
    TaskSpec,
    Trajectory,
    Verifier,
    trajectory_from_json,
    trajectory_to_json,
)
from runtimes.llm.base import Reply
from runtimes.perform import perform
from runtimes.services import Services
from runtimes.web.browser.pool import BrowserPool
from runtimes.web.replay.recorded import RecordedPages
from runtimes.web.replay.replay import Replay, replay_trajectory
from sandbox import SandboxPool
from tests.runtimes.scripted import ScriptedModel, call, says

from .episodes import SHOP

Said = tuple[str, str, dict[str, Any]]
"""A tool, the element it is done to (empty: none), and the further arguments.

An element is the beginning of its line in the snapshot, or a pattern whose group is its ref.
"""

TEA_IN_CART = Verifier(
    kind="page_state",
    spec={
        "url": f"{SHOP}_world/state.json",
        "script": "() => JSON.parse(document.body.innerText).cart",
        "expected": {"Green Tea Longjing": 2},
    },
)
BUY_TEA: list[Said] = [
    ("fill_and_submit", 'textbox "Search products"', {"text": "longjing"}),
    ("click", 'link "Green Tea Longjing"', {}),
    ("fill", 'spinbutton "Quantity"', {"text": "2"}),
    ("click", 'button "Add to cart"', {}),
]


class Agent(ScriptedModel):
    """Does `said`, tool by tool, on the elements it saw last by their names."""

    def __init__(self, said: list[Said], answer: str = "done") -> None:
        super().__init__(says())
        self.said = list(said)
        self.answer = answer

    async def complete(self, messages: list[Message], **_: Any) -> Reply:
        if not self.said:
            return Reply(message=says(None, call("complete_task", {"answer": self.answer})))
        tool, element, arguments = self.said.pop(0)
        arguments = {"ref": element, **arguments} if element else arguments
        refs = {name: _ref(messages, value) for name, value in arguments.items() if name in ("ref", "to_ref")}
        return Reply(message=says(None, call(tool, {**arguments, **refs})))


def _ref(messages: list[Message], element: str) -> str:
    pattern = element if "(" in element else rf"- {re.escape(element)}.*?\[ref=(\w+)\]"
    found = (re.search(pattern, str(message["content"])) for message in reversed(messages))
    return next(match[1] for match in found if match)


async def record(pool: BrowserPool, task: TaskSpec, said: list[Said], answer: str = "done") -> Trajectory:
    """An episode as it is read back from its file."""
    services = Services(Agent(said, answer), SandboxPool(slots=1), pool)
    task = msgspec.structs.replace(task, max_steps=len(said) + 1)
    trajectory = await perform(task, WebRuntime(services), services, sample=0, round="r")
    assert trajectory.outcome != "infrastructure_error", trajectory.error_message
    return trajectory_from_json(trajectory_to_json(trajectory))


async def again(pool: RecordedPages, trajectory: Trajectory, task: TaskSpec | None = None) -> Replay:
    services = Services(ScriptedModel(says()), SandboxPool(slots=1), pool)
    return await replay_trajectory(trajectory, services, task)


def verdicts(replay: Replay) -> list[str]:
    return [step.verdict for step in replay.steps]
