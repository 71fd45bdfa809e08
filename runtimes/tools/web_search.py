"""Searching the web over an endpoint of the deployment's own that speaks SearXNG's JSON.

https://docs.searxng.org/dev/search_api.html
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from runtimes.errors import ToolError, ToolUnavailable
from runtimes.tools.base import Tool, Workbench, parameters

TIMEOUT_SECONDS = 15.0
MAX_RESULTS = 10
_MAX_BYTES = 2_000_000
_SNIPPET_CHARACTERS = 300
_NOT_TAKEN = {400, 413, 414, 422, 431}
_LONGEST_QUERY = 1_000
_RETRY = "Try again later, or go to an address you know."


async def web_search(bench: Workbench, query: str) -> str:
    """Title, address and snippet of each result. Raises ToolUnavailable where there is no answer to read."""
    endpoint = bench.services.search_url
    if not endpoint:
        raise ToolUnavailable(
            "system_error",
            "There is no search here: the setting SEARCH_URL names no endpoint.",
            "Go to an address you know.",
        )
    return results(await _answer(endpoint, query), query)


async def _answer(endpoint: str, query: str) -> bytes:
    import aiohttp

    try:
        async with (
            asyncio.timeout(TIMEOUT_SECONDS),
            aiohttp.ClientSession() as session,
            session.get(endpoint, params={"q": query, "format": "json"}) as response,
        ):
            if response.status in _NOT_TAKEN:
                raise ToolError(
                    "runtime_error", f"The search did not take the query (HTTP {response.status})."
                )
            if response.status != 200:
                hint = " Its settings must allow the format json." if response.status == 403 else ""
                raise ToolUnavailable(
                    "network_error", f"The search answered with HTTP {response.status}.{hint}", _RETRY
                )
            return await _whole(response.content)
    except TimeoutError as error:
        raise ToolUnavailable(
            "timeout", f"The search gave no answer within {TIMEOUT_SECONDS:g} s.", _RETRY
        ) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ToolUnavailable("network_error", f"The search failed: {error}.", _RETRY) from error


async def _whole(content: Any) -> bytes:
    answer = b""
    async for chunk in content.iter_chunked(65_536):
        answer += chunk
        if len(answer) > _MAX_BYTES:
            raise ToolUnavailable("network_error", "The search's answer is too large.", _RETRY)
    return answer


def results(answer: bytes, query: str) -> str:
    """An answer in SearXNG's JSON as lines. Raises ToolUnavailable where it is none."""
    try:
        found = msgspec.json.decode(answer)["results"]
        entries = [_entry(result) for result in found[:MAX_RESULTS]]
    except (msgspec.DecodeError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise ToolUnavailable(
            "network_error", "The search's answer is not SearXNG's JSON.", "SEARCH_URL names another service."
        ) from error
    return "\n\n".join(entries) or f"Nothing was found for {query!r}."


def _entry(result: dict[str, Any]) -> str:
    snippet = " ".join(str(result.get("content") or "").split())
    lines = [str(result.get("title") or "(no title)"), str(result["url"]), snippet[:_SNIPPET_CHARACTERS]]
    return "\n".join(filter(None, lines))


WEB_SEARCH = Tool(
    name="web_search",
    description="Search the web. Returns title, address and snippet of the first results.",
    parameters=parameters(
        query={
            "type": "string",
            "minLength": 1,
            "maxLength": _LONGEST_QUERY,
            "description": "What to search for.",
        }
    ),
    action_type="tool_call",
    function=web_search,
)
