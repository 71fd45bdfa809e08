"""The process of one run, inside the jail: it takes on the limits, then becomes code, shell or file access.

Forked from the driver, so that python code need not wait for a fresh interpreter.
"""

from __future__ import annotations

import _ctypes  # type: ignore[import-not-found, unused-ignore]
import _signal  # type: ignore[import-not-found]
import atexit
import gc
import os
import resource
import stat
import sys

from sandbox.wire import WORKSPACE, Bounds, write_all

TYPE_CHECKING = False  # importing typing for it would take a millisecond
if TYPE_CHECKING:
    from collections.abc import Callable


def set_dumpable(value: int) -> None:
    """prctl(PR_SET_DUMPABLE). Through `_ctypes`, as the ctypes package costs a fifth of a jail's start."""
    prctl = _ctypes.dlsym(_ctypes.dlopen(None, os.RTLD_NOW), "prctl")  # type: ignore[arg-type]
    if _ctypes.call_function(prctl, (4, value, 0, 0, 0)) != 0:
        raise OSError("prctl(PR_SET_DUMPABLE) failed")


def enter_run(bounds: Bounds, out: int, err: int) -> None:
    """Make this fork of the driver an ordinary process under limits: what follows is the run's own."""
    _signal.set_wakeup_fd(-1)
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    os.setsid()
    os.dup2(out, 1)
    os.dup2(err, 2)
    # The control socket above all: whoever holds it could answer in the driver's name.
    os.closerange(3, 1024)
    set_dumpable(1)
    # Should the host run out of memory, let it be this process that pays.
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    os.chdir(WORKSPACE)
    for name, value in (
        (resource.RLIMIT_DATA, bounds.memory_mb << 20),
        (resource.RLIMIT_FSIZE, bounds.file_mb << 20),
        (resource.RLIMIT_NOFILE, bounds.open_files),
        # The driver has the same uid and counts as one.
        (resource.RLIMIT_NPROC, bounds.processes + 1),
        (resource.RLIMIT_CORE, 0),
    ):
        most = resource.getrlimit(name)[1]
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(name, (value, value))
    # The soft limit sends SIGXCPU, which tells the host why; the hard one is for code that ignores it.
    resource.setrlimit(resource.RLIMIT_CPU, (bounds.cpu_seconds, bounds.cpu_seconds + 1))
    # What was printed before a kill is worth having.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def run_code(source: bytes) -> None:
    """Run `source` as the `__main__` module, with the workspace first on the module path as for a script."""
    sys.argv = [""]
    sys.path.insert(0, WORKSPACE)
    main = type(sys)("__main__")
    sys.modules["__main__"] = main
    code = 0
    try:
        try:
            program = compile(source, "<code>", "exec", dont_inherit=True)
        except ValueError as error:
            raise SyntaxError(str(error)) from None
        exec(program, main.__dict__)
    except SystemExit as end:
        code = exit_code_of(end)
    except BaseException as error:
        show(error, source)
        code = 1
    leave(main.__dict__, code)


def exit_code_of(end: SystemExit) -> int:
    """The code the interpreter would exit with; anything but a number is printed and counts as 1."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code
    sys.stderr.write(f"{end.code}\n")
    return 1


def leave(namespace: dict[str, object], code: int) -> None:
    """Exit as the interpreter does, as far as a program can tell: threads joined, exit handlers run, objects
    finalized and so files closed, streams flushed. Only the modules are not torn down, which saves 4 ms.
    """
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        atexit._run_exitfuncs()
        namespace.clear()
        gc.collect()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code & 0xFF)


def show(error: BaseException, source: bytes) -> None:
    """Print the traceback without this file's frames and with the lines of `source`."""
    trace = error.__traceback__.tb_next if error.__traceback__ else None
    if sys.excepthook is not sys.__excepthook__:
        sys.excepthook(type(error), error, trace)
        return
    try:
        import linecache
        import traceback

        text = source.decode(errors="replace")
        linecache.cache["<code>"] = (len(text), None, text.splitlines(True), "<code>")
        traceback.print_exception(type(error), error, trace)
    except MemoryError:
        # The dead frames still hold what filled the memory.
        os.write(2, b"MemoryError\n")


def run_shell(script: bytes) -> None:
    run_program(b"/bin/sh", b"-c", script)


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


def reporting_errors(operation: Callable[..., None]) -> Callable[..., None]:
    """Make an OSError of `operation` the run's: its number and text on stderr, exit code 1."""

    def run(*arguments: bytes) -> None:
        try:
            operation(*arguments)
        except OSError as error:
            fail(f"{error.errno or 5} {error.strerror}", 1)
        os._exit(0)

    return run


@reporting_errors
def write_file(path: bytes, data: bytes) -> None:
    os.makedirs(os.path.dirname(path) or b".", exist_ok=True)
    write_all(open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), data)


@reporting_errors
def read_file(path: bytes) -> None:
    descriptor = open_regular(path, os.O_RDONLY)
    while chunk := os.read(descriptor, 1 << 16):
        write_all(1, chunk)


@reporting_errors
def list_folder(path: bytes) -> None:
    write_all(1, b"\0".join(sorted(os.listdir(path))))


def open_regular(path: bytes, flags: int) -> int:
    """Open a regular file only: a planted pipe or device would block, or give what is in no file."""
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(22, "not a regular file")
    return descriptor


KINDS: dict[bytes, Callable[..., None]] = {
    b"code": run_code,
    b"shell": run_shell,
    b"argv": run_program,
    b"write": write_file,
    b"read": read_file,
    b"list": list_folder,
}
