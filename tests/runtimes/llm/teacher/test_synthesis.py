"""The synthesis prompts: replies have the shape asked for, and a verifier fits its description."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest

from runtimes.contracts import SuccessPattern, TaskSpec
from runtimes.llm.base import Sampling
from runtimes.llm.teacher.families import ALL_FAMILIES, NEAR_COPY, recognise
from runtimes.llm.teacher.policy import reply
from runtimes.llm.teacher.wording import likeness

TOOLS = [
    *("python_executor", "browser", "shell_executor", "file_operations", "data_analysis", "llm_reasoning"),
    "complete_task",
]


def ask(title: str, given: dict[str, Any]) -> dict[str, Any]:
    """The object the teacher answers a synthesis prompt with."""
    prompt = f"Do your work on this:\n{json.dumps(given, ensure_ascii=False)}\nAnswer with JSON only."
    messages = [{"role": "system", "content": "You make tasks."}, {"role": "user", "content": prompt}]
    content = reply(messages, None, Sampling(), {"title": title, "type": "object"}, 0.15)["content"]
    answer = json.loads(content)
    assert isinstance(answer, dict)
    return answer


def idea(operator: str, parent: TaskSpec, avoid: list[str] | None = None, variant: int = 0) -> dict[str, Any]:
    described = {"task_type": parent.task_type, "description": parent.description, "constraints": {}}
    given = {
        "operator": operator,
        "essence": {},
        "parent": described,
        "avoid": avoid or [],
        "variant": variant,
    }
    return ask("MutatedIdea", given)


def draft(task_type: str, description: str, tools: list[str] = TOOLS) -> dict[str, Any]:
    given = {"task_type": task_type, "description": description, "available_tools": tools, "parent": {}}
    return ask("TaskDraft", given)


def seeds() -> list[TaskSpec]:
    """A task of the second level from each family, the language changing from one to the next."""
    rng = random.Random(8)
    tasks = []
    for number, family in enumerate(ALL_FAMILIES):
        params = family.at_level(family.sample(rng), 2, rng)
        tasks.append(family.task(params, family.render(params, ("en", "zh")[number % 2], number)))
    return tasks


each_seed = pytest.mark.parametrize("parent", seeds(), ids=[family.name for family in ALL_FAMILIES])


@each_seed
def test_a_trajectory_gives_an_essence_with_its_steps_and_domain(parent: TaskSpec) -> None:
    steps = [
        {"tool": tool, "arguments": arguments, "observation": "status: ok", "success": True}
        for tool, arguments in (("python_executor", {"code": "print(1)"}), ("complete_task", {"answer": "1"}))
    ]
    described = {
        "task_type": parent.task_type,
        "description": parent.description,
        "expected_tools": parent.expected_tools,
        "constraints": parent.constraints,
    }
    essence = ask("EssenceDraft", {"task": described, "steps": steps, "outcome": "solved"})
    assert essence["complexity_level"] == "medium"
    assert essence["query"] == parent.description
    assert essence["domain"]
    pattern = msgspec.convert(essence["success_pattern"], SuccessPattern)
    assert pattern.key_steps == ["python_executor: print(1)", "complete_task: 1"]
    assert "python_executor -> complete_task" in pattern.execution_pattern
    assert pattern.success_indicators


@each_seed
@pytest.mark.parametrize(
    ("operator", "level"), [("parameter", 2), ("complexity_up", 3), ("complexity_down", 1)]
)
def test_a_mutated_task_is_of_the_family_at_the_level_asked_for(
    parent: TaskSpec, operator: str, level: int
) -> None:
    mutated = idea(operator, parent)
    assert mutated["change"]
    known, origin = recognise(mutated["description"]), recognise(parent.description)
    assert known is not None
    assert origin is not None
    assert (known.family, known.language) == (origin.family, origin.language)
    assert known.family.level(known.params) == level
    assert known.params != origin.params
    assert likeness(mutated["description"], parent.description) < NEAR_COPY


@each_seed
def test_a_draft_completes_the_mutated_description_into_a_whole_task(parent: TaskSpec) -> None:
    description = idea("parameter", parent)["description"]
    plain = draft(parent.task_type, description)
    task = msgspec.convert({"task_type": parent.task_type, "description": description, **plain}, TaskSpec)
    known = recognise(description)
    assert known is not None
    assert task == known.family.task(known.params, description)
    assert task.verifier != parent.verifier
    assert task.expected_tools == parent.expected_tools


def test_descriptions_to_avoid_and_variants_lead_to_others() -> None:
    parent = seeds()[0]
    made: list[str] = []
    for variant in range(6):
        description = idea("parameter", parent, avoid=made, variant=variant)["description"]
        assert all(likeness(description, other) < NEAR_COPY for other in [parent.description, *made])
        made.append(description)
    assert idea("parameter", parent, variant=4) == idea("parameter", parent, variant=4)


def test_a_task_at_the_end_of_its_scale_is_not_made_harder_or_simpler() -> None:
    family, rng = ALL_FAMILIES[0], random.Random(1)
    for level, operator in ((family.top_level, "complexity_up"), (1, "complexity_down")):
        params = family.at_level(family.sample(rng), level, rng)
        refused = idea(operator, family.task(params, family.render(params, "en")))
        assert list(refused) == ["refused"]


@pytest.mark.parametrize(
    "answer",
    [
        draft("code", "Write a poem."),
        draft("web", seeds()[0].description),
        draft("code", seeds()[0].description, tools=["browser"]),
        ask("EssenceDraft", {"task": {}}),
        ask("MutatedIdea", {"operator": "invert", "parent": {"description": seeds()[0].description}}),
        ask("SomethingElse", {}),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_reason(answer: dict[str, Any]) -> None:
    assert list(answer) == ["refused"]
    assert answer["refused"]
