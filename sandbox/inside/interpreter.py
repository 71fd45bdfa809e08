"""The persistent interpreter of a session: runs step after step in one namespace, and can be forked.

What it answers is a word of the process that runs the agent's code, which may lie: the host takes its own
clock, its own copy of the output and init's report for true, and this only for what harms nobody but itself.
"""

from __future__ import annotations

import _socket
import ast
import os
import resource
import sys

from sandbox.inside.figures import forget_figures, save_figures
from sandbox.inside.program import compile_source, exit_code_of, show, spare_memory
from sandbox.inside.wire import pack, receive_request, send

QUIET = "/dev/null"
copies: list[int] = []
"""The snapshots or branches that were forked from this process."""


def serve(channel: _socket.socket, workspace: str) -> None:
    """Answer the requests on `channel` until the host hangs up.

    A request is `step nonce source` with two descriptors for its output, `snapshot nonce` or `branch nonce`
    with one, the channel of the process that comes of it. Every answer begins with the nonce of its request.
    """
    namespace = sys.modules["__main__"].__dict__
    while True:
        request, descriptors = receive_request(channel)
        if not request:
            os._exit(0)
        kind, nonce, *source = request
        if kind == b"step":
            redirect(*descriptors)
            answer = step(source[0], namespace, workspace)
            silence()
        else:
            fork = snapshot if kind == b"snapshot" else branch
            channel, answer = fork(channel, descriptors[0])
        if answer:
            send(channel, pack(nonce, *answer))


def step(source: bytes, namespace: dict[str, object], workspace: str) -> list[bytes]:
    """Run one step; gives its exit code, the CPU seconds and the peak memory in KiB of this process tree."""
    before = cpu_seconds()
    code = 0
    spare_memory(False)
    try:
        forget_figures(workspace)
        run(source, namespace)
    except SystemExit as end:
        code = exit_code_of(end)
    except BaseException as error:
        show(error, source)
        code = 1
    spare_memory(True)
    try:
        save_figures(workspace)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except Exception:
        code = code or 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return [b"%d" % (code & 0xFF), b"%.6f" % (cpu_seconds() - before), b"%d" % peak]


def run(source: bytes, namespace: dict[str, object]) -> None:
    """Run the statements, and show the value of the last one if it is an expression."""
    tree = compile_source(source, "exec", ast.PyCF_ONLY_AST)
    last = (
        ast.Expression(tree.body.pop().value) if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    )
    exec(compile_source(tree, "exec"), namespace)
    if last is not None:
        sys.displayhook(eval(compile_source(last, "eval"), namespace))


def snapshot(channel: _socket.socket, given: int) -> tuple[_socket.socket, list[bytes]]:
    """Fork: the child waits with a copy of everything, on the channel `given`; the session goes on.

    Refused, with the answer `threads`, while other threads run: the copy would be without them.
    """
    if count_threads() > 1:
        os.close(given)
        return channel, [b"threads"]
    if fork_a_copy(channel):
        return _socket.socket(fileno=given), []
    os.close(given)
    return channel, [b"taken"]


def branch(channel: _socket.socket, given: int) -> tuple[_socket.socket, list[bytes]]:
    """Fork: the child goes on from this snapshot on the channel `given`, the parent waits for more."""
    if fork_a_copy(channel):
        return _socket.socket(fileno=given), [b"branched"]
    os.close(given)
    return channel, []


def count_threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        # Where there is no /proc, those that python knows of.
        return len(sys._current_frames())


def fork_a_copy(channel: _socket.socket) -> bool:
    """Whether this process is the copy, which has nothing to do with the channel it was asked on."""
    # Copies that have ended count against the limit of processes until they are waited for. The program's own
    # children are for the program to wait for.
    copies[:] = [pid for pid in copies if is_alive(pid)]
    pid = os.fork()
    if pid:
        copies.append(pid)
        return False
    copies.clear()
    channel.close()
    return True


def is_alive(child: int) -> bool:
    try:
        return os.waitpid(child, os.WNOHANG)[0] == 0
    except ChildProcessError:
        # The program waited for any child of its own, and got this one.
        return False


def redirect(out: int, err: int) -> None:
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)


def silence() -> None:
    """What threads of a step print later belongs to nobody."""
    nowhere = os.open(QUIET, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def cpu_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
