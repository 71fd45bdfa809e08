"""The one LLM client: chat completions of any provider through the `openai` package."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from runtimes.contracts import Message
from runtimes.errors import CONTEXT_LENGTH, InfrastructureError, ModelRefused, ModelUnavailable, ToolError
from runtimes.llm.base import Reply, Sampling
from runtimes.llm.retry import RetryPolicy, Transient

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

_REFUSED = {401, 403, 404}
_PASSING = {408, 409, 425, 429}

# Providers agree neither on a status nor on a code for these two, so their wordings are all there is.
_CONVERSATION_REFUSED_STATUS = {400, 413, 422}
_TOO_LONG = re.compile(
    r"context[_ -]?(length|window|size)|too many (input |prompt )?tokens|(prompt|input) is too long"
    r"|input token count|reduce the length of",
    re.IGNORECASE,
)
_CONTENT_REFUSED = re.compile(
    r"content[_ -]?(filter|management|policy)|usage policy|content exists risk|data_inspection_failed",
    re.IGNORECASE,
)
_FORMAT_REFUSED = re.compile(r"response[_ ](format|schema)|json_schema", re.IGNORECASE)


class OpenAIChat:
    """A model behind an OpenAI-compatible address.

    Replies are read raw, so that keys the SDK does not know (thought signatures, reasoning) come back to the
    provider unchanged in the next request. `timeout` is in seconds for one try. A provider that refuses JSON
    schemas is asked for plain JSON objects from then on.
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
        self._takes_schemas = True
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
        try:
            return await self._retry.run(lambda: self._try(request, schema))
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

    async def _try(self, request: dict[str, Any], schema: dict[str, Any] | None) -> Reply:
        openai = self._openai
        try:
            if schema is None:
                return await self._post(request)
            return await self._post_for_json(request, schema)
        except openai.APIConnectionError as error:
            cause = _root_cause(error)
            if isinstance(cause, TimeoutError):
                raise Transient(f"no reply within {self._timeout:g} s") from error
            raise Transient(f"connection failed ({cause})") from error
        except openai.APIStatusError as error:
            raise self._status_fault(error) from error

    async def _post_for_json(self, request: dict[str, Any], schema: dict[str, Any]) -> Reply:
        if self._takes_schemas:
            named = {"name": schema.get("title", "Reply"), "schema": schema}
            try:
                return await self._post(
                    {**request, "response_format": {"type": "json_schema", "json_schema": named}}
                )
            except self._openai.BadRequestError as error:
                if _refuses_conversation(error) or not _FORMAT_REFUSED.search(_told(error)):
                    raise
            self._takes_schemas = False
        return await self._post({**request, "response_format": {"type": "json_object"}})

    async def _post(self, request: dict[str, Any]) -> Reply:
        # Not `chat.completions.create`: it checks and copies every message of the request against its
        # types, which takes as long as all the rest of the call.
        return read_reply(await self._open().post("/chat/completions", cast_to=str, body=request))

    def _status_fault(self, error: APIStatusError) -> Exception:
        status = error.status_code
        said = f"HTTP {status}: {_short(_told(error) or error.message)}"
        if status in _PASSING or status >= 500:
            return Transient(said, _retry_after(error.response.headers.get("retry-after")))
        if status in _REFUSED:
            return ModelRefused(
                f"{self.provider} at {self.base_url} refused model {self.model} ({said}).",
                "Check the API key and the model's name in the environment or .env.",
            )
        if _refuses_conversation(error):
            return ToolError(
                "runtime_error",
                f"The model did not take the conversation: {said}",
                error_class=CONTEXT_LENGTH if _TOO_LONG.search(_told(error)) else "",
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
    """The first choice of a chat completion, its message as it came but for text parts, which are joined.

    Raises Transient for a damaged body.
    """
    try:
        plain = msgspec.json.decode(body)
        choice = plain["choices"][0]
        usage = plain.get("usage") or {}
        return Reply(
            message=_read_message(choice["message"]),
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or 0),
            finish_reason=str(choice.get("finish_reason") or "stop"),
        )
    except (msgspec.DecodeError, KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise Transient(f"the reply is not a chat completion ({type(error).__name__}: {error})") from error


def _read_message(raw: Any) -> Message:
    """The keys that have a value. Raises TypeError for a shape the agent loop could not work with."""
    if not isinstance(raw, dict):
        raise TypeError("the message is not an object")
    message: Message = {key: value for key, value in raw.items() if value is not None}
    if "content" in message:
        message["content"] = _read_content(message["content"])
    calls = message.get("tool_calls", [])
    if not isinstance(calls, list):
        raise TypeError("tool_calls is not a list")
    if not all(isinstance(call, dict) and isinstance(call.get("function"), dict) for call in calls):
        raise TypeError("a tool call is not an object with a function object")
    return message


def _read_content(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise TypeError("the content is neither text nor a list of parts")
    texts: list[str] = []
    for part in content:
        if part["type"] != "text" or not isinstance(part["text"], str):
            raise TypeError("the content has a part that is not text")
        texts.append(part["text"])
    return "".join(texts)


def _refuses_conversation(error: APIStatusError) -> bool:
    """Whether the conversation itself is at fault: too long for the model, or caught by a content filter."""
    told = _told(error)
    return error.status_code in _CONVERSATION_REFUSED_STATUS and bool(
        _TOO_LONG.search(told) or _CONTENT_REFUSED.search(told)
    )


def _told(error: APIStatusError) -> str:
    """The message, code, type and parameter that the body of an error names; empty when it names none."""
    body: Any = error.body
    # Gemini wraps its error object in a list, which the SDK does not look into.
    if isinstance(body, list) and body and isinstance(body[0], dict):
        body = body[0].get("error", body[0])
    if isinstance(body, dict):
        return ", ".join(str(body[key]) for key in ("message", "code", "type", "param") if body.get(key))
    return body if isinstance(body, str) else ""


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
