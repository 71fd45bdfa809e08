"""The token controller: what model calls took, and whether another may be made.

Every call is a row in a store that outlives the process. Limits count what is in the store, what this process
has not written yet, and what calls in flight are expected to take, so that a limit is passed by no more than
those take beyond expectation.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import Struct

from runtimes.errors import BudgetSpent
from runtimes.llm.base import Account

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
"""How often rows are written: a process that is killed loses the rows of so long, and no more."""

DAY_SECONDS = 86_400

ROUND_VARIABLE = "ROUND_TOKEN_LIMIT or --max-tokens"
USER_VARIABLE = "USER_TOKEN_LIMIT"
USD_VARIABLE = "MAX_ROUND_COST_USD or --max-cost"
RAISE = "Raise the limit and run again: finished work is kept."


class Call(Struct, frozen=True, kw_only=True):
    """One call that was answered and paid. `attempt` names the try of its episode, `number` counts in it.

    `at` is epoch seconds, `seconds` how long it took. `cost_usd` is None where nobody knows the price.
    """

    attempt: str
    number: int
    account: Account
    provider: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    at: float
    seconds: float

    @property
    def spent(self) -> Spent:
        return Spent.of(self.prompt_tokens + self.completion_tokens, self.cost_usd)


class Spent(Struct, frozen=True):
    """Tokens and US dollars; `unpriced` calls are not in the dollars, as nobody knows their price."""

    tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.tokens + other.tokens, self.usd + other.usd, self.unpriced + other.unpriced)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.tokens - other.tokens, self.usd - other.usd, self.unpriced - other.unpriced)

    @property
    def cost_usd(self) -> float | None:
        """The dollars, None where those of some calls are not known."""
        return None if self.unpriced else self.usd

    @classmethod
    def of(cls, tokens: int, cost_usd: float | None) -> Spent:
        return cls(tokens, cost_usd or 0.0, int(cost_usd is None))


class Limits(Struct, frozen=True, kw_only=True):
    """The most that may be taken; None is no limit.

    A round's are for good, and for all rounds of its chain together; a user's are for a day, UTC.
    `episode_tokens` is checked where an episode's calls are made (`metered.py`).
    """

    round_tokens: int | None = None
    round_usd: float | None = None
    user_tokens: int | None = None
    episode_tokens: int | None = None


class UsageStore(Protocol):
    """Where the rows are kept. Both raise what the database raises."""

    def write(self, calls: Sequence[Call]) -> None:
        """Keep these calls; a call that is there already stays as it is."""

    def spent(self, *, round: str | None = None, user: str | None = None, since: float = 0.0) -> Spent:
        """What all calls of a user, or of a round and its chain, took that began at `since` or later.

        `since` is in epoch seconds.
        """


@dataclass(eq=False)
class _Scope:
    """One round or one user's day: its limits, and what counts against them.

    `written` is what the store said last, `unwritten` what this process has counted since; `is_known` says
    whether the store was asked, and that is not long ago. `user` is whose
    day it is, None for a round.
    """

    name: str
    most_tokens: int | None
    most_usd: float | None
    read: Callable[[], Spent]
    tokens_variable: str
    user: str | None = None
    written: Spent = field(default_factory=Spent)
    unwritten: Spent = field(default_factory=Spent)
    reserved: Spent = field(default_factory=Spent)
    in_flight: int = 0
    is_known: bool = False

    @property
    def so_far(self) -> Spent:
        return self.written + self.unwritten

    def reserve(self, expected: Spent) -> None:
        self.reserved += expected
        self.in_flight += 1

    def release(self, expected: Spent) -> None:
        self.in_flight -= 1
        self.reserved = self.reserved - expected if self.in_flight else Spent()

    def why_not(self, more: Spent) -> tuple[str, str] | None:
        """Which limit would be passed if `more` were taken beyond what is so far, and the way out."""
        so_far, total = self.so_far, self.so_far + more
        if self.most_tokens is not None and total.tokens > self.most_tokens:
            said = f"{so_far.tokens:,} of {self.most_tokens:,} tokens are spent ({self.tokens_variable}); "
            return f"{said}the next call is expected to take {more.tokens:,}", RAISE
        if self.most_usd is not None and total.unpriced:
            said = f"the model has no known price (LLM_PRICES), and {USD_VARIABLE} is set"
            return said, "Set its price in LLM_PRICES and run again: finished work is kept."
        if self.most_usd is not None and total.usd > self.most_usd:
            return f"{so_far.usd:.4f} of {self.most_usd:.4f} US dollars are spent ({USD_VARIABLE})", RAISE
        return None


@dataclass
class Ledger:
    """Counts the calls of one process and holds them to `limits`, those of other processes included.

    What other processes took is known when they and we have written it. Use it on one loop.
    """

    store: UsageStore
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], float] = time.time
    _scopes: dict[str, _Scope] = field(default_factory=dict)
    _rows: list[tuple[Call, list[_Scope]]] = field(default_factory=list)
    _settled: asyncio.Event = field(default_factory=asyncio.Event)
    _flushing: asyncio.Task[None] | None = None
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def reserved(self, account: Account, expected: Spent) -> AsyncIterator[Callable[[Call], None]]:
        """Room for one call that is expected to take so much; the function given counts what it really took.

        Waits while only the calls in flight stand in the way. Raises BudgetSpent where a limit itself does.
        """
        scopes = await self._admit(account, expected)
        try:
            yield lambda call: self._count(call, scopes)
        finally:
            for scope in scopes:
                scope.release(expected)
            settled, self._settled = self._settled, asyncio.Event()
            settled.set()

    async def flush(self) -> None:
        """Write what is not written yet and read what others wrote. Raises what the store raises."""
        async with self._reading:
            rows, self._rows = self._rows, []
            try:
                await asyncio.to_thread(self.store.write, [call for call, _ in rows])
            except BaseException:
                self._rows = rows + self._rows
                raise
            used = {id(scope) for _, scopes in rows for scope in scopes}
            for scope in self._scopes.values():
                if scope.in_flight or id(scope) in used:
                    await self._read(scope)
                else:
                    scope.is_known = False  # asked for again when it is used again: users may be thousands

    async def aclose(self) -> None:
        """Write the rest. What a store that fails now does not take is lost, and the log says so."""
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.gather(self._flushing, return_exceptions=True)
            self._flushing = None
        if not await self._flushed():
            log.error("%d model calls are not counted: the database did not take them.", len(self._rows))

    async def _admit(self, account: Account, expected: Spent) -> list[_Scope]:
        scopes = await self._scopes_of(account)
        while True:
            for scope in scopes:
                if found := scope.why_not(expected):
                    why, way_out = found
                    raise BudgetSpent(f"{scope.name} stops: {why}.", way_out, user=scope.user)
            if not any(scope.why_not(scope.reserved + expected) for scope in scopes):
                break
            await self._settled.wait()
        for scope in scopes:
            scope.reserve(expected)
        return scopes

    def _count(self, call: Call, scopes: list[_Scope]) -> None:
        self._rows.append((call, scopes))
        for scope in scopes:
            scope.unwritten += call.spent
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush_again_and_again())

    async def _flush_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            if self._rows:
                await self._flushed()

    async def _flushed(self) -> bool:
        """Whether it could be written; if not, the rows are kept for the next time."""
        try:
            await self.flush()
        except Exception:
            log.warning("model calls could not be written; they are kept and tried again", exc_info=True)
            return False
        return True

    async def _scopes_of(self, account: Account) -> list[_Scope]:
        """The limited scopes that an account's calls fall into, each with what the store knows of it."""
        scopes = []
        for new in self._scopes_named(account):
            scope = self._scopes.get(new.name)
            if scope is None or not scope.is_known:
                async with self._reading:
                    scope = self._scopes.setdefault(new.name, new)
                    if not scope.is_known:
                        await self._read(scope)
            scopes.append(scope)
        return scopes

    def _scopes_named(self, account: Account) -> Iterator[_Scope]:
        limits, store = self.limits, self.store
        if account.round and (limits.round_tokens is not None or limits.round_usd is not None):
            yield _Scope(
                f"Round {account.round}",
                limits.round_tokens,
                limits.round_usd,
                lambda: store.spent(round=account.round),
                ROUND_VARIABLE,
            )
        if limits.user_tokens is not None:
            midnight = self.clock() // DAY_SECONDS * DAY_SECONDS
            day = time.strftime("%Y-%m-%d", time.gmtime(midnight))
            yield _Scope(
                f"User {account.user or '(none named)'} on {day}",
                limits.user_tokens,
                None,
                lambda: store.spent(user=account.user, since=midnight),
                USER_VARIABLE,
                account.user,
            )

    async def _read(self, scope: _Scope) -> None:
        """Take the store's word; what is not written yet is all that is to be added to it."""
        scope.written = await asyncio.to_thread(scope.read)
        mine = (call.spent for call, scopes in self._rows if scope in scopes)
        scope.unwritten = sum(mine, start=Spent())
        scope.is_known = True
