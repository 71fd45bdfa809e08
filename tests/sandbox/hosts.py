"""Where a pool runs in the tests: in this process, or in an unprivileged user's, spoken to over a pipe."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import sandbox
from sandbox import SandboxPool

NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"
SERVE = """
import asyncio, sys
from multiprocessing.connection import Connection
from sandbox import SandboxPool

calls = Connection(int(sys.argv[1]))

async def main():
    options = dict(calls.recv())
    objects, tasks, loop = {}, set(), asyncio.get_running_loop()

    async def call(number, key, name, arguments, options):
        try:
            if name == "open":
                # Kept, as a context manager that is forgotten closes what it opened.
                entered = objects[number, "entered"] = objects[key].session(**options)
                objects[number] = await entered.__aenter__()
                value = None
            else:
                value = await getattr(objects[key], name)(*arguments, **options)
                if name in ("snapshot", "branch"):
                    objects[number], value = value, None
        except BaseException as error:
            value = error
        calls.send((number, value))

    async with SandboxPool(**options) as objects[0]:
        while True:
            try:
                request = await loop.run_in_executor(None, calls.recv)
            except EOFError:
                return
            task = asyncio.create_task(call(*request))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

asyncio.run(main())
"""


class Far:
    """A pool, session, snapshot or branch in the other process; its methods are that one's."""

    def __init__(self, host: _OtherProcess, key: int) -> None:
        self._host = host
        self._key = key

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **options: Any) -> Any:
            number, value = await self._host.call(self._key, name, arguments, options)
            return Far(self._host, number) if name in ("snapshot", "branch") else value

        return call

    @asynccontextmanager
    async def session(self, **options: Any) -> AsyncIterator[Far]:
        number, _ = await self._host.call(self._key, "open", (), options)
        session = Far(self._host, number)
        try:
            yield session
        finally:
            await session.close()


class _OtherProcess:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        asyncio.get_running_loop().add_reader(connection.fileno(), self._hear)

    async def call(self, key: int, name: str, arguments: Any, options: Any) -> tuple[int, Any]:
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._connection.send((number, key, name, arguments, options))
        value = await answer
        if isinstance(value, BaseException):
            raise value
        return number, value

    def _hear(self) -> None:
        number, value = self._connection.recv()
        self._waiting.pop(number).set_result(value)


@asynccontextmanager
async def pool_of(user: str, backend: str, **options: Any) -> AsyncIterator[Any]:
    """A pool of `user` (`own` is who runs the tests, `unprivileged` one without rights) and a backend."""
    if user == "own":
        async with SandboxPool(backend=backend, **options) as pool:
            yield pool
        return
    ours, theirs = socket.socketpair()
    unprivileged = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory() as folder, ours, theirs:
        os.chmod(folder, 0o755)
        shutil.copytree(Path(sandbox.__file__).parent, Path(folder, "sandbox"))
        other = subprocess.Popen(  # noqa: ASYNC220 - it takes no longer than a fork
            [SYSTEM_PYTHON, "-B", "-c", SERVE, str(theirs.fileno())],
            cwd=folder,
            env={"HOME": folder, "PATH": os.environ["PATH"]},
            pass_fds=[theirs.fileno()],
            **unprivileged,  # type: ignore[call-overload]
        )
        theirs.close()
        connection = Connection(ours.detach())
        connection.send({"backend": backend, **options})
        try:
            yield Far(_OtherProcess(connection), 0)
        finally:
            asyncio.get_running_loop().remove_reader(connection.fileno())
            connection.close()
            await asyncio.to_thread(other.wait)
