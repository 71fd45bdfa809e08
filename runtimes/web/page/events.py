"""What a page did on its own while an agent acted, for the record and for the next observation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.async_api import Page

MAX_EVENTS = 50
"""How many of each kind a step keeps; a page can make them faster than anybody reads."""

MAX_NOTICES = 20
MAX_NOTICE_LENGTH = 1_000
"""Of characters; a `data:` address may have millions."""


@dataclass
class Events:
    """What was seen since the last record was made.

    `dialogs` have a type, a message and how they were answered. `downloads` and `blocked` are addresses
    that were refused, `blocked` also "host:port reason" where the proxy did it.
    """

    dialogs: list[dict[str, str]] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)
    popups: list[Page] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)


class Notices:
    """Sentences an agent has not been told yet, each said once, at most MAX_NOTICES of MAX_NOTICE_LENGTH."""

    def __init__(self) -> None:
        self._sentences: dict[str, None] = {}

    def append(self, sentence: str) -> None:
        if len(sentence) > MAX_NOTICE_LENGTH:
            sentence = f"{sentence[:MAX_NOTICE_LENGTH]}..."
        if len(self._sentences) < MAX_NOTICES:
            self._sentences.setdefault(sentence)

    def pending(self) -> tuple[str, ...]:
        return tuple(self._sentences)

    def told(self, sentences: tuple[str, ...]) -> None:
        for sentence in sentences:
            self._sentences.pop(sentence, None)
