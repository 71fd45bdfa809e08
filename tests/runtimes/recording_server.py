"""A chat-completions server over HTTP that answers as a test wrote down and keeps what it was sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from runtimes.contracts import Message
from runtimes.llm.client import OpenAIChat
from runtimes.llm.retry import RetryPolicy
from tests.llm_server.replies import MODEL, Answer, completion, error, estimated_tokens


def refusal() -> Answer:
    """The error of a provider whose model the conversation is too long for."""
    told = "This model's maximum context length is 8192 tokens. Please reduce the length of the messages."
    return error(400, "context_length_exceeded", told)


def cut_off(message: Message) -> Answer:
    """A reply that reached the limit of its length."""
    body = completion(message, prompt_tokens=0, completion_tokens=9, finish_reason="length")
    return Answer(200, body)


class RecordingServer:
    """Gives `answers` in order, messages as whole completions; `bodies` are the requests as they came."""

    def __init__(self, answers: Sequence[Message | Answer]) -> None:
        self.bodies: list[bytes] = []
        self.answered: list[bytes] = []
        self.url = ""
        self._answers = list(answers)

    def messages(self) -> list[bytes]:
        """The bytes of `messages` in each request that got a reply."""
        return [messages_in(body) for body in self.answered]

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.bodies.append(body)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not isinstance(answer, Answer):
            tokens = estimated_tokens(body)
            answer = Answer(200, completion(answer, prompt_tokens=tokens, completion_tokens=5))
        if answer.status == 200:
            self.answered.append(body)
        return web.Response(status=answer.status, body=answer.body, content_type="application/json")

    def client(self) -> OpenAIChat:
        return OpenAIChat(
            provider="vllm",
            model=MODEL,
            base_url=self.url,
            api_key="none",
            retry=RetryPolicy(tries=1, initial_seconds=0),
        )


@asynccontextmanager
async def recording_server(*answers: Message | Answer) -> AsyncIterator[RecordingServer]:
    server = RecordingServer(answers)
    app = web.Application(client_max_size=0)
    app.router.add_post("/v1/chat/completions", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield server
    finally:
        await runner.cleanup()


def messages_in(body: bytes) -> bytes:
    """The value of `messages` in a request's body, as it stands there."""
    text = body.decode()
    start = text.index('"messages":') + len('"messages":')
    _, end = json.JSONDecoder().raw_decode(text, start)
    return text[start:end].encode()
