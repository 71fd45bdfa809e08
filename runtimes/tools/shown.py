"""How much an agent is shown of what a tool gives."""

from __future__ import annotations

SHOWN_CHARACTERS = 8_000
"""Of each stream or answer; a model's context is dearer than the rest of a log."""


def shortened(text: str) -> str:
    """The text, its middle cut out and the cut marked when it is long."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    half = SHOWN_CHARACTERS // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters cut ...]\n{text[-half:]}"
