"""Rounds on a real server: replies that are paid once, and limits that stop a round to be gone on with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from adp_resources.database import Database
from adp_resources.fanout import LocalFanOut, Work
from adp_resources.journal import Journal
from adp_resources.tables import journal as journal_table
from adp_resources.tables import rounds
from adp_resources.usage import UsageTable
from runtimes.cache_store import CacheStore, SqliteStore
from runtimes.contracts import TaskSpec, Verifier
from runtimes.llm.cache import ResponseCache
from runtimes.llm.client import OpenAIChat
from runtimes.llm.ledger import Ledger, Limits
from runtimes.llm.metered import Metering
from runtimes.llm.retry import RetryPolicy
from runtimes.redis_store import RedisStore
from runtimes.services import Services
from runtimes.template_cache import TemplateCache
from runtimes.web.browser.pool import BrowserPool
from sandbox import SandboxPool
from tests.llm_server.process import ROOT, RunningServer, llm_server
from tests.redis_server import redis_server

ONCE = RetryPolicy(tries=1)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """Every task takes two calls: one run of code, then the answer 1."""
    with llm_server("steps", turns=1) as running:
        yield running


def engine(
    server: RunningServer,
    journal: Journal,
    store: Callable[[], CacheStore] | None = None,
    limits: Limits = Limits(),
    episodes: int = 4,
    templates: Callable[[], CacheStore] | None = None,
) -> LocalFanOut:
    def services() -> Services:
        model = OpenAIChat(provider="vllm", model="m", base_url=server.url, api_key="none", retry=ONCE)
        cache = ResponseCache(store()) if store is not None else None
        ledger = Ledger(UsageTable(journal.database), limits)
        metering = Metering(cache=cache, ledger=ledger)
        cache_of_templates = TemplateCache(templates()) if templates is not None else None
        pools = SandboxPool(slots=2), BrowserPool()
        return Services(model, *pools, metering=metering, templates=cache_of_templates)

    return LocalFanOut(services, journal, episodes, ONCE)


def work(count: int, samples: int = 1, name: str = "t") -> list[Work]:
    tasks = [
        TaskSpec(
            task_id=f"{name}-{number:02}",
            task_type="code",
            description=f"Square the numbers below {number}.",
            verifier=Verifier("numeric", {"expected": 1}),
        ).named()
        for number in range(count)
    ]
    return [(task, sample) for task in tasks for sample in range(samples)]


def never() -> bool:
    return False


def answered(server: RunningServer) -> int:
    return int(server.stats()["replies"].get("200", 0))


def forget(database: Database, round: str) -> None:
    with database.begin() as connection:
        connection.execute(sa.delete(journal_table).where(journal_table.c.round == round))


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_finished_round_that_is_executed_anew_asks_the_model_nothing(
    kind: str, server: RunningServer, journal: Journal, tmp_path: Path
) -> None:
    def run_twice(store: Callable[[], CacheStore]) -> None:
        before = answered(server)
        engine(server, journal, store).run("r", "code", work(4, samples=2), never)
        first = list(journal.read_round("r"))
        assert answered(server) - before == 16
        forget(journal.database, "r")
        engine(server, journal, store).run("r", "code", work(4, samples=2), never)
        again = list(journal.read_round("r"))
        assert answered(server) - before == 16
        assert [t.messages() for t in again] == [t.messages() for t in first]
        assert {t.outcome for t in again} == {"solved"}
        assert {t.metadata.get("cached_replies") for t in first} == {None}
        assert {t.metadata.get("cached_replies") for t in again} == {2}

    if kind == "sqlite":
        run_twice(lambda: SqliteStore(tmp_path / "cache.sqlite", 3600))
    else:
        with redis_server(tmp_path) as redis:
            run_twice(lambda: RedisStore(redis.url, 3600))
            assert all(key.startswith("response_cache:") for key in redis.cli("KEYS", "*").splitlines())


def test_whose_task_it_is_reaches_the_ledger(server: RunningServer, journal: Journal) -> None:
    [(task, sample)] = work(1)
    ours = msgspec.structs.replace(task, metadata={"user_id": "ada"})
    engine(server, journal).run("r", "code", [(ours, sample)], never)
    usage = UsageTable(journal.database)
    assert 0 < usage.spent(user="ada").tokens == usage.spent(round="r").tokens
    assert usage.spent(user="").tokens == 0


def test_samples_of_a_task_are_each_asked_for(
    server: RunningServer, journal: Journal, tmp_path: Path
) -> None:
    before = answered(server)
    engine(server, journal, lambda: SqliteStore(tmp_path / "c.sqlite", 3600)).run(
        "r", "code", work(1, samples=3), never
    )
    assert answered(server) - before == 6


def test_repeated_tasks_cost_less_than_half_the_tokens(
    server: RunningServer, journal: Journal, tmp_path: Path
) -> None:
    """Another round with the same descriptions under other ids: all are done and graded, none is paid."""

    def store() -> CacheStore:
        return SqliteStore(tmp_path / "cache.sqlite", 3600)

    usage = UsageTable(journal.database)
    engine(server, journal, templates=store).run("one", "code", work(6), never)
    engine(server, journal, templates=store).run("two", "code", work(6, name="again"), never)
    first, second = (usage.spent(round=name).tokens for name in ("one", "two"))
    assert second <= first / 2
    again = list(journal.read_round("two"))
    assert [(t.outcome, t.metadata["cache_hit"], t.prompt_tokens) for t in again] == [("solved", True, 0)] * 6
    engine(server, journal, templates=store).run("three", "code", work(2, samples=2, name="k"), never)
    rest = [(task, sample) for task, sample in work(2, samples=2, name="l") if sample == 0]
    engine(server, journal, templates=store).run("four", "code", work(2, samples=2, name="l")[1::2], never)
    engine(server, journal, templates=store).run("four", "code", rest, never)
    for name in ("three", "four"):
        assert not any(t.metadata["cache_hit"] for t in journal.read_round(name))


@pytest.mark.parametrize("spoiled", ["corrupt", "unwritable"])
def test_a_cache_that_cannot_be_used_spoils_no_episode(
    spoiled: str, server: RunningServer, journal: Journal, tmp_path: Path
) -> None:
    path = tmp_path / "cache.sqlite"
    if spoiled == "corrupt":
        path.write_bytes(b"rubbish" * 1000)
    else:
        path.mkdir()
    engine(server, journal, lambda: SqliteStore(path, 3600)).run("r", "code", work(2), never)
    assert {t.outcome for t in journal.read_round("r")} == {"solved"}


def test_a_round_stops_at_its_limit_and_goes_on_when_that_is_raised(
    server: RunningServer, journal: Journal, tmp_path: Path
) -> None:
    def store() -> CacheStore:
        return SqliteStore(tmp_path / "cache.sqlite", 3600)

    before, usage = answered(server), UsageTable(journal.database)
    limits = Limits(round_tokens=12_000)
    reason = engine(server, journal, store, limits).run("r", "code", work(30), never)
    assert "ROUND_TOKEN_LIMIT" in reason
    assert "run again" in reason
    done = journal.finished("r", "code")
    paid, calls = usage.spent(round="r").tokens, answered(server) - before
    assert 10_000 < paid <= 12_000
    assert 0 < len(done) < 30
    assert {t.outcome for t in journal.read_round("r")} == {"solved", "cancelled"}

    assert engine(server, journal, store, limits).run("r", "code", left(work(30), done), never)
    assert usage.spent(round="r").tokens <= 12_000

    rest = left(work(30), journal.finished("r", "code"))
    assert not engine(server, journal, store, Limits(round_tokens=10**6)).run("r", "code", rest, never)
    assert len(journal.finished("r", "code")) == 30
    assert {t.outcome for t in journal.read_round("r")} == {"solved"}
    assert answered(server) - before == 60, f"of which {calls} before the limit was raised"


def test_rounds_of_one_chain_share_one_limit(server: RunningServer, journal: Journal) -> None:
    plain = {"samples": 1, "max_rounds": 3, "driver": "command", "planned_at": 0.0}
    rows = [
        {**plain, "round": name, "follows": follows, "number": number, "chain": chain}
        for name, follows, number, chain in [("a", None, 1, "a"), ("b", "a", 2, "a"), ("c", None, 1, "c")]
    ]
    with journal.database.begin() as connection:
        connection.execute(sa.insert(rounds), rows)
    limits, usage = Limits(round_tokens=12_000), UsageTable(journal.database)
    assert engine(server, journal, limits=limits).run("a", "code", work(5), never) == ""
    assert "ROUND_TOKEN_LIMIT" in engine(server, journal, limits=limits).run("b", "code", work(30), never)
    assert 10_000 < usage.spent(round="a").tokens == usage.of_rounds(["a", "b"]).tokens <= 12_000
    assert engine(server, journal, limits=limits).run("c", "code", work(5), never) == ""


def left(all_work: list[Work], done: set[tuple[str, int]]) -> list[Work]:
    return [(task, sample) for task, sample in all_work if (task.task_id, sample) not in done]


def test_what_a_killed_process_spent_is_known_to_the_next(server: RunningServer, journal: Journal) -> None:
    """All but the last half second: a process that is killed as soon as its rows are written loses none."""
    command = [sys.executable, "-c", _KILLED, journal.database.url, server.url]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == -9, ended.stderr
    asked = int(ended.stdout)
    usage = UsageTable(journal.database).spent(round="r")
    assert usage.tokens == asked


_KILLED = """
import asyncio, os, signal, sys
from adp_resources.database import Database
from adp_resources.usage import UsageTable
from runtimes.llm.base import Account
from runtimes.llm.client import OpenAIChat
from runtimes.llm.ledger import FLUSH_SECONDS, Ledger
from runtimes.llm.metered import Metering

async def main(database, server):
    usage = UsageTable(Database(database))
    model = OpenAIChat(provider="vllm", model="m", base_url=server, api_key="none")
    view = Metering(ledger=Ledger(usage)).model_for(model, Account(round="r", task_id="t"))
    tokens = 0
    for number in range(5):
        reply = await view.complete([{"role": "user", "content": str(number)}])
        tokens += reply.prompt_tokens + reply.completion_tokens
    while usage.spent(round="r").tokens < tokens:
        await asyncio.sleep(FLUSH_SECONDS / 10)
    print(tokens, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(*sys.argv[1:]))
"""
