"""The one LLM client: chat completions of any provider through the `openai` package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runtimes.contracts import Message
from runtimes.errors import InfrastructureError, ModelRefused, ModelUnavailable
from runtimes.llm.base import Reply, Sampling
from runtimes.llm.retry import RetryPolicy, Transient

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

_REFUSED = {401, 403, 404}
_PASSING = {408, 409, 425, 429}


class OpenAIChat:
    """A model behind an OpenAI-compatible address.

    Replies are read raw, so that keys the SDK does not know (thought signatures, reasoning) come back to the
    provider unchanged in the next request. `timeout` is in seconds for one try.
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
    ) -> None:
        self.provider = provider
        self.model = model
        self.base_url = base_url
        self._api_key = api_key
        self._retry = retry
        self._timeout = timeout
        self._client: AsyncOpenAI | None = None
        # Half a second of imports, better spent before the first episode's clock runs.
        import openai

        self._openai = openai

    async def complete(
        self,
        messages: list[Message],
        *,
        tools: list[dict[str, Any]] | None = None,
        sampling: Sampling = Sampling(),
        schema: dict[str, Any] | None = None,
    ) -> Reply:
        request: dict[str, Any] = {"model": self.model, "messages": messages, **msgspec.to_builtins(sampling)}
        if tools:
            request["tools"] = tools
        if schema is not None:
            request["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": schema.get("title", "Reply"), "schema": schema},
            }
        try:
            return await self._retry.run(lambda: self._try(request))
        except Transient as fault:
            raise ModelUnavailable(
                f"{self.provider} model {self.model} at {self.base_url} gave no usable reply in "
                f"{self._retry.tries} tries: {fault}.",
                "Check that the server runs and is reachable, then run again: finished work is kept.",
            ) from fault

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _try(self, request: dict[str, Any]) -> Reply:
        openai = self._openai
        try:
            # Not `chat.completions.create`: it checks and copies every message of the request against its
            # types, which takes as long as all the rest of the call.
            return read_reply(await self._open().post("/chat/completions", cast_to=str, body=request))
        except openai.APIConnectionError as error:
            cause = _root_cause(error)
            if isinstance(cause, TimeoutError):
                raise Transient(f"no reply within {self._timeout:g} s") from error
            raise Transient(f"connection failed ({cause})") from error
        except openai.APIStatusError as error:
            raise self._status_fault(error) from error

    def _status_fault(self, error: APIStatusError) -> Exception:
        status = error.status_code
        said = f"HTTP {status}: {_short(error.message)}"
        if status in _PASSING or status >= 500:
            return Transient(said, _retry_after(error.response.headers.get("retry-after")))
        if status in _REFUSED:
            return ModelRefused(
                f"{self.provider} at {self.base_url} refused model {self.model} ({said}).",
                "Check the API key and the model's name in the environment or .env.",
            )
        return InfrastructureError(
            "system_error", f"{self.provider} at {self.base_url} rejected the request ({said})."
        )

    def _open(self) -> AsyncOpenAI:
        if self._client is None:
            self._client = self._openai.AsyncOpenAI(
                api_key=self._api_key,
                base_url=self.base_url,
                max_retries=0,
                timeout=self._timeout,
                http_client=self._openai.DefaultAioHttpClient(),
            )
        return self._client


def read_reply(body: str) -> Reply:
    """The first choice of a chat completion, its message as it came. Raises Transient for a damaged body."""
    try:
        plain = msgspec.json.decode(body)
        choice = plain["choices"][0]
        message = choice["message"]
        usage = plain.get("usage") or {}
        if not isinstance(message, dict):
            raise TypeError("the message is not an object")
        return Reply(
            message={key: value for key, value in message.items() if value is not None},
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or 0),
            finish_reason=str(choice.get("finish_reason") or "stop"),
        )
    except (msgspec.DecodeError, KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise Transient(f"the reply is not a chat completion ({type(error).__name__}: {error})") from error


def _root_cause(error: BaseException) -> BaseException:
    """What began it: over aiohttp, the SDK reports a dropped connection as a timeout, too."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _retry_after(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header is not None else None
    except ValueError:
        return None


def _short(text: str) -> str:
    return text if len(text) <= 300 else text[:297] + "..."
