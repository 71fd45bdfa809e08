"""The HTTP side: paths, the delay before a reply, and the count of what was answered."""

from __future__ import annotations

import asyncio
from collections import Counter

from aiohttp import web

from tests.llm_server.replies import Answer, error
from tests.llm_server.scripts import HangUp, Script


class LLMServer:
    """Serves one script. `delay` is in seconds, before each chat completion.

    Beyond `cap` requests in flight it answers 429 at once, with `retry_after` as that header where it is set.
    """

    def __init__(
        self, script: Script, delay: float = 0.0, *, cap: int | None = None, retry_after: str = ""
    ) -> None:
        self._script = script
        self._delay = delay
        self._cap = cap
        self._refusal = error(
            429,
            "rate_limit_exceeded",
            "Too many at once.",
            {"Retry-After": retry_after} if retry_after else {},
        )
        self._replies: Counter[str] = Counter()
        self._in_flight = 0
        self._max_in_flight = 0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=0)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/stats", self._stats)
        app.router.add_get("/plan", self._plan)
        app.router.add_get("/malformed", self._malformed)
        return app

    async def _chat(self, request: web.Request) -> web.Response:
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        ended = "abandoned"
        try:
            body = await request.read()
            if self._cap is not None and self._in_flight > self._cap:
                ended = str(self._refusal.status)
                return _response(self._refusal)
            if self._delay:
                await asyncio.sleep(self._delay)
            answer = await self._script.answer(body)
            ended = str(answer.status)
            return _response(answer)
        except HangUp:
            ended = "closed"
            return _hung_up(request)
        finally:
            self._replies[ended] += 1
            self._in_flight -= 1

    async def _models(self, request: web.Request) -> web.Response:
        try:
            return _response(await self._script.models())
        except HangUp:
            return _hung_up(request)

    async def _stats(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"replies": self._replies, "in_flight": self._in_flight, "max_in_flight": self._max_in_flight}
        )

    async def _plan(self, request: web.Request) -> web.Response:
        return web.json_response(self._script.plan())

    async def _malformed(self, request: web.Request) -> web.Response:
        return web.json_response(self._script.malformed())


def _response(answer: Answer) -> web.Response:
    headers = {"Content-Type": "application/json", **answer.headers}
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def _hung_up(request: web.Request) -> web.Response:
    """Closes the connection; aiohttp wants a response all the same, which then goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
