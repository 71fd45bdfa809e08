"""Text that every later reader can take: what comes from agents, pages and files is not always Unicode."""

from __future__ import annotations

from typing import Any


def well_formed(text: str) -> str:
    """The text with lone surrogates, which no UTF-8 file can hold, replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def well_formed_json(value: Any) -> Any:
    """The same through all of a JSON value, keys included."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, dict):
        return {well_formed(key): well_formed_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [well_formed_json(item) for item in value]
    return value
