"""The first process of a slot: keeps a runner standing by, watches it, and leaves nothing alive after it.

It sees neither code nor output, only how processes end. What it says on the control socket is what the host
trusts, so no code that runs in the slot can reach this process: it is not dumpable, as PID 1 it gets no
signal from inside, and the system-call filter denies the calls that name another process.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _socket
import gc
import os
import select

from sandbox.inside import program, runner
from sandbox.inside.fork_hook import ThreadingForkHook
from sandbox.inside.jail import Jail
from sandbox.inside.usage import Watch, cpu_seconds
from sandbox.inside.wire import receive, send

TICK_MS = 50
RESTING_TICK_MS = 500
"""How often a session is looked after between its steps, when most have nothing that runs."""


def serve(control: _socket.socket, jail: Jail, listen_on: int) -> None:
    """Be the init of a slot whose walls stand, until the host hangs up; does not return.

    First of all the host gets a handle of this process and, if `listen_on` is a port, a listener on it: a
    socket belongs to the network it was made in, so that a host's proxy can serve this one from outside.
    """
    handed = [os.pidfd_open(os.getpid())]
    if listen_on:
        handed.append(listen(listen_on))
    send(control, b"hello", tuple(handed))
    for descriptor in handed:
        os.close(descriptor)
    be_the_first_to_die_of_memory()
    if jail.concealed:
        runner.set_dumpable(0)
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    program.add_builtins()
    # A run's own garbage collection need not look at what all runs share.
    gc.collect()
    gc.freeze()
    Init(control, jail).serve()


def be_the_first_to_die_of_memory() -> None:
    """Should the host run out of it, a slot is what it can do without."""
    # Until then this file is root's, after a change of ids.
    runner.set_dumpable(1)
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def listen(port: int) -> int:
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener.detach()


class Init:
    """Its reports to the host, of which it has none but these, are

    - `ready USES NUMBER`, with the channel of the runner of that number and the folder of its workspace; USES
      tells how often the host has begun anew,
    - `stopping LIMIT`: everything is about to be ended for it,
    - `ended STATUS CPU_SECONDS PEAK_KB [LIMIT]`: the runner is dead and all it started, and
    - `gone` with the same words: the session's interpreter is dead.
    """

    def __init__(self, control: _socket.socket, jail: Jail) -> None:
        self.control = control
        self.fork_hook = ThreadingForkHook()
        self.fork_hook.disable()
        self.jail = jail
        self.runner = 0
        self.interpreter = 0
        self.keeps_workspace = False
        self.uses = 0
        self.number = 0
        self.watches: dict[int, Watch] = {}
        """Under the number of its runner that of a run, under 0 that of all steps."""
        self.stopped = b""
        self.statuses: dict[int, int] = {}
        self.cpu_seconds = 0.0
        self.cpu_seconds_told = 0.0
        self.used_before: dict[int, float] = {}
        self.peak_kb = 0
        self.wake, alarm = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(alarm, False)
        _signal.signal(_signal.SIGCHLD, lambda number, frame: None)
        _signal.set_wakeup_fd(alarm, warn_on_full_buffer=False)

    def serve(self) -> None:
        poll = select.poll()
        poll.register(self.control.fileno(), select.POLLIN)
        poll.register(self.wake, select.POLLIN)
        self.jail.renew()
        self.stand_by()
        while True:
            for descriptor, _ in poll.poll(self.milliseconds_to_next_look()):
                if descriptor == self.wake:
                    os.read(self.wake, 4096)
                    self.reap(os.WNOHANG)
                else:
                    self.obey()
            if not self.stopped:
                self.stop_who_crossed_a_limit()
            if self.statuses:
                self.tell_who_died()

    def milliseconds_to_next_look(self) -> int | None:
        if not self.watches:
            return None
        return RESTING_TICK_MS if all(watch.rests for watch in self.watches.values()) else TICK_MS

    def stand_by(self) -> None:
        """Fork the next runner, and hand the host its channel and the workspace it will run in."""
        workspace = self.jail.open_workspace()
        host_end, runner_end = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        self.number += 1
        self.runner = os.fork()
        if self.runner == 0:
            try:
                self.fork_hook.enable()
                runner.wait_for_request(runner_end, self.jail)
            finally:
                os._exit(99)
        send(self.control, b"ready %d %d" % (self.uses, self.number), (host_end.fileno(), workspace))
        os.close(workspace)
        host_end.close()
        runner_end.close()

    def obey(self) -> None:
        """Do what the host says; its silence, once it is gone, ends the slot."""
        try:
            message = receive(self.control)[0]
        except ConnectionError:
            # It hung up with words of ours unread.
            message = b""
        command, *words = message.split() or [b"hung up"]
        if command == b"watch":
            number = int(words[3])
            # A word about a run that has ended meanwhile is not for the next one. A step has no number.
            if number in (0, self.number):
                self.watches[number] = Watch(
                    self.jail, int(words[0]), float(words[1]), int(words[2]), self.cpu_seconds
                )
                if not number:
                    self.count_from_now()
        elif command == b"count":
            self.count_from_now()
        elif command == b"rest":
            if 0 in self.watches:
                self.watches[0].rests = True
        elif command == b"stop":
            if int(words[1]) == self.number:
                self.stop(words[0], spare=self.interpreter)
        elif command == b"end":
            self.uses = int(words[1])
            self.stop(words[0])
        elif command == b"keep":
            self.keeps_workspace = True
        elif command == b"interpreter":
            self.interpreter = self.runner
            # From its first step on: that may leave something behind before it is worth being watched itself.
            self.watches[0] = Watch(self.jail, int(words[0]), 0, int(words[1]), 0)
            self.watches[0].rests = True
            self.stand_by()
        elif command == b"renew":
            self.uses = int(words[0])
            self.keeps_workspace = False
            self.interpreter = 0
            self.watches.clear()
            self.end_run()
            self.forget_the_dead()
        else:
            self.jail.end()
            os._exit(0)

    def stop_who_crossed_a_limit(self) -> None:
        # A run before the steps: what it took counts as theirs too, and goes with it.
        for number in sorted(self.watches, reverse=True):
            watch = self.watches[number]
            limit = watch.crossed(self.cpu_seconds)
            if limit:
                # Between steps it may be for a run that is not watched yet.
                spares = number or (watch.rests and not watch.was_over)
                watch.was_over = True
                self.stop(limit, spare=self.interpreter if spares else 0)
                return
            watch.was_over = False

    def stop(self, limit: bytes, spare: int = 0) -> None:
        """End everything because of `limit` but `spare`, the interpreter, and what it started."""
        self.stopped = limit
        if not spare:
            self.watches.clear()
            send(self.control, b"stopping " + limit)
        self.clear_away(spare)

    def tell_who_died(self) -> None:
        # In this order: when both died of a limit, the next runner is ready before the loss is told.
        if self.runner in self.statuses:
            if not self.stopped and self.jail.space_is_over():
                self.stopped = b"disk_limit"
            self.end_run()
        if self.interpreter in self.statuses:
            self.report(b"gone", self.interpreter)
            self.interpreter = 0
        self.stopped = b""
        self.forget_the_dead()

    def forget_the_dead(self) -> None:
        """What they used is told, and none of it may count for who comes next."""
        self.statuses.clear()
        self.used_before.clear()
        self.cpu_seconds_told = self.cpu_seconds
        self.peak_kb = 0

    def count_from_now(self) -> None:
        """What was used until now, also by those who are still alive, is not for the next report."""
        self.reap(os.WNOHANG)
        self.cpu_seconds_told = self.cpu_seconds
        self.peak_kb = 0
        self.used_before = {pid: cpu_seconds(pid) for pid in self.jail.processes()}

    def end_run(self) -> None:
        """Nothing of the run may outlive it; then the next runner stands by."""
        # Only its own watch: code may kill who has the same user id, and so get rid of another's.
        self.watches.pop(self.number, None)
        self.clear_away(self.interpreter)
        self.report(b"ended", self.runner)
        if not self.keeps_workspace:
            self.jail.renew()
        self.stand_by()

    def clear_away(self, spare: int) -> None:
        """Kill what is alive but `spare`, if not 0, and its descendants, and wait until it is dead."""
        if not spare:
            self.jail.kill(0)
            self.reap(0)
            return
        # Again, as one that another has woken may have forked at the last moment.
        while killed := self.jail.kill(spare):
            while killed & set(self.jail.processes()):
                self.reap_one(0)

    def reap(self, options: int) -> None:
        """Take every dead process (with WNOHANG), or wait for all to die; orphans come to us as PID 1."""
        while self.reap_one(options):
            pass

    def reap_one(self, options: int) -> int:
        try:
            pid, status, usage = os.wait4(-1, options)
        except ChildProcessError:
            return 0
        if pid:
            self.cpu_seconds += usage.ru_utime + usage.ru_stime
            self.cpu_seconds_told += self.used_before.pop(pid, 0.0)
            self.peak_kb = max(self.peak_kb, usage.ru_maxrss)
            if pid in (self.runner, self.interpreter):
                self.statuses[pid] = status
        return pid

    def report(self, event: bytes, pid: int) -> None:
        # /proc counts in hundredths of a second, the kernel's own sums do not: the rest may be below zero.
        seconds = max(0.0, self.cpu_seconds - self.cpu_seconds_told)
        numbers = b"%d %.6f %d" % (self.statuses.get(pid, 0), seconds, self.peak_kb)
        send(self.control, b" ".join((event, numbers, self.stopped)))
