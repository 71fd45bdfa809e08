"""How many runs go on at once, which slots are alive, and which of them a run gets."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

from sandbox.addresses import EgressPolicy
from sandbox.arguments import check_files, check_limits, check_slots, check_words
from sandbox.backends.base import Backend, SlotKind
from sandbox.backends.choice import check_name, choose, examine
from sandbox.backends.protections import MINIMUM, check_protections
from sandbox.contracts import Limits, Result
from sandbox.egress import EgressProxy
from sandbox.errors import SandboxError, SandboxUnavailable
from sandbox.profiles import SCIENCE, Profile, installed_profiles, profile_for
from sandbox.runs import TRIES, Program, perform, put_files, they_keep_dying, with_files
from sandbox.session import Session
from sandbox.slot import Slot, SlotLost
from sandbox.verdict import with_blocked

T = TypeVar("T")

RUNS_A_SLOT = 1000
"""A slot is replaced after so many: whatever the kernel might gather for it does not grow for ever."""
MOST_PROCESSES = 30_000


@dataclass(frozen=True)
class Wanted:
    """What a run or session needs of its slot."""

    kind: SlotKind
    limits: Limits
    egress: EgressPolicy | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass
class _Held:
    """A turn that this task holds, of which pool; of none any more once it was given back."""

    pool: SandboxPool | None


_HELD: ContextVar[_Held | None] = ContextVar("held", default=None)


class SandboxPool:
    """Runs untrusted code in slots, `slots` runs at once; idle sessions hold no turn.

    `backend` is `auto` for the strongest that works here, or the name of one; it proves its walls before its
    first run, and must have the protections of `minimum`. (One that is given ready-made is taken as it is.)
    Control groups are made below the folder `cgroup`, by default wherever this process may. Hosts of
    `allow_private` that a run is granted may lie at private addresses; those of `denied` no run reaches.

    An async context manager: when it is left, no process and no file of any slot remains. `lost_slots` counts
    those that died of themselves.
    """

    def __init__(
        self,
        slots: int = 4,
        backend: Backend | str = "auto",
        *,
        minimum: Collection[str] = MINIMUM,
        cgroup: str | None = None,
        allow_private: Sequence[str] = (),
        denied: Sequence[str] = (),
    ) -> None:
        check_slots(slots)
        check_words("minimum", minimum, '{"seccomp"}')
        check_protections(minimum)
        check_words("allow_private", allow_private, '["db.internal"]')
        check_words("denied", denied, '["example.org", "*.example.org"]')
        # Read now: a wrong entry should not wait for the first run that is granted hosts.
        EgressPolicy(denied=tuple(denied), allow_private=tuple(allow_private))
        self.lost_slots = 0
        self._slots = slots
        self._most_idle = 2 * slots
        self._starting: set[asyncio.Task[Any]] = set()
        if not isinstance(getattr(backend, "name", None), str):
            check_name(backend)
        self._wish = backend
        self._cgroup = cgroup
        self._minimum = frozenset(minimum)
        self._allow_private = tuple(allow_private)
        self._denied = tuple(denied)
        self._choosing = asyncio.Lock()
        self._backend: Backend | None = None
        self._profiles: tuple[Profile, ...] = ()
        self._turns = asyncio.Semaphore(slots)
        self._idle: dict[SlotKind, list[Slot]] = {}
        self._alive: dict[Slot, SlotKind] = {}
        self._proxies: dict[Slot, EgressProxy] = {}
        self.closed = False

    @property
    def slots_in_use(self) -> int:
        """How many slots runs and open sessions have; idle ones that wait for the next are not among them."""
        return len(self._alive) - sum(map(len, self._idle.values()))

    async def __aenter__(self) -> SandboxPool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Kill every slot, also those of sessions still open. Safe to call twice."""
        self.closed = True
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(*(self._kill(slot) for slot in list(self._alive)))

    async def run(
        self,
        *,
        code: str | bytes | None = None,
        shell: str | None = None,
        argv: Sequence[str] | None = None,
        files: Mapping[str, bytes] | None = None,
        outputs: Sequence[str] = (),
        limits: Limits | None = None,
        profile: Profile | str | None = None,
        hosts: Sequence[str] = (),
        fresh: bool = False,
    ) -> Result:
        """Run python code, a `sh` script or a program in a slot with an empty workspace and empty stdin.

        `files` are written to the workspace before. What the run leaves there is listed in the result, with
        the bytes of what matches the globs `outputs`. `profile` is a name or a profile, by default that for
        the imports of `code`. `hosts` may be reached, through a checked proxy; all else is refused. `fresh`
        starts a new python for the code, which shares no memory layout with other runs.

        A slot that dies is replaced and the run repeated. Raises ValueError unless exactly one of code, shell
        and argv is given and for file names outside the workspace, OSError for files that do not fit into it,
        SandboxUnavailable when no slot can be made, SandboxError when they keep dying.
        """
        program = Program.of(code, shell, argv, fresh)
        check_words("outputs", outputs, '["*.csv"]')
        # A new python finds nothing preloaded.
        wanted = await self.wanted(limits, profile, hosts, files, None if fresh else code)
        async with self.turn():
            for _ in range(TRIES):
                slot = await self.take(wanted)
                try:
                    return await self._run_once(slot, program, wanted, outputs)
                except SlotLost as error:
                    self.lost_slots += 1
                    lost = error
                finally:
                    await self.put_back(slot)
        raise they_keep_dying(lost) from lost

    @asynccontextmanager
    async def session(
        self,
        *,
        files: Mapping[str, bytes] | None = None,
        limits: Limits | None = None,
        profile: Profile | str | None = None,
        hosts: Sequence[str] = (),
    ) -> AsyncIterator[Session]:
        """A session, which lasts until the block is left; arguments as of `run`, errors too."""
        session = Session(self, await self.wanted(limits, profile, hosts, files, None))
        try:
            await session.open()
            yield session
        finally:
            await session.close()

    async def check(self) -> None:
        """Run code that looks for every wall. Raises SandboxUnavailable naming what is missing."""
        found = await examine(await self._ready_backend())
        if found.backend is None:
            raise SandboxUnavailable(found.cause or found.problem, found.remedy or "See `adp doctor`.")

    def turn(self) -> AbstractAsyncContextManager[Any]:
        """Wait for one of the pool's turns and hold it, or go on within the one that `in_one_turn` holds."""
        held = _HELD.get()
        return nullcontext() if held is not None and held.pool is self else self._turns

    @asynccontextmanager
    async def in_one_turn(self) -> AsyncIterator[None]:
        """Wait for a turn and do all that is done in the block, one thing after the other, in it.

        For work of many steps, which else queues anew for each behind whoever takes long.
        """
        async with self._turns:
            held = _Held(self)
            token = _HELD.set(held)
            try:
                yield
            finally:
                held.pool = None  # tasks begun in the block have a copy
                _HELD.reset(token)

    async def wanted(
        self,
        limits: Limits | None,
        profile: Profile | str | None,
        hosts: Sequence[str],
        files: Mapping[str, bytes] | None,
        code: str | bytes | None,
    ) -> Wanted:
        """What a slot needs to have.

        Raises ValueError for limits beyond the host's and wrong names, TypeError for other things.
        """
        check_limits(limits)
        check_files(files)
        check_words("hosts", hosts, '["example.org"]')
        limits = limits or Limits()
        check_host_has(limits)
        egress = None
        if hosts:
            egress = EgressPolicy(tuple(hosts), self._denied, allow_private=self._allow_private)
        await self._ready_backend()
        if not isinstance(profile, Profile):
            profile = self._profile(profile, code)
        kind = SlotKind(profile, limits.tmp_mb, limits.inodes, bool(hosts))
        return Wanted(kind, limits, egress, files or {})

    async def take(self, wanted: Wanted) -> Slot:
        """A slot that stands by with an empty workspace: an idle one, else a new one.

        Raises SandboxUnavailable.
        """
        backend = await self._ready_backend()
        slot = self._take_idle(wanted.kind)
        while slot is not None and slot.broken:
            self.lost_slots += 1
            await self._kill(slot)
            slot = self._take_idle(wanted.kind)
        if slot is None:
            slot = await self._start(backend, wanted.kind)
        if self.closed:
            await self._kill(slot)
            raise SandboxError("The sandbox pool is closed.", "Use it inside its `async with` block.")
        if wanted.egress is not None and slot.listener is not None:
            proxy = self._proxies[slot] = EgressProxy(slot.listener, wanted.egress)
            await proxy.start()
        return slot

    async def put_back(self, slot: Slot) -> None:
        """Keep a slot for the next who needs one like it, or end it."""
        proxy = self._proxies.pop(slot, None)
        if proxy is not None:
            await proxy.close()
        if slot.broken or not slot.reusable or slot.runs >= RUNS_A_SLOT or self.closed:
            await self._kill(slot)
            return
        kind = self._alive[slot]
        self._idle.setdefault(kind, []).append(slot)
        await self._let_the_oldest_go()
        self._start_a_second(kind)

    @contextmanager
    def blocked(self, slot: Slot) -> Iterator[list[str]]:
        """What the slot's proxy refuses meanwhile."""
        proxy = self._proxies.get(slot)
        before = len(proxy.blocked) if proxy else 0
        found: list[str] = []
        yield found
        if proxy:
            found += proxy.blocked[before:]

    async def _run_once(self, slot: Slot, program: Program, wanted: Wanted, outputs: Sequence[str]) -> Result:
        """Raises SlotLost."""
        runner = await slot.runner()
        try:
            put_files(runner.workspace, wanted.files, wanted.limits)
            with self.blocked(slot) as blocked:
                report = await perform(slot, program, wanted.limits, slot.own_processes)
            result = with_blocked(report.result(wanted.limits, slot.protections), blocked)
            return await with_files(result, runner.workspace, outputs)
        finally:
            if slot.stands_by(runner):
                # It did not come to a run, but files may lie there.
                slot.renew()
            else:
                runner.workspace.close()

    async def _ready_backend(self) -> Backend:
        if self._backend is not None:
            return self._backend
        async with self._choosing:
            if self._backend is None:
                wish = self._wish
                if isinstance(wish, str):
                    wish = await choose(wish, self._minimum, self._cgroup)
                self._profiles = await asyncio.to_thread(installed_profiles)
                self._backend = wish
        return self._backend

    def _profile(self, name: str | None, code: str | bytes | None) -> Profile:
        if name is None:
            text = code.decode(errors="replace") if isinstance(code, bytes) else code or ""
            return profile_for(text, self._profiles)
        for profile in self._profiles:
            if profile.name == name:
                return profile
        known = ", ".join(profile.name for profile in self._profiles)
        if name == SCIENCE.name:
            raise ValueError(
                "There is no profile 'science' here. Build it: `python -m sandbox.layers build science`."
            )
        raise ValueError(
            f"There is no profile {name!r}. Use one of {known}, or give sandbox.profile_of(FILE), which is "
            "that of a requirements file."
        )

    def _take_idle(self, kind: SlotKind) -> Slot | None:
        """The idle slot that was used last of those that are ready, else the one that was idle longest."""
        idle = self._idle.get(kind)
        if not idle:
            return None
        ready = (slot for slot in reversed(idle) if slot.is_ready or slot.broken)
        slot = next(ready, idle[0])
        idle.remove(slot)
        return slot

    async def _start(self, backend: Backend, kind: SlotKind) -> Slot:
        """A new slot. Raises SandboxUnavailable."""
        is_wanted = True

        async def start() -> Slot:
            slot = await backend.start(kind)
            self._alive[slot] = kind
            if not is_wanted:
                await self.put_back(slot)
            return slot

        task = self._in_background(start())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # What has begun is not broken off: the next one who needs a slot like it is glad of it.
            is_wanted = False
            if task.done() and not task.exception():
                self._idle.setdefault(kind, []).append(task.result())
            raise

    def _in_background(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that `close` waits for."""
        task = asyncio.create_task(work)
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        return task

    def _start_a_second(self, kind: SlotKind) -> None:
        """While a slot makes itself ready after a run, another takes the next, which so need not wait.

        Not for a profile whose slots hold a hundred megabytes each.
        """
        alone = sum(other == kind for other in self._alive.values()) == 1
        if not alone or self._starting or self._slots == 1 or kind.profile.serves or self._backend is None:
            return

        async def start(backend: Backend) -> None:
            # Should it fail, so will the next that is needed, which has somebody to tell.
            with suppress(SandboxError):
                await self.put_back(await self._start(backend, kind))

        self._in_background(start(self._backend))

    async def _let_the_oldest_go(self) -> None:
        """Slots of a kind that nobody asks for any more should not hold memory for ever."""
        idle = [slot for slots in self._idle.values() for slot in slots]
        if len(idle) > self._most_idle:
            oldest = next(slot for slot in self._alive if slot in idle)
            self._idle[self._alive[oldest]].remove(oldest)
            await self._kill(oldest)

    async def _kill(self, slot: Slot) -> None:
        """End a slot; returns when nothing of it is left."""
        killing = asyncio.ensure_future(slot.kill())
        killing.add_done_callback(lambda _: self._alive.pop(slot, None))
        # A caller that is cancelled meanwhile leaves the rest to this, and to `close`, which waits for it.
        await asyncio.shield(killing)


def check_host_has(limits: Limits) -> None:
    """Raises ValueError for limits that this machine cannot give."""
    memory_mb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for name, wanted, most in (
        ("memory_mb", limits.memory_mb, memory_mb),
        ("tmp_mb", limits.tmp_mb, memory_mb),
        ("open_files", limits.open_files, files),
        ("processes", limits.processes, MOST_PROCESSES),
        ("inodes", limits.inodes, memory_mb << 10),
        ("output_bytes", limits.output_bytes, memory_mb << 20),
        # What the kernel can count.
        ("file_mb", limits.file_mb, 1 << 43),
        ("cpu_seconds", limits.cpu_seconds, 1 << 31),
        ("wall_seconds", limits.wall_seconds, 1 << 31),
    ):
        if most != resource.RLIM_INFINITY and wanted > most:
            raise ValueError(f"The limit {name} is {wanted}, and this machine has {most}. Give less.")
