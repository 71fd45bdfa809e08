"""Answers as the agent sees them: text as it is, everything else described."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from mcp.types import CallToolResult

from runtimes.errors import ToolError
from runtimes.tools.mcp.results import observation


def answered(*content: dict[str, Any], **fields: Any) -> str:
    return observation(CallToolResult.model_validate({"content": list(content), **fields}))


def test_texts_come_one_below_the_other() -> None:
    assert answered({"type": "text", "text": "一"}, {"type": "text", "text": "two"}) == "一\ntwo"


def test_pictures_and_sounds_are_described_by_kind_size_and_digest() -> None:
    data = base64.b64encode(b"12345").decode()
    picture = answered({"type": "image", "data": data, "mimeType": "image/png"})
    assert picture == "[image, image/png, 5 bytes, sha256 5994471abb01112a]"
    assert "[audio, audio/wav, 5 bytes" in answered({"type": "audio", "data": data, "mimeType": "audio/wav"})
    assert "unreadable" in answered({"type": "image", "data": "a", "mimeType": "image/png"})


def test_resources_give_their_text_or_are_described() -> None:
    text = {"uri": "demo://a", "text": "inside"}
    assert answered({"type": "resource", "resource": text}) == "[the resource demo://a]\ninside"
    blob = {"uri": "demo://b", "blob": base64.b64encode(b"123").decode()}
    assert "[the resource demo://b, of unknown kind, 3 bytes" in answered(
        {"type": "resource", "resource": blob}
    )
    link = {"type": "resource_link", "uri": "demo://c", "name": "c", "mimeType": "text/csv"}
    assert answered(link) == "[link to the resource c, demo://c: text/csv]"


def test_structured_content_is_shown_where_there_is_no_text_of_it() -> None:
    assert answered(structuredContent={"n": 1}) == '{"n":1}'
    assert answered({"type": "text", "text": "one"}, structuredContent={"n": 1}) == "one"
    assert answered() == "(nothing)"


def test_what_the_server_calls_an_error_is_the_agents() -> None:
    with pytest.raises(ToolError, match="no such city"):
        answered({"type": "text", "text": "no such city"}, isError=True)
