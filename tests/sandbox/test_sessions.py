"""A session: state from step to step, copies that go their own ways, and nothing of it for who comes next."""

from __future__ import annotations

import asyncio

import pytest

from sandbox import Limits, SandboxError, SandboxPool, Session
from sandbox import slot as slot_module
from tests.sandbox.conftest import ON_ONE_LOOP, SCIENCE, alive, eventually, lingering, seen

pytestmark = ON_ONE_LOOP
PNG = b"\x89PNG\r\n\x1a\n"


async def test_what_a_step_defines_the_next_one_finds(session: Session) -> None:
    await session.step("import math\nx = 20\ndef double(n): return 2 * n")
    await session.step("class Kept:\n    value = 1")
    assert (await session.step("print(double(x) + math.floor(2.5) + Kept.value)")).stdout == "43\n"


@pytest.mark.parametrize(
    ("code", "stdout"),
    [
        ("x = 3\nx", "3\n"),
        ("'words'", "'words'\n"),
        ("None", ""),
        ("x = 3", ""),
        ("print('p'); 1 + 1", "p\n2\n"),
        ("_", "2\n"),
        ("if True:\n    5", ""),
        ("", ""),
        ("# only words", ""),
    ],
)
async def test_the_value_of_a_last_expression_is_shown(session: Session, code: str, stdout: str) -> None:
    await session.step("1 + 1")
    assert (await session.step(code)).stdout == stdout


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [
        ("1 / 0", "runtime_error", 1),
        ("def f(:", "compile_error", 1),
        ("import no_such_module", "missing_dependency", 1),
        ("exit(0)", "ok", 0),
        ("import sys; sys.exit(4)", "runtime_error", 4),
        ("raise SystemExit('why')", "runtime_error", 1),
        ("raise KeyboardInterrupt", "runtime_error", 1),
        ("b'x' * (1 << 30)", "memory_limit", 1),
        ("open('/usr/x', 'w')", "policy_denied", 1),
        ("import os\nwhile os.fork(): pass\nimport time; time.sleep(60)", "process_limit", 1),
        ("class Bad:\n    def __repr__(self): return 1 / 0\nBad()", "runtime_error", 1),
        ("def f(): f()\nf()", "runtime_error", 1),
        ("import sys; sys.stdout = None", "ok", 0),
        ("import sys; sys.displayhook = None; 5", "runtime_error", 1),
    ],
)
async def test_a_failing_step_keeps_what_was_there(
    session: Session, code: str, status: str, exit_code: int
) -> None:
    await session.step("x = 42")
    failed = await session.step(code)
    assert (failed.status, failed.exit_code) == (status, exit_code), failed
    later = await session.step("import sys; sys.stdout = sys.__stdout__; print(x)")
    assert later.stdout == "42\n", later


async def test_a_traceback_shows_the_step_s_own_lines(session: Session) -> None:
    await session.step("def divide(n):\n    return 1 / n  # at fault")
    result = await session.step("divide(0)  # called")
    assert "divide(0)  # called" in result.stderr
    assert result.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert "sandbox" not in result.stderr


async def test_output_of_each_step_is_its_own(session: Session) -> None:
    first = await session.step("import sys; print('one', end=''); print('bad', file=sys.stderr)")
    second = await session.step("import os; os.system('echo two')\nos.write(1, b'three')\nNone")
    assert (first.stdout, first.stderr) == ("one", "bad\n")
    assert (second.stdout, second.stderr) == ("two\nthree", "")


@pytest.mark.parametrize(
    ("code", "status", "exit_code", "signal"),
    [
        ("import os; os._exit(3)", "runtime_error", 3, None),
        ("import os; os.abort()", "crashed", None, 6),
        ("import os; os.kill(os.getpid(), 9)", "crashed", None, 9),
        ("import time; time.sleep(60)", "timeout", None, 9),
        ("while True: pass", "timeout", None, 9),
        ("while True: print('x' * 1000)", "output_limit", None, 9),
    ],
)
async def test_an_interpreter_that_ends_leaves_its_files(
    pool: SandboxPool, code: str, status: str, exit_code: int | None, signal: int | None
) -> None:
    async with pool.session(limits=Limits(wall_seconds=0.5)) as session:
        await session.step("x = 1; open('kept', 'w').write('of the session')")
        ended = await session.step(code)
        assert (ended.status, ended.exit_code, ended.signal) == (status, exit_code, signal), ended
        assert "without its variables" in ended.stderr
        again = await session.step("print('x' in dir(), open('kept').read())")
        assert again.stdout == "False of the session\n"
        assert (await session.run(shell="cat kept")).stdout == "of the session"
    assert pool.lost_slots == 0


async def test_a_run_right_after_a_step_that_ended_is_whole(pool: SandboxPool) -> None:
    async with pool.session(limits=Limits(wall_seconds=0.5)) as session:
        for code in ("while True: pass", "import os; os._exit(1)", "import os; os.close(3)") * 4:
            await session.step(code)
            result = await session.run(shell="echo whole")
            assert (result.status, result.stdout) == ("ok", "whole\n"), (code, result)


async def test_an_interpreter_that_dies_between_steps_is_replaced(session: Session) -> None:
    await session.write("kept", b"")
    await session.step("import os, threading; threading.Timer(0.05, os._exit, (3,)).start()")
    await asyncio.sleep(0.2)
    result = await session.step("print('after')")
    if result.stdout != "after\n":  # it was met on its way out
        assert result.status in ("runtime_error", "crashed"), result
        result = await session.step("print('after')")
    assert result.stdout == "after\n"
    assert "kept" in await session.listdir()


async def test_a_run_leaves_the_interpreter_and_its_children_alone(session: Session, marker: str) -> None:
    await session.step(f"import subprocess; child = subprocess.Popen({lingering(marker)!r}); x = 5")
    await seen(marker)
    run = await session.run(shell="echo from a run > file; setsid sleep 300 &")
    assert run.ok
    assert len(alive(marker)) == 1
    found = await session.step("print(child.poll(), x, open('file').read())")
    assert found.stdout == "None 5 from a run\n\n"
    await session.step("child.kill(); child.wait()")
    assert alive(marker) == []


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import time; time.sleep(60)", "timeout"),
        ("while True: pass", "cpu_limit"),
        (
            "import os\nfor _ in range(3): os.fork()\nheld = bytearray(b'x' * (40 << 20))\nwhile True: pass",
            "memory_limit",
        ),
        ("while True: print('x' * 1000)", "output_limit"),
        ("open('big', 'wb').write(b'x' * (100 << 20))", "disk_limit"),
    ],
)
async def test_a_run_that_crosses_a_limit_leaves_the_interpreter_alone(
    pool: SandboxPool, code: str, status: str, marker: str
) -> None:
    async with pool.session(limits=Limits(wall_seconds=5, cpu_seconds=1, memory_mb=100)) as session:
        start = f"import subprocess; x = 6; child = subprocess.Popen({lingering(marker)!r})"
        assert (await session.step(start)).ok
        result = await session.run(code=code)
        assert result.status == status, result
        after = await session.step("x * 7, child.poll()")
        assert (after.stdout, after.stderr) == ("(42, None)\n", ""), after
        assert (await session.run(code="print(1)")).stdout == "1\n"


BURN_IN_CHILDREN = """
import os, time
for _ in range(20):
    if os.fork() == 0:
        while time.process_time() < 0.3: pass
        os._exit(0)
    os.wait()
"""
KILL_THE_OTHERS = """
import os, time
time.sleep(0.1)
for name in os.listdir('/proc'):
    if name.isdigit() and int(name) not in (1, os.getpid()): os.kill(int(name), 9)
"""


async def test_killing_who_has_the_same_user_id_gets_nobody_out_of_its_limits(pool: SandboxPool) -> None:
    async with pool.session(limits=Limits(wall_seconds=20, cpu_seconds=1)) as session:
        await session.step("x = 1")
        assert (await session.run(code=KILL_THE_OTHERS + BURN_IN_CHILDREN)).status == "cpu_limit"
        assert (await session.step(KILL_THE_OTHERS + BURN_IN_CHILDREN)).status == "cpu_limit"


async def test_a_run_is_held_to_its_limits_while_branches_come_and_go(pool: SandboxPool) -> None:
    async with pool.session(limits=Limits(wall_seconds=20, cpu_seconds=1)) as session:
        snapshot = await session.snapshot()
        branch = await snapshot.branch()
        run = asyncio.create_task(session.run(code=BURN_IN_CHILDREN))
        while not run.done():
            assert (await branch.step("import time; time.sleep(0.05)")).ok
        assert (await run).status == "cpu_limit"


async def test_what_a_session_used_does_not_count_for_the_next_run() -> None:
    async with SandboxPool(slots=1) as pool:
        async with pool.session() as session:
            await session.step("import time\nwhile time.process_time() < 1: pass")
        assert (await pool.run(code="")).cpu_seconds < 0.5


async def test_processes_that_wake_each_other_die_with_their_run(session: Session) -> None:
    waking = """
import os, signal, time
for _ in range(6):
    if os.fork() == 0:
        os.setsid()
        while True:
            try:
                os.kill(-1, signal.SIGCONT)
                if os.fork(): os._exit(0)
            except OSError: pass
time.sleep(0.1)
"""
    await session.step("x = 1")
    for _ in range(40):
        await session.run(code=waking)
        # Init, the interpreter and this.
        assert (await session.run(shell="echo /proc/[0-9]*")).stdout.count("/proc/") == 3


async def test_what_a_run_starts_dies_with_it_although_an_interpreter_lives(
    session: Session, marker: str
) -> None:
    await session.step("x = 5")
    code = f"import subprocess; subprocess.Popen({lingering(marker)!r}, start_new_session=True)"
    assert (await session.run(code=code)).ok
    assert alive(marker) == []
    assert (await session.step("x")).stdout == "5\n"


async def test_a_server_started_in_one_step_serves_the_next_and_runs(session: Session) -> None:
    start = """
import http.server, subprocess, socket, time
open('page.html', 'w').write('served')
server = subprocess.Popen(['python3', '-m', 'http.server', '8000', '--bind', '127.0.0.1'],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while True:
    try: socket.create_connection(('127.0.0.1', 8000)).close(); break
    except OSError: time.sleep(0.01)
"""
    assert (await session.step(start)).ok
    fetch = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8000/page.html').read())"
    assert (await session.step(fetch)).stdout == "b'served'\n"
    assert (await session.run(code=fetch)).stdout == "b'served'\n"


async def test_a_background_process_that_floods_its_old_output_stops_nobody(session: Session) -> None:
    started = await session.step("import subprocess; flood = subprocess.Popen(['yes'])")
    assert started.status in ("ok", "output_limit"), started
    result = await session.step("print(6 * 7)")
    assert result.stdout == "42\n", result


async def test_what_a_step_leaves_behind_is_held_to_the_memory_limit(pool: SandboxPool) -> None:
    grow = """
import mmap, threading, time
def grow():
    time.sleep(0.2)
    kept = mmap.mmap(-1, 60 << 20)
    for page in range(0, len(kept), 4096): kept[page] = 1
    time.sleep(60)
threading.Thread(target=grow).start()
"""
    async with pool.session(limits=Limits(memory_mb=30, tmp_mb=100)) as session:
        assert (await session.step(grow)).ok
        await asyncio.sleep(3)
        assert "had ended since the last step" in (await session.step("1")).stderr
        assert (await session.run(code="print(1)")).stdout == "1\n"


async def test_a_run_that_is_not_watched_yet_costs_no_variables(
    pool: SandboxPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_module, "ATTEND_SECONDS", 60)
    grow = """
import mmap, time
kept = mmap.mmap(-1, 60 << 20)
for page in range(0, len(kept), 4096): kept[page] = 1
time.sleep(9)
"""
    async with pool.session(limits=Limits(memory_mb=30, tmp_mb=100)) as session:
        await session.step("x = 1")
        assert (await session.run(code=grow)).status == "memory_limit"
        assert (await session.step("x")).stdout == "1\n"


async def test_what_a_thread_prints_between_steps_is_nobody_s(session: Session) -> None:
    await session.step("import threading; threading.Timer(0.05, print, ('late',)).start()")
    await asyncio.sleep(0.15)
    assert (await session.step("print('mine')")).stdout == "mine\n"


# Copies.


async def test_branches_go_their_own_ways(session: Session) -> None:
    await session.step("x = [1]")
    snapshot = await session.snapshot()
    await session.step("x.append('session')")
    one, two = await snapshot.branch(), await snapshot.branch()
    await one.step("x.append('one')")
    await two.step("x.append('two')")
    shown = [(await place.step("print(x)")).stdout for place in (session, one, two, await snapshot.branch())]
    assert shown == ["[1, 'session']\n", "[1, 'one']\n", "[1, 'two']\n", "[1]\n"]


async def test_a_branch_can_be_branched_from(session: Session) -> None:
    await session.step("path = 'a'")
    branch = await (await session.snapshot()).branch()
    await branch.step("path += 'b'")
    deeper = await (await branch.snapshot()).branch()
    await deeper.step("path += 'c'")
    await branch.step("path += 'd'")
    assert (await deeper.step("path")).stdout == "'abc'\n"
    assert (await branch.step("path")).stdout == "'abd'\n"


async def test_branches_share_the_files(session: Session) -> None:
    branch = await (await session.snapshot()).branch()
    await branch.step("open('shared', 'w').write('from a branch')")
    assert await session.read("shared") == b"from a branch"


async def test_branches_run_at_once(pool: SandboxPool) -> None:
    async with pool.session() as session:
        meet = """
import os, time
def meet(number):
    open(f'here-{number}', 'w')
    while len([name for name in os.listdir() if 'here' in name]) < 4: time.sleep(0.01)
    return 'met'
"""
        await session.step(meet)
        snapshot = await session.snapshot()
        branches = [await snapshot.branch() for _ in range(4)]
        steps = [branch.step(f"meet({number})") for number, branch in enumerate(branches)]
        assert [result.stdout for result in await asyncio.gather(*steps)] == ["'met'\n"] * 4


async def test_a_snapshot_outlives_the_session_s_later_steps(session: Session) -> None:
    await session.step("x = 1")
    snapshot = await session.snapshot()
    for _ in range(3):
        await session.step("x += 1")
    await session.run(shell="true")
    assert (await (await snapshot.branch()).step("x")).stdout == "1\n"


async def test_a_branch_whose_snapshot_is_closed_outlives_runs(session: Session) -> None:
    await session.step("x = 1")
    snapshot = await session.snapshot()
    branch = await snapshot.branch()
    snapshot.close()
    for _ in range(2):
        assert (await session.run(shell="setsid sleep 300 &")).ok
        assert (await branch.step("x")).stdout == "1\n"


async def test_no_snapshot_is_taken_while_threads_run(session: Session) -> None:
    start = "import threading; done = threading.Event(); t = threading.Thread(target=done.wait); t.start()"
    await session.step(start)
    with pytest.raises(SandboxError, match="threads that run"):
        await session.snapshot()
    await session.step("done.set(); t.join()")
    branch = await (await session.snapshot()).branch()
    assert (await branch.step("print(t.is_alive())")).stdout == "False\n"


async def test_a_branch_that_crosses_a_limit_ends_the_variables_but_not_the_files(pool: SandboxPool) -> None:
    async with pool.session(limits=Limits(wall_seconds=0.5)) as session:
        await session.step("x = 1; open('kept', 'w').write('of the session')")
        branch = await (await session.snapshot()).branch()
        ended = await branch.step("import time; time.sleep(60)")
        assert ended.status == "timeout", ended
        with pytest.raises(SandboxError, match="ended"):
            await branch.step("1")
        again = await session.step("print('x' in dir(), open('kept').read())")
        assert again.stdout == "False of the session\n", again
    assert pool.lost_slots == 0


async def test_a_branch_s_cpu_time_is_limited_as_such(pool: SandboxPool) -> None:
    async with pool.session(limits=Limits(wall_seconds=20, cpu_seconds=1)) as session:
        branch = await (await session.snapshot()).branch()
        assert (await branch.step("while True: pass")).status == "cpu_limit"


async def test_a_branch_that_ends_itself_ends_no_other(session: Session) -> None:
    await session.step("x = 1")
    snapshot = await session.snapshot()
    one, two = await snapshot.branch(), await snapshot.branch()
    ended = await one.step("import os; os._exit(3)")
    assert not ended.ok
    with pytest.raises(SandboxError, match="ended"):
        await one.step("1")
    assert (await two.step("x")).stdout == "1\n"
    assert (await session.step("x")).stdout == "1\n"


async def test_closing_a_snapshot_spares_its_branches(session: Session) -> None:
    await session.step("x = 7")
    snapshot = await session.snapshot()
    branch = await snapshot.branch()
    snapshot.close()
    snapshot.close()
    assert (await branch.step("x")).stdout == "7\n"
    with pytest.raises(SandboxError):
        await snapshot.branch()
    assert (await session.step("x")).stdout == "7\n"


async def test_copies_of_a_closed_session_say_so_and_disturb_nobody(pool: SandboxPool) -> None:
    async with pool.session() as session:
        snapshot = await session.snapshot()
        branch = await snapshot.branch()
    async with pool.session() as another:
        await another.step("x = 1")
        uses = (lambda: branch.step("1"), snapshot.branch, branch.snapshot, lambda: session.step("1"))
        for use in uses:
            with pytest.raises(SandboxError):
                await use()
        assert (await another.step("x")).stdout == "1\n"
    assert pool.lost_slots == 0


# Forged replies. The code of a step can do all that its interpreter can.

CHANNEL = """
import os, socket, stat
descriptors = [int(name) for name in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{name}')]
channels = [number for number in descriptors if stat.S_ISSOCK(os.fstat(number).st_mode)]
channel = socket.socket(fileno=channels[0])
"""
FORGED = {
    "an answer of its own": "channel.send(b'\\0\\0\\0\\2ok' * 4)",
    "rubbish": "channel.send(os.urandom(999))",
    "many answers": "channel.setblocking(False)\ntry:\n  while True: channel.send(b'x' * 999)\n"
    "except OSError: pass",
    "descriptors": "socket.send_fds(channel, [b'x'], [0, 1, 2, os.open('.', 0)])",
    "many descriptors": "socket.send_fds(channel, [b'x'], [0] * 200)",
    "the end": "channel.shutdown(2)",
    "a closed channel": "channel.close()",
    "other descriptors closed": "os.closerange(0, 3)",
    "the init's words": "channel.send(b'ended 0 0.0 0')",
}


@pytest.mark.parametrize("forgery", FORGED.values(), ids=FORGED)
async def test_a_forged_reply_harms_only_its_own_session(pool: SandboxPool, forgery: str) -> None:
    async with pool.session() as victim, pool.session(limits=Limits(wall_seconds=2)) as session:
        await victim.step("x = 1")
        await session.write("kept", b"")
        assert (await session.step(CHANNEL + "print(len(channels))")).stdout == "1\n"
        result = await session.step(forgery)
        assert result.status in ("ok", "crashed", "timeout", "runtime_error"), result
        assert (await session.step("print('again')")).stdout in ("again\n", "")
        assert "kept" in await session.listdir()
        assert (await session.run(code="print('whole')")).stdout == "whole\n"
        assert (await victim.step("x")).stdout == "1\n"
    assert pool.lost_slots == 0
    assert (await pool.run(code="print(1)")).stdout == "1\n"


def answering(*words: bytes) -> str:
    """A step that says `words` of itself."""
    return (
        CHANNEL
        + f"""
import sys, time
frame = sys._getframe()
while 'nonce' not in frame.f_locals: frame = frame.f_back
fields = [frame.f_locals['nonce'], *{words!r}]
channel.send(b''.join(len(f).to_bytes(4, 'big') + f for f in fields))
time.sleep(60)
"""
    )


@pytest.mark.parametrize(
    "words",
    [
        (b"0", b"0", b"9" * 400),
        (b"0", b"0", b"-1"),
        (b"0", b"nan", b"0"),
        (b"0", b"1e400", b"0"),
        (b"0", b"-1", b"0"),
        (b"nan", b"0", b"0"),
        (b"256", b"0", b"0"),
        (b"0", b"0"),
        (b"0", b"0", b"0", b"0"),
    ],
)
async def test_a_step_that_says_impossible_things_has_crashed(
    session: Session, words: tuple[bytes, ...]
) -> None:
    result = await session.step(answering(*words))
    assert result.status == "crashed", result
    assert 0 <= result.cpu_seconds < 60


async def test_a_forged_success_hides_no_timeout(pool: SandboxPool) -> None:
    # Its own nonce lies in the frames below: such an answer is as good as the interpreter's.
    async with pool.session(limits=Limits(wall_seconds=0.5)) as session:
        forged = await session.step(answering(b"0", b"0.0", b"0"))
        assert forged.ok
        stuck = await session.step("print('never')")
        assert (stuck.status, stuck.stdout) == ("timeout", "")
        assert (await session.step("print('new')")).stdout == "new\n"


# Cancelled, closed, reused.


async def test_a_cancelled_step_is_dead_and_the_session_goes_on(session: Session, marker: str) -> None:
    step = asyncio.create_task(session.step(f"import subprocess; subprocess.run({lingering(marker)!r})"))
    await seen(marker)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    await eventually(lambda: not alive(marker))
    assert (await session.step("print('again')")).stdout == "again\n"


async def test_a_session_left_in_the_middle_of_a_step_leaves_nothing(pool: SandboxPool, marker: str) -> None:
    async with pool.session() as session:
        step = asyncio.create_task(session.step(f"import subprocess; subprocess.run({lingering(marker)!r})"))
        await seen(marker)
    results = await asyncio.gather(step, return_exceptions=True)
    assert alive(marker) == []
    assert not getattr(results[0], "ok", False)
    assert (await pool.run(code="print(1)")).stdout == "1\n"


async def test_calls_made_at_once_wait_for_each_other(session: Session) -> None:
    await session.step("n = 0")
    await asyncio.gather(*(session.step("n += 1; open('log', 'a').write(f'{n} ')") for _ in range(20)))
    assert await session.read("log") == b"".join(b"%d " % n for n in range(1, 21))


async def test_a_closed_session_says_so(pool: SandboxPool) -> None:
    async with pool.session() as session:
        pass
    for use in (session.step("1"), session.run(shell="ls"), session.read("x"), session.snapshot()):
        with pytest.raises(SandboxError, match="closed"):
            await use


LOOK = """
import glob, os, socket
print(sorted(set(os.listdir()) - {'.shm', '.matplotlib'}), os.listdir('/dev/shm'))
print(len(glob.glob('/proc/[0-9]*')), 'secret' in dir(), os.environ.get('SECRET'))
print([len(open(f'/proc/net/{name}').readlines()) for name in ('tcp', 'udp', 'unix')])
socket.create_server(('127.0.0.1', 8000))
print(oct(os.umask(0o22)), os.getcwd(), os.getpriority(os.PRIO_PROCESS, 0))
"""


async def test_a_slot_is_as_new_after_a_session() -> None:
    spoil = """
import os, socket, subprocess
secret = os.environ['SECRET'] = 'known'
os.umask(0); os.nice(5)
os.makedirs('a/b'); open('a/b/c', 'w').write('secret'); open('/dev/shm/x', 'w'); os.mkdir('.figures')
server = socket.create_server(('127.0.0.1', 8000)); client = socket.create_connection(('127.0.0.1', 8000))
one = server.accept()[0]; one.close(); client.close(); server.close()
abstract = socket.socket(socket.AF_UNIX); abstract.bind('\\0name'); abstract.listen()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(('127.0.0.1', 9000))
subprocess.Popen(['sleep', '300'], start_new_session=True)
os.chmod('.', 0)
"""
    async with SandboxPool(slots=1) as pool:
        new = await pool.run(code=LOOK)
        assert new.ok, new
        pids = set()
        for _ in range(3):
            async with pool.session() as session:
                assert (await session.step(spoil)).ok
                await session.snapshot()
                pids.add((await session.step("import os; print(os.stat('/proc/1').st_ino)")).stdout)
            used = await pool.run(code=LOOK)
            assert used.stdout == new.stdout, used
        assert pool.lost_slots == 0


async def test_a_run_gets_a_slot_that_a_session_just_left(pool: SandboxPool) -> None:
    for _ in range(20):
        async with pool.session() as session:
            assert (await session.run(code="print(1)")).ok
        results = await asyncio.gather(*(pool.run(code=f"print({n})") for n in range(4)))
        assert [result.stdout for result in results] == ["0\n", "1\n", "2\n", "3\n"]
    assert pool.lost_slots == 0


async def test_many_short_steps_do_not_add_up_to_a_long_one(pool: SandboxPool) -> None:
    burn = "import time\nuntil = time.process_time() + {}\nwhile time.process_time() < until: pass\n1"
    async with pool.session(limits=Limits(cpu_seconds=1)) as session:
        assert (await session.step(burn.format(0.3))).ok
        for _ in range(150):
            result = await session.step(burn.format(0.007))
            assert result.status == "ok", result


@SCIENCE
async def test_figures_of_a_step_come_out_as_pictures(pool: SandboxPool) -> None:
    async with pool.session(profile="science", limits=Limits(memory_mb=512)) as session:
        draw = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.figure(); plt.bar([1], [2])"
        drawn = await session.step(draw)
        assert [figure.startswith(PNG) for figure in drawn.figures] == [True, True], drawn
        assert (await session.step("1")).figures == ()
        assert (await session.run(code="import matplotlib.pyplot as plt; plt.plot([1])")).figures


BURN = "import time\nuntil = time.process_time() + {}\nwhile time.process_time() < until: pass\n"
DETACHED = """
import os, time
if os.fork() == 0:
    if os.fork() == 0:
        x = bytearray(90 << 20)
        exec({burn!r})
        {end}
    os._exit(0)
time.sleep(1.5)
"""
KILLS_ITSELF = "import os; os.kill(os.getpid(), 9)"


async def test_a_run_after_a_session_begins_to_count_anew() -> None:
    async with SandboxPool(slots=1) as pool:
        async with pool.session() as session:
            await session.step(f"x = bytearray(90 << 20)\n{BURN.format(1.2)}")
        result = await pool.run(code=KILLS_ITSELF, limits=Limits(cpu_seconds=1))
    assert (result.status, result.signal) == ("crashed", 9), result
    assert result.cpu_seconds < 0.5, result
    assert result.peak_memory_mb < 60, result


async def test_a_run_in_a_session_does_not_count_what_steps_left(pool: SandboxPool) -> None:
    async with pool.session(limits=Limits(cpu_seconds=1, memory_mb=200)) as session:
        for end in ("os._exit(0)", "time.sleep(60)"):
            await session.step(DETACHED.format(burn=BURN.format(0.7), end=end))
            result = await session.run(code=KILLS_ITSELF)
            assert (result.status, result.signal) == ("crashed", 9), result
            assert result.cpu_seconds < 0.4, result
        assert (await session.step("1")).ok


async def test_a_step_that_crosses_its_cpu_time_reports_only_its_own(pool: SandboxPool) -> None:
    async with pool.session(limits=Limits(cpu_seconds=1)) as session:
        for _ in range(2):
            assert (await session.step(BURN.format(0.7))).ok
        result = await session.step("while True: pass")
        assert result.status == "cpu_limit"
        assert 0.9 <= result.cpu_seconds < 1.6, result


async def test_a_step_that_ends_its_interpreter_at_once_used_next_to_nothing(pool: SandboxPool) -> None:
    async with pool.session(limits=Limits(cpu_seconds=1)) as session:
        for _ in range(2):
            await session.step(BURN.format(0.7))
        result = await session.step(KILLS_ITSELF)
    assert (result.status, result.cpu_seconds < 0.5) == ("crashed", True), result
