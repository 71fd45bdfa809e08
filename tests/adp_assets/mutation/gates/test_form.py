"""Schema and tools: what is no whole task, or names tools that nobody has."""

from __future__ import annotations

from typing import Any

import pytest

from adp_assets.mutation.gates.base import Judgement
from adp_assets.mutation.gates.form import SchemaGate, ToolsGate
from runtimes.contracts import Verifier
from tests.adp_assets.mutation.candidates import candidate, said
from tests.adp_assets.tasks import task

CHINESE = "写一个函数,把两个数加起来,返回它们的和。"
ENGLISH = "Write a function that adds two numbers and returns their sum."


async def test_a_sound_task_passes_both() -> None:
    sound = task(expected_tools=["python_executor"])
    assert (await said(SchemaGate(), sound)).passed
    assert (await said(ToolsGate({"code": ["python_executor"]}), sound)).passed


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"task_id": "a/b"}, "path separator"),
        ({"description": "x" * 50_000}, "50,000 characters, more than 8,000"),
        ({"description": " \n "}, "blank"),
        ({"constraints": {"limits": {"memory_mb": "1 GB"}}}, "memory_mb is '1 GB'"),
        ({"constraints": {"start_url": "file:///etc/passwd"}}, "start_url"),
        ({"verifier": None}, "no verifier"),
        ({"verifier": Verifier("magic")}, "magic"),
        ({"verifier": Verifier("numeric", {"expected": "five"})}, "expected"),
        ({"verifier": Verifier("python_tests", {"cases": []})}, "not empty"),
        ({"verifier": Verifier("exact", {"expected": "\ud800"})}, "no Unicode"),
        ({"verifier": Verifier("exact", {"expected": "a\0b"})}, "NUL"),
        ({"verifier": Verifier("numeric", {"expected": float("inf")})}, "not finite"),
        ({"metadata": {"\udc00": 1}}, "no Unicode"),
    ],
)
async def test_what_is_no_whole_task_is_refused_with_the_place(fields: dict[str, Any], named: str) -> None:
    finding = await said(SchemaGate(), task(**{"task_id": "new", **fields}))
    assert not finding.passed
    assert named in finding.reason


async def test_a_reference_that_no_table_could_hold_is_refused() -> None:
    assert "NUL" in (await said(SchemaGate(), task("new"), "4\0")).reason


async def test_a_proposal_without_a_task_is_refused_by_the_first_gate_with_what_the_model_said() -> None:
    judgement = Judgement(candidate(None, reason="the reply was '{ // a comment'"))
    await judgement.ask([SchemaGate(), ToolsGate({})])
    assert (judgement.is_refused, judgement.gate) == (True, "schema")
    assert "// a comment" in judgement.reason


@pytest.mark.parametrize(
    ("parent", "description", "metadata", "passes"),
    [
        (ENGLISH, CHINESE, {}, False),
        (CHINESE, ENGLISH, {}, False),
        (CHINESE, CHINESE, {}, True),
        (ENGLISH, CHINESE, {"language": "zh"}, True),
        (ENGLISH, ENGLISH, {"language": "zh"}, False),
        (CHINESE, "用 Python 写 add_numbers(text),返回和。", {}, True),
        (ENGLISH, "Écris une fonction qui additionne deux nombres et renvoie la somme.", {}, False),
        (ENGLISH, "Schreibe eine Funktion, die zwei Zahlen addiert.", {}, False),
        (ENGLISH, "Напишите функцию, которая складывает два числа.", {}, False),
        (ENGLISH, "두 수를 더하는 함수를 작성하세요", {}, False),
        (ENGLISH, "ふたつのかずをたしてください", {}, False),
        (CHINESE, "二つの数を足す関数を書いてください。", {}, False),
        (ENGLISH, f'"{CHINESE}"', {}, False),
        (ENGLISH, f"Task:\n```\n{CHINESE}\n```", {}, False),
        (ENGLISH, f'Translate this sentence into English words: "{CHINESE}"', {}, True),
        ("Напишите функцию.", "Напишите функцию, которая складывает два числа.", {}, True),
        (CHINESE, "```python\ndef add(a, b):\n    return a - b\n```", {}, True),
        (CHINESE, "3 * (4 + 5) = ?", {}, True),
        (ENGLISH, "Search for 红色雨伞 in the shop and put two into the cart.", {}, True),
    ],
)
async def test_a_description_is_in_its_parents_language_unless_the_task_names_another(
    parent: str, description: str, metadata: dict[str, Any], passes: bool
) -> None:
    made = task(description=description, metadata=metadata)
    finding = await said(SchemaGate(), made, parent=task("seed", description=parent))
    assert finding.passed == passes
    assert passes or "wrong language" in finding.reason


async def test_unknown_tools_and_those_of_other_types_are_refused_by_name() -> None:
    gate = ToolsGate({"code": ["python_executor"], "web": ["browser"]})
    finding = await said(gate, task(expected_tools=["python_executor", "magic", "browser"]))
    assert finding.reason == "code tasks have no tool browser, magic"
