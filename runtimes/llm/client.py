"""The one LLM client: chat completions of one model of one provider, through the `openai` package.

How many calls are in flight is `pace`'s business, what an error means that of `faults`, what a body that of
`reply`.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Any

import msgspec

from runtimes.breaker import Breaker, BreakerOpen
from runtimes.contracts import Message
from runtimes.errors import ModelUnavailable
from runtimes.llm.base import Reply, Sampling
from runtimes.llm.catalog import ROWS, StructuredOutput
from runtimes.llm.faults import (
    OutOfCredit,
    connection_fault,
    refuses_format,
    status_fault,
    unknown_parameters,
)
from runtimes.llm.outage import Outage
from runtimes.llm.pace import NoRoom, Pace, RateLimited
from runtimes.llm.reply import MAX_REPLY_BYTES, read_reply
from runtimes.llm.retry import RetryPolicy, Transient

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONNECT_SECONDS = 10.0
LEAST_CALLS = 20
"""A question or two that a server cannot stand, whose episodes are tried again, put nobody out of order."""

_NEXT_BEST: dict[StructuredOutput, StructuredOutput] = {"json_schema": "json_object", "json_object": "text"}


class OutOfOrder(ModelUnavailable):
    """The provider was not even asked: its breaker is open, or it takes no calls for long.

    `retry_in` is after how many seconds it may be.
    """

    def __init__(self, message: str, remedy: str, retry_in: float) -> None:
        super().__init__(message, remedy)
        self.retry_in = retry_in


class OpenAIChat:
    """A model behind an OpenAI-compatible address.

    Replies are read raw, so that keys the SDK does not know (thought signatures, reasoning) come back to the
    provider unchanged in the next request. `timeout` is in seconds for one try, from its sending to the last
    byte of its reply. A provider that refuses a form of structured output, or a parameter that is only a
    wish, is not sent it from then on.

    `complete` is ChatModel's, but does not wait for a provider that is out of order: it raises OutOfOrder,
    or OutOfCredit for an account without money. `has_answered` says whether the provider ever did, if only by
    a rate limit; `last_fault` is the last thing that went wrong, of whatever call.
    """

    def __init__(
        self,
        *,
        provider: str,
        model: str,
        base_url: str,
        api_key: str,
        retry: RetryPolicy = RetryPolicy(),
        timeout: float = 120.0,
        max_in_flight: int = 256,
        breaker: Breaker | None = None,
        outage: Outage | None = None,
    ) -> None:
        self.provider = provider
        self.model = model
        self.base_url = base_url
        self.has_answered = False
        self.last_fault = ""
        self.breaker = breaker or Breaker(least_calls=LEAST_CALLS, name=self.place)
        self._outage = outage or Outage(self.place)
        self._api_key = api_key
        self._retry = retry
        self._timeout = timeout
        self._max_in_flight = max_in_flight
        row = ROWS.get(provider, ROWS["vllm"])
        self._structured: StructuredOutput = row.structured
        self._unknown = set(row.unknown)
        self._client: AsyncOpenAI | None = None
        self._pace: Pace | None = None
        # Half a second of imports, better spent before the first episode's clock runs.
        import openai

        self._openai = openai

    @property
    def place(self) -> str:
        """Who and where, as errors name it."""
        return f"{self.provider} model {self.model} at {self.base_url}"

    async def complete(
        self,
        messages: list[Message],
        *,
        tools: list[dict[str, Any]] | None = None,
        sampling: Sampling = Sampling(),
        schema: dict[str, Any] | None = None,
    ) -> Reply:
        request: dict[str, Any] = {"model": self.model, "messages": messages}
        wishes: dict[str, Any] = msgspec.to_builtins(sampling)
        request |= {name: value for name, value in wishes.items() if name not in self._unknown}
        if tools:
            request["tools"] = tools
        began, tries = time.monotonic(), itertools.count()
        try:
            return await self._retry.run(lambda: self._in_turn(request, schema, began, next(tries) > 0))
        except Transient as fault:
            raise ModelUnavailable(
                f"{self.place} gave no usable reply in {self._retry.tries} tries: {fault}.",
                "Check that the server runs and is reachable.",
            ) from fault
        except (BreakerOpen, NoRoom) as fault:
            remedy = "Wait until it is back."
            raise OutOfOrder(f"{self.place} is {fault}.", remedy, fault.retry_in) from fault

    async def check(self, timeout: float) -> None:
        """Ask for the list of models, which costs nothing: is the provider there, and does it take the key?

        Raises ModelRefused where it does not, OutOfCredit, and ModelUnavailable when nothing usable comes
        within `timeout` seconds. A server without such a list passes: it answered.
        """
        client, _ = self._open()
        try:
            async with asyncio.timeout(timeout):
                await client.get("/models", cast_to=bytes)
        except TimeoutError:
            fault: Exception = Transient(f"no reply within {timeout:g} s")
        except self._openai.APIConnectionError as error:
            fault = connection_fault(error, self)
        except (self._openai.NotFoundError, self._openai.RateLimitError) as error:
            fault = status_fault(error, self)
            if not isinstance(fault, OutOfCredit):
                return
        except self._openai.APIStatusError as error:
            fault = status_fault(error, self)
        else:
            return
        if isinstance(fault, Transient):
            raise ModelUnavailable(
                f"{self.place} does not answer: {fault}.",
                "Check the network and the address, or set another provider's key.",
            ) from fault
        raise fault

    async def aclose(self) -> None:
        self._outage.close()
        if self._client is not None:
            await self._client.close()
            self._client = self._pace = None

    async def _in_turn(
        self, request: dict[str, Any], schema: dict[str, Any] | None, began: float, tried: bool
    ) -> Reply:
        """One try. A refusal by rate limit is none: the call waits with all others and goes first."""
        client, pace = self._open()
        again = False
        while True:
            try:
                async with pace.slot(again=again):
                    with self.breaker.call(Transient, OutOfCredit, again=tried):
                        reply = await self._try(client, request, schema, time.monotonic() - began)
                self._heard()
                return reply
            except RateLimited as fault:
                self._heard()
                self.last_fault = str(fault)
                again = True
            except Transient as fault:
                self.last_fault = str(fault)
                self._outage.failed(self.last_fault, ever_answered=self.has_answered)
                if fault.retry_after:
                    pace.pause(fault.retry_after)
                raise

    async def _try(
        self, client: AsyncOpenAI, request: dict[str, Any], schema: dict[str, Any] | None, waited: float
    ) -> Reply:
        openai = self._openai
        try:
            async with asyncio.timeout(self._timeout):
                body = await self._post_as_taken(client, request, schema)
        except TimeoutError as error:
            raise Transient(f"no reply within {self._timeout:g} s") from error
        except openai.APIConnectionError as error:
            raise connection_fault(error, self) from error
        except openai.APIStatusError as error:
            raise status_fault(error, self) from error
        return read_reply(body, provider=self.provider, model=self.model, waited=waited)

    def _heard(self) -> None:
        self.has_answered = True
        self._outage.answered()

    async def _post_as_taken(
        self, client: AsyncOpenAI, request: dict[str, Any], schema: dict[str, Any] | None
    ) -> bytes:
        """The reply's body, asked for again without what the provider says it does not know."""
        while True:
            form = self._structured
            body = request if schema is None else request | _response_format(form, schema)
            try:
                # Not `chat.completions.create`: it checks and copies every message of the request against
                # its types, which takes as long as all the rest of the call.
                return await client.post("/chat/completions", cast_to=bytes, body=body)
            except self._openai.BadRequestError as error:
                unknown = unknown_parameters(error, request)
                if schema is not None and form != "text" and refuses_format(error):
                    if self._structured == form:
                        self._structured = _NEXT_BEST[form]
                elif unknown:
                    self._unknown |= unknown
                    request = {name: value for name, value in request.items() if name not in unknown}
                else:
                    raise

    def _open(self) -> tuple[AsyncOpenAI, Pace]:
        if self._client is None or self._pace is None:
            self._pace = Pace(most=self._max_in_flight, pause=self._retry.initial_seconds)
            self._client = self._openai.AsyncOpenAI(
                api_key=self._api_key,
                base_url=self.base_url,
                max_retries=0,
                timeout=self._openai.Timeout(None, connect=CONNECT_SECONDS),
                http_client=self._openai.DefaultAioHttpClient(event_hooks={"response": [_read_bounded]}),
            )
        return self._client, self._pace


def _response_format(form: StructuredOutput, schema: dict[str, Any]) -> dict[str, Any]:
    if form == "text":
        return {}
    if form == "json_object":
        return {"response_format": {"type": "json_object"}}
    named = {"name": schema.get("title", "Reply"), "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


async def _read_bounded(response: Any) -> None:
    """Read a response's body, of an error or not, as far as a reply may be long. Raises Transient beyond."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_REPLY_BYTES:
            raise Transient(f"the reply is longer than {MAX_REPLY_BYTES >> 20} MiB")
    # Where the response keeps what `aread` read, which then reads nothing: there is no bound to give it.
    response._content = bytes(body)
