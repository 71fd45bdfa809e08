"""Gates: which candidates may enter the pool, and the reason where one may not."""

from __future__ import annotations

from typing import Any

import pytest

from adp_assets.intake.pool import TaskPool
from adp_assets.mutation.assets import accept
from adp_assets.mutation.candidate import Candidate, Proposal
from adp_assets.mutation.gates import NEAR_COPY, Gates, jaccard, shingles
from adp_assets.mutation.operators import PARAMETER
from runtimes.contracts import Essence, SuccessPattern, TaskSpec, Verifier
from tests.adp_assets.tasks import add, task

KNOWN = "Write a Python function that adds two numbers and returns the sum as an integer."


def gates(*known: str) -> Gates:
    return Gates({"code": ["python_executor", "shell_executor"]}, {"code": known})


def test_a_sound_and_new_task_is_accepted() -> None:
    verdict = gates(KNOWN).judge(task("new", expected_tools=["python_executor"]))
    assert (verdict.accepted, verdict.reason) == (True, "")


@pytest.mark.parametrize(
    ("fields", "gate", "named"),
    [
        ({"task_id": "a/b"}, "schema", "path separator"),
        ({"description": "x" * 8_001}, "schema", "8,001 characters"),
        ({"expected_tools": ["python_executor", "magic"]}, "tools", "no tool magic"),
        ({"constraints": {"limits": {"memory_mb": "1 GB"}}}, "schema", "memory_mb is '1 GB'"),
        ({"expected_tools": ["browser"]}, "tools", "browser"),
        ({"verifier": None}, "verifier", "no verifier"),
        ({"verifier": Verifier("magic")}, "verifier", "magic"),
        ({"verifier": Verifier("numeric", {"expected": "five"})}, "verifier", "expected"),
        ({"description": KNOWN}, "novelty", "similarity 1.00"),
        ({"description": KNOWN.upper() + "\n"}, "novelty", "near copy"),
        ({"description": KNOWN.replace("integer", "int")}, "novelty", "near copy"),
    ],
)
def test_the_first_gate_that_refuses_says_why(fields: dict[str, Any], gate: str, named: str) -> None:
    verdict = gates(KNOWN).judge(task(**{"task_id": "new", **fields}))
    assert (verdict.accepted, verdict.gate) == (False, gate)
    assert named in verdict.reason


def test_an_accepted_candidate_counts_as_known_for_those_that_follow() -> None:
    judge = gates().judge
    assert judge(task("a", description=KNOWN)).accepted
    assert judge(task("b", description=KNOWN)).gate == "novelty"


def test_a_refused_candidate_does_not_count_as_known() -> None:
    judge = gates().judge
    assert not judge(task("a", description=KNOWN, verifier=None)).accepted
    assert judge(task("b", description=KNOWN)).accepted


def test_the_same_words_for_another_type_are_no_copy() -> None:
    judge = Gates({"code": [], "web": []}, {"code": [KNOWN]}).judge
    assert judge(task("a", description=KNOWN, task_type="web")).accepted


def test_shingles_of_chinese_are_made_of_characters() -> None:
    assert shingles("求一百") == {"求 一 百"}
    assert shingles("求一百以内 Python sum") == {
        *("求 一 百", "一 百 以", "百 以 内", "以 内 python", "内 python sum")
    }


def test_near_copies_are_told_from_other_tasks_in_chinese_as_in_english() -> None:
    chinese = "请写一个函数，计算一百以内所有偶数的平方和，并返回整数结果。"
    copy = chinese.replace("一百", "二百")
    other = "请打开商店页面，搜索红色雨伞，把两把加入购物车并完成结账。"
    assert jaccard(shingles(chinese), shingles(copy)) >= NEAR_COPY
    assert jaccard(shingles(chinese), shingles(other)) < 0.2
    assert jaccard(shingles(KNOWN), shingles("Open the shop and put a red umbrella into the cart.")) < 0.2


def test_short_and_empty_texts_can_be_compared() -> None:
    assert shingles("Add it") == {"add", "it"}
    assert jaccard(shingles("Add it"), shingles("add IT")) == 1.0
    assert jaccard(shingles(""), shingles("")) == 0.0


def candidate(spec: TaskSpec | None, reason: str = "") -> Candidate:
    pattern = SuccessPattern(key_steps=[], execution_pattern="", success_indicators=[])
    essence = Essence(
        essence_id="e",
        task_id="seed",
        root_id="seed",
        round="r1",
        task_type="code",
        domain="d",
        query="q",
        complexity_level="simple",
        success_pattern=pattern,
    )
    return Candidate(Proposal(essence, task("seed"), PARAMETER, 0), spec, reason=reason)


def test_accepted_candidates_are_in_the_pool_and_the_others_are_not(pool: TaskPool) -> None:
    add(pool, task("seed", description=KNOWN))
    good = task(
        "good", description="Sort the words of a text by their length.", expected_tools=["python_executor"]
    )
    silent = candidate(None, "the model gave no JSON")
    verdicts = accept(
        pool.database,
        "r1",
        [
            candidate(good),
            candidate(task("copy", description=KNOWN)),
            silent,
        ],
        ["python_executor"],
    )
    assert {name: (v.accepted, v.gate) for name, v in verdicts.items()} == {
        "good": (True, "novelty"),
        "copy": (False, "novelty"),
        silent.task_id: (False, "schema"),
    }
    assert verdicts[silent.task_id].reason == "the model gave no JSON"
    assert (pool.get("good"), pool.get("copy"), pool.pending()) == (good, None, 2)


def test_judging_the_same_candidates_again_keeps_their_verdicts(pool: TaskPool) -> None:
    good = candidate(task("good", description=KNOWN))
    first = accept(pool.database, "r1", [good], [])
    assert accept(pool.database, "r1", [good], []) == first
    assert pool.pending() == 1
