"""A model as one caller sees it: what was paid once comes from the cache, the rest is counted and limited."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from runtimes.contracts import Message
from runtimes.errors import ModelUnavailable, ToolError
from runtimes.llm.base import Account, ChatModel, Reply, Sampling
from runtimes.llm.cache import ResponseCache, canonical, request_key
from runtimes.llm.failover import Failover
from runtimes.llm.faults import OutOfCredit
from runtimes.llm.ledger import Call, Ledger, Spent
from runtimes.llm.prices import Prices

BYTES_PER_TOKEN = 3
"""Few enough that a conversation's tokens are seldom more than expected: English has four, Chinese three."""

EXPECTED_REPLY_TOKENS = 500
"""Of a reply, before any was seen."""


@dataclass
class Metering:
    """What all callers of one process share: the cache, the ledger and the prices. Each may be left out."""

    cache: ResponseCache | None = None
    ledger: Ledger | None = None
    prices: Prices = field(default_factory=Prices)

    def model_for(self, model: ChatModel, account: Account) -> ChatModel:
        """`model` as `account`'s own; the model itself where nothing is to be counted or kept.

        So it is where an earlier solution is done again, whose replies nobody pays for.
        """
        if self.cache is None and self.ledger is None:
            return model
        return MeteredModel(model, account, self)

    async def aclose(self) -> None:
        try:
            if self.ledger is not None:
                await self.ledger.aclose()
        finally:
            if self.cache is not None:
                await self.cache.aclose()


class MeteredModel:
    """One caller's view of a model, for one try of one episode or for one other piece of work.

    Beside what the model raises, `complete` raises BudgetSpent at a limit of the round or the user, and
    ToolError at the episode's own. Replies from the cache count against the episode's alone: an episode that
    runs again ends where it ended before, and pays nothing for it. Closing it leaves the model open.
    """

    def __init__(self, model: ChatModel, account: Account, metering: Metering) -> None:
        self.provider, self.model = model.provider, model.model
        self._model = model
        self._account = account
        self._metering = metering
        self._attempt = uuid.uuid4().hex
        self._tokens = 0
        self._replied = 0
        self._keys: list[str] = []
        self._calls = 0

    async def complete(
        self,
        messages: list[Message],
        *,
        tools: list[dict[str, Any]] | None = None,
        sampling: Sampling = Sampling(),
        schema: dict[str, Any] | None = None,
    ) -> Reply:
        self._check_episode()
        request = canonical(messages, tools, sampling, schema)
        expected = _Tokens(len(request) // BYTES_PER_TOKEN, self._usual_reply(sampling))
        cache, key = self._metering.cache, ""
        reply: Reply | None = None
        if cache is not None:
            key = request_key(self.provider, self.model, self._account.sample, request)
            reply = await cache.get(key)
        if reply is not None and isinstance(self._model, Failover):
            self._model.remember(reply)
        if reply is None:
            try:
                reply = await self._pay(
                    expected,
                    lambda: self._model.complete(messages, tools=tools, sampling=sampling, schema=schema),
                )
            except (ModelUnavailable, OutOfCredit):
                await self._forget()
                raise
            if cache is not None:
                await cache.put(key, reply)
        self._keys.append(key)
        self._tokens += sum(_counted(reply, expected))
        return reply

    async def aclose(self) -> None:
        """Nothing is its own."""

    async def _forget(self) -> None:
        """Let the episode be repeated with another provider, where there is one, when its own is gone.

        A conversation stays with whoever gave its last reply: from the cache, that would be the lost one.
        """
        cache, model = self._metering.cache, self._model
        several = isinstance(model, Failover) and len(model.clients) > 1
        if cache is not None and several and self._account.stage == "episode":
            for key in self._keys:
                await cache.forget(key)

    def _check_episode(self) -> None:
        ledger = self._metering.ledger
        most = ledger.limits.episode_tokens if ledger is not None else None
        if self._account.stage == "episode" and most is not None and self._tokens >= most:
            raise ToolError(
                "runtime_error", f"The episode took {self._tokens:,} of {most:,} tokens (TASK_TOKEN_LIMIT)."
            )

    async def _pay(self, expected: _Tokens, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        ledger = self._metering.ledger
        if ledger is None:
            return self._priced(await ask(), expected)
        cost = None
        if ledger.limits.round_usd is not None:
            cost = self._metering.prices.cost(self.provider, self.model, *expected)
        asked = time.monotonic()
        async with ledger.reserved(self._account, Spent.of(sum(expected), cost)) as count:
            at, clock = time.time(), time.monotonic()
            reply = self._priced(await ask(), expected)
            reply = msgspec.structs.replace(reply, waited=reply.waited + clock - asked)
            tokens = _counted(reply, expected)
            self._calls += 1
            self._replied += tokens.completion
            count(
                Call(
                    attempt=self._attempt,
                    number=self._calls,
                    account=self._account,
                    provider=reply.provider,
                    model=reply.model,
                    prompt_tokens=tokens.prompt,
                    completion_tokens=tokens.completion,
                    cost_usd=reply.cost_usd,
                    at=at,
                    seconds=time.monotonic() - clock,
                )
            )
            return reply

    def _priced(self, reply: Reply, expected: _Tokens) -> Reply:
        """The reply with who gave it and what it cost, where the model has not said so."""
        provider, model = reply.provider or self.provider, reply.model or self.model
        cost = reply.cost_usd
        if cost is None:
            cost = self._metering.prices.cost(provider, model, *_counted(reply, expected))
        return msgspec.structs.replace(reply, provider=provider, model=model, cost_usd=cost)

    def _usual_reply(self, sampling: Sampling) -> int:
        """Tokens of a reply, going by those before it."""
        usual = self._replied // self._calls if self._calls else EXPECTED_REPLY_TOKENS
        return usual if sampling.max_tokens is None else min(usual, sampling.max_tokens)


class _Tokens(NamedTuple):
    prompt: int
    completion: int


def _counted(reply: Reply, expected: _Tokens) -> _Tokens:
    """The tokens of a call; a server that does not count them is taken to have used what was expected."""
    if reply.prompt_tokens or reply.completion_tokens:
        return _Tokens(reply.prompt_tokens, reply.completion_tokens)
    return expected
