"""A model whose answers a test holds back, so that a round stands still exactly where the test wants it.

It is the `steps` script of the test server, run inside the test so that the test can look into it.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from tests.llm_server.app import LLMServer
from tests.llm_server.replies import Answer
from tests.llm_server.steps import Steps

_TASK = re.compile(r"\[task ([\w.-]+)\]")
"""How a task's description names it to this model."""


def described(task_id: str) -> str:
    """A description that this model knows again. One call of python_executor, and the answer is 1."""
    return f"Square the number 1. [task {task_id}]"


class HeldModel(Steps):
    """One tool call, then complete_task with the answer 1, which waits while the task is held back.

    `requests` counts the requests of episodes by task, `waiting` are the tasks whose last answer is due.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(turns=1)
        self.requests: Counter[str] = Counter()
        self.waiting: set[str] = set()
        self.url = ""
        self._loop = loop
        self._held: frozenset[str] = frozenset()
        self._released = asyncio.Event()

    def hold(self, *task_ids: str) -> None:
        """Let the episodes of these tasks come to their last answer and not further."""
        self._released.clear()
        self._held = frozenset(task_ids)

    def release(self) -> None:
        """Answer whatever waits, and hold nothing back from now on."""
        self._held = frozenset()
        self._loop.call_soon_threadsafe(self._released.set)

    async def answer(self, body: bytes) -> Answer:
        request = json.loads(body)
        if request.get("tools"):
            await self._turn(request["messages"])
        return await super().answer(body)

    async def _turn(self, messages: list[dict[str, object]]) -> None:
        named = _TASK.search(str(messages[1]["content"]))
        task_id = named[1] if named else "unnamed"
        self.requests[task_id] += 1
        is_last = any(message["role"] == "assistant" for message in messages)
        if is_last and task_id in self._held:
            self.waiting.add(task_id)
            try:
                await self._released.wait()
            finally:
                self.waiting.discard(task_id)


@contextmanager
def held_model() -> Iterator[HeldModel]:
    """Serve a HeldModel on a port of 127.0.0.1, from a thread of this process."""
    loop = asyncio.new_event_loop()
    model = HeldModel(loop)
    started, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        # Without handler_cancellation a request that its client gave up would wait for ever.
        runner = web.AppRunner(LLMServer(model).app(), handler_cancellation=True, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        model.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="held-model")
    thread.start()
    try:
        if not started.wait(timeout=20):
            raise RuntimeError("The held model did not start.")
        yield model
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
