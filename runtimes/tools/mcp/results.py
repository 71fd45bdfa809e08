"""What an MCP server answers, as the text an agent sees: what is no text is described."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

import msgspec

from runtimes.errors import ToolError
from runtimes.tools.shown import shortened

if TYPE_CHECKING:
    from mcp.types import CallToolResult, ContentBlock


def observation(result: CallToolResult) -> str:
    """The answer as text, cut to size. Raises ToolError where the server says the call was wrong."""
    parts = [_described(block) for block in result.content]
    if result.structured_content is not None and not any(block.type == "text" for block in result.content):
        parts.append(msgspec.json.encode(result.structured_content).decode())
    text = shortened("\n".join(parts)) or "(nothing)"
    if result.is_error:
        raise ToolError("runtime_error", text)
    return text


def _described(block: ContentBlock) -> str:
    if block.type == "text":
        return block.text
    if block.type == "image" or block.type == "audio":
        return f"[{block.type}, {block.mime_type}, {_size(block.data)}]"
    if block.type == "resource_link":
        about = ", ".join(filter(None, (block.mime_type, block.description)))
        return f"[link to the resource {block.name}, {block.uri}{f': {about}' if about else ''}]"
    resource = block.resource
    if hasattr(resource, "text"):
        return f"[the resource {resource.uri}]\n{resource.text}"
    return f"[the resource {resource.uri}, {resource.mime_type or 'of unknown kind'}, {_size(resource.blob)}]"


def _size(data: str) -> str:
    """How large base64 data is, and a digest to tell two apart by."""
    try:
        content = base64.b64decode(data)
    except binascii.Error:
        return "unreadable"
    return f"{len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()[:16]}"
