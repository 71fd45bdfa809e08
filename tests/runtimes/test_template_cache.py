"""Repeated code tasks in real sandboxes: done again for no tokens, graded again, and never taken on trust."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtimes.builtin import CodeRuntime, ReasoningRuntime
from runtimes.cache_store import CacheStore, SqliteStore
from runtimes.contracts import Message, TaskSpec, Trajectory, Verifier
from runtimes.counters import CACHE_HITS, CACHE_MISSES
from runtimes.redis_store import RedisStore
from runtimes.services import Services
from runtimes.template import template_of
from runtimes.template_cache import TemplateCache, perform_or_redo, template_key
from runtimes.web.browser.pool import BrowserPool
from sandbox import Limits, SandboxPool
from tests.redis_server import redis_server
from tests.runtimes.scripted import ScriptedModel, call, code_task, finishes, reasoning_task, runs, says

SUM = "print(sum(range(10)))"


def sum_task(task_id: str, expected: int = 45, **fields: Any) -> TaskSpec:
    verifier = Verifier("numeric", {"expected": expected})
    return code_task(**{"task_id": task_id, "description": "Add up.", "verifier": verifier, **fields})


class Setting:
    """Services with a template cache, and a model that solves the sum in two replies."""

    def __init__(self, services: Services, model: ScriptedModel) -> None:
        self.services = services
        self.model = model

    async def solve(self, task: TaskSpec, *, sample: int = 0, only_sample: bool = True) -> Trajectory:
        kind = ReasoningRuntime if task.task_type == "reasoning" else CodeRuntime
        return await perform_or_redo(
            task, kind(self.services), self.services, sample=sample, round="r", only_sample=only_sample
        )

    def says(self, *turns: Message) -> None:
        self.model.turns = list(turns)


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Setting]:
    async with setting(SqliteStore(tmp_path / "cache.sqlite", 3600)) as opened:
        yield Setting(opened, opened.model)  # type: ignore[arg-type]


def setting(store: CacheStore) -> Services:
    model = ScriptedModel(runs(SUM), finishes("45"), runs(SUM), finishes("45"))
    cache = TemplateCache(store)
    return Services(model, SandboxPool(slots=2), BrowserPool(), Limits(wall_seconds=5), templates=cache)


async def test_the_solution_of_another_model_does_not_pass_for_that_of_the_one_asked(at: Setting) -> None:
    await at.solve(sum_task("a"))
    at.model.model = "script-2"
    again = await at.solve(sum_task("b"))
    assert (again.model, again.metadata["cache_hit"]) == ("script-2", False)
    assert again.prompt_tokens > 0
    assert (await at.solve(sum_task("c"))).metadata["cache_hit"], "now it has one of its own"


async def test_a_repeated_task_costs_no_tokens_and_is_run_and_graded_again(at: Setting) -> None:
    hits, misses = CACHE_HITS["template"], CACHE_MISSES["template"]
    first = await at.solve(sum_task("a"))
    again = await at.solve(sum_task("b", description="  ADD up.\n"))
    assert len(at.model.requests) == 2
    assert (CACHE_HITS["template"] - hits, CACHE_MISSES["template"] - misses) == (1, 1)
    tokens = [t.prompt_tokens + t.completion_tokens for t in (first, again)]
    assert tokens[0] > 0
    assert tokens[1] == 0
    assert (first.cost_usd, again.cost_usd) == (1.0, 0.0)
    assert (again.outcome, again.verified, again.task_id) == ("solved", True, "b")
    assert (first.metadata["cache_hit"], again.metadata["cache_hit"]) == (False, True)
    assert again.metadata["template"] == "r/a/0"
    assert [step.action_params.get("cached") for step in first.steps] == [None, None]
    assert [step.action_params.get("cached") for step in again.steps] == [True, True]
    assert again.messages()[2:] == first.messages()[2:]
    assert (again.model, again.teacher) == (first.model, first.teacher)
    assert again.created_at > first.created_at


async def test_code_is_really_run_again_and_another_output_is_no_solution(at: Setting) -> None:
    """The program prints what no second run prints: done again it differs, so the agent is asked."""
    random = "import os; print(os.urandom(8).hex())"
    at.says(runs(random), finishes("45"))
    await at.solve(sum_task("a"))
    at.says(runs(random), finishes("45"))
    again = await at.solve(sum_task("b"))
    assert (again.outcome, again.metadata["cache_hit"]) == ("solved", False)
    assert len(at.model.requests) == 4


async def test_a_solution_that_the_new_task_s_verifier_rejects_is_no_hit(at: Setting) -> None:
    await at.solve(sum_task("a"))
    at.says(finishes("46"))
    other = await at.solve(sum_task("b", expected=46))
    assert (other.outcome, other.metadata["cache_hit"], other.final_result) == ("solved", False, "46")
    assert all("cached" not in step.action_params for step in other.steps)


async def test_failed_calls_of_the_solution_are_part_of_it(at: Setting) -> None:
    at.says(runs("open('x', 'w').write('45'); 1 / 0"), runs("print(open('x').read())"), finishes("45"))
    first = await at.solve(sum_task("a"))
    again = await at.solve(sum_task("b"))
    assert [step.error_type for step in again.steps] == ["runtime_error", None, None]
    assert again.metadata["cache_hit"]
    assert again.messages()[2:] == first.messages()[2:]


@pytest.mark.parametrize(
    "turns",
    [[finishes("44")], [says("")], [runs("while True: pass"), finishes("45")]],
    ids=["wrong", "empty", "slow"],
)
async def test_only_what_was_solved_and_can_be_repeated_is_kept(at: Setting, turns: list[Message]) -> None:
    at.says(*turns)
    await at.solve(sum_task("a", constraints={"limits": {"wall_seconds": 1}}))
    at.says(runs(SUM), finishes("45"))
    second = await at.solve(sum_task("b"))
    assert (second.outcome, second.metadata["cache_hit"]) == ("solved", False)


async def test_other_types_words_and_start_addresses_are_other_tasks() -> None:
    known = sum_task("a", constraints={"start_url": "http://a.test/"})
    assert template_key(known) == template_key(msgspec.structs.replace(known, task_id="b", max_steps=3))
    for other in (
        {"task_type": "reasoning"},
        {"description": "Add it up."},
        {"constraints": {"start_url": "http://b.test/"}},
    ):
        assert template_key(msgspec.structs.replace(known, **other)) != template_key(known)


async def test_of_several_samples_each_is_drawn_anew(at: Setting) -> None:
    for sample in range(2):
        done = await at.solve(sum_task("a"), sample=sample, only_sample=False)
        assert not done.metadata["cache_hit"]
    assert len(at.model.requests) == 4


async def test_a_solution_is_gone_when_its_time_is_over(tmp_path: Path) -> None:
    now = [1000.0]
    async with setting(SqliteStore(tmp_path / "c.sqlite", 3600, clock=lambda: now[0])) as opened:
        at = Setting(opened, opened.model)  # type: ignore[arg-type]
        await at.solve(sum_task("a"))
        now[0] += 3600
        assert not (await at.solve(sum_task("b"))).metadata["cache_hit"]
        now[0] += 3599
        assert (await at.solve(sum_task("c"))).metadata["cache_hit"]


async def test_in_redis_the_keys_are_named_as_others_expect(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with setting(RedisStore(server.url, 3600)) as opened:
            at = Setting(opened, opened.model)  # type: ignore[arg-type]
            await at.solve(sum_task("a"))
            assert (await at.solve(sum_task("b"))).metadata["cache_hit"]
        assert server.cli("KEYS", "*").startswith("template_cache:")


async def test_the_same_task_twice_at_once_is_paid_once(at: Setting) -> None:
    done = await asyncio.gather(*(at.solve(sum_task(name)) for name in "abc"))
    assert sorted(t.metadata["cache_hit"] for t in done) == [False, True, True]
    assert len(at.model.requests) == 2


async def test_a_first_try_that_fails_holds_up_the_others_no_longer(at: Setting) -> None:
    at.says(finishes("44"), finishes("45"), finishes("45"))
    done = await asyncio.gather(*(at.solve(sum_task(name)) for name in "abc"))
    assert [t.outcome for t in done].count("solved") == 2


async def test_a_question_of_a_tool_goes_to_the_model_and_not_to_the_solution(at: Setting) -> None:
    asks = says(None, call("llm_reasoning", {"question": "What is 9 * 5?"}))
    at.says(asks, says("45."), finishes("45"))
    verifier = Verifier("numeric", {"expected": 45})
    first = await at.solve(reasoning_task(task_id="a", verifier=verifier))
    assert first.outcome == "solved"
    at.says(says("45."))
    again = await at.solve(reasoning_task(task_id="b", verifier=verifier))
    assert (again.outcome, again.metadata["cache_hit"]) == ("solved", True)
    assert len(at.model.requests) == 4


async def test_an_entry_nobody_can_read_is_as_good_as_none(at: Setting) -> None:
    templates = at.services.templates
    assert templates is not None
    await templates.store.put(template_key(sum_task("a")), b'{"turns": "none"}')
    first = await at.solve(sum_task("a"))
    assert (first.outcome, first.metadata["cache_hit"]) == ("solved", False)
    assert (await at.solve(sum_task("b"))).metadata["cache_hit"]


async def test_without_a_cache_every_task_is_the_agent_s(at: Setting) -> None:
    at.services.templates = None
    for name in "ab":
        assert not (await at.solve(sum_task(name))).metadata["cache_hit"]
    assert len(at.model.requests) == 4


def test_a_reply_is_needed_to_repeat_anything() -> None:
    assert template_of(Trajectory(task_id="t", runtime_id="x", outcome="solved")) is None
