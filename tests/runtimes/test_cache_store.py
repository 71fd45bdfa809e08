"""Stores of cache entries, in a real file and a real Redis: what lasts, how long, and what spoils nothing."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtimes.cache_store import PRUNE_EVERY, CacheStore, SqliteStore
from runtimes.errors import ConfigurationError
from runtimes.redis_store import RedisStore
from tests.adp_resources.disks import small_disk
from tests.llm_server.process import ROOT
from tests.redis_server import redis_server

VALUE = "汉字 and \x00 bytes".encode()


@pytest.fixture(params=["sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CacheStore]:
    if request.param == "sqlite":
        kept: CacheStore = SqliteStore(tmp_path / "cache.sqlite", 60)
        yield kept
        await kept.aclose()
        return
    with redis_server(tmp_path) as server:
        kept = RedisStore(server.url, 60)
        yield kept
        await kept.aclose()


async def test_an_entry_comes_back_as_it_was_and_the_newest_wins(store: CacheStore) -> None:
    assert await store.get("a") is None
    await store.put("a", VALUE)
    await store.put("b", b"")
    assert (await store.get("a"), await store.get("b")) == (VALUE, b"")
    await store.put("a", b"newer")
    assert await store.get("a") == b"newer"
    await store.remove("a")
    await store.remove("never there")
    assert (await store.get("a"), await store.get("b")) == (None, b"")


async def test_many_at_once_get_each_its_own(store: CacheStore) -> None:
    await asyncio.gather(*(store.put(f"k{number}", b"%d" % number) for number in range(100)))
    found = await asyncio.gather(*(store.get(f"k{number}") for number in range(100)))
    assert found == [b"%d" % number for number in range(100)]


async def test_an_entry_is_gone_when_its_time_is_over(tmp_path: Path) -> None:
    now = [1000.0]
    store = SqliteStore(tmp_path / "cache.sqlite", 60, clock=lambda: now[0])
    await store.put("a", b"1")
    now[0] += 59
    assert await store.get("a") == b"1"
    now[0] += 1
    assert await store.get("a") is None
    await store.aclose()


async def test_entries_out_of_time_leave_the_file(tmp_path: Path) -> None:
    import sqlite3

    now = [1000.0]
    store = SqliteStore(tmp_path / "cache.sqlite", 60, clock=lambda: now[0])
    for number in range(PRUNE_EVERY - 1):
        await store.put(f"old-{number}", b"1")
    now[0] += 61
    await store.put("new", b"1")
    with sqlite3.connect(tmp_path / "cache.sqlite") as connection:
        assert [row[0] for row in connection.execute("SELECT key FROM entries")] == ["new"]
    connection.close()
    await store.aclose()


async def test_redis_drops_an_entry_when_its_time_is_over(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url, 3600)
        await store.put("a", b"1")
        assert 3590 <= int(server.cli("TTL", "a")) <= 3600
        await store.aclose()


_OTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
from runtimes.cache_store import SqliteStore

async def main(path, name):
    store = SqliteStore(Path(path), 60)
    for number in range(300):
        await store.put(f"{name}-{number}", name.encode())
        await store.put("shared", name.encode())
        assert (await store.get(f"{name}-{number}")) == name.encode()
    await store.aclose()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_several_processes_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    command = [sys.executable, "-c", _OTHER_PROCESS, str(path)]
    writers = [
        await asyncio.create_subprocess_exec(*command, name, cwd=ROOT) for name in ("one", "two", "three")
    ]
    assert await asyncio.gather(*(writer.wait() for writer in writers)) == [0, 0, 0]
    store = SqliteStore(path, 60)
    for name in ("one", "two", "three"):
        assert [await store.get(f"{name}-{number}") for number in range(300)] == [name.encode()] * 300
    assert await store.get("shared") in (b"one", b"two", b"three")
    await store.aclose()


async def test_a_file_that_is_no_database_costs_nothing_but_its_entries(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "cache.sqlite"
    path.write_bytes(b"no database at all" * 500)
    store = SqliteStore(path, 60)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await store.put("a", b"1")
            assert await store.get("a") is None
    await store.aclose()
    [record] = caplog.records
    assert "file is not a database" in record.getMessage()
    assert str(path) in record.getMessage()


async def test_a_damaged_entry_is_as_good_as_none(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "cache.sqlite"
    store = SqliteStore(path, 60)
    await store.put("a", VALUE)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entries SET value = x'00ff00ff'")
    connection.close()
    assert await store.get("a") is None
    await store.put("a", b"2")
    assert await store.get("a") == b"2"
    await store.aclose()


async def test_a_full_disk_is_logged_once_and_what_was_kept_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import os

    with small_disk(tmp_path / "small", 512) as folder:
        store = SqliteStore(folder / "cache.sqlite", 60)
        await store.put("first", VALUE)
        with caplog.at_level(logging.WARNING):
            for number in range(30):
                await store.put(f"big-{number}", os.urandom(50_000))
        assert await store.get("first") == VALUE
        assert await store.get("big-29") is None
        await store.aclose()
    assert len(caplog.records) == 1
    assert "full" in caplog.text


async def test_a_redis_that_is_gone_or_refuses_is_as_good_as_empty(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with redis_server(tmp_path) as server:
        stranger = RedisStore(server.url.replace("sesame", "wrong"), 60)
        await stranger.put("a", b"1")
        assert await stranger.get("a") is None
        assert "WRONGPASS" in caplog.text
        assert "wrong@" not in caplog.text
        store = RedisStore(server.url, 60)
        await store.put("a", b"1")
        server.process.kill()
        server.process.wait()
        assert await store.get("a") is None
        await store.put("a", b"2")
        await store.aclose()


async def test_a_closed_store_opens_no_connection_again(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url, 60)
        await store.put("a", b"1")
        await store.aclose()
        assert await store.get("a") is None
        assert server.cli("EXISTS", "a").strip().endswith("1")


async def test_a_call_that_is_cancelled_does_not_mix_up_the_next_ones_reply(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url, 60)
        await store.put("a", b"1")
        await store.put("b", b"2")
        server.cli("CLIENT", "PAUSE", "500")
        cut_off = asyncio.create_task(store.get("a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        cut_off.cancel()
        await asyncio.gather(cut_off, return_exceptions=True)
        assert await store.get("b") == b"2"
        await store.aclose()


@pytest.mark.parametrize("url", ["redis://h:port/0", "redis://h:6379/first"])
def test_an_address_that_is_none_is_said_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        RedisStore(url, 60)
