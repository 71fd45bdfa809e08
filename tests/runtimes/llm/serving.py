"""Real HTTP servers of a test's own, which give the replies it lists, and clients of them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from runtimes.contracts import Message
from runtimes.llm.client import OpenAIChat
from runtimes.llm.retry import RetryPolicy
from tests.llm_server.replies import assistant, completion

Replying = Callable[[web.Request], Awaitable[web.StreamResponse]]

QUICK = RetryPolicy(tries=3, initial_seconds=0.001)
ASK: list[Message] = [{"role": "user", "content": "Hello."}]
GOOD = completion(assistant("Hi."), prompt_tokens=5, completion_tokens=2)


@dataclass
class Served:
    """A server that gives `replies` in order, the last again and again, to whatever it is asked.

    `requests` are the bodies it was sent, `keys` the authorisations, `cut_off` how often the client closed
    the connection before it had its reply.
    """

    replies: list[Replying]
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    cut_off: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        return await self.answer(request)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers["Authorization"])
        self.asked.set()
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        try:
            return await reply(request)
        except (asyncio.CancelledError, ConnectionError):
            self.cut_off += 1
            self.closed.set()
            raise


@asynccontextmanager
async def server(*replies: Replying, tls: ssl.SSLContext | None = None) -> AsyncIterator[Served]:
    served = Served(list(replies))
    app = web.Application()
    app.router.add_post("/v1/chat/completions", served.chat)
    app.router.add_get("/v1/models", served.answer)
    runner = web.AppRunner(app, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    served.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield served
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serving(*replies: Replying, **options: Any) -> AsyncIterator[tuple[Served, OpenAIChat]]:
    """A server and a client of it; `options` are the client's."""
    async with server(*replies) as served:
        model = chat(served.url, **options)
        try:
            yield served, model
        finally:
            await model.aclose()


def chat(url: str, **options: Any) -> OpenAIChat:
    given = {"provider": "vllm", "model": "m-1", "api_key": "secret-key", "retry": QUICK, "timeout": 60}
    return OpenAIChat(base_url=url, **{**given, **options})


def gives(body: bytes, status: int = 200, **headers: str) -> Replying:
    async def reply(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body, content_type="application/json", headers=named)

    return reply


def refuses(status: int, message: str = "No.", **headers: str) -> Replying:
    return gives(b'{"error": {"message": "%s"}}' % message.encode(), status, **headers)


async def breaks_off(request: web.Request) -> web.StreamResponse:
    """Half of the announced body, then nothing."""
    response = web.StreamResponse(headers={"Content-Length": str(len(GOOD))})
    await response.prepare(request)
    await response.write(GOOD[: len(GOOD) // 2])
    assert request.transport is not None
    request.transport.close()
    return response


async def hangs(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def stops_half_way(request: web.Request) -> web.StreamResponse:
    """Half of the announced body, and then nothing over an open connection."""
    response = web.StreamResponse(headers={"Content-Length": str(len(GOOD))})
    await response.prepare(request)
    await response.write(GOOD[: len(GOOD) // 2])
    return await hangs(request)


def goes_on_forever(chunk: bytes, status: int = 200) -> Replying:
    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        while True:
            await response.write(chunk)

    return reply


async def drips(request: web.Request) -> web.StreamResponse:
    """A byte now and then, so that no single wait is long."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.02)
