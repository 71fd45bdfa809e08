"""Replies that were paid for once: the response cache over a store of bytes.

The key is the whole request in one canonical form, with the provider, the model and the number of the sample:
samples of a task differ even where a provider ignores the seed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any

import msgspec

from runtimes.cache_store import CacheStore
from runtimes.contracts import Message
from runtimes.counters import count_lookup
from runtimes.llm.base import Reply, Sampling

log = logging.getLogger(__name__)

CACHE_TYPE = "response"
PREFIX = "response_cache:"
_SPOILED = {"length", "content_filter"}
"""Finish reasons of replies that were cut off."""


class ResponseCache:
    """Replies by request. What the store gives back is read with care: it may be of another version."""

    def __init__(self, store: CacheStore) -> None:
        self.store = store

    async def get(self, key: str) -> Reply | None:
        """The reply that was kept, marked as cached and free where its price was known."""
        found = await self.store.get(PREFIX + key)
        reply = _read(found) if found is not None else None
        count_lookup(CACHE_TYPE, reply is not None)
        if reply is None:
            return None
        cost = None if reply.cost_usd is None else 0.0
        return msgspec.structs.replace(reply, cached=True, waited=0.0, cost_usd=cost)

    async def put(self, key: str, reply: Reply) -> None:
        """Keep a reply that is whole; one that was cut off or holds nothing may come better next time."""
        if reply.finish_reason not in _SPOILED and _says_something(reply.message):
            # Not msgspec's encoder: a model's text may hold lone surrogates, and must come back as it was.
            await self.store.put(PREFIX + key, json.dumps(msgspec.to_builtins(reply)).encode())

    async def forget(self, key: str) -> None:
        """Let the request be answered anew."""
        await self.store.remove(PREFIX + key)

    async def aclose(self) -> None:
        await self.store.aclose()


def canonical(
    messages: list[Message],
    tools: list[dict[str, Any]] | None,
    sampling: Sampling,
    schema: dict[str, Any] | None,
) -> bytes:
    """A request as bytes that are the same whenever the request is."""
    request = [messages, tools, msgspec.to_builtins(sampling), schema]
    try:
        return msgspec.json.encode(request, order="deterministic")
    except UnicodeEncodeError:
        return json.dumps(request, sort_keys=True).encode()


def request_key(provider: str, model: str, sample: int, request: bytes) -> str:
    """The key of a canonical request, 64 hexadecimal digits."""
    digest = hashlib.sha256(f"{provider}\0{model}\0{sample}\0".encode())
    digest.update(request)
    return digest.hexdigest()


def _says_something(message: Message) -> bool:
    return bool(message.get("tool_calls") or (message.get("content") or "").strip())


def _read(found: bytes) -> Reply | None:
    try:
        return msgspec.convert(json.loads(found), Reply)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        log.warning("an entry of the response cache cannot be read and is not used: %s", error)
        return None
