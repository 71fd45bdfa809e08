"""The same program ends the same way and prints the same, whoever runs the pool and by whichever backend.

`host` is a pool of each kind that this machine can have; one that it cannot have is skipped with the reason.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from sandbox import Limits, Result, SandboxPool, Status
from tests.sandbox.conftest import ON_ONE_LOOP
from tests.sandbox.hosts import pool_of

pytestmark = ON_ONE_LOOP


DEFAULT = Limits()


@dataclass(frozen=True)
class Example:
    """A program and what it comes to. Standard error is not written here: it has to be alike on all hosts.

    `needs` names a protection without which the program has to end otherwise.
    """

    name: str
    program: str
    stdout: str = ""
    status: Status = "ok"
    exit_code: int | None = 0
    signal: int | None = None
    limits: Limits = DEFAULT
    files: Mapping[str, bytes] = field(default_factory=dict, hash=False)
    needs: str = ""
    stderr_differs: bool = False


SMALL = Limits(tmp_mb=4, inodes=200)
"""Limits that are crossed at once. One pair for all, as slots of other sizes have to be made first."""

NO_PACKAGES_OF_THE_HOST = (
    "all(os.listdir(path) == ['sandbox.pth'] for path in sys.path if path.endswith('-packages'))"
)

CODE = [
    Example("prints", "print('hello'); print(6 * 7)", "hello\n42\n"),
    Example("empty", ""),
    Example("writes to both streams", "import sys; print('out'); print('err', file=sys.stderr)", "out\n"),
    Example("exits with a number",
            "import sys; print('so far'); sys.exit(7)", "so far\n", "runtime_error", 7),
    Example("exits with a negative number", "import sys; sys.exit(-1)", "", "runtime_error", 255),
    Example("exits with words", "import sys; sys.exit('why')", "", "runtime_error", 1),
    Example("exits at once", "import os; print('x'); os._exit(3)", "x\n", "runtime_error", 3),
    Example("exits from a thread's point of view",
            "import threading, sys; t = threading.Thread(target=sys.exit);"
            " t.start(); t.join(); print('on')", "on\n"),
    Example("raises", "def f(x):\n    return 1 / x\n\nf(0)\n", "", "runtime_error", 1),
    Example("raises from another",
            "try:\n    {}['a']\nexcept KeyError as e:\n    raise ValueError('b') from e",
            "", "runtime_error", 1),
    Example("raises a group", "raise ExceptionGroup('both', [ValueError(1), TypeError(2)])",
            "", "runtime_error", 1),
    Example("raises in a thread", "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='t')\n"
            "t.start(); t.join(); print('on')", "on\n"),
    Example("recurses without end", "def f(): f()\nf()", "", "runtime_error", 1, stderr_differs=True),
    Example("cannot be parsed", "print('a')\ndef f(:\n", "", "compile_error", 1),
    Example("is indented wrongly", "if True:\nprint(1)", "", "compile_error", 1),
    Example("holds a NUL", "print('a\0b')", "", "compile_error", 1),
    Example("holds a lone surrogate", "x = '\ud800'", "", "compile_error", 1),
    Example("misses a module", "import no_such_module", "", "missing_dependency", 1),
    Example("handles a signal",
            "import os, signal\nsignal.signal(signal.SIGUSR1, lambda *_: print('heard'))\n"
            "os.kill(os.getpid(), signal.SIGUSR1)", "heard\n"),
    Example("is killed", "import os; print('x'); os.kill(os.getpid(), 9)", "x\n", "crashed", None, 9),
    Example("is terminated", "import os; os.kill(os.getpid(), 15)", "", "crashed", None, 15),
    Example("aborts", "import os; os.abort()", "", "crashed", None, 6),
    Example("has a bad pointer", "import ctypes; ctypes.string_at(0)", "", "crashed", None, 11),
    Example("is woken by an alarm", "import signal, time; signal.setitimer(signal.ITIMER_REAL, 0.01);"
            " time.sleep(9)", "", "crashed", None, 14),
    Example("prints any language", "print('grüße, 世界, 🐍')", "grüße, 世界, 🐍\n"),
    Example("prints a lone surrogate", "print('\\ud800')", "", "runtime_error", 1),
    Example("prints bytes that are not UTF-8", r"import os; os.write(1, b'\0\xff ok')", "\0\ufffd ok"),
    Example("prints without a line's end", "print('a', end='')", "a"),
    Example("prints a lot", "print('x' * 900_000)", "x" * 900_000 + "\n"),
    Example("prints a lot to both", "import sys\nfor _ in range(3000):\n  print('o' * 99)\n"
            "  print('e' * 99, file=sys.stderr)", ("o" * 99 + "\n") * 3000),
    Example("reads empty input", "import sys; print(repr(sys.stdin.read()))", "''\n"),
    Example("asks for input", "input('? ')", "? ", "runtime_error", 1),
    Example("closes its streams",
            "import os, sys; print('x'); sys.stdout.flush(); os.close(1); os.close(2)", "x\n"),
    Example("joins its threads", "import threading, time\n"
            "threading.Thread(target=lambda: (time.sleep(0.05), print('thread'))).start()\nprint('main')",
            "main\nthread\n"),
    Example("leaves a daemon thread", "import threading, time\n"
            "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nprint('main')", "main\n"),
    Example("handles its exit",
            "import atexit; atexit.register(print, 'bye'); print('hello')", "hello\nbye\n"),
    Example("fails to handle its exit",
            "import atexit; atexit.register(int, 'x'); print('hello')", "hello\n"),
    Example("hooks its exceptions",
            "import sys\nsys.excepthook = lambda kind, *_: print(kind.__name__)\n1 / 0",
            "ZeroDivisionError\n", "runtime_error", 1),
    Example("fails to hook its exceptions",
            "import sys\nsys.excepthook = None\n1 / 0", "", "runtime_error", 1,
            stderr_differs=True),
    Example("finalizes its objects",
            "class Last:\n  def __del__(self): print('gone')\nlast = Last()", "gone\n"),
    Example("leaves a file open", "import os\nf = open('a.txt', 'w'); f.write('x' * 10)\n"
            "import atexit; atexit.register(lambda: print(os.path.getsize('a.txt')))\ndel f", "10\n"),
    Example("imports from its workspace", "from pack import double; print(double(4))", "8\n",
            files={"pack/__init__.py": b"def double(x): return 2 * x"}),
    Example("pickles its classes",
            "import pickle\nclass A: pass\nprint(pickle.loads(pickle.dumps(A())).__class__)",
            "<class '__main__.A'>\n"),
    Example("runs on a loop", "import asyncio\nasync def f(): await asyncio.sleep(0.01); return 3\n"
            "print(asyncio.run(f()))", "3\n"),
    Example("starts a child",
            "import subprocess\nprint(subprocess.run(['echo', 'a b'], capture_output=True).stdout)",
            "b'a b\\n'\n"),
    Example("forks", "import os, sys\npid = os.fork()\nif pid == 0: sys.exit(5)\n"
            "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))", "5\n"),
    Example("becomes another program",
            "import os; print('one'); os.execvp('echo', ['echo', 'two'])", "one\ntwo\n"),
    Example("leaves a child behind",
            "import subprocess; subprocess.Popen(['sleep', '60']); print('done')", "done\n"),
    Example("computes in a pool of processes", "from multiprocessing import Pool\n"
            "with Pool(3) as pool: print(sum(pool.map(abs, range(-9, 1))))", "45\n", needs="ipc_namespace"),
    Example("talks to itself", "import socket\nserver = socket.create_server(('127.0.0.1', 0))\n"
            "client = socket.create_connection(server.getsockname())\nserver.accept()[0].send(b'hello')\n"
            "print(client.recv(5))", "b'hello'\n", needs="network_namespace"),
    Example("knows its name", "import getpass, os, pwd, socket\n"
            "print(os.getuid(), os.getgid(), os.getgroups() in ([], [1000], [65534]), getpass.getuser(),"
            " pwd.getpwuid(1000).pw_dir, socket.gethostname(), socket.gethostbyname('localhost'))",
            "1000 1000 True sandbox /tmp sandbox 127.0.0.1\n", needs="user_namespace"),
    Example("is at home", "import os, tempfile\nhome = os.environ['HOME']\nprint(os.getcwd() == home =="
            " tempfile.gettempdir() == os.path.expanduser('~'), home)", "True /tmp\n",
            needs="mount_namespace"),
    Example("looks for the host's packages", f"import os, sys\nprint({NO_PACKAGES_OF_THE_HOST})", "True\n",
            needs="mount_namespace"),
    Example("is a script", "import sys; print(__name__, sys.argv[1:], __doc__, '__file__' in dir())",
            "__main__ [] None False\n"),
    Example("sees this environment",
            "import os; print(sorted(set(os.environ) - {'MPLBACKEND', 'MPLCONFIGDIR',"
            " 'MKL_NUM_THREADS', 'NUMEXPR_NUM_THREADS', 'POLARS_MAX_THREADS', '_RJEM_MALLOC_CONF',"
            " 'PYTHONPATH', 'LC_CTYPE'}))",
            "['HOME', 'LANG', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'PATH', 'PYTHONDONTWRITEBYTECODE',"
            " 'PYTHONUNBUFFERED', 'TMPDIR', 'USER']\n"),
    Example("speaks UTF-8", "import sys\nprint(sys.stdout.encoding, sys.stderr.encoding, sys.stdin.encoding,"
            " sys.getfilesystemencoding(), sys.flags.utf8_mode in (0, 1))", "utf-8 utf-8 utf-8 utf-8 True\n"),
    Example("holds three descriptors",
            "import os\ndef is_open(number):\n  try: return bool(os.fstat(number))\n"
            "  except OSError: return False\nprint(list(filter(is_open, range(256))))", "[0, 1, 2]\n"),
    Example("leads a session",
            "import os; print(os.getpid() != 1, os.getsid(0) == os.getpgid(0) == os.getpid())",
            "True True\n"),
    Example("ignores no signal but python's own",
            "import signal\nprint([s.name for s in signal.valid_signals()"
            " if signal.getsignal(s) is signal.SIG_IGN], signal.pthread_sigmask(0, []))",
            "['SIGPIPE', 'SIGXFSZ'] set()\n"),
    Example("has these limits", "import resource as r\nprint([r.getrlimit(x)[1] for x in"
            " (r.RLIMIT_FSIZE, r.RLIMIT_NOFILE, r.RLIMIT_CORE)])", f"[{32 << 20}, 256, 0]\n"),
    Example("makes files for itself",
            "import os\nopen('a', 'w')\nprint(oct(os.stat('a').st_mode), os.umask(0))",
            "0o100644 18\n"),
    Example("uses temporary files", "import tempfile\nwith tempfile.TemporaryDirectory() as folder,"
            " tempfile.TemporaryFile() as f: f.write(b'x'); print(f.seek(0), f.read())", "0 b'x'\n"),
    Example("shares memory", "from multiprocessing.shared_memory import SharedMemory\n"
            "one = SharedMemory('name', create=True, size=9)\none.buf[0] = 7\n"
            "two = SharedMemory('name')\nprint(two.buf[0]); two.close(); one.close(); one.unlink()", "7\n",
            needs="mount_namespace"),
    Example("draws other numbers", "import random, uuid; print(random.random() != 0.0, uuid.uuid4().version)",
            "True 4\n"),
    Example("takes its time", "import time; time.sleep(0.2); print('done')", "done\n"),
]  # fmt: skip

LIMITS_AND_WALLS = [
    # Each limit, crossed once.
    Example("sleeps too long", "import time; print('x'); time.sleep(60)", "x\n", "timeout", None, 9,
            Limits(wall_seconds=0.5)),
    Example("computes too long", "while True: pass", "", "cpu_limit", None, 24, Limits(cpu_seconds=1)),
    Example("takes too much memory", "x = bytearray(1 << 30)", "", "memory_limit", 1),
    Example("takes memory bit by bit", "x = []\nwhile True: x.append('x' * 100_000)", "", "memory_limit", 1,
            limits=Limits(memory_mb=64), stderr_differs=True),
    Example("shares too much memory", "import mmap\nx = mmap.mmap(-1, 900 << 20)\n"
            "while True:\n  for page in range(0, 900 << 20, 4096): x[page] = 1",
            "", "memory_limit", None, 9),
    Example("starts too many processes", "import os, time\nwhile os.fork(): pass\ntime.sleep(60)",
            "", "process_limit", 1, needs="user_namespace"),
    Example("starts too many threads", "import threading\nfor _ in range(20):\n  threading.Thread("
            "target=threading.Event().wait, args=(60,), daemon=True).start()", "", "process_limit", 1,
            needs="user_namespace"),
    Example("writes too large a file", "open('a', 'wb').write(b'x' * (2 << 20))", "", "disk_limit", 1,
            limits=Limits(file_mb=1)),
    Example("writes too much", "for n in range(8): open(str(n), 'wb').write(b'x' * (1 << 20))",
            "", "disk_limit", 1, limits=SMALL, needs="mount_namespace"),
    Example("makes too many files", "for n in range(300): open(str(n), 'w')", "", "disk_limit", 1,
            limits=SMALL, needs="bounded_inodes"),
    Example("opens too many files", "x = [open('/dev/null') for _ in range(50)]", "", "process_limit", 1,
            limits=Limits(open_files=32)),
    Example("prints too much", "while True: print('x' * 999)", "x" * 999 + "\n[sandbox: cut at 999 bytes]",
            "output_limit", None, 9, Limits(output_bytes=999)),
    # Exactly as many as the limit says.
    Example("starts all its processes",
            "import os, time\nfor n in range(9):\n  if os.fork() == 0: time.sleep(60)\n"
            "print('nine')\ntry: os.fork()\nexcept BlockingIOError: print('no more')", "nine\nno more\n",
            needs="user_namespace"),
    Example("opens all its files", "n = 0\ntry:\n  x = []\n  while True: x.append(open('/dev/null'))\n"
            "except OSError: x.pop(); print(len(x) + 4)", "32\n", limits=Limits(open_files=32)),
    Example("writes its largest file", "open('a', 'wb').write(b'x' * (1 << 20)); print('fits')", "fits\n",
            limits=Limits(file_mb=1)),
    Example("prints all it may", "print('x' * 999, end='')", "x" * 999, limits=Limits(output_bytes=999)),
    # Walls.
    Example("writes outside", "open('/usr/x', 'w')", "", "policy_denied", 1, stderr_differs=True),
    Example("looks for root's files",
            "import os; print(os.path.lexists('/root'), os.path.lexists('/etc/shadow'))",
            "False False\n", needs="mount_namespace"),
    Example("has no terminal", "open('/dev/tty')", "", "runtime_error", 1, needs="mount_namespace"),
    Example("calls another machine", "import socket; socket.create_connection(('192.0.2.1', 80), 5)",
            "", "policy_denied", 1, stderr_differs=True),
]  # fmt: skip

SHELL = [
    Example("true", "true"),
    Example("starts an interpreter that looks for the host's packages",
            f'python3 -c "import os, sys; print({NO_PACKAGES_OF_THE_HOST})"', "True\n",
            needs="mount_namespace"),
    Example("pipes", "printf 'b\\na\\n' | sort | tr ab AB; exit 4", "A\nB\n", "runtime_error", 4),
    Example("breaks a pipe", "yes | head -1", "y\n"),
    Example("misses a command", "no_such_command", "", "missing_dependency", 127),
    Example("has a syntax of its own", "if then", "", "runtime_error", 2),
    Example("dies of a signal", "kill -SEGV $$", "", "crashed", None, 11),
    Example("sees a child die", "sh -c 'kill -9 $$'; echo $?", "137\n", stderr_differs=True),
    Example("reads empty input", "cat; read x || echo end", "end\n"),
    Example("leaves jobs behind", "sleep 60 & (sleep 60; echo late) & echo now", "now\n"),
    Example("starts an interpreter", "python3 -c 'import sys; print(sys.argv)' a", "['-c', 'a']\n"),
    Example("finds its files", "mkdir -p a/b && echo x > a/b/c && cat a/b/c && ls", "x\na\n"),
    Example("fills a file", "head -c 3000000 /dev/zero > a", "", "disk_limit", 153,
            limits=Limits(file_mb=1)),
    Example("forks without end", "for i in $(seq 30); do sleep 60 & done; wait", "", "process_limit", 2,
            limits=Limits(wall_seconds=2), needs="user_namespace"),
    Example("is too long", "x" * 200_000, "", "runtime_error", 126),
]  # fmt: skip

AFRESH = {
    *("prints", "raises", "misses a module", "imports from its workspace", "is at home", "handles its exit"),
    *("sees this environment", "holds three descriptors", "leads a session", "starts a child"),
}
"""The code that is also run in a python of its own, on every host."""

EXAMPLES = [
    *(("code", example) for example in CODE + LIMITS_AND_WALLS),
    *(("fresh", example) for example in CODE if example.name in AFRESH),
    *(("shell", example) for example in SHELL),
]
PROGRAMS: dict[str, Callable[[str], dict[str, Any]]] = {
    "code": lambda code: {"code": code},
    "fresh": lambda code: {"code": code, "fresh": True},
    "shell": lambda script: {"shell": script},
    "script": lambda code: {"argv": ["python3", "main.py"]},
}
"""What to run an example's program with, in each way to run it."""

SEEN: dict[str, str] = {}
"""Standard error of each example on the host where it ended first."""


async def run(pool: Any, way: str, example: Example) -> Result:
    files = {**example.files, "main.py": example.program.encode()} if way == "script" else example.files
    result: Result = await pool.run(**PROGRAMS[way](example.program), limits=example.limits, files=files)
    return result


def check(example: Example, result: Result) -> None:
    if example.needs and example.needs not in result.protections:
        pytest.skip(f"untested here: this needs {example.needs}")
    wanted = (example.status, example.exit_code, example.signal, example.stdout)
    assert (result.status, result.exit_code, result.signal, result.stdout) == wanted, result.stderr


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def results(host: Any) -> AsyncIterator[dict[tuple[str, Example], asyncio.Task[Result]]]:
    """All examples on a host, as many at once as it has slots: one by one they would take twice as long."""
    tasks = {(way, example): asyncio.create_task(run(host, way, example)) for way, example in EXAMPLES}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.parametrize(("way", "example"), EXAMPLES, ids=[f"{way} {each.name}" for way, each in EXAMPLES])
async def test_every_host_agrees(
    results: dict[tuple[str, Example], asyncio.Task[Result]], way: str, example: Example
) -> None:
    result = await results[way, example]
    check(example, result)
    if not example.stderr_differs:
        assert result.stderr == SEEN.setdefault(example.name, result.stderr)


@pytest.mark.parametrize(
    ("argv", "stdout", "status", "exit_code"),
    [
        (["echo", "a b", "$HOME", "*"], "a b $HOME *\n", "ok", 0),
        (["/bin/echo", "grüße"], "grüße\n", "ok", 0),
        (["python3", "-c", "import sys; sys.exit(3)"], "", "runtime_error", 3),
        (["no_such_program"], "", "missing_dependency", 127),
        (["/etc/passwd"], "", "policy_denied", 126),
        (["/"], "", "policy_denied", 126),
        (["echo", "a\0b"], "", "runtime_error", 126),
    ],
)
async def test_argv(host: Any, argv: list[str], stdout: str, status: Status, exit_code: int) -> None:
    check(Example(f"{argv}", "", stdout, status, exit_code), await host.run(argv=argv))


async def test_code_has_the_standard_library_and_the_layers_on_its_path_and_nothing_else(host: Any) -> None:
    code = "import sys; print([path for path in sys.path if path.endswith('-packages')])"
    for fresh in (False, True):
        assert (await host.run(code=code, fresh=fresh)).stdout == "[]\n"


async def test_files_come_out_alike(host: Any) -> None:
    code = """
import os
os.makedirs("b/c")
for path, data in {"a.txt": b"in", "b/c/d.bin": bytes(range(256)), "empty": b"", "ü": b"1"}.items():
    with open(path, "wb") as file: file.write(data)
os.symlink("a.txt", "link"); os.mkfifo("pipe"); os.link("empty", "again")
"""
    result = await host.run(code=code, files={"in/e.txt": b"given"}, outputs=("*.bin", "e*"))
    found = {file.path: (file.size, file.sha256, file.data) for file in result.files}
    assert found == {
        "a.txt": (2, hashlib.sha256(b"in").hexdigest(), None),
        "again": (0, None, None),
        "b/c/d.bin": (256, hashlib.sha256(bytes(range(256))).hexdigest(), bytes(range(256))),
        "empty": (0, None, None),
        "in/e.txt": (5, hashlib.sha256(b"given").hexdigest(), None),
        "ü": (1, hashlib.sha256(b"1").hexdigest(), None),
    }
    notes = {file.path: file.note for file in result.files if file.note}
    assert notes.keys() == {"again", "empty"}, notes


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[SandboxPool]:
    async with pool_of("own", "auto") as pool:
        yield pool


UNLIKE_A_SCRIPT = {"is a script", "holds a lone surrogate"}
"""Programs that ask for the very difference: a script has a file, with an encoding."""


@pytest.mark.parametrize("way", ["fresh", "script"])
@pytest.mark.parametrize("example", CODE, ids=[example.name for example in CODE])
async def test_code_is_run_as_the_interpreter_runs_a_script(
    here: SandboxPool, way: str, example: Example
) -> None:
    if way == "script" and example.name in UNLIKE_A_SCRIPT:
        pytest.skip("a script differs here by its nature")
    check(example, await run(here, way, example))
