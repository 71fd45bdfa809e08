"""One slot as the host sees it: its processes, its control socket and the runner that stands by in it.

What `sandbox.inside.init` is on the other side. Which runs come, and what their results mean, is decided
elsewhere.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from sandbox.cgroups import Group
from sandbox.contracts import Limits
from sandbox.inside.wire import receive, send_request, unpack
from sandbox.output import Output
from sandbox.workspace import Workspace

KILL_SECONDS = 5.0
READY_SECONDS = 10.0
"""How long a slot that has started may take to let the next runner stand by."""
STOP_SECONDS = 5.0
"""How long a slot may take to end a run that was stopped, before the slot itself counts as lost."""
OWN_MB = 16
"""What launcher, init, the next runner and the kernel for them may come to hold besides."""
OWN_PROCESSES = 24
"""Launcher, init, the next runner, a session's interpreter and its copies."""
ATTEND_SECONDS = 0.01
"""Most runs are over by then; the others are watched, and their output is read as it comes."""


class SlotLost(Exception):
    """The slot died, or did not do what every slot does; whatever ran in it may be run again elsewhere."""


@dataclass(frozen=True)
class Ended:
    """How a process of the slot ended, in init's words: a wait status and what the tree used.

    `limit` is the one for which it was stopped, empty if it ended itself.
    """

    status: int
    cpu_seconds: float
    peak_memory_mb: float
    limit: str

    @classmethod
    def parse(cls, words: Sequence[bytes]) -> Ended:
        """Raises ValueError for words that init does not say."""
        status, cpu_seconds, peak_kb, *limit = words
        return cls(int(status), float(cpu_seconds), int(peak_kb) / 1024, b"".join(limit).decode("ascii"))


HUNG_UP = Ended(status=signal.SIGKILL, cpu_seconds=0.0, peak_memory_mb=0.0, limit="")
"""How an interpreter ended of which no more is known."""


@dataclass
class Runner:
    """The process that stands by: the host's end of its channel, and its workspace."""

    channel: socket.socket
    workspace: Workspace

    def close(self) -> None:
        self.channel.close()
        self.workspace.close()


@dataclass(frozen=True)
class Traits:
    """What a backend knows of the slots it makes.

    `file_owner` is the (uid, gid) outside of who runs inside, None if the host is the same. `own_processes`
    of the slot count against a run's limit of processes. A slot is `reusable` if it gives every run an empty
    workspace, else it is for one run or one session. `group` is the control group of this one, if it has one.
    """

    protections: tuple[str, ...]
    file_owner: tuple[int, int] | None
    own_processes: int
    reusable: bool
    group: Group | None = None


class Slot:
    """A slot that has started: everything in it dies at the latest with `kill`.

    `runs` counts what ran in it. It is `broken` once it is dead, was cancelled in the middle of a run or did
    what no slot does: then it is only good to be killed.
    """

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, traits: Traits) -> None:
        self._loop = asyncio.get_running_loop()
        self._process = process
        self._exited = self._loop.create_future()
        self._exit = os.pidfd_open(process.pid)
        self._control = control
        self._file_owner = traits.file_owner
        self._group = traits.group
        self._group_limits = (0, 0)
        self._cpus_bounded = False
        self._own_memory_mb = 0
        self._kills = 0
        self.protections = traits.protections
        self.own_processes = traits.own_processes
        self.reusable = traits.reusable
        self._init = -1
        self._ready: asyncio.Future[Runner] = self._loop.create_future()
        self._number = 0
        self._uses = 0
        self._ended: asyncio.Future[Ended] | None = None
        self._steps: set[asyncio.Future[list[bytes]]] = set()
        self._gone: asyncio.Future[Ended] = self._loop.create_future()
        self._stopped = ""
        self._watched = 0
        self._end: asyncio.Future[None] | None = None
        self.listener: socket.socket | None = None
        self.broken = False
        self.runs = 0
        self._loop.add_reader(self._exit, self._reap)
        self._loop.add_reader(control.fileno(), self._hear)

    async def runner(self, seconds: float | None = None) -> Runner:
        """The runner that stands by, once there is one. Raises SlotLost, also if there is none in time."""
        if seconds is None:
            seconds = READY_SECONDS
        deadline = self._loop.time() + seconds
        # Anew each time, as one that stood by may have been forgotten since.
        while not self._ready.done():
            await asyncio.wait([self._ready], timeout=deadline - self._loop.time())
            if self._loop.time() > deadline:
                raise self._lose(f"no runner stood by within {seconds:.0f} s")
        return self._ready.result()

    @property
    def is_ready(self) -> bool:
        """Whether a runner stands by."""
        return self._ready.done() and not self._ready.exception()

    def stands_by(self, runner: Runner) -> bool:
        """Whether a runner is still to be used; if not, its workspace is its user's to close."""
        return self._ready.done() and not self._ready.exception() and self._ready.result() is runner

    def keep_workspace(self) -> None:
        """From now on the files of a run stay for the next."""
        self._say("keep")

    def renew(self) -> None:
        """End everything in the slot, its files too, and let a new runner stand by."""
        self._begin_anew("renew")

    def count_from_now(self) -> None:
        """What the slot has used until now is not the next run's."""
        self._say("count")

    async def become_interpreter(self, request: list[bytes], limits: Limits) -> socket.socket:
        """Make the runner that stands by a persistent interpreter; gives its channel. Raises SlotLost."""
        runner = await self.runner()
        self._hold_group_to(limits)
        self._gone = self._loop.create_future()
        self._stopped = ""
        self._ready = self._loop.create_future()
        runner.workspace.close()
        self._say("interpreter", limits.memory_mb, OWN_PROCESSES + limits.processes)
        if not self.hand(runner.channel, request, ()):
            raise self._lose("its runner does not listen")
        return runner.channel

    @property
    def interpreter_is_gone(self) -> bool:
        """Whether it has ended, or is about to, by itself or for a limit."""
        return self._gone.done() or bool(self._stopped)

    async def end_interpreter(self) -> Ended:
        """End all that runs, the interpreter too; gives how that one ended. Raises SlotLost."""
        if not self._stopped:
            # Also where it is dead already: its copies and what it started are not.
            self._stop_session("crashed")
        # A dead one has left its end of the channel before init comes to know.
        await asyncio.wait([self._gone], timeout=STOP_SECONDS)
        if not self._gone.done():
            raise self._lose(f"its interpreter did not end {STOP_SECONDS} s after it was told to")
        return self._with_group_s_verdict(self._gone.result())

    def how_a_copy_ended(self) -> Ended:
        """What is known of a copy of the interpreter that hung up: whether that was for a limit."""
        return replace(HUNG_UP, limit=self._stopped)

    async def run(
        self, request: list[bytes], descriptors: tuple[int, ...], output: Output, limits: Limits
    ) -> Ended:
        """Let the runner that stands by do `request`; over when it is dead and all that it started.

        Its workspace, which `runner` gives before, is then the caller's to close. Raises SlotLost.
        """
        runner = await self.runner()
        self.runs += 1
        self._hold_group_to(limits)
        self._ended = self._loop.create_future()
        if not self.hand(runner.channel, request, (*output.write_ends, *descriptors)):
            raise self._lose("its runner does not listen")
        output.given()
        self._ready = self._loop.create_future()
        runner.channel.close()
        try:
            started = self._loop.time()
            with self.held_to(limits, output, self._number):
                ended = await self._ended
            lasted = self._loop.time() - started
            # To take that much memory takes longer than most runs do.
            return self._with_group_s_verdict(ended) if lasted > ATTEND_SECONDS else ended
        except SlotLost:
            # The kernel may have chosen init when the slot was out of memory.
            if self._was_out_of_memory():
                return Ended(signal.SIGKILL, 0.0, 0.0, "memory_limit")
            raise
        except BaseException:
            self.broken = True
            raise
        finally:
            self._ended = None

    async def answer(self, channel: socket.socket) -> list[bytes]:
        """What an interpreter says next on its channel; no fields if it hung up. Raises SlotLost."""
        answer: asyncio.Future[list[bytes]] = self._loop.create_future()
        self._steps.add(answer)
        self._loop.add_reader(channel.fileno(), self._hear_answer, channel, answer)
        try:
            return await answer
        except BaseException:
            self.broken = True
            raise
        finally:
            self._loop.remove_reader(channel.fileno())
            self._steps.discard(answer)

    async def kill(self) -> None:
        """End every process of the slot; returns when all are gone. Safe to call twice.

        A cancellation ends only the wait: what is to be done goes on.
        """
        if self._end is None:
            self._lose("it was killed")
            with suppress(ProcessLookupError):
                if self._init >= 0:
                    # Not the launcher but init: that one ends once the kernel has ended everything inside.
                    signal.pidfd_send_signal(self._init, signal.SIGKILL)
                else:
                    self._process.kill()
            self._control.close()
            self._end = asyncio.ensure_future(self._see_the_end())
        await asyncio.shield(self._end)

    async def _see_the_end(self) -> None:
        """Wait until the launcher has exited, and remove the control group."""
        await asyncio.wait([self._exited], timeout=KILL_SECONDS)
        if not self._exited.done():
            self._process.kill()
            await self._exited
        if self._group is not None:
            await self._group.end()

    @contextmanager
    def held_to(self, limits: Limits, output: Output, number: int = 0) -> Iterator[None]:
        """Watch over what runs meanwhile: the clock and the flood of output here, memory and CPU by init.

        `number` is the runner's: a word about one that has ended is not heeded. Without it this is a step: a
        limit that is crossed ends the interpreter, its copies and all they started.
        """
        timers: list[asyncio.TimerHandle] = []
        told = watched = False

        def stop(limit: str) -> None:
            nonlocal told
            if told:
                # A second word could come when the next run is under way, and end that one.
                return
            told = True
            if self._group is not None:
                # Dying takes CPU time too, and init needs some to see to it.
                self._group.free_cpus()
                self._cpus_bounded = False
            if number:
                self._say("stop", limit, number)
            else:
                self._stop_session(limit)
            why = f"it did not end a run {STOP_SECONDS} s after it was told to"
            timers.append(self._loop.call_later(STOP_SECONDS, self._lose, why))

        def attend() -> None:
            nonlocal watched
            watched = True
            self._watched += not number
            output.attend(self._loop, lambda: stop("output_limit"))
            most = OWN_PROCESSES + limits.processes
            self._say("watch", limits.memory_mb, limits.cpu_seconds, most, number)

        timers.append(self._loop.call_later(ATTEND_SECONDS, attend))
        timers.append(self._loop.call_later(limits.wall_seconds, stop, "timeout"))
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()
            if watched and not number:
                self._watched -= 1
                if not self._watched:
                    self._say("rest")

    def _stop_session(self, limit: str) -> None:
        self._stopped = limit
        self._begin_anew("end", limit)

    def _begin_anew(self, *command: str) -> None:
        """Tell init to end everything; whoever stood by until then is not waited for any more."""
        self._forget_runner()
        self._uses += 1
        self._say(*command, self._uses)

    def _hold_group_to(self, limits: Limits) -> None:
        """Let the kernel bound the slot as a whole, with room for what it holds itself."""
        wanted = (limits.memory_mb, limits.processes)
        if self._group is None:
            return
        if not self._cpus_bounded:
            self._group.set_cpus(1)
            self._cpus_bounded = True
        if self._group_limits == wanted:
            return
        if not self._own_memory_mb:
            self._own_memory_mb = math.ceil(self._group.memory_mb())
        # The files of the workspace are memory too, with a limit of their own.
        self._group.set_memory(self._own_memory_mb + OWN_MB + limits.memory_mb + limits.tmp_mb)
        self._group.set_processes(OWN_PROCESSES + limits.processes)
        self._group_limits = wanted

    def _with_group_s_verdict(self, ended: Ended) -> Ended:
        """A process that the kernel killed because the slot was out of memory died of that limit."""
        # Asked also where nobody wants to know, or the next to be killed would seem to have died of it.
        if self._was_out_of_memory() and os.WIFSIGNALED(ended.status) and not ended.limit:
            return replace(ended, limit="memory_limit")
        return ended

    def _was_out_of_memory(self) -> bool:
        """Whether the kernel killed a process of the slot for that since this was asked last."""
        kills, self._kills = self._kills, self._group.oom_kills() if self._group else 0
        return self._kills > kills

    def _say(self, *words: object) -> None:
        """Send init a command."""
        try:
            self._control.send(" ".join(map(str, words)).encode())
        except OSError as error:
            self._lose(f"its init does not listen: {error}")

    def hand(self, channel: socket.socket, request: list[bytes], descriptors: tuple[int, ...]) -> bool:
        """Send a request to a runner or an interpreter; False if it hung up, or has long not listened."""
        try:
            send_request(channel, request, descriptors)
        except OSError:
            return False
        return True

    def _hear(self) -> None:
        """Take every report of init that has come."""
        try:
            while True:
                message, descriptors = receive(self._control)
                if not message:
                    self._lose("its init is gone")
                    return
                event, *words = message.split()
                self._take(event, words, descriptors)
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            self._lose(f"its init cannot be understood: {error}")

    def _take(self, event: bytes, words: list[bytes], descriptors: list[int]) -> None:
        """Raises ValueError for what init does not say."""
        if event == b"hello":
            self._init, *listener = descriptors
            if listener:
                self.listener = socket.socket(fileno=listener[0])
        elif event == b"ready":
            channel, workspace = descriptors
            self._number = int(words[1])
            runner = Runner(socket.socket(fileno=channel), Workspace(workspace, self._file_owner))
            runner.channel.setblocking(False)
            if int(words[0]) != self._uses:
                # It stood by when it was already decided that everything in the slot ends.
                runner.close()
                return
            self._forget_runner()
            self._ready.set_result(runner)
        elif event == b"ended" and self._ended is None:
            self._forget_runner()
        elif event == b"ended" and self._ended is not None:
            _settle(self._ended, Ended.parse(words))
        elif event == b"stopping":
            # It says so before the first process dies.
            self._stopped = words[0].decode("ascii")
            self._forget_runner()
        elif event == b"gone":
            _settle(self._gone, Ended.parse(words))
        else:
            raise ValueError(event)

    def _hear_answer(self, channel: socket.socket, answer: asyncio.Future[list[bytes]]) -> None:
        """An interpreter's word, which may be anything: what cannot be read counts as its death."""
        try:
            message, descriptors = receive(channel)
            for descriptor in descriptors:
                os.close(descriptor)
            fields = unpack(message)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            fields = []
        if fields and self._stopped:
            # Too late: it is being ended, which shows when it hangs up.
            return
        self._loop.remove_reader(channel.fileno())
        _settle(answer, fields)

    def _forget_runner(self) -> None:
        if self._ready.done() and not self._ready.exception():
            self._ready.result().close()
            self._ready = self._loop.create_future()

    def _lose(self, why: str) -> SlotLost:
        """Tell everyone who waits that nothing comes any more."""
        self.broken = True
        if self._control.fileno() >= 0:
            # The end of a stream would be heard again and again.
            self._loop.remove_reader(self._control.fileno())
        lost = SlotLost(f"A sandbox slot was lost: {why}.")
        self._forget_runner()
        waiting: list[asyncio.Future[Any]] = [self._ready, self._gone, *self._steps]
        if self._ended is not None:
            waiting.append(self._ended)
        for future in waiting:
            if not future.done():
                future.set_exception(lost)
                # Nobody may be waiting: then it is no news to anybody.
                future.exception()
        return lost

    def _reap(self) -> None:
        """The launcher has exited."""
        self._loop.remove_reader(self._exit)
        os.close(self._exit)
        self._process.wait()
        self._lose("its processes have ended")
        if self._init >= 0:
            os.close(self._init)
            self._init = -1
        if self.listener is not None:
            self.listener.close()
        _settle(self._exited, None)


def _settle(future: asyncio.Future[Any], value: object) -> None:
    if not future.done():
        future.set_result(value)
