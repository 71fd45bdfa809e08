"""A session: steps, runs and files in one slot, and copies of its interpreter. Slots are made elsewhere."""

from __future__ import annotations

import asyncio
import os
import posixpath
import secrets
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakSet

from sandbox.arguments import check_file, check_text
from sandbox.contracts import File, Limits, Result
from sandbox.errors import SandboxError, SessionLost
from sandbox.output import Output
from sandbox.runs import (
    OWN_FOLDERS,
    TRIES,
    Program,
    Report,
    as_bytes,
    bounds,
    collected,
    figures_in,
    perform,
    put_files,
    they_keep_dying,
)
from sandbox.slot import Ended, Slot, SlotLost
from sandbox.verdict import with_blocked

if TYPE_CHECKING:
    from sandbox.pool import SandboxPool, Wanted

MOST_COPIES = 16
"""Snapshots and branches that a session may have besides its limit of processes."""
STATE_LOST = "\n[sandbox: the interpreter ended with this step; the next one starts without its variables]"
STATE_WAS_LOST = (
    "\n[sandbox: the interpreter had ended since the last step; this step ran without its variables]"
)
FORK_SECONDS = 30.0
CPUS = os.cpu_count() or 1
MOST_SAID = 1 << 50
"""No interpreter has used so many seconds or KiB."""


class Interpreter:
    """A python in a slot that keeps its variables from step to step, as the host speaks to it.

    `original` is the one that it is a copy of, or a copy of a copy. Used by one call at a time.
    """

    def __init__(
        self, slot: Slot, channel: socket.socket, limits: Limits, original: Interpreter | None = None
    ) -> None:
        self._slot = slot
        self._channel = channel
        self._limits = limits
        self._original = original or self
        self._copies: WeakSet[Interpreter] = WeakSet()
        self.ended = False
        self.busy = False

    def close(self) -> None:
        """Hang up, whereupon it ends; a step under way may end first. Safe to call twice."""
        self.ended = True
        if not self.busy:
            self._channel.close()

    def close_all(self) -> None:
        """Hang up on it and all its copies."""
        for interpreter in (self, *self._copies):
            interpreter.close()

    @property
    def any_busy(self) -> bool:
        """Whether a step of it or of one of its copies is under way."""
        return self.busy or any(copy.busy for copy in self._copies)

    async def step(self, code: str | bytes) -> Result:
        """Run one step. Raises SandboxError for a copy that had ended before, SlotLost."""
        if code is None:
            raise TypeError("A step has no code. Give the text of it.")
        check_text("code", code)
        limits = self._limits
        output = Output(limits.output_bytes)
        nonce = secrets.token_bytes(8)
        started = time.monotonic()
        try:
            with self._in_use():
                listens = self._slot.hand(self._channel, [b"step", nonce, as_bytes(code)], output.write_ends)
                output.given()
                ended = None
                if listens:
                    with self._slot.held_to(limits, output):
                        ended = _read_answer(await self._slot.answer(self._channel), nonce)
                seconds = time.monotonic() - started
                if ended is None:
                    ended = await self._end(listens)
                    # Init begins to count where a step lasts; of a shorter one it knows only its interpreter.
                    ended = replace(ended, cpu_seconds=min(ended.cpu_seconds, seconds * CPUS))
            output.drain()
        finally:
            output.close(asyncio.get_running_loop())
        report = Report(ended, *output.result(), output.cut, seconds, is_code=True)
        return report.result(limits, self._slot.protections, STATE_LOST * self.ended)

    async def fork(self, kind: str, word: bytes) -> Interpreter:
        """A copy that it makes of itself, or becomes; its answer has to be `word`.

        Raises SandboxError when it cannot be, SlotLost.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        nonce = secrets.token_bytes(8)
        answer = []
        problem = "the interpreter is gone"
        try:
            with theirs, self._in_use():
                listens = self._slot.hand(self._channel, [kind.encode(), nonce], (theirs.fileno(),))
                theirs.close()
                if listens:
                    async with asyncio.timeout(FORK_SECONDS):
                        answer = await self._slot.answer(ours if kind == "branch" else self._channel)
            if answer == [nonce, word]:
                copy = Interpreter(self._slot, ours, self._limits, self._original)
                self._original._copies.add(copy)
                return copy
        except TimeoutError:
            # What it may yet answer nobody could tell from its next answer: the slot is lost with it.
            problem = (
                f"the interpreter did not answer within {FORK_SECONDS:.0f} s, and was ended with its files"
            )
        except BaseException:
            ours.close()
            raise
        ours.close()
        if answer == [nonce, b"threads"]:
            raise SandboxError(
                "A snapshot would be without the threads that run in the session.",
                "Let its code join them before.",
            )
        raise SandboxError(f"No {kind} could be made: {problem}.", "Start over in this session.")

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        if self.ended:
            raise SandboxError("This interpreter has ended.", "Start over in its session.")
        self.busy = True
        try:
            yield
        finally:
            self.busy = False
            if self.ended:
                self._channel.close()

    async def _end(self, listened: bool) -> Ended:
        """How it ended, now that it hung up or said what none says. Raises as `step` does."""
        self.ended = True
        if self._original is self:
            return await self._slot.end_interpreter()
        if not listened:
            raise SandboxError("This copy of the interpreter has ended.", "Make another from a snapshot.")
        return self._slot.how_a_copy_ended()


class Session:
    """A private workspace that lasts, programs in it that end with their call, and an interpreter that stays.

    Made by `SandboxPool.session`. One thing happens at a time: calls made at once wait for each other.
    """

    def __init__(self, pool: SandboxPool, wanted: Wanted) -> None:
        self._pool = pool
        self._wanted = wanted
        self._lock = asyncio.Lock()
        self._slot: Slot | None = None
        self._interpreter: Interpreter | None = None
        self._closed = False

    @property
    def has_slot(self) -> bool:
        """Whether there is a slot with its files; the next call gets one where there is none any more."""
        return self._slot is not None

    async def run(
        self,
        *,
        code: str | bytes | None = None,
        shell: str | None = None,
        argv: Sequence[str] | None = None,
        fresh: bool = False,
    ) -> Result:
        """Run python code, a `sh` script or a program in the workspace, with empty stdin.

        Every process it started is dead when this returns, and the session's interpreter untouched, whatever
        limit it crossed. Python code can import modules of the workspace.
        Raises ValueError unless exactly one of the three is given, SandboxError when the slot is lost, and
        with it the files. Cancelling it costs the session its slot too.
        """
        program = Program.of(code, shell, argv, fresh)
        limits = self._wanted.limits
        async with self._lock, self._pool.turn(), self._at_hand() as slot:
            copies = MOST_COPIES + 1 if self._interpreter else 0
            runner = await slot.runner()
            slot.count_from_now()
            try:
                with self._pool.blocked(slot) as blocked:
                    report = await perform(slot, program, limits, slot.own_processes + copies)
                figures = figures_in(runner.workspace) if program.is_code else ()
            finally:
                if not slot.stands_by(runner):
                    runner.workspace.close()
            result = report.result(limits, slot.protections)
            return replace(with_blocked(result, blocked), figures=figures)

    async def step(self, code: str | bytes) -> Result:
        """Run python code in the session's interpreter: what one step defines, the next finds.

        The value of a last expression is printed, as at a prompt. What a step starts in the background lives
        on; of processes, those that called setsid end with the next `run`. A limit that is crossed ends the
        interpreter and so its variables and copies, but not the files; the next step starts a new one. Exit
        code, CPU time and memory are what the interpreter says of itself. Raises SandboxError as `run` does.
        """
        async with self._lock, self._pool.turn(), self._at_hand() as slot:
            was_lost = await self._interpreter_was_lost(slot)
            interpreter = await self._interpreter_in(slot)
            with self._pool.blocked(slot) as blocked:
                result = await interpreter.step(code)
            if interpreter.ended:
                interpreter.close_all()
                self._interpreter = None
            figures = figures_in((await slot.runner()).workspace)
            return replace(
                with_blocked(result, blocked),
                stderr=result.stderr + STATE_WAS_LOST * was_lost,
                figures=figures,
            )

    async def snapshot(self) -> Snapshot:
        """A copy of the interpreter as it is now, to branch from. It shares the files with the session.

        Raises SandboxError, also while threads run in the interpreter.
        """
        async with self._lock, self._pool.turn(), self._at_hand() as slot:
            if await self._interpreter_was_lost(slot):
                raise SandboxError(
                    "The interpreter has ended since the last step.", "Start over in this session."
                )
            interpreter = await self._interpreter_in(slot)
            return Snapshot(self._pool, await interpreter.fork("snapshot", b"taken"))

    async def write(self, path: str, data: bytes) -> None:
        """Write a file of the workspace, making its folders.

        Raises ValueError for a path outside the workspace, else the OSError that writing met inside.
        """
        check_file(path, data)
        async with self._lock, self._at_hand() as slot:
            put_files((await slot.runner()).workspace, {path: data}, self._wanted.limits)

    async def read(self, path: str) -> bytes:
        """The bytes of a regular file of the workspace, at most `Limits.file_mb` of them.

        Raises ValueError for a path outside the workspace, else the OSError that reading met inside.
        """
        async with self._lock, self._at_hand() as slot:
            return (await slot.runner()).workspace.read(path, self._wanted.limits.file_mb << 20)

    async def listdir(self, path: str = ".") -> list[str]:
        """The sorted names in a folder of the workspace. Raises as `read` does."""
        async with self._lock, self._at_hand() as slot:
            names = (await slot.runner()).workspace.listdir(path)
        return [name for name in names if name not in OWN_FOLDERS or posixpath.normpath(path) != "."]

    async def files(self, *, most_files: int, most_bytes: int) -> tuple[File, ...]:
        """What the workspace holds, sorted by path, each file with its bytes as far as `most_bytes` go.

        What is left out, the note of a file tells, or of a last one of the path ".". Raises as `run` does.
        """
        async with self._lock, self._at_hand() as slot:
            workspace = (await slot.runner()).workspace
            files, _ = await collected(workspace, ("*",), most_files, most_bytes)
        return tuple(file for file in files if file.path.partition("/")[0] not in OWN_FOLDERS)

    async def open(self) -> None:
        """Get the slot now rather than at the first use. Raises SandboxUnavailable."""
        async with self._lock, self._at_hand():
            pass

    async def close(self) -> None:
        """End everything in the session and its workspace with it. Safe to call twice."""
        self._closed = True
        slot, self._slot = self._slot, None
        interpreter, self._interpreter = self._interpreter, None
        in_use = self._lock.locked()
        if interpreter is not None:
            in_use = in_use or interpreter.any_busy
            interpreter.close_all()
        if slot is not None:
            if in_use:
                # Nobody else shall have the slot while a call of this session still has a hand in it.
                slot.broken = True
            else:
                slot.renew()
            await self._pool.put_back(slot)

    @asynccontextmanager
    async def _at_hand(self) -> AsyncIterator[Slot]:
        """The session's slot; one that is lost meanwhile is given up."""
        if self._closed:
            raise SandboxError(
                "This sandbox session is closed.", "Open a new one with SandboxPool.session()."
            )
        if self._slot is None:
            self._slot = await self._new_slot()
        slot = self._slot
        try:
            if slot.broken and slot.is_ready:
                raise SandboxError(
                    "A call to a copy of this session's interpreter was broken off. Files and variables"
                    " are gone.",
                    "Start over in this session: it gets a new slot with an empty workspace.",
                )
            yield slot
        except SlotLost as error:
            if self._closed or self._pool.closed:
                raise SandboxError("This sandbox session was closed meanwhile.") from error
            self._pool.lost_slots += 1
            raise SessionLost(
                f"{error} The files and variables of the session went with it.",
                "Start over in this session: it gets a new slot with an empty workspace.",
            ) from error
        finally:
            if slot.broken:
                if self._interpreter is not None:
                    self._interpreter.close_all()
                self._slot = self._interpreter = None
                await self._pool.put_back(slot)

    async def _new_slot(self) -> Slot:
        """A slot with the files of the session. One that dies before it has them is replaced."""
        for _ in range(TRIES):
            slot = await self._pool.take(self._wanted)
            try:
                slot.keep_workspace()
                put_files((await slot.runner()).workspace, self._wanted.files, self._wanted.limits)
                return slot
            except SlotLost as error:
                self._pool.lost_slots += 1
                lost = error
            except BaseException:
                # Some of the files may lie there.
                slot.broken = True
                raise
            finally:
                if slot.broken:
                    await self._pool.put_back(slot)
        raise they_keep_dying(lost) from lost

    async def _interpreter_in(self, slot: Slot) -> Interpreter:
        if self._interpreter is None:
            limits = self._wanted.limits
            # CPU time is counted a step, by init.
            request = [b"interpreter", bounds(limits, slot.own_processes + MOST_COPIES + 1, cpu_seconds=0)]
            channel = await slot.become_interpreter(request, limits)
            self._interpreter = Interpreter(slot, channel, limits)
        return self._interpreter

    async def _interpreter_was_lost(self, slot: Slot) -> bool:
        """Whether it has ended since it was used last; then what is left of it ends too."""
        if self._interpreter is None or not slot.interpreter_is_gone:
            return False
        self._interpreter.close_all()
        self._interpreter = None
        await slot.end_interpreter()
        return True


class Snapshot:
    """A session's interpreter as it was. Ends with the session, or when the interpreter crosses a limit."""

    def __init__(self, pool: SandboxPool, interpreter: Interpreter) -> None:
        self._pool = pool
        self._interpreter = interpreter
        self._lock = asyncio.Lock()

    async def branch(self) -> Branch:
        """An interpreter that goes on from here, apart from the session's own. Raises SandboxError."""
        async with self._lock, self._pool.turn():
            with _lost_with_its_slot("snapshot"):
                return Branch(self._pool, await self._interpreter.fork("branch", b"branched"))

    def close(self) -> None:
        """Free its memory; its branches live on. Safe to call twice."""
        self._interpreter.close()


class Branch:
    """An interpreter that began as a snapshot. Ends with the session, or when one of them crosses a limit."""

    def __init__(self, pool: SandboxPool, interpreter: Interpreter) -> None:
        self._pool = pool
        self._interpreter = interpreter
        self._lock = asyncio.Lock()

    async def step(self, code: str | bytes) -> Result:
        """As `Session.step`. Raises SandboxError once the branch has ended."""
        async with self._lock, self._pool.turn():
            with _lost_with_its_slot("branch"):
                return await self._interpreter.step(code)

    async def snapshot(self) -> Snapshot:
        """As `Session.snapshot`."""
        async with self._lock, self._pool.turn():
            with _lost_with_its_slot("branch"):
                return Snapshot(self._pool, await self._interpreter.fork("snapshot", b"taken"))

    def close(self) -> None:
        """End it. Safe to call twice."""
        self._interpreter.close()


@contextmanager
def _lost_with_its_slot(what: str) -> Iterator[None]:
    try:
        yield
    except SlotLost as error:
        raise SandboxError(f"{error} The {what} went with it.", "Start over in this session.") from error


def _read_answer(answer: list[bytes], nonce: bytes) -> Ended | None:
    """What an interpreter says of a step; None for what none says."""
    try:
        echo, *words = answer
        code, cpu_seconds, peak_kb = map(float, words)
    except ValueError:
        return None
    # Nor does any say numbers that nobody could compute with.
    possible = 0 <= code <= 255 and 0 <= cpu_seconds < MOST_SAID and 0 <= peak_kb < MOST_SAID
    return Ended(int(code) << 8, cpu_seconds, peak_kb / 1024, "") if echo == nonce and possible else None
