"""Several providers as one model: the first that works answers, within the deadline of a call."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from runtimes.contracts import Message
from runtimes.errors import InfrastructureError, ModelUnavailable
from runtimes.llm.base import Reply, Sampling
from runtimes.llm.catalog import echoing
from runtimes.llm.client import OpenAIChat, OutOfOrder
from runtimes.llm.faults import OutOfCredit

log = logging.getLogger(__name__)

DEADLINE_SECONDS = 600.0
MOST_REMEMBERED = 20_000
"""Conversations whose author is remembered: more than are ever under way."""


class Failover:
    """Asks the first of `clients`, in their order, that is in order; a reply says who gave it.

    Providers change between conversations, never inside one: a conversation goes on with whoever gave its
    last assistant message, and fails when that one does. Others refuse its thought signatures; a request is
    never altered, so that the record says exactly what was sent; and a trajectory has one author. Whoever
    runs episodes repeats such a one from its start, which then is elsewhere.

    With nobody else to ask, it waits for a provider that is out of order, if that was ever heard of:
    otherwise its address is more likely wrong than the provider down. `deadline` is in seconds, for one call
    with all its waits and tries; a wait that would outlast it is not begun.
    """

    def __init__(self, clients: Sequence[OpenAIChat], *, deadline: float = DEADLINE_SECONDS) -> None:
        self.clients = tuple(clients)
        self.provider = self.clients[0].provider
        self.model = self.clients[0].model
        self._deadline = deadline
        self._authors: dict[int, OpenAIChat] = {}

    async def complete(
        self,
        messages: list[Message],
        *,
        tools: list[dict[str, Any]] | None = None,
        sampling: Sampling = Sampling(),
        schema: dict[str, Any] | None = None,
    ) -> Reply:
        asked = self._clients_for(messages)
        try:
            async with asyncio.timeout(self._deadline) as clock:
                return await self._first_reply(
                    asked,
                    lambda client: client.complete(messages, tools=tools, sampling=sampling, schema=schema),
                )
        except TimeoutError as error:
            if not clock.expired():
                raise
            raise ModelUnavailable(
                f"No reply within {self._deadline:g} s from {_places(asked)}.{_last_faults(asked)}",
                "Raise LLM_DEADLINE or run fewer tasks at once.",
            ) from error

    async def aclose(self) -> None:
        async with AsyncExitStack() as stack:  # one that fails leaves none of the others open
            for client in self.clients:
                stack.push_async_callback(client.aclose)

    async def _first_reply(
        self, asked: Sequence[OpenAIChat], ask: Callable[[OpenAIChat], Awaitable[Reply]]
    ) -> Reply:
        began = time.monotonic()
        while True:
            faults: list[InfrastructureError] = []
            for client in asked:
                before = time.monotonic() - began
                try:
                    reply = await ask(client)
                except (ModelUnavailable, OutOfCredit) as fault:
                    faults.append(fault)
                    if len(self.clients) > 1 and not isinstance(fault, OutOfOrder):
                        log.warning("%s", fault.message)
                else:
                    self._remember(reply, client)
                    return msgspec.structs.replace(reply, waited=reply.waited + before)
            waits = [
                fault.retry_in
                for client, fault in zip(asked, faults, strict=True)
                if isinstance(fault, OutOfOrder) and client.has_answered
            ]
            wait = min(waits, default=math.inf) * random.uniform(1.0, 1.1)
            if len(asked) < len(self.clients) or time.monotonic() - began + wait > self._deadline:
                raise _all(faults)
            await asyncio.sleep(wait)

    def _clients_for(self, messages: list[Message]) -> Sequence[OpenAIChat]:
        """Its author for a conversation under way, else all."""
        if len(self.clients) == 1:
            return self.clients
        said = [message for message in reversed(messages) if message.get("role") == "assistant"]
        for message in said:
            if author := self._authors.get(_key(message)):
                return (author,)
        # Not of this process: from the response cache, or a replay. Their own keys tell some authors.
        names = {row.name for message in said if (row := echoing(message))}
        return tuple(client for client in self.clients if client.provider in names) or self.clients

    def remember(self, reply: Reply) -> None:
        """Know whose a reply is that did not come by `complete` but from a cache."""
        for client in self.clients:
            if (client.provider, client.model) == (reply.provider, reply.model):
                self._remember(reply, client)
                return

    def _remember(self, reply: Reply, client: OpenAIChat) -> None:
        if len(self.clients) == 1:
            return
        if len(self._authors) >= MOST_REMEMBERED:
            del self._authors[next(iter(self._authors))]
        self._authors[_key(reply.message)] = client


def _key(message: Message) -> int:
    """Equal for a reply and for what goes back of it, in which keys without a value may come or go."""
    return hash(json.dumps({key: value for key, value in message.items() if value}, sort_keys=True))


def _places(clients: Sequence[OpenAIChat]) -> str:
    return " or ".join(client.place for client in clients)


def _last_faults(clients: Sequence[OpenAIChat]) -> str:
    told = [f"{client.provider}: {client.last_fault}" for client in clients if client.last_fault]
    return f" The last faults were {'; '.join(told)}." if told else ""


def _all(faults: Sequence[InfrastructureError]) -> InfrastructureError:
    """One error of several: OutOfCredit only if nobody has any, since nothing but money helps then."""
    if len(faults) == 1:
        return faults[0]
    message = "No provider answers. " + " ".join(fault.message for fault in faults)
    if all(isinstance(fault, OutOfCredit) for fault in faults):
        return OutOfCredit(message, faults[0].remedy)
    return ModelUnavailable(message, next(f for f in faults if not isinstance(f, OutOfCredit)).remedy)
