"""The sandbox session of an episode, which goes on where the slot under it dies.

Its files are copied to the host after each call, and put into the next slot. What no copy can bring back, the
interpreter's variables and what ran in the background, the agent is told of.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from runtimes.errors import InfrastructureError, ToolError
from sandbox import Result, SandboxError, Session, SessionLost

T = TypeVar("T")

MAX_LOSSES = 3
"""Slots an episode may lose before it ends: code that kills each would go on for ever."""

MOST_FILES, MOST_BYTES = 100, 4 << 20
"""What is copied of a workspace; larger ones come back without the rest."""


class Workspace:
    """A `Session` as tools use it. Its calls raise what the session's do, but for a slot that is lost.

    Where there was nothing in it yet the call is repeated. Else that is a ToolError, since nobody knows how
    far the call came, and after MAX_LOSSES an InfrastructureError.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._copies: dict[str, bytes] = {}
        self._left_out = False
        self._is_empty = True
        self._losses = 0

    async def run(self, *, code: str | None = None, shell: str | None = None) -> Result:
        """Run a program in a process of its own."""
        return await self._do(lambda: self._session.run(code=code, shell=shell), changes=True)

    async def step(self, code: str) -> Result:
        """Run code in the interpreter that keeps its variables."""
        return await self._do(lambda: self._session.step(code), changes=True)

    async def write(self, path: str, data: bytes) -> None:
        await self._do(lambda: self._session.write(path, data), changes=True)

    async def read(self, path: str) -> bytes:
        return await self._do(lambda: self._session.read(path))

    async def listdir(self, path: str = ".") -> list[str]:
        return await self._do(lambda: self._session.listdir(path))

    async def _do(self, call: Callable[[], Awaitable[T]], *, changes: bool = False) -> T:
        while True:
            # None is left also where a call before was cancelled, or a copy met the loss.
            if not self._is_empty and not self._session.has_slot:
                await self._restore()
                raise self._told()
            try:
                done = await call()
                break
            except SessionLost as lost:
                self._count(lost)
        if changes:
            self._is_empty = False
            await self._copy()
        return done

    async def _copy(self) -> None:
        with suppress(SandboxError, OSError):  # what was copied before still holds
            files = await self._session.files(most_files=MOST_FILES, most_bytes=MOST_BYTES)
            self._copies = {file.path: file.data for file in files if file.data is not None}
            self._left_out = len(self._copies) < len(files)

    async def _restore(self) -> None:
        """Put the files into the next slot, which may die as well."""
        while True:
            try:
                await self._session.open()
                for path, data in self._copies.items():
                    await self._session.write(path, data)
                return
            except SessionLost as lost:
                self._count(lost)

    def _count(self, lost: SessionLost) -> None:
        self._losses += 1
        if self._losses > MAX_LOSSES:
            raise InfrastructureError(
                "system_error", f"The sandbox of one episode died {self._losses} times: {lost.message}"
            ) from lost

    def _told(self) -> ToolError:
        back = f"These files are back: {', '.join(self._copies)}." if self._copies else "No files are back."
        rest = " Others are gone." if self._left_out else ""
        return ToolError(
            "system_error",
            f"The sandbox died and was started again. Variables and running programs are gone. {back}{rest}",
            "Whether the call was done is not known: look first.",
            error_class="sandbox_lost",
        )
