"""One caller's view of a model: what is cached, what is counted, and what is refused before it is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adp_resources.database import Database
from adp_resources.tables import llm_calls
from adp_resources.trials import FIRST_SAMPLE
from adp_resources.usage import UsageTable
from runtimes.cache_store import SqliteStore
from runtimes.contracts import Message
from runtimes.counters import CACHE_HITS, CACHE_MISSES
from runtimes.errors import BudgetSpent, ModelUnavailable, ToolError
from runtimes.llm.base import Account, ChatModel, Reply, Sampling
from runtimes.llm.cache import ResponseCache
from runtimes.llm.client import OpenAIChat
from runtimes.llm.failover import Failover
from runtimes.llm.ledger import Ledger, Limits, Spent
from runtimes.llm.metered import Metering
from runtimes.llm.prices import Price, Prices
from runtimes.llm.retry import RetryPolicy
from tests.llm_server.process import RunningServer, llm_server

HELLO: list[Message] = [{"role": "user", "content": "Hello."}]
MINE = Account(round="r", task_id="t", sample=0)


class Counting:
    """Every call takes 100 tokens; `gate` holds replies back, `busy` tells that `busy_at` calls are held."""

    provider = "local"
    model = "model-1"

    def __init__(
        self,
        reply: Callable[[int], Reply] | None = None,
        *,
        gate: asyncio.Event | None = None,
        busy_at: int = 1,
    ) -> None:
        self.asked = self.in_flight = 0
        self.reply = reply or (lambda number: said(f"reply {number}"))
        self.gate = gate
        self.busy_at = busy_at
        self.busy = asyncio.Event()

    async def complete(
        self,
        messages: list[Message],
        *,
        tools: list[dict[str, Any]] | None = None,
        sampling: Sampling = Sampling(),
        schema: dict[str, Any] | None = None,
    ) -> Reply:
        self.asked += 1
        self.in_flight += 1
        if self.in_flight >= self.busy_at:
            self.busy.set()
        if self.gate is not None:
            await self.gate.wait()
        self.in_flight -= 1
        return self.reply(self.asked)

    async def aclose(self) -> None:
        """Nothing is open."""


def said(text: str, **fields: Any) -> Reply:
    message = {"role": "assistant", "content": text}
    return Reply(**{"message": message, "prompt_tokens": 90, "completion_tokens": 10, **fields})


@pytest.fixture
async def cache(tmp_path: Path) -> AsyncIterator[ResponseCache]:
    cache = ResponseCache(SqliteStore(tmp_path / "cache.sqlite", 3600))
    yield cache
    await cache.aclose()


@pytest.fixture
def usage(tmp_path: Path) -> UsageTable:
    database = Database(f"sqlite:///{tmp_path}/adp.sqlite")
    database.upgrade()
    return UsageTable(database)


def priced(usage: UsageTable, dollars: float = 1.0, **limits: Any) -> Metering:
    """A ledger with limits, where a call of 100 tokens costs a hundredth of a cent times `dollars`."""
    prices = Prices({"model-1": Price(dollars, dollars)})
    return Metering(ledger=Ledger(usage, Limits(**limits)), prices=prices)


async def ask(model: ChatModel, text: str = "Hello.", **options: Any) -> Reply:
    return await model.complete([{"role": "user", "content": text}], **options)


async def ask_for_ever(model: ChatModel) -> None:
    while True:
        await ask(model, sampling=Sampling(max_tokens=10))


async def test_nothing_to_count_and_nothing_to_keep_leaves_the_model_itself() -> None:
    model = Counting()
    assert Metering().model_for(model, MINE) is model


async def test_the_same_request_is_asked_once_and_free_after(cache: ResponseCache) -> None:
    model, metering = Counting(), Metering(cache=cache, prices=Prices({"model-1": Price(1, 1)}))
    hits, misses = CACHE_HITS["response"], CACHE_MISSES["response"]
    first = await ask(metering.model_for(model, MINE))
    again = await ask(metering.model_for(model, MINE))
    assert (first.cached, again.cached, model.asked) == (False, True, 1)
    assert first.cost_usd == pytest.approx(0.0001)
    assert again.cost_usd == 0.0
    assert again == msgspec.structs.replace(first, cached=True, cost_usd=0.0)
    assert (CACHE_HITS["response"] - hits, CACHE_MISSES["response"] - misses) == (1, 1)


async def test_a_free_reply_of_an_unpriced_model_is_not_called_free(cache: ResponseCache) -> None:
    view = Metering(cache=cache).model_for(Counting(), MINE)
    assert [(await ask(view)).cost_usd, (await ask(view)).cost_usd] == [None, None]


async def test_another_sample_seed_tool_schema_model_or_word_is_another_request(cache: ResponseCache) -> None:
    model, metering = Counting(), Metering(cache=cache)
    mine = metering.model_for(model, MINE)
    await ask(mine)
    await ask(metering.model_for(model, Account(round="r", task_id="t", sample=1)))
    await ask(mine, sampling=Sampling(seed=1))
    await ask(mine, tools=[{"type": "function", "function": {"name": "f"}}])
    await ask(mine, schema={"type": "object"})
    await ask(mine, "Hello!")
    other = Counting()
    other.model = "model-2"
    await ask(metering.model_for(other, MINE))
    assert (model.asked, other.asked) == (6, 1)


async def test_another_round_or_task_with_the_same_request_is_the_same(cache: ResponseCache) -> None:
    model, metering = Counting(), Metering(cache=cache)
    await ask(metering.model_for(model, MINE))
    assert (await ask(metering.model_for(model, Account(round="r2", task_id="u")))).cached
    assert model.asked == 1


async def test_the_order_of_keys_makes_no_other_request(cache: ResponseCache) -> None:
    model = Counting()
    view = Metering(cache=cache).model_for(model, MINE)
    await view.complete([{"role": "user", "content": "x"}], schema={"a": 1, "b": 2})
    await view.complete([{"content": "x", "role": "user"}], schema={"b": 2, "a": 1})
    assert model.asked == 1


@pytest.mark.parametrize(
    "reply",
    [
        said("cut o", finish_reason="length"),
        said("", finish_reason="content_filter"),
        said(""),
        said("  \n"),
    ],
    ids=["truncated", "filtered", "empty", "blank"],
)
async def test_a_reply_that_is_not_whole_is_not_kept(cache: ResponseCache, reply: Reply) -> None:
    model = Counting(lambda number: reply)
    view = Metering(cache=cache).model_for(model, MINE)
    await ask(view)
    assert not (await ask(view)).cached
    assert model.asked == 2


async def test_a_call_that_fails_is_not_kept_and_not_counted(cache: ResponseCache, usage: UsageTable) -> None:
    def fail_first(number: int) -> Reply:
        if number == 1:
            raise ModelUnavailable("No server.")
        return said("fine")

    metering = Metering(cache=cache, ledger=Ledger(usage, Limits(round_tokens=1_000)))
    view = metering.model_for(Counting(fail_first), MINE)
    with pytest.raises(ModelUnavailable):
        await ask(view)
    assert not (await ask(view)).cached
    await metering.aclose()
    assert usage.spent(round="r").tokens == 100


async def test_text_that_no_encoding_holds_comes_back_as_it_was(cache: ResponseCache) -> None:
    model = Counting(lambda number: said("half a character: \ud83d"))
    view = Metering(cache=cache).model_for(model, MINE)
    for _ in range(2):
        reply = await ask(view, "and one \udc00 asked for")
        assert reply.message["content"] == "half a character: \ud83d"
    assert model.asked == 1


async def test_an_entry_of_another_version_is_as_good_as_none(cache: ResponseCache, tmp_path: Path) -> None:
    import sqlite3
    import zlib

    model = Counting()
    view = Metering(cache=cache).model_for(model, MINE)
    await ask(view)
    with sqlite3.connect(tmp_path / "cache.sqlite") as connection:
        connection.execute("UPDATE entries SET value = ?", (zlib.compress(b'{"messages": 1}'),))
    connection.close()
    assert not (await ask(view)).cached
    assert (await ask(view)).cached
    assert model.asked == 2


async def test_what_calls_took_is_counted_by_round_task_stage_and_provider(usage: UsageTable) -> None:
    metering = priced(usage)
    for account in (MINE, MINE, Account(round="r", stage="mutation"), Account(round="other", user="ada")):
        await ask(metering.model_for(Counting(), account))
    await metering.aclose()
    spent = usage.spent(round="r")
    assert (spent.tokens, spent.usd, spent.unpriced) == (300, pytest.approx(0.0003), 0)
    assert usage.spent(user="ada").tokens == 100
    by_stage = [
        (row.stage, row.provider, row.model, row.calls, row.spent.tokens) for row in usage.by_stage(["r"])
    ]
    assert by_stage == [("episode", "local", "model-1", 2, 200), ("mutation", "local", "model-1", 1, 100)]
    with usage.database.read() as connection:
        rows = connection.execute(llm_calls.select().where(llm_calls.c.task_id == "t")).all()
    assert [(row.prompt_tokens, row.completion_tokens) for row in rows] == [(90, 10)] * 2


async def test_trials_are_told_apart_from_the_episodes_of_a_round(usage: UsageTable) -> None:
    metering = priced(usage)
    for sample in (0, FIRST_SAMPLE, FIRST_SAMPLE + 1):
        await ask(metering.model_for(Counting(), Account(round="r", task_id="t", sample=sample)))
    await metering.aclose()
    assert [(row.stage, row.calls) for row in usage.by_stage(["r"])] == [("episode", 1), ("trial", 2)]


async def test_a_server_that_counts_no_tokens_is_held_to_the_limit_all_the_same(usage: UsageTable) -> None:
    metering = priced(usage, round_tokens=1_000)
    silent = Counting(lambda number: said("free?", prompt_tokens=0, completion_tokens=0))
    with pytest.raises(BudgetSpent):
        await ask_for_ever(metering.model_for(silent, MINE))
    assert 20 < silent.asked < 60
    await metering.aclose()
    assert 900 < usage.spent(round="r").tokens <= 1_000


async def test_an_unknown_price_is_counted_as_unknown(usage: UsageTable) -> None:
    metering = Metering(ledger=Ledger(usage))
    assert (await ask(metering.model_for(Counting(), MINE))).cost_usd is None
    await metering.aclose()
    assert (usage.spent(round="r").usd, usage.spent(round="r").unpriced) == (0.0, 1)


async def test_a_round_s_tokens_end_at_its_limit(usage: UsageTable) -> None:
    metering = priced(usage, round_tokens=1_010)
    model = Counting()
    with pytest.raises(BudgetSpent) as spent:
        await ask_for_ever(metering.model_for(model, MINE))
    assert model.asked == 10
    assert "Round r" in spent.value.message
    assert "1,000 of 1,010 tokens" in spent.value.message
    assert "ROUND_TOKEN_LIMIT" in spent.value.message
    assert "run again" in spent.value.remedy
    assert spent.value.user is None
    await ask(metering.model_for(model, Account(round="another", task_id="t")))


async def test_a_round_s_money_ends_at_its_limit(usage: UsageTable) -> None:
    metering = priced(usage, round_usd=0.00101)
    model = Counting()
    with pytest.raises(BudgetSpent, match="MAX_ROUND_COST_USD"):
        await ask_for_ever(metering.model_for(model, MINE))
    assert model.asked == 10


async def test_money_that_cannot_be_counted_is_not_spent_where_it_is_limited(usage: UsageTable) -> None:
    model = Counting()
    metering = Metering(ledger=Ledger(usage, Limits(round_usd=5.0)))
    with pytest.raises(BudgetSpent, match=r"no known price \(LLM_PRICES\)") as spent:
        await ask(metering.model_for(model, MINE))
    assert spent.value.remedy.startswith("Set its price in LLM_PRICES")
    assert model.asked == 0


async def test_a_user_s_day_ends_at_its_limit_and_the_next_begins_anew(usage: UsageTable) -> None:
    now = [1_800_000_000.0]
    ledger = Ledger(usage, Limits(user_tokens=250), clock=lambda: now[0])
    metering = Metering(ledger=ledger)
    ada, bob = (Account(round="r", user=name) for name in ("ada", "bob"))
    brief = Sampling(max_tokens=10)
    await ask(metering.model_for(Counting(), ada), sampling=brief)
    await ask(metering.model_for(Counting(), ada), sampling=brief)
    with pytest.raises(BudgetSpent, match=r"User ada on 2027-01-15 .*USER_TOKEN_LIMIT") as spent:
        await ask(metering.model_for(Counting(), ada), "x" * 300)
    assert spent.value.user == "ada"
    await ask(metering.model_for(Counting(), bob), sampling=brief)
    now[0] += 86_400
    await ask(metering.model_for(Counting(), ada), sampling=brief)
    await metering.aclose()


async def test_only_users_whose_calls_go_on_are_asked_for_again(usage: UsageTable) -> None:
    class Asked(UsageTable):
        reads = 0

        def spent(self, **of: Any) -> Spent:
            self.reads += 1
            return super().spent(**of)

    store, brief = Asked(usage.database), Sampling(max_tokens=10)
    ledger = Ledger(store, Limits(user_tokens=250))
    metering = Metering(ledger=ledger)
    for name in ("ada", *(f"user-{n}" for n in range(20))):
        await ask(metering.model_for(Counting(), Account(round="r", user=name)), sampling=brief)
    await ledger.flush()
    store.reads = 0
    await ledger.flush()
    assert store.reads == 0
    other = priced(usage, user_tokens=250)
    await ask(other.model_for(Counting(), Account(round="r", user="ada")), sampling=brief)
    await other.aclose()
    with pytest.raises(BudgetSpent, match="200 of 250"):
        await ask(metering.model_for(Counting(), Account(round="r", user="ada")), "x" * 300)
    assert store.reads == 1
    await metering.aclose()


async def test_an_episode_over_its_own_limit_has_failed_and_nobody_else(usage: UsageTable) -> None:
    metering = priced(usage, episode_tokens=250)
    episode, other = metering.model_for(Counting(), MINE), metering.model_for(Counting(), MINE)
    for _ in range(3):
        await ask(episode)
    with pytest.raises(ToolError, match=r"300 of 250 tokens \(TASK_TOKEN_LIMIT\)"):
        await ask(episode)
    await ask(other)
    synthesis = metering.model_for(Counting(), Account(round="r", stage="distillation"))
    for _ in range(5):
        await ask(synthesis)


async def test_an_episode_on_a_server_that_counts_no_tokens_ends_at_its_limit_too(usage: UsageTable) -> None:
    silent = Counting(lambda number: said("free?", prompt_tokens=0, completion_tokens=0))
    episode = priced(usage, episode_tokens=1_000).model_for(silent, MINE)
    with pytest.raises(ToolError, match="TASK_TOKEN_LIMIT"):
        await ask_for_ever(episode)
    assert silent.asked < 60


async def test_an_episode_of_cached_replies_ends_where_the_paid_one_ended(
    cache: ResponseCache, usage: UsageTable
) -> None:
    model, metering = Counting(), Metering(cache=cache, ledger=Ledger(usage, Limits(episode_tokens=250)))
    for _ in range(2):
        episode = metering.model_for(model, MINE)
        for word in ("one", "two", "three"):
            await ask(episode, word)
        with pytest.raises(ToolError):
            await ask(episode, "four")
    assert model.asked == 3


async def test_replies_that_were_paid_are_given_though_the_budget_is_spent(
    cache: ResponseCache, usage: UsageTable
) -> None:
    model = Counting()
    metering = Metering(cache=cache, ledger=Ledger(usage, Limits(round_tokens=150)))
    view = metering.model_for(model, MINE)
    await ask(view, sampling=Sampling(max_tokens=10))
    with pytest.raises(BudgetSpent):
        await ask(view, "x" * 300)
    assert (await ask(view, sampling=Sampling(max_tokens=10))).cached


async def test_calls_in_flight_are_reserved_and_waited_for(usage: UsageTable) -> None:
    """Fifty callers at once and room for ten: no more are asked, and the room is used up."""
    gate = asyncio.Event()
    model, metering = Counting(gate=gate, busy_at=8), priced(usage, round_tokens=1_100)
    brief = Sampling(max_tokens=72)  # with the request's own, about the hundred tokens a call takes

    async def call() -> bool:
        try:
            await ask(metering.model_for(model, MINE), "x" * 20, sampling=brief)
        except BudgetSpent:
            return False
        return True

    await ask(metering.model_for(Counting(), MINE), sampling=brief)  # now what was spent before is known
    calls = [asyncio.create_task(call()) for _ in range(50)]
    await model.busy.wait()
    await asyncio.sleep(0)  # the rest have begun, too
    assert model.in_flight <= 10
    assert not any(task.done() for task in calls)
    gate.set()
    answered = sum(await asyncio.gather(*calls))
    assert answered == model.asked
    assert 9 <= answered <= 10
    await metering.aclose()
    assert usage.spent(round="r").tokens <= 1_100


async def test_a_reply_says_how_long_its_call_waited_for_room_in_the_budget(usage: UsageTable) -> None:
    gate = asyncio.Event()
    model, metering = Counting(gate=gate), priced(usage, round_tokens=240)
    view, brief = metering.model_for(model, MINE), Sampling(max_tokens=10)
    first, second = (asyncio.create_task(ask(view, "x" * 300, sampling=brief)) for _ in range(2))
    await model.busy.wait()
    began = time.monotonic()
    assert model.asked == 1
    gate.set()
    await first
    held = time.monotonic() - began
    assert (await second).waited >= held


async def test_a_call_that_is_cancelled_gives_its_reservation_back(usage: UsageTable) -> None:
    gate = asyncio.Event()
    model, metering = Counting(gate=gate), priced(usage, round_tokens=150)
    view = metering.model_for(model, MINE)
    held = asyncio.create_task(ask(view, sampling=Sampling(max_tokens=10)))
    await model.busy.wait()
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    gate.set()
    await ask(view, "x" * 100, sampling=Sampling(max_tokens=10))


async def test_what_another_process_spent_counts_too(usage: UsageTable) -> None:
    brief = Sampling(max_tokens=10)
    one, two = priced(usage, round_tokens=450), priced(usage, round_tokens=450)
    await ask(one.model_for(Counting(), MINE), sampling=brief)
    await ask(two.model_for(Counting(), MINE), sampling=brief)
    for ledger in (one.ledger, two.ledger, one.ledger):
        assert ledger is not None
        await ledger.flush()
    await ask(one.model_for(Counting(), MINE), sampling=brief)
    await ask(one.model_for(Counting(), MINE), sampling=brief)
    with pytest.raises(BudgetSpent, match="400 of 450"):
        await ask(one.model_for(Counting(), MINE), "x" * 150, sampling=brief)


async def test_a_new_process_goes_on_counting_where_the_last_one_ended(usage: UsageTable) -> None:
    for _ in range(2):
        metering = priced(usage, round_tokens=250)
        await ask(metering.model_for(Counting(), MINE), sampling=Sampling(max_tokens=10))
        await metering.aclose()
    with pytest.raises(BudgetSpent, match="200 of 250"):
        await ask(priced(usage, round_tokens=250).model_for(Counting(), MINE), "x" * 300)


async def test_rows_the_database_did_not_take_are_written_the_next_time(usage: UsageTable) -> None:
    class Shaky(UsageTable):
        down = True

        def write(self, calls: Any) -> None:
            if self.down:
                raise OSError("disk full")
            super().write(calls)

    shaky = Shaky(usage.database)
    ledger = Ledger(shaky, Limits(round_tokens=350))
    view = Metering(ledger=ledger).model_for(Counting(), MINE)
    for _ in range(2):
        await ask(view, sampling=Sampling(max_tokens=10))
        with pytest.raises(OSError, match="disk full"):
            await ledger.flush()
    with pytest.raises(BudgetSpent, match="200 of 350"):
        await ask(view, "x" * 600)
    shaky.down = False
    await ledger.aclose()
    assert usage.spent(round="r").tokens == 200


async def test_a_real_server_is_asked_once_for_the_same_thing(
    cache: ResponseCache, usage: UsageTable
) -> None:
    with llm_server("steps", turns=2) as server:
        model = client(server, "vllm")
        metering = Metering(cache=cache, ledger=Ledger(usage))
        replies = [await ask(metering.model_for(model, MINE)) for _ in range(3)]
        await metering.aclose()
        await model.aclose()
        assert [reply.cached for reply in replies] == [False, True, True]
        assert replies[2].message == replies[0].message
        assert server.stats()["replies"] == {"200": 1}
    assert usage.spent(round="r").tokens == replies[0].prompt_tokens + replies[0].completion_tokens


async def test_an_episode_that_lost_its_provider_is_repeated_with_the_next_and_not_from_the_cache(
    cache: ResponseCache,
) -> None:
    """Its first reply is in the cache; given again, it would hold the conversation to one that is gone."""
    metering = Metering(cache=cache)
    with llm_server("steps", turns=2) as second:
        with llm_server("steps", turns=2) as first:
            clients = [client(server, name) for server, name in ((first, "openai"), (second, "vllm"))]
            model = Failover(clients)
            lost = metering.model_for(model, MINE)
            reply = await lost.complete(HELLO)
            assert reply.provider == "openai"
        going_on = [*HELLO, reply.message, {"role": "user", "content": "Go on."}]
        with pytest.raises(ModelUnavailable):
            await lost.complete(going_on)
        repeated = metering.model_for(model, MINE)
        reply = await repeated.complete(HELLO)
        assert (reply.provider, reply.cached) == ("vllm", False)
        going_on = [*HELLO, reply.message, {"role": "user", "content": "Go on."}]
        assert (await repeated.complete(going_on)).provider == "vllm"
        await model.aclose()


async def test_an_episode_whose_only_provider_was_away_goes_on_from_the_cache(cache: ResponseCache) -> None:
    metering = Metering(cache=cache)
    with llm_server("steps", turns=2) as server:
        model = Failover([client(server, "vllm")], deadline=1)
        view = metering.model_for(model, MINE)
        reply = await view.complete(HELLO)
    with pytest.raises(ModelUnavailable):
        await view.complete([*HELLO, reply.message, {"role": "user", "content": "Go on."}])
    assert (await metering.model_for(model, MINE).complete(HELLO)).cached
    await model.aclose()


def client(server: RunningServer, provider: str) -> OpenAIChat:
    return OpenAIChat(
        provider=provider, model="m", base_url=server.url, api_key="none", retry=RetryPolicy(tries=1)
    )
