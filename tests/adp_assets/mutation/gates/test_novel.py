"""Novelty: near copies of what the pool holds, of whatever type, and of what came before in the round."""

from __future__ import annotations

import pytest

from adp_assets.mutation.gates.novel import NoveltyGate
from adp_assets.mutation.novelty.index import NoveltyIndex
from adp_assets.mutation.novelty.shingles import hashes, unpacked
from tests.adp_assets.mutation.candidates import said
from tests.adp_assets.tasks import task

KNOWN = "Write a Python function that adds two numbers and returns the sum as an integer."


@pytest.fixture
def gate() -> NoveltyGate:
    index = NoveltyIndex()
    index.add("known", hashes(KNOWN))
    return NoveltyGate(index)


@pytest.mark.parametrize("wording", [KNOWN, KNOWN.upper() + "\n", KNOWN.replace("integer", "int")])
async def test_a_near_copy_is_refused_with_the_task_it_is_near_to(gate: NoveltyGate, wording: str) -> None:
    finding = await said(gate, task("new", description=wording, task_type="web"))
    assert not finding.passed
    assert "a near copy of known" in finding.reason


async def test_what_is_new_passes_with_how_new_it_is_and_what_the_pool_is_to_keep(gate: NoveltyGate) -> None:
    wording = "Write a Python function that counts the vowels of a text."
    finding = await said(gate, task("new", description=wording))
    assert finding.passed
    assert finding.measured.novelty == pytest.approx(1 - 3 / 19)
    assert finding.measured.shingles is not None
    assert unpacked(finding.measured.shingles).tolist() == hashes(wording).tolist()
    assert "nearest is known" in finding.reason


async def test_a_model_that_says_the_same_each_time_gets_one_task_in(gate: NoveltyGate) -> None:
    same = "Sort the words of a text by their length and join them by spaces."
    found = [await said(gate, task(f"new-{number}", description=same)) for number in range(3)]
    assert [finding.passed for finding in found] == [True, False, False]
    assert "a near copy of new-0" in found[1].reason


async def test_what_passed_in_an_earlier_materialization_counts_again(gate: NoveltyGate) -> None:
    earlier = task("earlier", description="Count the vowels of a text, upper case or lower.")
    gate.learn(earlier)
    gate.learn(earlier)
    assert not (await said(gate, task("new", description=earlier.description))).passed
