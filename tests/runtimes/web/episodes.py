"""What the tests of the web runtime say often: a task, and the ref of an element in an observation."""

from __future__ import annotations

import re

from runtimes.contracts import TaskSpec

SHOP = "http://shop.test/"


def web_task(**constraints: object) -> TaskSpec:
    return TaskSpec(task_type="web", description="Look around.", constraints=constraints).named()


def ref_of(observation: str, element: str) -> str:
    """The ref of the line that begins with `element`, such as 'button "Search"'."""
    found = re.search(rf"- {re.escape(element)}.*?\[ref=(\w+)\]", observation)
    assert found, f"no {element} in\n{observation}"
    return found.group(1)
