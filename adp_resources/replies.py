"""What models replied to distillation and mutation, kept for good, so that a round made again is the same.

Episodes have the response cache, whose entries end, and the journal, which keeps what came of them. The
stages that ask whole batches of questions have their replies here instead: none is paid for twice.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from dataclasses import replace

import sqlalchemy as sa

from adp_resources.database import Database, upsert
from adp_resources.tables import llm_replies
from runtimes.cache_store import WithoutSecrets
from runtimes.llm.base import BUILTIN, Account, ChatModel
from runtimes.llm.cache import ResponseCache
from runtimes.llm.metered import Metering
from runtimes.secrets import Redactor


class KeptReplies:
    """The table of replies as a store of the response cache, in which nothing ends.

    Unlike a cache it raises what the database does: going on would pay for what cannot be kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> bytes | None:
        return await asyncio.to_thread(self._get, key)

    async def put(self, key: str, value: bytes) -> None:
        await asyncio.to_thread(self._put, key, value)

    async def remove(self, key: str) -> None:
        await asyncio.to_thread(self._remove, key)

    async def aclose(self) -> None:
        """The database is its owner's to close."""

    def _get(self, key: str) -> bytes | None:
        query = sa.select(llm_replies.c.reply).where(llm_replies.c.key == key)
        with self._database.read() as connection:
            found = connection.execute(query).scalar()
        return zlib.decompress(found) if found is not None else None

    def _put(self, key: str, value: bytes) -> None:
        row = {"key": key, "reply": zlib.compress(value, 1), "kept_at": time.time()}
        with self._database.begin() as connection:
            upsert(connection, llm_replies, [row])

    def _remove(self, key: str) -> None:
        with self._database.begin() as connection:
            connection.execute(sa.delete(llm_replies).where(llm_replies.c.key == key))


def asked_once(
    model: ChatModel, metering: Metering, account: Account, database: Database, redactor: Redactor
) -> ChatModel:
    """`model` as `account`'s own, each reply of which is kept in place of being cached for a while.

    The built-in teacher's are not: they cost nothing and are the same anyway. Nor is one that holds a secret.
    """
    if model.provider != BUILTIN:
        store = WithoutSecrets(KeptReplies(database), redactor)
        metering = replace(metering, cache=ResponseCache(store))
    return metering.model_for(model, account)
