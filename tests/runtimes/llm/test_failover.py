"""Several providers as one model: who answers, when, and what happens to conversations under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from runtimes.breaker import Breaker
from runtimes.cache_store import SqliteStore
from runtimes.calls import completed
from runtimes.contracts import Message
from runtimes.errors import ModelRefused, ModelUnavailable, ToolError
from runtimes.llm.base import Account, ChatModel
from runtimes.llm.cache import ResponseCache
from runtimes.llm.client import OutOfOrder
from runtimes.llm.failover import Failover
from runtimes.llm.faults import OutOfCredit
from runtimes.llm.metered import Metering
from tests.llm_server.replies import assistant, completion, tool_call
from tests.runtimes.llm.serving import (
    ASK,
    GOOD,
    QUICK,
    Replying,
    Served,
    chat,
    gives,
    hangs,
    refuses,
    server,
)

DOWN = refuses(503)
NO_MONEY = refuses(429, "You exceeded your quota, insufficient_quota")


@asynccontextmanager
async def providers(
    *replies: list[Replying], deadline: float = 30.0, open_seconds: float = 3600.0, timeout: float = 5.0
) -> AsyncIterator[tuple[list[Served], Failover]]:
    """A server each for gemini, deepseek, openai, as many as there are lists of replies."""
    names = ["gemini", "deepseek", "openai"][: len(replies)]
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(server(*listed)) for listed in replies]
        clients = [
            chat(
                each.url,
                provider=name,
                model=f"{name}-1",
                timeout=timeout,
                breaker=Breaker(least_calls=3, open_seconds=open_seconds),
            )
            for each, name in zip(servers, names, strict=True)
        ]
        model = Failover(clients, deadline=deadline)
        stack.push_async_callback(model.aclose)
        yield servers, model


async def test_the_first_answers_for_as_long_as_it_can_and_the_reply_says_who() -> None:
    async with providers([gives(GOOD)], [gives(GOOD)]) as (servers, model):
        reply = await model.complete(ASK)
    assert (model.provider, model.model) == (reply.provider, reply.model) == ("gemini", "gemini-1")
    assert [len(each.requests) for each in servers] == [1, 0]


async def test_the_next_answers_when_one_fails_and_a_failing_one_is_soon_left_alone() -> None:
    async with providers([DOWN], [gives(GOOD)]) as (servers, model):
        replies = [await model.complete(ASK) for _ in range(4)]
    assert {(reply.provider, reply.model) for reply in replies} == {("deepseek", "deepseek-1")}
    assert [len(each.requests) for each in servers] == [2 * QUICK.tries + 1, 4], "three failed calls"
    assert servers[1].requests[0]["model"] == "deepseek-1"


async def test_one_that_is_back_is_found_by_a_trial() -> None:
    async with providers([DOWN, DOWN, DOWN, gives(GOOD)], [gives(GOOD)], open_seconds=0.0) as (_, model):
        replies = [await model.complete(ASK) for _ in range(3)]
    assert [reply.provider for reply in replies] == ["deepseek", "gemini", "gemini"]


async def test_an_account_without_money_is_failed_over_too() -> None:
    async with providers([NO_MONEY], [refuses(402)], [gives(GOOD)]) as (servers, model):
        replies = [await model.complete(ASK) for _ in range(5)]
    assert {reply.provider for reply in replies} == {"openai"}
    assert [len(each.requests) for each in servers] == [3, 3, 5], "three times is enough"


async def test_without_money_anywhere_the_run_ends() -> None:
    async with providers([NO_MONEY], [NO_MONEY]) as (_, model):
        with pytest.raises(OutOfCredit, match=r"gemini.*want of money.*deepseek") as failed:
            await model.complete(ASK)
    assert isinstance(failed.value, ModelRefused)
    assert "Top up" in failed.value.remedy


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_refused_key_or_model_is_told_and_not_glossed_over(status: int) -> None:
    async with providers([refuses(status)], [gives(GOOD)]) as (servers, model):
        with pytest.raises(ModelRefused, match="gemini"):
            await model.complete(ASK)
    assert not servers[1].requests


async def test_a_conversation_too_long_for_one_is_the_agents_doing_and_nobody_elses_business() -> None:
    async with providers([refuses(400, "context_length_exceeded")], [gives(GOOD)]) as (servers, model):
        with pytest.raises(ToolError):
            await model.complete(ASK)
    assert not servers[1].requests


async def test_when_nobody_answers_the_error_names_all() -> None:
    async with providers([DOWN], [DOWN]) as (_, model):
        with pytest.raises(ModelUnavailable, match=r"No provider answers.*gemini-1.*503.*deepseek-1.*503"):
            await model.complete(ASK)


def following(*said: Message) -> list[Message]:
    return [*ASK, *said, {"role": "user", "content": "Go on."}]


async def test_a_conversation_under_way_is_not_continued_by_another_but_begun_again() -> None:
    signed = tool_call("f", "{}") | {"extra_content": {"google": {"thought_signature": "AbC="}}}
    first = completion(assistant(None, [signed]), prompt_tokens=1, completion_tokens=1)
    async with providers([gives(first), DOWN], [gives(GOOD)]) as (servers, model):
        reply = await model.complete(ASK)
        with pytest.raises(ModelUnavailable, match="gemini-1"):
            await model.complete(following(reply.message))
        assert not servers[1].requests
        again = await model.complete(ASK)
    assert again.provider == "deepseek"


async def test_a_conversation_goes_on_with_its_author_though_the_first_is_back() -> None:
    mine = completion(assistant("Mine."), prompt_tokens=1, completion_tokens=1)
    async with providers([DOWN] * 3 + [gives(GOOD)], [gives(mine)], open_seconds=0.0) as (_, model):
        begun = await model.complete(ASK)
        other = await model.complete(ASK)
        continued = await model.complete(following(begun.message))
    assert [r.provider for r in (begun, other, continued)] == ["deepseek", "gemini", "deepseek"]


async def test_an_author_is_known_by_any_of_its_messages_that_came_back_as_it_was() -> None:
    mine = completion(assistant("Mine."), prompt_tokens=1, completion_tokens=1)
    async with providers([DOWN] * 3 + [gives(GOOD)], [gives(mine)], open_seconds=0.0) as (_, model):
        begun = await model.complete(ASK)
        cut = {"role": "assistant", "content": "[cut]"}
        continued = await model.complete(following(begun.message, ASK[0], cut))
    assert (begun.provider, continued.provider) == ("deepseek", "deepseek")


async def test_a_conversation_from_the_cache_goes_on_with_its_author_in_another_process(
    tmp_path: Path,
) -> None:
    mine = completion(assistant("Mine."), prompt_tokens=1, completion_tokens=1)

    def view(model: Failover) -> ChatModel:
        cache = ResponseCache(SqliteStore(tmp_path / "cache.sqlite", 3600))
        return Metering(cache=cache).model_for(model, Account(round="r", task_id="t"))

    async with providers([DOWN], [gives(mine)]) as (_, before):
        assert (await view(before).complete(ASK)).provider == "deepseek"
    async with providers([gives(GOOD)], [gives(GOOD)]) as (_, after):
        model = view(after)
        begun = await model.complete(ASK)
        continued = await model.complete(following(begun.message))
    assert (begun.cached, begun.provider, continued.provider) == (True, "deepseek", "deepseek")


async def test_an_author_is_known_by_a_reply_of_calls_alone_whose_content_goes_back_as_null() -> None:
    calls = assistant(None, [tool_call("f", "{}")])
    answer = completion(calls, prompt_tokens=1, completion_tokens=1)
    async with providers([DOWN, DOWN, DOWN, gives(GOOD)], [gives(answer)], open_seconds=0.0) as (
        _,
        model,
    ):
        reply = await model.complete(ASK)
        goes_back = completed(reply.message, 0)
        again = await model.complete([*ASK, goes_back])
    assert goes_back["content"] is None
    assert (reply.provider, again.provider) == ("deepseek", "deepseek")


async def test_a_reply_tells_how_long_it_had_to_wait_for_its_turn() -> None:
    async with providers([refuses(429, Retry_After_Ms="200"), gives(GOOD)]) as (_, model):
        assert (await model.complete(ASK)).waited >= 0.2
    async with providers([hangs], [gives(GOOD)], timeout=1) as (_, model):
        assert (await model.complete(ASK)).waited >= 3


async def test_a_conversation_from_elsewhere_goes_to_the_provider_whose_keys_it_holds() -> None:
    thought = {"role": "assistant", "content": "Hm.", "reasoning_content": "So."}
    async with providers([gives(GOOD)], [gives(GOOD)]) as (servers, model):
        keyed = await model.complete(following(thought))
        plain = await model.complete(following({"role": "assistant", "content": "Hm."}))
    assert (keyed.provider, plain.provider) == ("deepseek", "gemini")
    assert thought in servers[1].requests[0]["messages"], "sent back unchanged"


async def test_alone_a_provider_that_has_answered_is_waited_for() -> None:
    replies = [gives(GOOD), *[DOWN] * 5, gives(GOOD)]
    async with providers(replies, open_seconds=0.05) as (servers, model):
        await model.complete(ASK)
        answers = await asyncio.gather(*(model.complete(ASK) for _ in range(3)))
    assert [answer.message["content"] for answer in answers] == ["Hi."] * 3
    assert len(servers[0].requests) == 9, "three failed, two trials found it down, and the third did not"


async def test_alone_a_provider_that_never_answered_is_told_at_once() -> None:
    async with providers([DOWN]) as (servers, model):
        for _ in range(2):
            with pytest.raises(ModelUnavailable):
                await model.complete(ASK)
        with pytest.raises(OutOfOrder, match="out of order, to be tried again in"):
            await model.complete(ASK)
    assert len(servers[0].requests) == 7, "a call that is tried again and again is one failure"


@pytest.mark.parametrize(
    ("reply", "told"), [(hangs, ""), (refuses(429, "Slow."), "last faults were gemini: HTTP 429: Slow.*")]
)
async def test_a_call_ends_at_its_deadline_with_all_its_tries(reply: Replying, told: str) -> None:
    async with providers([gives(GOOD), reply], deadline=0.5) as (_, model):
        await model.clients[0].complete(ASK)
        with pytest.raises(
            ModelUnavailable, match=rf"No reply within 0\.5 s from gemini.*{told}LLM_DEADLINE"
        ):
            await model.complete(ASK)


async def test_a_wait_longer_than_the_deadline_is_not_begun() -> None:
    async with providers([refuses(429, Retry_After="3600")], deadline=1800.0) as (_, model):
        with pytest.raises(OutOfOrder, match="rate limited for long, to be tried again in"):
            await model.complete(ASK)


async def test_a_long_rate_limit_is_failed_over() -> None:
    async with providers([refuses(429, Retry_After="3600")], [gives(GOOD)]) as (servers, model):
        replies = [await model.complete(ASK) for _ in range(3)]
    assert {reply.provider for reply in replies} == {"deepseek"}
    assert len(servers[0].requests) == 1


async def test_a_deadline_of_the_caller_is_not_taken_for_ours() -> None:
    async with providers([hangs]) as (_, model):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await model.complete(ASK)


async def test_one_that_cannot_be_closed_leaves_no_other_open() -> None:
    async with providers([gives(GOOD)], [gives(GOOD)]) as (_, model):
        first, second = model.clients
        closed = []

        async def fails() -> None:
            raise OSError("gone")

        async def closes() -> None:
            closed.append(second)

        first.aclose, second.aclose = fails, closes  # type: ignore[method-assign]
        with pytest.raises(OSError, match="gone"):
            await model.aclose()
        del first.aclose, second.aclose  # type: ignore[attr-defined]
    assert closed == [second]


async def test_many_calls_at_once_leave_a_failing_provider_without_losing_one() -> None:
    async with providers([gives(GOOD)] * 20 + [DOWN], [gives(GOOD)]) as (servers, model):
        replies = await asyncio.gather(*(model.complete(ASK) for _ in range(200)))
    assert len(replies) == 200
    assert {reply.provider for reply in replies} == {"gemini", "deepseek"}
    assert len(servers[0].requests) < 200
