"""The process of one run: it waits, confined, for a request, takes on its limits and becomes the program.

Forked from init ahead of time, so that a request meets a python that is ready. Init itself never sees a
request: so its memory, of which the next runner is a copy, holds nothing of an earlier one.
"""

from __future__ import annotations

import _ctypes  # type: ignore[import-not-found, unused-ignore]
import _signal  # type: ignore[import-not-found]
import _socket
import os
import resource
import sys

from sandbox.inside import interpreter, program
from sandbox.inside.wire import Bounds, receive_request, write_all

TYPE_CHECKING = False  # importing typing for it would take a millisecond
if TYPE_CHECKING:
    from sandbox.inside.jail import Jail

CHANNEL = 3
"""Where a runner keeps its channel, so that every descriptor above it can be closed at once."""
PR_SET_DUMPABLE = 4
LIMITED = (
    resource.RLIMIT_DATA,
    resource.RLIMIT_FSIZE,
    resource.RLIMIT_NOFILE,
    resource.RLIMIT_NPROC,
    resource.RLIMIT_CORE,
    resource.RLIMIT_CPU,
)


# Through `_ctypes`, as the ctypes package costs a fifth of a slot's start.
_prctl = _ctypes.dlsym(_ctypes.dlopen(None, os.RTLD_NOW), "prctl")  # type: ignore[arg-type]


def set_dumpable(value: int) -> None:
    """Whether processes of the same user may look into this one through /proc. Raises OSError."""
    if _ctypes.call_function(_prctl, (PR_SET_DUMPABLE, value, 0, 0, 0)) != 0:
        raise OSError("prctl(PR_SET_DUMPABLE) failed")


def wait_for_request(channel: _socket.socket, jail: Jail) -> None:
    """Be the runner in this fork of init: does not return."""
    workspace = jail.workspace
    _signal.set_wakeup_fd(-1)
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    os.setsid()
    if channel.fileno() != CHANNEL:
        os.dup2(channel.detach(), CHANNEL, inheritable=False)
    # Init's control socket above all: whoever holds it could answer in init's name.
    os.closerange(CHANNEL + 1, 1024)
    channel = _socket.socket(fileno=CHANNEL)
    os.chdir(workspace)
    # All that needs no request is done before there is one.
    limits = Limiter()
    program.prepare(workspace)
    jail.confine()
    exec(jail.after_fork, {})
    request, descriptors = receive_request(channel)
    if not request:
        os._exit(0)
    # Until now no code that shares this uid could look into this process, as could that of a session.
    set_dumpable(1)
    kind, bounds, *arguments = request
    limits.take_on(Bounds.decode(bounds))
    if kind == b"interpreter":
        interpreter.serve(channel, workspace)
    out, err, *more = descriptors
    channel.close()
    os.dup2(out, 1)
    os.dup2(err, 2)
    if kind == b"fresh":
        run_afresh(more[0])
    os.closerange(CHANNEL, 64)
    if kind == b"code":
        program.run_code(arguments[0], workspace)
    run_program(*arguments)


class Limiter:
    """Sets the limits of a run on the process that this is made in."""

    def __init__(self) -> None:
        with open("/proc/self/statm", "rb", buffering=0) as file:
            # The data segment and stack.
            self.held_bytes = int(file.read().split()[5]) * resource.getpagesize()
        self.most = {name: resource.getrlimit(name)[1] for name in LIMITED}

    def take_on(self, bounds: Bounds) -> None:
        # Beyond what a python that has just started holds, or has imported for the run.
        memory = (bounds.memory_mb << 20) + self.held_bytes
        self.lower(resource.RLIMIT_DATA, memory, grace=program.SPARE_BYTES)
        self.lower(resource.RLIMIT_FSIZE, bounds.file_mb << 20)
        self.lower(resource.RLIMIT_NOFILE, bounds.open_files)
        self.lower(resource.RLIMIT_NPROC, bounds.processes)
        self.lower(resource.RLIMIT_CORE, 0)
        if bounds.cpu_seconds:
            # The soft limit sends SIGXCPU, which tells the host why; the hard one is for who ignores it.
            self.lower(resource.RLIMIT_CPU, bounds.cpu_seconds, grace=1)

    def lower(self, name: int, value: int, grace: int = 0) -> None:
        most = self.most[name]
        if most == resource.RLIM_INFINITY:
            most = value + grace
        resource.setrlimit(name, (min(value, most), min(value + grace, most)))


def run_afresh(file: int) -> None:
    """Become a new python that boots from `file`: no memory of init's, addresses of its own."""
    os.dup2(file, CHANNEL)
    os.closerange(CHANNEL + 1, 64)
    # Without site, which takes three milliseconds to find out what this python knows.
    paths = ":".join(sys.path[1:])
    os.execv(PYTHON, [PYTHON, "-I", "-S", "-B", "-c", BOOT, str(CHANNEL), paths])


def run_program(*argv: bytes) -> None:
    """Become the program; its failures to start read and count as a shell's do."""
    # Python ignores these two, and what is ignored stays so over exec: `yes | head` would never end.
    _signal.signal(_signal.SIGPIPE, _signal.SIG_DFL)
    _signal.signal(_signal.SIGXFSZ, _signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)
    except (FileNotFoundError, NotADirectoryError):
        fail(f"{os.fsdecode(argv[0])}: not found\n", 127)
    except (OSError, ValueError) as error:
        fail(f"{os.fsdecode(argv[0])}: {getattr(error, 'strerror', None) or error}\n", 126)


def fail(message: str, code: int) -> None:
    write_all(2, message.encode(errors="surrogateescape"))
    os._exit(code)


# What a new python in a jail starts with: the modules in the file of the given number, then `start` of one.
BOOT = """
import _signal, marshal, sys
# What the host ignores, as nohup has it do with SIGHUP, would stay ignored over exec; two are python's own.
for number in set(range(1, _signal.NSIG)) - {_signal.SIGPIPE, _signal.SIGXFSZ}:
    if _signal.getsignal(number) == _signal.SIG_IGN:
        _signal.signal(number, _signal.SIG_DFL)
def boot(number):
    with open(number, "rb") as file:
        modules = marshal.load(file)
        entry, arguments = marshal.load(file)
    for name, code in modules:
        module = sys.modules[name] = type(sys)(name)
        package, _, last = name.rpartition(".")
        if package:
            setattr(sys.modules[package], last, module)
        exec(code, module.__dict__)
    module = sys.modules[entry]
    # The code under test finds nothing of this package.
    for name, _ in modules:
        del sys.modules[name]
    module.start(*arguments)
boot(int(sys.argv[1]))
"""
PYTHON = "/usr/bin/python3"
"""The python of every jail. The host's own may be a virtual environment that the jail's user cannot read."""
