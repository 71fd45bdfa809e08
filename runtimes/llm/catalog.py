"""The one table of providers: where each is, which variables configure it, and what its API takes.

What is configured and which model is chosen is `providers`' business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

DEFAULT_VLLM_URL = "http://localhost:8000"

StructuredOutput = Literal["json_schema", "json_object", "text"]
"""How a provider is asked for JSON, best first; in the last one the prompt alone asks."""


def base(url: str) -> str:
    """An address without what other tools want at its end: a slash, the path of the endpoint."""
    return url.strip().rstrip("/").removesuffix("/chat/completions")


def gemini_base(url: str) -> str:
    """Gemini's OpenAI-compatible address; its native `.../v1beta` base gets `/openai` appended."""
    url = base(url)
    return f"{url}/openai" if url.endswith(("/v1beta", "/v1")) else url


def with_version(url: str) -> str:
    """A vLLM address as the client wants it: users set it with and without `/v1`."""
    url = base(url)
    return url if url.endswith("/v1") else f"{url}/v1"


def versioned_host(url: str) -> str:
    """An address whose path is the user's; a bare host gets `/v1`."""
    url = base(url)
    return url if urlsplit(url).path else f"{url}/v1"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One provider as its documentation has it.

    `structured` is the best form of structured output, `unknown` the parameters that its API answers with an
    error, `echoes` the keys of an assistant message or tool call that it wants back and others do not know.
    """

    name: str
    key_variable: str
    url_variable: str
    model_variable: str
    url: str
    model: str
    address: Callable[[str], str]
    structured: StructuredOutput
    unknown: frozenset[str] = frozenset()
    echoes: frozenset[str] = frozenset()


TABLE = (
    Row(
        name="gemini",
        key_variable="GEMINI_API_KEY",
        url_variable="GEMINI_API_URL",
        model_variable="GEMINI_MODEL",
        url="https://generativelanguage.googleapis.com/v1beta",
        model="gemini-2.5-flash",
        address=gemini_base,
        structured="json_schema",
        # 400 'Unknown name "seed": Cannot find field'; the same of the other.
        unknown=frozenset({"seed", "parallel_tool_calls"}),
        # Gemini 3 answers 400 without them: ai.google.dev/gemini-api/docs/thought-signatures
        echoes=frozenset({"extra_content"}),
    ),
    Row(
        name="deepseek",
        key_variable="DEEPSEEK_API_KEY",
        url_variable="DEEPSEEK_API_URL",
        model_variable="DEEPSEEK_MODEL",
        url="https://api.deepseek.com/v1",
        model="deepseek-chat",
        # With and without /v1, as DeepSeek has both.
        address=base,
        structured="json_object",
        unknown=frozenset({"seed", "parallel_tool_calls"}),
        # Thinking models answer 400 without it: api-docs.deepseek.com/guides/thinking_mode#tool-calls
        echoes=frozenset({"reasoning_content"}),
    ),
    Row(
        name="openai",
        key_variable="OPENAI_API_KEY",
        url_variable="OPENAI_API_BASE",
        model_variable="OPENAI_MODEL",
        url="https://api.openai.com/v1",
        model="gpt-4o-mini",
        address=versioned_host,
        structured="json_schema",
    ),
    Row(
        name="vllm",
        key_variable="",
        url_variable="VLLM_URL",
        model_variable="MODEL",
        url=DEFAULT_VLLM_URL,
        model="",
        address=with_version,
        structured="json_schema",
    ),
)
"""In the order of preference. vLLM has no key and serves what it was started with."""

ROWS = {row.name: row for row in TABLE}


def echoing(message: dict[str, Any]) -> Row | None:
    """The provider whose own keys an assistant message holds, which no other is to be sent."""
    calls = [call for call in message.get("tool_calls") or () if isinstance(call, dict)]
    held = set(message).union(*calls)
    return next((row for row in TABLE if row.echoes & held), None)
